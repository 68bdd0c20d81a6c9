// The pictures: one or two large ones on the stage, and all of them, small, on the film under it.

const SMALLEST_NUMBERED_PIXEL = 38; // CSS pixels: from here on, pixels carry their values
const ERROR_RANGE = 0.2; // of sRGB values, at brightness 1
const VISIBLE_LEAD = 0.1; // dB: the best method is starred from here on
const THUMB = 64; // CSS pixels, the least a small picture is wide
const MARK = "#ffb000";
const PIN = 18; // CSS pixels, the height of the pin
const KEYS_LABEL =
  "Pictures of the burst and the kernels predicted at one pixel. Arrow keys move the pixel, Enter pins it, question mark lists all keys.";

class Pictures {
  constructor(lens) {
    this.lens = lens;
    this.wipe = new Wipe(lens);
    this.size = [0, 0]; // of a large picture, CSS pixels
    this.stages = [this.makeStage("other"), this.makeStage("shown")];
    this.surface = this.stages[1].marks;
    const attributes = { tabindex: 0, role: "application", "aria-roledescription": "kernel lens", "aria-label": KEYS_LABEL };
    for (const [name, value] of Object.entries(attributes)) this.surface.setAttribute(name, value);
  }

  // A large picture: what it shows is the lens' `other` (left, of a pair) or `shown` panel.
  makeStage(role) {
    const stage = { role, picture: make("canvas", "picture"), marks: make("canvas", "marks") };
    stage.element = make("div", `stage ${role}`, stage.picture, stage.marks);
    stage.left = this.makeLabel("other");
    stage.right = this.makeLabel("shown");
    stage.element.append(stage.left.element, stage.right.element);
    if (role === "shown") stage.element.append(this.wipe.handle);
    return stage;
  }

  // A picture's name over its corner, which is a choice of another one, with its score.
  makeLabel(role) {
    const label = { select: make("select", ""), score: make("span", "score") };
    label.select.name = role;
    label.select.setAttribute("aria-label", role === "other" ? "Left picture" : "Picture");
    label.element = make("span", `chip ${role}`, label.select, label.score);
    return label;
  }

  // --- built once per payload -------------------------------------------------------------------

  build() {
    const { data, find } = this.lens;
    this.star = this.bestMethod();
    find(".stages").replaceChildren(...this.stages.map(({ element }) => element));
    find(".film").replaceChildren(...data.panels.map((panel) => this.makeThumb(panel)));
    this.lens.input.groups.film.stopAt();
    find(".film").classList.toggle("scored", Boolean(this.lens.truth));
    for (const select of this.lens.root.querySelectorAll("[name=against], [name=shown], [name=other]"))
      select.replaceChildren(...data.panels.map((panel) => new Option(this.titleOf(panel), panel.name)));
  }

  // The method whose PSNR leads all others' by what can be seen, or undefined.
  bestMethod() {
    if (this.lens.waiting) return;
    const scored = this.lens.data.panels
      .filter(({ kind, scores }) => kind === "method" && scores?.psnr != null)
      .sort((a, b) => b.scores.psnr - a.scores.psnr);
    if (scored.length > 1 && scored[0].scores.psnr - scored[1].scores.psnr >= VISIBLE_LEAD) return scored[0];
  }

  makeThumb(panel) {
    panel.small = make("canvas", "");
    panel.label = make("span", "title", panel.title);
    panel.score = make("span", "score");
    panel.value = make("span", "value");
    panel.value.title = "the pixel's value, linear intensity";
    const star = panel === this.star;
    if (star) panel.label.append(make("span", "best", "★"));
    panel.thumb = makeButton("thumb panel", "", panel.small, panel.label, panel.score, panel.value);
    Object.assign(panel.thumb.dataset, { kind: panel.kind, name: panel.name });
    const { psnr, ssim } = panel.scores ?? {};
    panel.thumb.classList.toggle("waiting", !panel.image);
    panel.ownScore = !panel.image ? "…" : !panel.scores ? "" : psnr == null ? "= truth" : `${psnr.toFixed(2)} dB`;
    const parts = [panel.title, panel.kind === "truth" ? "noise-free frame 0" : panel.ownScore];
    if (ssim != null) parts.push(`SSIM ${ssim.toFixed(3)}`);
    if (star) parts.push(`★ its PSNR leads all other methods' here by ${VISIBLE_LEAD} dB or more`);
    panel.about = parts.filter(Boolean).join(" · ");
    return panel.thumb;
  }

