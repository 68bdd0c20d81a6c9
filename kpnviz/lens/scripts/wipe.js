// The wipe: the large picture shows another one at the left of an edge that can be dragged.

/** @import { Context } from "./types" */
/** @import { State } from "./state.js" */

import { make } from "./elements.js";
import { clamp } from "./layout.js";
import { cased } from "./paint.js";

const WIPE_STEP = 0.02;

export class Wipe {
  /** @param {State} state */
  constructor(state) {
    this.state = state;
    this.at = 0.5; // of the picture's width
    this.handle = make("div", "handle");
    const attributes = { role: "slider", tabindex: "0", "aria-label": "Edge of the wipe" };
    for (const [name, value] of Object.entries(attributes)) this.handle.setAttribute(name, value);
    this.handle.addEventListener("pointerdown", (event) => this.onDown(event));
    this.handle.addEventListener("pointermove", (event) => this.onMove(event));
    this.handle.addEventListener("keydown", (event) => this.onKey(event));
  }

  /** @param {number} at */
  moveTo(at) {
    this.at = clamp(at, 0, 1);
    this.state.changed("pictures");
  }

  place() {
    this.handle.hidden = !this.state.isWiped;
    this.handle.style.left = `${100 * this.at}%`;
    this.handle.setAttribute("aria-valuenow", `${Math.round(100 * this.at)}`);
  }

  /**
   * The left picture over the one that is there.
   * @param {Context} context
   * @param {() => void} drawLeft
   */
  draw(context, drawLeft) {
    const [w, h] = this.state.size;
    const edge = this.at * w;
    context.save();
    context.beginPath();
    context.rect(0, 0, edge, h);
    context.clip();
    drawLeft();
    context.restore();
    cased(context, "#fff", 1.5, () => (context.moveTo(edge, 0), context.lineTo(edge, h)));
  }

  /** @param {PointerEvent} event */
  onDown(event) {
    event.stopPropagation(); // the picture under it is neither panned nor pinned
    this.handle.setPointerCapture(event.pointerId);
  }

  /** @param {PointerEvent} event */
  onMove(event) {
    if (!this.handle.hasPointerCapture(event.pointerId)) return; // the pixel under it is looked at
    event.stopPropagation();
    const box = /** @type {Element} */ (this.handle.parentElement).getBoundingClientRect();
    this.moveTo((event.clientX - box.left) / box.width);
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const step = event.key === "ArrowLeft" ? -WIPE_STEP : event.key === "ArrowRight" ? WIPE_STEP : 0;
    if (!step) return;
    event.preventDefault();
    event.stopPropagation();
    this.moveTo(this.at + step);
  }
}
