// Where the parts of the lens stand on the page. Sizes are measured when something moves, not on every mouse move.

/** @import { Painter } from "./painter.js" */

import { DESK_GAP } from "./layout.js";

const FOOT_HEIGHT = 30; // CSS pixels of the color scale under the kernels
const USUAL_TYPE = 15; // CSS pixels of the root's letters
const LARGE_TYPE = 1.2; // from here on they are meant for a class
const PAGE_HEAD = 64; // of the page's navigation, which covers what is scrolled under it
const SETTLING_MS = [0, 120, 500, 1500]; // what is above the lens may still be moving into place after it is there

export class Desk {
  /** @param {Painter} painter */
  constructor(painter) {
    this.painter = painter;
    this.parts = painter.parts;
    /** @type {number | null} */
    this.height = null; // CSS pixels that all is to fit into; null: the window
    this.laidOut = "";
    /** @type {ReturnType<typeof setTimeout>[]} */
    this.timers = [];
    this.observer = new ResizeObserver(() => this.layOut());
    this.observer.observe(this.parts.root);
    this.onResize = () => this.layOut();
    window.addEventListener("resize", this.onResize);
  }

  destroy() {
    this.observer.disconnect();
    window.removeEventListener("resize", this.onResize);
    for (const timer of this.timers) clearTimeout(timer);
  }

  /** @param {number | null} height */
  setHeight(height) {
    this.height = height;
    this.parts.root.style.maxHeight = height === null ? "" : `${height}px`;
    Object.assign(this.parts.root.style, height === null ? { overflowY: "", boxSizing: "" } : { overflowY: "auto", boxSizing: "border-box" });
    this.layOut();
  }

  settle() {
    for (const timer of this.timers) clearTimeout(timer);
    this.timers = SETTLING_MS.map((delay) => setTimeout(() => this.layOut(), delay));
  }

  /** CSS pixels that are seen at once, for the lens. */
  get seen() {
    return (this.height ?? window.innerHeight - this.top) - 8;
  }

  /** CSS pixels above the lens, with the page scrolled to its top; a lens further down is scrolled to. */
  get top() {
    const { root } = this.parts;
    let top = root.getBoundingClientRect().top;
    /** @type {Node | null} */
    let node = root;
    while (node) {
      if (node instanceof Element) top += node.scrollTop;
      node = node instanceof ShadowRoot ? node.host : node.parentNode;
    }
    return Math.round(top > window.innerHeight / 2 ? PAGE_HEAD : top);
  }

  /** All that is seen at once should fit the window, or the height that the host states. */
  layOut() {
    const { painter, parts } = this;
    const { state, pictures, rows, sizes } = painter;
    if (!state.data) return;
    const width = parts.find(".desk").clientWidth;
    if (!width) return;
    const { seen } = this;
    const type = parseFloat(getComputedStyle(document.documentElement).fontSize) / USUAL_TYPE;
    const identity = `${width} ${seen} ${state.compare} ${rows.built} ${state.assumed.offered} ${type}`;
    if (identity === this.laidOut) return;
    this.laidOut = identity;
    painter.weight = type > LARGE_TYPE ? 2 : 1;
    parts.root.classList.toggle("teach", painter.weight > 1);
    if (state.data.sizes) {
      for (let pass = 0; pass < 2; pass++) sizes.layOut(width, seen, type); // bars may have wrapped in the first
      return state.changed("bitmaps", "pictures", "cursor");
    }
    // What takes room is there when room is measured, not only once it is painted.
    parts.find(".assumed").hidden = !state.assumed.offered;
    parts.find(".series").hidden = !state.data.series;
    const topOf = (/** @type {DOMRect} */ box) => box.top - parts.root.getBoundingClientRect().top + parts.root.scrollTop;
    const around = () => parts.find(".looking").offsetHeight - parts.find(".stages").offsetHeight;
    for (let pass = 0; pass < 2; pass++) pictures.layOut(width, seen - around(), type); // the film has a height now
    parts.root.classList.toggle("beside", pictures.beside);
    const inside = pictures.beside ? width - pictures.width - DESK_GAP : width;
    const box = parts.find(".rows");
    const film = parts.find(".film").getBoundingClientRect();
    const bottom = topOf(film) + film.height;
    const height = Math.round(Math.max(seen, bottom) - topOf(box.getBoundingClientRect()) - FOOT_HEIGHT * type);
    rows.layOut(inside, pictures.beside ? height : Infinity, type);
    box.style.maxHeight = pictures.beside ? `${height}px` : "";
    state.changed("bitmaps", "pictures", "cursor");
  }
}