  // As large as the window allows; small pictures, as many in a line as fit.
  layOut(width, height, type) {
    const { data, compare } = this.lens;
    const pictures = compare === "pair" ? 2 : 1;
    this.place(stageSize(width, height, pictures, data.width / data.height, type), width);
  }

  // The large pictures get a width, and stand beside something or alone. Returns their size.
  place(stage, width = stage.width) {
    const { data, compare, find } = this.lens;
    const pictures = compare === "pair" ? 2 : 1;
    const aspect = data.width / data.height;
    this.size = [stage.width, Math.round(stage.width / aspect)];
    this.beside = stage.beside;
    this.width = pictures * stage.width + (pictures - 1) * CELL_GAP;
    for (const { element } of this.stages) {
      element.style.width = `${this.size[0]}px`;
      element.style.height = `${this.size[1]}px`;
    }
    const across = stage.beside ? this.width : width;
    const count = data.panels.length;
    const least = this.lens.weight > 1 ? THUMB - 20 : THUMB - 8; // for a class, in one line: it looks at the large one
    const most = clamp(Math.floor((across + CELL_GAP) / (least + CELL_GAP)), 1, count);
    this.thumbSize = Math.min(Math.floor((across + CELL_GAP) / most) - CELL_GAP, THUMB + 8);
    // Now, not when they are painted: what is left for the large picture is measured before.
    for (const { small } of data.panels) small.style.height = `${Math.round(this.thumbSize / aspect)}px`;
    find(".film").style.gridTemplateColumns = `repeat(${most}, ${this.thumbSize}px)`;
    find(".looking").style.width = stage.beside ? `${this.width}px` : "";
    return this.size;
  }

  // --- painting ---------------------------------------------------------------------------------

  // CSS pixels of a picture pixel.
  get scale() {
    return (this.size[0] * this.lens.view.zoom) / this.lens.data.width;
  }

  titleOf(panel) {
    return panel.kind === "frame" ? `Frame ${this.lens.frame}` : panel.title;
  }

  // The color of each pixel. The panel that others are compared with has no error; it stays a picture.
  colorsOf(image, panel) {
    const { lens } = this;
    const white = lens.data.white_level;
    const picture = lens.mode === "picture" || lens.mode === "kernels";
    const gain = (picture ? 2 ** lens.stops : 1) / white;
    const { reference } = lens;
    const shown = this.transfer;
    if (picture || panel === reference) return (i) => gray(shown(image[i] * gain));
    const range = this.errorRange;
    const size = lens.mode === "absolute" ? Math.abs : (error) => error;
    const other = lens.imageOf(reference);
    return (i) => lens.palette.at(size(shown(image[i] / white) - shown(other[i] / white)) / range);
  }

  // What is shown of a linear value, white being 1.
  get transfer() {
    return this.lens.linear ? (value) => clamp(value, 0, 1) : encode;
  }

  get errorRange() {
    return ERROR_RANGE / 2 ** this.lens.stops;
  }

  // The colors of all pictures, and the small ones.
  paintBitmaps() {
    const { lens } = this;
    const { height: H, width: W, panels } = lens.data;
    const height = Math.round((this.thumbSize * H) / W);
    for (const panel of panels.filter(({ image }) => image)) {
      panel.bitmap = bitmap(H, W, this.colorsOf(lens.imageOf(panel), panel), panel.bitmap);
      const context = prepare(panel.small, this.thumbSize, height);
      context.imageSmoothingEnabled = true;
      context.drawImage(panel.bitmap, 0, 0, this.thumbSize, height);
    }
    this.nameFrame();
  }

