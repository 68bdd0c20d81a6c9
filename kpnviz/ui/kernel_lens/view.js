// How the lens gets on the page: what is built once per payload, and what is painted for every move.

const DIGITS = 4; // of intensities
const SMALLEST_NUMBERED_PIXEL = 38; // CSS pixels: from here on, pixels carry their values
const ERROR_RANGE = 0.2; // of sRGB values, at brightness 1

// A true minus sign, and no minus before zero.
const signed = (value, digits = DIGITS) =>
  (Number(value.toFixed(digits)) || 0).toFixed(digits).replace("-", "−");
const plus = (value, digits) => (Number(value.toFixed(digits)) > 0 ? "+" : "") + signed(value, digits);
const offset = (shift) => `(${shift.map((d) => plus(d, Number.isInteger(d) ? 0 : 1)).join(", ")})`; // half pixels
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

function make(tag, className, ...children) {
  const element = document.createElement(tag);
  element.className = className;
  element.append(...children);
  return element;
}

class View {
  // --- the page: built once per payload ---------------------------------------------------------

  buildPanels() {
    const { panels } = this.data;
    const best = Math.max(
      ...panels.filter(({ kind }) => kind === "method").map(({ scores }) => scores?.psnr ?? -1),
    );
    const several = panels.filter(({ kind }) => kind === "method").length > 1;
    this.find(".panels").replaceChildren(
      ...panels.map((panel) => {
        panel.picture = make("canvas", "picture");
        panel.marks = make("canvas", "marks");
        panel.stage = make("div", "stage", panel.picture, panel.marks);
        panel.stage.style.aspectRatio = `${this.data.width} / ${this.data.height}`;
        panel.label = make("span", "", panel.title);
        panel.beside = make("small", "");
        panel.value = make("span", "value");
        panel.value.title = "the pixel's value, linear intensity";
        const { psnr, ssim } = panel.scores ?? {};
        const scores = (panel.caption = make("span", "scores"));
        if (panel.scores) {
          scores.append(psnr == null ? "equal to the truth" : `${psnr.toFixed(2)} dB`);
          if (ssim != null) scores.append(make("span", "ssim", `SSIM ${ssim.toFixed(3)}`));
        } else if (panel.kind === "truth") scores.append("noise-free frame 0");
        panel.ownCaption = [...scores.childNodes];
        if (several && panel.kind === "method" && psnr === best) {
          panel.label.append(make("span", "best", "★"));
          panel.label.title = "highest PSNR of the methods";
        }
        const title = make("span", "title", panel.label, panel.beside);
        const caption = make("figcaption", "", title, panel.value, scores);
        panel.figure = make("figure", "panel", panel.stage, caption);
        panel.figure.dataset.kind = panel.kind;
        panel.figure.dataset.name = panel.name;
        return panel.figure;
      }),
    );
    this.framePanel = panels.find(({ kind }) => kind === "frame");
  }

  // The choices that name a panel.
  offerPanels() {
    for (const name of ["against", "left", "right"])
      this.find(`[name=${name}]`).replaceChildren(
        ...this.data.panels.map((panel) => new Option(panel.title, panel.name)),
      );
  }

  panelNamed(name) {
    return this.data.panels.find((panel) => panel.name === name);
  }

