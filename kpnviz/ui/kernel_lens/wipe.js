// The wipe: the large picture shows another one at the left of an edge that can be dragged.

const WIPE_STEP = 0.02;

class Wipe {
  constructor(lens) {
    this.lens = lens;
    this.at = 0.5; // of the picture's width
    this.handle = make("div", "handle");
    const attributes = { role: "slider", tabindex: 0, "aria-label": "Edge of the wipe" };
    for (const [name, value] of Object.entries(attributes)) this.handle.setAttribute(name, value);
    this.handle.addEventListener("pointerdown", (event) => this.onDown(event));
    this.handle.addEventListener("pointermove", (event) => this.onMove(event));
    this.handle.addEventListener("keydown", (event) => this.onKey(event));
  }

  moveTo(at) {
    this.at = clamp(at, 0, 1);
    this.lens.invalidate("pictures");
  }

  place() {
    this.handle.hidden = this.lens.compare !== "wipe";
    this.handle.style.left = `${100 * this.at}%`;
    this.handle.setAttribute("aria-valuenow", Math.round(100 * this.at));
  }

  // The left picture over the one that is there.
  draw(context, panel) {
    const { lens } = this;
    const [w, h] = lens.pictures.size;
    const edge = this.at * w;
    context.save();
    context.beginPath();
    context.rect(0, 0, edge, h);
    context.clip();
    lens.pictures.drawPanel(context, panel);
    context.restore();
    cased(context, "#fff", 1.5, () => (context.moveTo(edge, 0), context.lineTo(edge, h)));
  }

  onDown(event) {
    event.stopPropagation(); // the picture under it is neither panned nor pinned
    this.handle.setPointerCapture(event.pointerId);
  }

  onMove(event) {
    if (!this.handle.hasPointerCapture(event.pointerId)) return; // the pixel under it is looked at
    event.stopPropagation();
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
