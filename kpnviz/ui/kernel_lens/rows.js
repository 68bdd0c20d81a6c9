// The kernels: one row a method, one cell a frame, and above them the views to choose from.

class Rows {
  constructor(lens) {
    this.lens = lens;
    this.built = "";
  }

  // Tabs of the views that this burst has.
  buildTabs() {
    const { lens } = this;
    const tabs = Object.entries(VIEWS)
      .filter(([name, { available }]) => (lens.data.sizes ? name === "sizes" : !available || available(lens)))
      .map(([name, { title }]) => {
        const tab = makeButton("tab", "", title);
        tab.role = "tab";
        tab.dataset.look = tab.id = name;
        tab.setAttribute("aria-controls", "rows");
        return tab;
      });
    lens.find(".tabs").replaceChildren(...tabs);
    this.looks = tabs.map(({ dataset }) => dataset.look);
  }

  get view() {
    return VIEWS[this.lens.look];
  }

  build() {
    const { lens } = this;
    this.rows = this.view.rows(lens).map((row) => {
      row.cells = Array.from({ length: row.count }, (_, i) => this.makeCell(i, row.panels?.[i]));
      row.score = make("span", "score");
      row.lines = make("span", "lines");
      row.running = make("i", "");
      row.progress = make("div", "progress", row.running);
      row.progress.hidden = true;
      const title = make("b", "", row.title);
      const panel = row.method && lens.data.panels[row.method.panel];
      if (panel && panel === lens.pictures.star) title.append(make("span", "best", "★"));
      if (panel) title.title = panel.about;
      row.panel = panel;
      row.body = row.count ? make("div", "cells", ...row.cells.map(({ element }) => element)) : make("p", "without", "predicts the picture itself: it has no kernels");
      row.element = make("div", `row ${row.kind ?? ""}`, make("div", "name", title, row.score, row.progress, row.lines), row.body);
      row.element.classList.toggle("waiting", Boolean(row.waiting));
      if (row.method) row.element.dataset.method = row.title;
      return row;
    });
    lens.find(".rows").replaceChildren(...this.rows.map(({ element }) => element));
    for (const tab of lens.find(".tabs").children) tab.setAttribute("aria-selected", tab.dataset.look === lens.look);
    lens.find(".rows").setAttribute("aria-labelledby", lens.look);
    lens.input.groups.tabs.stopAt(lens.find(`.tab#${lens.look}`));
    lens.input.groups.cells.stopAt(this.rows[0]?.cells[lens.frame]?.element);
    lens.find(".steps").hidden = lens.look !== "sum";
    lens.find(".note").textContent = !this.rows.length
      ? "There is no method here: choose one, and its kernels stand here."
      : this.rows.some(({ count }) => count)
        ? (this.view.note(lens) ?? "")
        : "";
    this.legend();
    this.built = this.identity;
  }

  // What the rows on the page were built for.
  get identity() {
    const { lens } = this;
    return `${lens.data.id} ${lens.look} ${lens.look === "ideal" ? lens.chosenMethod?.title : ""}`;
  }

  // The cell of frame i, or of the method of a panel.
  makeCell(i, panel) {
    const cell = { canvas: make("canvas", ""), bar: make("i", ""), number: make("b", "", panel ? shortTitle(panel) : `${i}`), text: make("span", "share") };
    cell.bars = make("span", "bar-box", cell.bar);
    cell.element = makeButton("cell", "", cell.canvas, cell.bars, make("span", "label", cell.number, cell.text));
    if (panel) cell.element.append((cell.more = make("span", "more")));
    Object.assign(cell.element.dataset, panel ? { name: panel.name } : { frame: i });
    return cell;
  }

  legend() {
    const { lens } = this;
    const entry = (kind, path, text) => {
      const item = make("small", kind, text);
      item.insertAdjacentHTML("afterbegin", `<svg viewBox="0 0 12 12" aria-hidden="true">${path}</svg>`);
      return item;
    };
    const cross = '<path d="M6 0v4.5M6 7.5v4.5M0 6h4.5M7.5 6h4.5"/>';
    const items = [];
    if (lens.look !== "sum" && lens.look !== "frames") items.push(entry("centroid", cross, "center of |w|"));
    if (lens.data.shifts && lens.frames > 1 && lens.look !== "sum") items.push(entry("shift", '<circle cx="6" cy="6" r="4.2"/>', lens.look === "uses" ? "in the reference" : "true shift"));
    const star = make("small", "star", make("span", "best", "★"), ` PSNR leads by ${VISIBLE_LEAD} dB or more`);
    lens.find(".legend").replaceChildren(...(lens.marks ? items : []), ...(lens.pictures.star ? [star] : []));
  }

  // The box in which the rows are, and how large a kernel is in it.
  layOut(width, height, type) {
    const counts = this.rows.map(({ count }) => Math.max(count, 1));
    this.place(arrange(counts, width, height, type));
  }

  place({ named, columns, side }) {
    this.side = side;
    const box = this.lens.find(".rows");
    box.classList.toggle("stacked", !named);
    box.style.setProperty("--side", `${side}px`);
    box.style.setProperty("--columns", columns);
  }

  paint() {
    const { lens } = this;
    if (this.built !== this.identity) {
      this.build();
      lens.layOut();
    }
    for (const row of this.rows) {
      row.score.textContent = row.panel ? lens.pictures.scoreOf(row.panel) : "";
      if (!row.count || row.waiting) continue;
      const { cells, lines, progress } = this.view.contents(lens, row.method ? { ...row, found: lens.foundOf(row.method) } : row);
      cells.forEach((content, i) => this.paintCell(row.cells[i], content));
      this.writeLines(row, lines.filter(Boolean));
      row.progress.hidden = progress === undefined;
      if (progress !== undefined) row.running.style.width = `${100 * clamp(progress, 0, 1)}%`;
    }
    this.rows.forEach(({ cells, panels }) =>
      cells.forEach(({ element }, i) => {
        const side = panels && lens.pictures.sideOf(panels[i]);
        element.setAttribute("aria-pressed", panels ? Boolean(side) : i === lens.frame);
        if (panels) element.dataset.side = side;
      }),
    );
  }

  paintCell(cell, { draw, bar, reach, text, more, strong, tip, dim }) {
    draw(cell.canvas, this.side);
    cell.bars.hidden = bar === undefined && !reach;
    if (reach) Object.assign(cell.bar.style, { width: `${100 * reach.share}%`, background: reach.color });
    if (cell.more) cell.more.textContent = more;
    cell.element.classList.toggle("strong", Boolean(strong));
    if (bar !== undefined) {
      cell.bar.style.width = `${clamp(Math.abs(bar), 0, 1) * 100}%`;
      cell.bar.classList.toggle("negative", bar < 0);
    }
    cell.text.textContent = text;
    cell.element.title = tip;
    cell.element.classList.toggle("dim", Boolean(dim));
  }

  writeLines(row, lines) {
    while (row.lines.children.length < lines.length) row.lines.append(make("span", ""));
    while (row.lines.children.length > lines.length) row.lines.lastChild.remove();
    lines.forEach(({ text, tip, kind }, i) => {
      const line = row.lines.children[i];
      line.textContent = text;
      line.title = tip ?? "";
      line.className = kind ?? "";
    });
  }
}