  buildRows() {
    const head = make("div", "row head", this.legend());
    this.heads = Array.from({ length: this.frames }, (_, i) => {
      const button = make("button", "", `Frame ${i}`, make("small", "", i === 0 ? "reference" : " "));
      button.type = "button";
      button.title = `Show frame ${i} in the first picture`;
      button.dataset.frame = i;
      head.append(button);
      return button;
    });
    head.append(make("span", "sum", make("small", "", "adds up to")));
    const rows = this.data.methods.map((method) => {
      const name = make("div", "name", make("b", "", method.title));
      const row = make("div", "row", name);
      if (!method.kernels) {
        row.append(make("p", "without", "predicts the pixel itself: there is no kernel to show"));
        return row;
      }
      const { sizes, K } = method.kernels;
      name.append(make("small", "", sizes.length > 1 ? `${sizes.join(", ")} px` : `${K}×${K} px`));
      row.dataset.method = method.title;
      method.cells = Array.from({ length: method.kernels.factors.shape[0] }, () => {
        const cell = {
          canvas: make("canvas", ""),
          bar: make("i", ""),
          share: make("span", "share"),
          adds: make("span", "adds"),
          note: make("span", "out"),
        };
        cell.element = make(
          "div",
          "cell",
          cell.canvas,
          make("div", "bar-box", cell.bar),
          cell.share,
          cell.adds,
          cell.note,
        );
        row.append(cell.element);
        return cell;
      });
      method.sum = make("b", "");
      method.picture = make("small", "");
      const sum = make("div", "sum", method.sum, method.picture);
      sum.style.gridColumn = "-2";
      row.append(sum);
      return row;
    });
    this.find(".rows").style.setProperty("--frames", this.frames);
    this.find(".rows").replaceChildren(head, ...rows);
  }

  legend() {
    const entry = (kind, path, text) => {
      const item = make("small", kind, text);
      item.insertAdjacentHTML("afterbegin", `<svg viewBox="0 0 12 12" aria-hidden="true">${path}</svg>`);
      return item;
    };
    const legend = make(
      "div",
      "name legend",
      entry("centroid", '<path d="M2 2l8 8m0-8l-8 8"/>', "center of |w|"),
    );
    if (this.data.shifts) {
      legend.append(entry("shift", '<circle cx="6" cy="6" r="4.2"/>', "true shift"));
      legend.append(make("small", "", "(dy, dx) in pixels"));
    }
    return legend;
  }

  note() {
    const K = Math.max(...this.kernelMethods.map(({ kernels }) => kernels.K));
    if (!(K > 0)) return "";
    return (
      "One color scale for all kernels of this pixel, by the square root of the weight. At the same pixel scale " +
      `a box is ${K}×${K} pixels, and a small square in it is a small kernel. Under each kernel: the frame's share ` +
      "of the weight, and what the frame adds to the pixel, its patch times its kernel over the number of frames. " +
      "These sums are taken here, from the frames and kernels on display: they are the picture's value (to about " +
      "0.001, kernels travel as 16-bit numbers). Beside each picture's title: its linear value at the pixel."
    );
  }

  // Sizes change with the window only, so they are measured here and not on every mouse move.
  layOut() {
    if (!this.data) return;
    const panels = this.data.panels.length;
    const width = this.find(".panels").clientWidth;
    // As few lines of pictures as leave each 128 px wide, and lines of equal length.
    const lines = Math.ceil(panels / clamp(Math.floor((width + 12) / 140), 1, panels));
    this.find(".panels").style.setProperty("--columns", Math.ceil(panels / lines));
    const { clientWidth, clientHeight } = this.data.panels[0].stage;
    this.panelSize = [clientWidth, clientHeight];
    this.cellSide = this.kernelMethods[0]?.cells[0].canvas.clientWidth ?? 0;
    this.invalidate("pictures", "cursor");
  }

  takeTheme() {
    const style = getComputedStyle(this.root);
    const color = (name) => style.getPropertyValue(name).trim();
    const [r, g, b] = style.color.match(/[\d.]+/g).map(Number);
    const dark = r + g + b > 384; // light text
    this.root.classList.toggle("dark", dark);
    this.palette = PALETTES[dark ? "dark" : "light"];
    this.ink = {
      text: style.color,
      line: dark ? "rgba(255, 255, 255, 0.28)" : "rgba(0, 0, 0, 0.3)",
      paper: color("--paper"),
      shift: color("--shift"),
    };
    const { css } = this.palette;
    this.paintRamp(".weights", css);
    this.invalidate("pictures", "cursor");
  }

