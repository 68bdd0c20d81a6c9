// Where the parts of the lens stand on the page. Sizes are measured when something moves, not on every mouse move.

/** @import { Painter } from "./painter.js" */

import { DESK_GAP } from "./layout.js";

const MARGIN = 8; // CSS pixels that stay free below the lens
const CLASS_MARGIN = 20; // the same in front of a class: what is cut off there cannot be scrolled to
const FITTING = 3; // times that kernels are made smaller, where their names take more room than was reckoned
const USUAL_TYPE = 15; // CSS pixels of the root's letters
const LARGE_TYPE = 1.2; // from here on they are meant for a class
const PAGE_HEAD = 64; // of the page's navigation, which covers what is scrolled under it
const SETTLING_MS = [0, 120, 500, 1500]; // what is above the lens may still be moving into place after it is there

/**
 * The element whose shadow another is in, or null.
 * @param {Element} element
 */
function hostOf(element) {
  const root = element.getRootNode();
  return root instanceof ShadowRoot ? root.host : null;
}

export class Desk {
  /** @param {Painter} painter */
  constructor(painter) {
    this.painter = painter;
    this.parts = painter.parts;
    /** @type {number | null} */
    this.height = null; // CSS pixels that all is to fit into; null: the window
    this.laidOut = "";
    this.around = 0; // CSS pixels of the height that is not the large picture's, as it was laid out
    /** @type {WeakSet<Element>} */
    this.observed = new WeakSet(); // of what is around the lens
    /** @type {ReturnType<typeof setTimeout>[]} */
    this.timers = [];
    this.observer = new ResizeObserver(() => this.layOut());
    this.observer.observe(this.parts.root);
    this.observer.observe(this.parts.find(".looking")); // letters may come later, and larger than those before
    this.onResize = () => this.layOut();
    window.addEventListener("resize", this.onResize);
    document.fonts.addEventListener("loadingdone", this.onResize);
  }

  destroy() {
    this.observer.disconnect();
    window.removeEventListener("resize", this.onResize);
    document.fonts.removeEventListener("loadingdone", this.onResize);
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
    // What stands above the lens moves it: then something around it changes its height.
    for (let node = this.parts.root.parentElement ?? hostOf(this.parts.root); node; node = node.parentElement ?? hostOf(node))
      if (!this.observed.has(node)) (this.observed.add(node), this.observer.observe(node));
    for (const timer of this.timers) clearTimeout(timer);
    this.timers = SETTLING_MS.map((delay) => setTimeout(() => this.layOut(), delay));
  }

  /** CSS pixels that are seen at once, for the lens. */
  get seen() {
    return (this.height ?? window.innerHeight - this.top) - (this.type > LARGE_TYPE ? CLASS_MARGIN : MARGIN);
  }

  /** How large letters are: 1 is usual. */
  get type() {
    return parseFloat(getComputedStyle(document.documentElement).fontSize) / USUAL_TYPE;
  }

  /** CSS pixels of the height that bars and small pictures take now. */
  get measured() {
    return this.parts.find(".looking").offsetHeight - this.parts.find(".stages").offsetHeight;
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
    const { seen, type } = this;
    const identity = `${width} ${seen} ${state.compare} ${rows.built} ${state.assumed.offered} ${type}`;
    if (identity === this.laidOut && this.measured <= this.around) return;
    this.laidOut = identity;
    painter.weight = type > LARGE_TYPE ? 2 : 1;
    parts.root.classList.toggle("teach", painter.weight > 1);
    if (state.data.sizes) {
      for (let pass = 0; pass < 2; pass++) sizes.layOut(width, seen, type); // bars may have wrapped in the first
      this.around = this.measured;
      return state.changed("bitmaps", "pictures", "cursor");
    }
    // What takes room is there when room is measured, not only once it is painted.
    parts.find(".assumed").hidden = !state.assumed.offered;
    parts.find(".series").hidden = !state.data.series;
    const topOf = (/** @type {DOMRect} */ box) => box.top - parts.root.getBoundingClientRect().top + parts.root.scrollTop;
    for (let pass = 0; pass < 2; pass++) pictures.layOut(width, seen - this.measured, type); // the film has a height now
    this.around = this.measured;
    parts.root.classList.toggle("beside", pictures.beside);
    const inside = pictures.beside ? width - pictures.width - DESK_GAP : width;
    const box = parts.find(".rows");
    const film = parts.find(".film").getBoundingClientRect();
    const bottom = topOf(film) + film.height;
    const foot = parts.find(".foot");
    const under = foot.offsetHeight + parseFloat(getComputedStyle(foot).marginTop);
    const height = Math.floor(Math.max(seen, bottom) - topOf(box.getBoundingClientRect()) - under);
    box.style.maxHeight = pictures.beside ? `${height}px` : "";
    let room = pictures.beside ? height : Infinity;
    for (let pass = 0; pass < FITTING; pass++) {
      rows.layOut(inside, room, type);
      const over = box.scrollHeight - box.clientHeight;
      if (over <= 0) break;
      room -= over;
    }
    state.changed("bitmaps", "pictures", "cursor");
  }
}
