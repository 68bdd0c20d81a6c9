// The wipe: one panel shows another one's picture beside an edge that can be dragged.

const WIPE_STEP = 0.02;

class Wipe {
  constructor(lens) {
    this.lens = lens;
    this.on = false;
    this.at = 0.5; // of the panel's width
    this.handle = make("div", "handle");
    const attributes = { role: "slider", tabindex: 0, "aria-label": "Edge of the wipe" };
    for (const [name, value] of Object.entries(attributes)) this.handle.setAttribute(name, value);
    this.handle.addEventListener("pointerdown", (event) => this.onDown(event));
    this.handle.addEventListener("pointermove", (event) => this.onMove(event));
    this.handle.addEventListener("keydown", (event) => this.onKey(event));
  }

  // The panels of a new burst; those that were chosen stay, where there still are such.
  choose(panels) {
    const names = panels.map(({ name }) => name);
    const methods = panels.filter(({ kind }) => kind === "method").map(({ name }) => name);
    if (!names.includes(this.left)) this.left = methods[0] ?? "mean";
    if (!names.includes(this.right) || this.right === this.left)
      this.right = methods.find((name) => name !== this.left) ?? names.at(-1);
  }

  toggle() {
    this.on = !this.on;
    this.lens.invalidate("pictures", "cursor");
  }

  moveTo(at) {
    this.at = clamp(at, 0, 1);
    this.lens.invalidate("cursor");
  }

  // The handle lies on the left one of its two panels, whose title names both.
  place() {
    const { lens, handle } = this;
    for (const panel of lens.data.panels) {
      const shared = this.on && panel.name === this.left;
      if (shared && handle.parentNode !== panel.stage) panel.stage.append(handle);
      panel.beside.textContent = shared ? ` | ${lens.panelNamed(this.right).title}` : "";
    }
    if (!this.on) return handle.remove();
    handle.style.left = `${100 * this.at}%`;
    handle.setAttribute("aria-valuenow", Math.round(100 * this.at));
  }

  draw(context) {
    const { lens } = this;
    const [w, h] = lens.panelSize;
    const edge = this.at * w;
    const right = lens.panelNamed(this.right);
    context.save();
    context.beginPath();
    context.rect(edge, 0, w - edge, h);
    context.clip();
    lens.drawBitmap(context, right.bitmap);
    if (lens.scale >= SMALLEST_NUMBERED_PIXEL) lens.drawNumbers(context, lens.imageOf(right));
    context.restore();
    cased(context, "#fff", 1.5, () => (context.moveTo(edge, 0), context.lineTo(edge, h)));
  }

  onDown(event) {
    event.stopPropagation(); // the picture under it is neither panned nor pinned
    this.handle.setPointerCapture(event.pointerId);
  }

  onMove(event) {
    event.stopPropagation();
    if (!this.handle.hasPointerCapture(event.pointerId)) return;
    const box = this.handle.parentNode.getBoundingClientRect();
    this.moveTo((event.clientX - box.left) / box.width);
  }

  onKey(event) {
    const step = { ArrowLeft: -WIPE_STEP, ArrowRight: WIPE_STEP }[event.key];
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    this.moveTo(this.at + step);
  }
}