  // The scores are the reference's; another frame has none, it shows the scene elsewhere.
  nameFrame() {
    const { lens } = this;
    const panel = lens.framePanel;
    const shift = lens.data.shifts?.[lens.frame];
    panel.title = `Frame ${lens.frame}`;
    panel.label.textContent = panel.title;
    panel.moved = lens.frame > 0;
    panel.about = lens.frame === 0 ? `${panel.title}, the reference · ${panel.ownScore}` : shift ? `${panel.title} · moved by ${offset(shift)} px` : panel.title;
    for (const option of lens.root.querySelectorAll("option[value=frame]")) option.textContent = panel.title;
  }

  scoreOf(panel) {
    if (panel.kind === "frame" && panel.moved) {
      const shift = this.lens.data.shifts?.[this.lens.frame];
      return shift ? offset(shift) : "";
    }
    return panel.assumedScore ?? panel.ownScore;
  }

  paint() {
    const { lens } = this;
    const [shown, other] = lens.flicker ? [lens.otherPanel, lens.shownPanel] : [lens.shownPanel, lens.otherPanel];
    for (const stage of this.stages) {
      const here = stage.role === "shown" ? shown : other;
      stage.element.hidden = stage.role === "other" && lens.compare !== "pair";
      if (stage.element.hidden) continue;
      const context = prepare(stage.picture, ...this.size);
      this.drawPanel(context, here);
      if (stage.role === "shown" && lens.compare === "wipe" && !lens.flicker) this.wipe.draw(context, other);
      stage.left.element.hidden = lens.compare === "pair" ? stage.role === "shown" : lens.compare === "one" || lens.flicker;
      stage.right.element.hidden = stage.role === "other";
      for (const [label, panel] of [[stage.left, other], [stage.right, shown]]) {
        label.select.value = panel.name;
        label.score.textContent = this.scoreOf(panel) + (panel === this.star && !panel.mixed ? " ★" : "");
        label.element.title = panel.about;
      }
    }
    for (const panel of lens.data.panels) {
      panel.thumb.dataset.side = this.sideOf(panel);
      panel.thumb.setAttribute("aria-pressed", Boolean(this.sideOf(panel)));
      panel.thumb.title = panel.about;
      panel.score.textContent = this.scoreOf(panel);
    }
    this.wipe.place();
    lens.root.classList.toggle("flickering", lens.flicker);
    lens.root.classList.toggle("paired", lens.compare === "pair");
  }

  // Where a panel is on the stage: shown, other, or "".
  sideOf(panel) {
    const { shownPanel, otherPanel, compare } = this.lens;
    return panel === shownPanel ? "shown" : panel === otherPanel && compare !== "one" ? "other" : "";
  }

  drawPanel(context, panel) {
    const { view, data, mode, kernelMethods } = this.lens;
    const { scale } = this;
    const method = kernelMethods.find((one) => data.panels[one.panel] === panel);
    context.drawImage(panel.bitmap, -view.x * scale, -view.y * scale, data.width * scale, data.height * scale);
    if (mode === "kernels" && method) return drawCarpet(context, this.size, this.lens, method);
    if (scale >= SMALLEST_NUMBERED_PIXEL) this.drawNumbers(context, this.lens.imageOf(panel));
  }

  drawNumbers(context, image) {
    const { height: H, width: W } = this.lens.data;
    const [w, h] = this.size;
    const { y: top, x: left } = this.lens.view;
    const { scale } = this;
    context.font = `${clamp(scale / 4, 10, 14)}px ${getComputedStyle(this.lens.root).fontFamily}`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    for (let y = Math.floor(top); y < Math.min(top + h / scale, H); y++)
      for (let x = Math.floor(left); x < Math.min(left + w / scale, W); x++) {
        const text = signed(image[y * W + x], 3);
        const [px, py] = [(x + 0.5 - left) * scale, (y + 0.5 - top) * scale];
        context.strokeStyle = "rgba(0, 0, 0, 0.6)";
        context.lineWidth = 2.5;
        context.strokeText(text, px, py);
        context.fillStyle = "#fff";
        context.fillText(text, px, py);
      }
  }

