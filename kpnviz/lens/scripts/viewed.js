// The part of the picture that is seen: the view, which zooms and moves within the picture.

/** @import { Part } from "./shown.js" */

import { clamp } from "./layout.js";
import { Shown } from "./shown.js";

const DISPLAY_REST_MS = 600;

export class Viewed extends Shown {
  /**
   * The display changed by a person's hand.
   * @param {Part[]} parts
   */
  redraw(...parts) {
    this.changed(...(parts.length ? parts : /** @type {Part[]} */ (["bitmaps", "pictures", "cursor"])));
    this.chosen(DISPLAY_REST_MS);
  }

  /**
   * @param {number} y
   * @param {number} x
   * @param {number} zoom
   */
  setView(y, x, zoom) {
    this.see(y, x, zoom);
    this.redraw("pictures", "cursor");
  }

  /** The whole picture. */
  resetView() {
    this.setView(0, 0, 0);
  }

  /**
   * Layout says how large pictures are, and how large the whole one would be.
   * @param {number[]} size
   * @param {number} fit
   */
  resize(size, fit) {
    const whole = this.isWhole;
    Object.assign(this, { size, fit });
    const { y, x, zoom } = this.view;
    this.see(y, x, whole ? 0 : zoom);
  }

  /**
   * The part of the picture that is seen: within it, and in the middle where there is room for more than it.
   * @param {number} y
   * @param {number} x
   * @param {number} zoom  0: so that all is seen
   */
  see(y, x, zoom) {
    this.view = { y: 0, x: 0, zoom: Math.max(zoom, this.part) };
    const { seen, data } = this;
    const within = (/** @type {number} */ at, /** @type {number} */ room) => (room < 0 ? room / 2 : clamp(at, 0, room));
    Object.assign(this.view, { y: within(y, data.height - seen[0]), x: within(x, data.width - seen[1]) });
  }

  /**
   * Zoom by a factor around a point of a picture, in CSS pixels; the point stays where it is.
   * @param {number} factor
   * @param {number} px
   * @param {number} py
   */
  zoomAt(factor, px, py) {
    const { y, x, zoom } = this.view;
    const { height, width } = this.data;
    const next = clamp(zoom * factor, this.part, Math.max(1, Math.min(height, width) / 4));
    const change = 1 / this.scale - 1 / ((this.fit * next) / width);
    this.setView(y + py * change, x + px * change, next);
  }
}