  // --- painting ---------------------------------------------------------------------------------

  invalidate(...parts) {
    for (const part of parts) this.stale.add(part);
    this.pending ||= requestAnimationFrame(() => this.paint());
  }

  paint() {
    this.pending = 0;
    if (!this.data || !this.ink || !this.panelSize[0]) return;
    const stale = this.stale;
    this.stale = new Set();
    if (stale.has("pictures")) this.paintPictures();
    this.paintCursor();
    if (this.movedAt) this.measure(this.movedAt);
    this.movedAt = 0;
  }

  // From the event that moved the pixel until the frame that shows it has been laid out and painted.
  measure(begun) {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      this.latencies.push(performance.now() - begun);
      if (this.latencies.length > 600) this.latencies.shift();
    };
    port2.postMessage(null);
  }

  // Milliseconds from hover to paint: the p-quantile of the last 600 moves.
  latency(p = 0.95) {
    const sorted = [...this.latencies].sort((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))];
  }

  // CSS pixels of a picture pixel, and the picture's part that is seen.
  get scale() {
    return (this.panelSize[0] * this.view.zoom) / this.data.width;
  }

  // The color of each pixel. The panel that others are compared with has no error; it stays a picture.
  colorsOf(image, panel) {
    const white = this.data.white_level;
    const shown = this.linear ? (value) => clamp(value, 0, 1) : encode;
    const gain = (this.mode === "picture" ? 2 ** this.stops : 1) / white;
    const reference = this.panelNamed(this.against);
    if (this.mode === "picture" || panel === reference) return (i) => gray(shown(image[i] * gain));
    const range = this.errorRange;
    const size = this.mode === "absolute" ? Math.abs : (error) => error;
    const other = this.imageOf(reference);
    return (i) => this.palette.at(size(shown(image[i] / white) - shown(other[i] / white)) / range);
  }

  get errorRange() {
    return ERROR_RANGE / 2 ** this.stops;
  }

  paintPictures() {
    const { height: H, width: W, panels } = this.data;
    const [w, h] = this.panelSize;
    for (const panel of panels) {
      const image = this.imageOf(panel);
      panel.bitmap = bitmap(H, W, this.colorsOf(image, panel), panel.bitmap);
      const context = prepare(panel.picture, w, h);
      this.drawBitmap(context, panel.bitmap);
      if (this.scale >= SMALLEST_NUMBERED_PIXEL) this.drawNumbers(context, image);
    }
    this.nameFrame();
    this.heads.forEach((button, i) => button.setAttribute("aria-pressed", i === this.frame));
    this.root.classList.toggle("flickering", this.flicker);
    this.writeControls();
  }

  // The scores are the reference's; another frame has none, it shows the scene elsewhere.
  nameFrame() {
    const { label, caption, ownCaption, figure } = this.framePanel;
    const reference = this.frame === 0;
    label.replaceChildren(`Frame ${this.frame}`, make("small", "", reference ? "reference" : ""));
    figure.classList.toggle("other-frame", !reference);
    const shift = this.data.shifts?.[this.frame];
    caption.replaceChildren(...(reference ? ownCaption : shift ? [`moved by ${offset(shift)} px`] : []));
  }

  drawBitmap(context, source) {
    const { view, scale, data } = this;
    context.drawImage(source, -view.x * scale, -view.y * scale, data.width * scale, data.height * scale);
  }

  drawNumbers(context, image) {
    const { height: H, width: W } = this.data;
    const [w, h] = this.panelSize;
    const { y: top, x: left } = this.view;
    const scale = this.scale;
    context.font = `${clamp(scale / 4, 10, 14)}px ${getComputedStyle(this.root).fontFamily}`;
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

  paintCursor() {
    const [y, x] = this.cursor;
    const { width: W, panels } = this.data;
    const shifts = this.shiftsAt(y, x);
    const rows = this.kernelsAt(y, x);
    this.wipe.place();
    for (const panel of panels) {
      this.paintMarks(panel, shifts);
      panel.value.textContent = signed(this.imageOf(panel)[y * W + x], 3);
    }
    this.paintRows(rows, shifts);
    this.find(".pixel").textContent = `y ${y}, x ${x}`;
    this.find(".hint").textContent = this.pinned
      ? "pinned: click it again to let go"
      : "hover to look, click to pin";
    Object.assign(this.root.dataset, {
      y,
      x,
      pinned: this.pinned,
      frame: this.frame,
      zoom: this.view.zoom.toFixed(2),
    });
    this.root.classList.toggle("pinned", this.pinned);
  }

  // Crosshair and footprints; on a frame that moved, also where the scene of this pixel went.
  paintMarks(panel, shifts) {
    const context = prepare(panel.marks, ...this.panelSize);
    const [w, h] = this.panelSize;
    const [y, x] = this.cursor;
    const scale = this.scale;
    const left = (x - this.view.x) * scale;
    const top = (y - this.view.y) * scale;
    if (this.wipe.on && this.wipe.left === panel.name) this.wipe.draw(context);
    const own = this.data.methods.find((method) => this.data.panels[method.panel] === panel);
    const sizes = (own ? [own] : this.data.methods)
      .filter(({ kernels }) => kernels)
      .map(({ kernels }) => kernels.K);
    const reach = (Math.max(1, ...sizes) - 1) / 2;
    const [x0, x1] = [left - reach * scale, left + (reach + 1) * scale];
    const [y0, y1] = [top - reach * scale, top + (reach + 1) * scale];
    const [mx, my] = [left + scale / 2, top + scale / 2];
    cased(
      context,
      "rgba(255, 255, 255, 0.6)",
      0.75,
      () => {
        for (const [a, b] of [
          [0, x0],
          [x1, w],
        ])
          (context.moveTo(a, my), context.lineTo(b, my));
        for (const [a, b] of [
          [0, y0],
          [y1, h],
        ])
          (context.moveTo(mx, a), context.lineTo(mx, b));
      },
      "rgba(0, 0, 0, 0.2)",
    );
    const square = (r) =>
      context.rect(left - r * scale, top - r * scale, (2 * r + 1) * scale, (2 * r + 1) * scale);
    for (const K of new Set(sizes)) cased(context, "#ffb000", 1.25, () => square((K - 1) / 2));
    if (scale > 8) cased(context, "#ffb000", 1, () => square(0));
    if (panel === this.framePanel && shifts && this.frame > 0) {
      const [dy, dx] = shifts[this.frame];
      const [sx, sy] = [mx + dx * scale, my + dy * scale];
      cased(context, this.ink.shift, 1.75, () =>
        context.arc(sx, sy, Math.max(4, scale * 0.6), 0, 2 * Math.PI),
      );
    }
  }

  paintRows(rows, shifts) {
    const largest = Math.max(...rows.map(({ K }) => K));
    const strongest = ({ weights }) => weights.reduce((max, weight) => Math.max(max, Math.abs(weight)), 0);
    this.autoMax = Math.max(0, ...rows.flatMap(({ cells }) => cells.map(strongest)));
    const end = (this.heldMax ?? this.autoMax) / 2 ** this.contrast || 1;
    this.writeScale(".weights", [-end, -end / 4, 0, end / 4, end]); // even steps of the square root
    this.heads
      .slice(1)
      .forEach((head, i) => (head.lastChild.textContent = shifts ? offset(shifts[i + 1]) : " "));
    rows.forEach(({ K, cells, sum, picture }, m) => {
      const method = this.kernelMethods[m];
      cells.forEach(({ weights, share, centroid, adds }, i) => {
        const cell = method.cells[i];
        const shift = shifts && i > 0 ? shifts[i] : null;
        const beyond = Boolean(shift) && Math.max(...shift.map(Math.abs)) > (K - 1) / 2;
        const boxSize = this.sameScale ? largest : K;
        const marks = { centroid, shift, beyond, ink: this.ink };
        drawKernel(cell.canvas, this.cellSide, {
          weights,
          K,
          max: end,
          boxSize,
          palette: this.palette,
          ...marks,
        });
        cell.element.classList.toggle("beyond", beyond);
        cell.note.textContent = beyond ? "out of reach" : "";
        cell.bar.style.width = `${clamp(Math.abs(share), 0, 1) * 100}%`;
        cell.bar.classList.toggle("negative", share < 0);
        cell.share.textContent = `${signed(100 * share, 0)} %`;
        cell.adds.textContent = plus(adds, 3);
      });
      method.sum.textContent = `= ${signed(sum)}`;
      const agrees = Math.abs(sum - picture) < 2e-3 * Math.max(1, Math.abs(picture));
      method.picture.textContent = `picture ${signed(picture)}${agrees ? " ✓" : ""}`;
      method.picture.classList.toggle("agrees", agrees);
    });
  }

  // Numbers under a color bar, evenly spaced.
  writeScale(selector, values) {
    const high = values.at(-1);
    const digits = high >= 10 ? 1 : high >= 0.1 ? 2 : 4;
    const ticks = this.find(`${selector} .ticks`);
    while (ticks.children.length < values.length) ticks.append(make("span", ""));
    while (ticks.children.length > values.length) ticks.lastChild.remove();
    values.forEach((value, i) => {
      ticks.children[i].textContent = plus(value, value === 0 ? 0 : digits);
      ticks.children[i].style.left = `${(100 * i) / (values.length - 1)}%`;
    });
  }

  writeControls() {
    const { mode, against, wipe } = this;
    const values = { mode, against, left: wipe.left, right: wipe.right, stops: this.stops };
    for (const [name, value] of Object.entries(values)) this.find(`[name=${name}]`).value = value;
    this.find("[name=linear]").checked = !this.linear;
    this.find("[name=wipe]").checked = wipe.on;
    this.find("[name=same]").checked = this.sameScale;
    this.find("[name=hold]").checked = this.heldMax !== null;
    const factor = 2 ** this.stops;
    this.find("[name=gain]").textContent =
      `×${factor >= 1 ? Math.round(factor * 10) / 10 : factor.toFixed(2)}`;
    const reset = this.find(".reset");
    reset.textContent = `zoom ${this.view.zoom.toFixed(1)}×`;
    reset.disabled = this.view.zoom === 1;
    this.find(".ends").hidden = !wipe.on;
    const picture = mode === "picture";
    for (const selector of [".errors", ".against"]) this.find(selector).hidden = picture;
    if (picture) return;
    const { css } = this.palette;
    this.paintRamp(".errors", mode === "signed" ? css : css.slice((css.length - 1) / 2));
    const range = this.errorRange;
    this.writeScale(".errors", mode === "signed" ? [-range, 0, range] : [0, range / 2, range]);
  }

  paintRamp(selector, colors) {
    const ramp = this.find(`${selector} .ramp`);
    ramp.style.background = `linear-gradient(to right, ${colors})`;
    ramp.dataset.colors = colors.join(" ");
  }

  // For screen readers: after a key or a pin, not for every mouse move.
  announce() {
    const [y, x] = this.cursor;
    const methods = this.kernelsAt(y, x).map(({ cells, picture }, m) => {
      const heaviest = cells.reduce((best, cell, i) => (cell.share > cells[best].share ? i : best), 0);
      const share = Math.round(100 * cells[heaviest].share);
      return `${this.kernelMethods[m].title} ${signed(picture, 3)}, most weight on frame ${heaviest}, ${share} percent`;
    });
    this.find(".live").textContent =
      `Pixel y ${y}, x ${x}${this.pinned ? ", pinned" : ""}. ${methods.join(". ")}.`;
  }
}