  // What changes with the pixel: marks on the stage, values on the film.
  paintCursor(shifts) {
    const { lens } = this;
    const [y, x] = lens.cursor;
    for (const stage of this.stages) if (!stage.element.hidden) this.paintMarks(stage, shifts);
    for (const panel of lens.data.panels.filter(({ image }) => image))
      panel.value.textContent = signed(lens.imageOf(panel)[y * lens.data.width + x], 3);
  }

  // The left and top edge of a pixel on a large picture, CSS pixels.
  cornerOf([y, x]) {
    return [(x - this.lens.view.x) * this.scale, (y - this.lens.view.y) * this.scale];
  }

  // Crosshair and footprints; on a frame that moved, also where the scene of this pixel went. And the pinned pixel.
  paintMarks(stage, shifts) {
    const { lens, scale } = this;
    const context = prepare(stage.marks, ...this.size);
    const [w, h] = this.size;
    const [left, top] = this.cornerOf(lens.cursor);
    const here = stage.role === "shown" ? lens.shownPanel : lens.otherPanel;
    const sizes = lens.outlined.map(({ kernels }) => kernels.K);
    const reach = (Math.max(1, ...sizes) - 1) / 2;
    const [x0, x1] = [left - reach * scale, left + (reach + 1) * scale];
    const [y0, y1] = [top - reach * scale, top + (reach + 1) * scale];
    const [mx, my] = [left + scale / 2, top + scale / 2];
    const hairs = [[0, x0, my, true], [x1, w, my, true], [0, y0, mx, false], [y1, h, mx, false]];
    const path = () => {
      for (const [a, b, at, across] of hairs)
        if (across) (context.moveTo(a, at), context.lineTo(b, at));
        else (context.moveTo(at, a), context.lineTo(at, b));
    };
    cased(context, "rgba(255, 255, 255, 0.6)", 0.75 * lens.weight, path, "rgba(0, 0, 0, 0.2)");
    const square = (r) =>
      context.rect(left - r * scale, top - r * scale, (2 * r + 1) * scale, (2 * r + 1) * scale);
    for (const K of new Set(sizes)) cased(context, MARK, 1.25 * lens.weight, () => square((K - 1) / 2));
    if (scale > 8) cased(context, MARK, 1, () => square(0));
    if (lens.pinned) this.paintPin(context, reach);
    if (stage.role === "map" || !shifts || lens.frame === 0 || ![here, lens.otherPanel].includes(lens.framePanel)) return;
    if (here !== lens.framePanel && lens.compare !== "wipe") return;
    const [dy, dx] = shifts[lens.frame];
    const ring = [mx + dx * scale, my + dy * scale];
    // In a wipe, only on the frame's side of the edge.
    const onLeft = ring[0] < this.wipe.at * w;
    if (lens.compare === "wipe" && onLeft !== (lens.otherPanel === lens.framePanel)) return;
    cased(context, lens.ink.shift, 1.5 * lens.weight, () => context.arc(...ring, Math.max(4, scale * 0.6), 0, 2 * Math.PI));
  }
  // A pin on the upper edge of the pinned pixel's footprint, which is outlined also while one looks elsewhere.
  paintPin(context, reach) {
    const { scale, size: [w, h], lens } = this;
    const [left, top] = this.cornerOf(lens.pinnedAt);
    if (left + scale < 0 || top + scale < 0 || left > w || top > h) return; // out of sight
    const side = (2 * reach + 1) * scale;
    const outline = () => context.rect(left - reach * scale, top - reach * scale, side, side);
    if (lens.isAway) cased(context, MARK, 0.75 * lens.weight, outline);
    const pin = PIN * Math.sqrt(lens.weight);
    drawPin(context, clamp(left + scale / 2, pin / 2, w - pin / 2), Math.max(top - reach * scale, pin), pin, MARK);
  }
}
