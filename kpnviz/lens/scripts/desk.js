// Where the parts of the lens stand on the page. Sizes are measured when something moves, not on every mouse move.

/** @import { Painter } from "./painter.js" */

import { DESK_GAP, standsBeside, STRIP_KERNEL, stripHeight } from "./layout.js";

const MARGIN = 8; // CSS pixels that stay free below the lens
const CLASS_MARGIN = 12; // the same in front of a class: what is cut off there cannot be scrolled to
const FULL_PADDING = 12; // CSS pixels above the lens where it fills the window
const TABS_HEIGHT = 36; // CSS pixels above kernels that stand under the picture
const STAGE_GAPS = 16; // CSS pixels above and under the stage there
const LOW = 500; // CSS pixels of a window, as that of a telephone on its side
const READABLE_KERNEL = 44; // CSS pixels: rather than smaller ones beside the picture, one scrolls to some
const FITTING = 4; // times that pictures or kernels are made smaller, where names take more room than was reckoned
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
    this.full = false; // whether the lens fills the window
    this.laidOut = "";
    this.crowded = ""; // the room in which not all kernels are in sight beside a picture that has the height
    this.rows = this.parts.find(".rows");
    this.fitted = false; // whether all kernels are in it
    this.around = 0; // CSS pixels of the height that is not the large picture's, as it was laid out
    /** @type {WeakSet<Element>} */
    this.observed = new WeakSet(); // of what is around the lens
    /** @type {ReturnType<typeof setTimeout>[]} */
    this.timers = [];
    this.observer = new ResizeObserver(() => this.layOut());
    this.observer.observe(this.parts.root);
    // Letters may come later, and larger than those before.
    for (const part of [".looking", ".foot"]) this.observer.observe(this.parts.find(part));
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
    Object.assign(
      this.parts.root.style,
      height === null ? { overflowY: "", boxSizing: "" } : { overflowY: "auto", boxSizing: "border-box" },
    );
    this.layOut();
  }

  settle() {
    // What stands above the lens moves it: then something around it changes its height.
    for (
      let node = this.parts.root.parentElement ?? hostOf(this.parts.root);
      node;
      node = node.parentElement ?? hostOf(node)
    )
      if (!this.observed.has(node)) (this.observed.add(node), this.observer.observe(node));
    for (const timer of this.timers) clearTimeout(timer);
    this.timers = SETTLING_MS.map((delay) => setTimeout(() => this.layOut(), delay));
  }

  /** CSS pixels that are seen at once, for the lens. */
  get seen() {
    const margin = this.type > LARGE_TYPE ? CLASS_MARGIN : MARGIN;
    if (this.full) return window.innerHeight - margin - FULL_PADDING;
    return (this.height ?? window.innerHeight - this.top) - margin;
  }

  /** How large letters are: 1 is usual. */
  get type() {
    return parseFloat(getComputedStyle(document.documentElement).fontSize) / USUAL_TYPE;
  }

  /** CSS pixels of the height that all but the large picture, and kernels that stand under it, takes now. */
  get measured() {
    const { parts } = this;
    const high = (/** @type {string} */ selector) => parts.find(selector).offsetHeight;
    // In a low window, and in front of a class, the small pictures are scrolled to: the large one has menus that choose.
    if (this.beside && (this.low || this.docks))
      return this.topOf(".film") - this.topOf(".looking") - high(".looking .stages");
    if (this.beside || this.painter.state.data.sizes) return high(".looking") - high(".looking .stages");
    if (!this.strip) return high(".desk") - high(".stages");
    // Kernels follow the picture at once: what comes after them one scrolls to. What stands above them takes a second line in
    // some views: reckoned, so that the picture is as large in all of them.
    return this.topOf(".inside") - high(".stages") + TABS_HEIGHT * this.type;
  }

  /** Whether the window is too low for a stage of the usual size. */
  get low() {
    return this.height === null && !this.full && window.innerHeight < LOW;
  }

  /** Whether letters are for a class, and the picture is to get the height beside its kernels. */
  get docks() {
    return (
      this.beside &&
      !this.full &&
      this.type > LARGE_TYPE &&
      !this.painter.state.data.sizes &&
      this.crowded !== this.room
    );
  }

  /** What decides whether all kernels are in sight beside a picture that has the height. */
  get room() {
    return `${this.parts.find(".desk").clientWidth} ${this.seen} ${this.painter.rows.built}`;
  }

  /** CSS pixels that stage and kernels have where the page is scrolled so that the stage is at the top: it stays there. */
  get docked() {
    return (this.full ? window.innerHeight : (this.height ?? window.innerHeight - this.head)) - MARGIN;
  }

  /** CSS pixels at the window's top that the page around covers. */
  get head() {
    return parseFloat(getComputedStyle(this.parts.root).scrollMarginTop) || 0;
  }

  /** CSS pixels of the controls above a stage under which kernels stand. */
  get above() {
    return this.topOf(".caption") - this.parts.find(".stages").offsetHeight - STAGE_GAPS;
  }

  /** Whether there are kernels. */
  get strip() {
    return this.painter.state.data.methods.length > 0;
  }

  /** @param {string} selector */
  topOf(selector) {
    const { parts, parts: { root } } = this; // prettier-ignore
    return parts.find(selector).getBoundingClientRect().top - root.getBoundingClientRect().top + root.scrollTop;
  }

  /** CSS pixels of what stands under the kernels. */
  get under() {
    const [foot, assumed] = [".foot", ".assumed"].map((selector) => this.parts.find(selector));
    const slider = this.docks ? assumed.offsetHeight + parseFloat(getComputedStyle(assumed).marginTop) : 0;
    return foot.offsetHeight + parseFloat(getComputedStyle(foot).marginTop) + slider;
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
    if (this.low) return this.head; // one scrolls to it
    return Math.round(top > (this.beside ? window.innerHeight / 2 : PAGE_HEAD) ? PAGE_HEAD : top);
  }

  /** Whether kernels stand beside the pictures. */
  get beside() {
    return standsBeside(this.parts.find(".desk").clientWidth, this.full ? window.innerHeight : null, this.low);
  }

  /**
   * Fill the window, over the page around, or go back into the page.
   * @param {boolean} full
   */
  fill(full) {
    const { root } = this.parts;
    if (full === this.full || !root.isConnected) return;
    this.full = full;
    root.classList.toggle("full", full);
    // Above all that is on the page, whatever that is in. (A browser without popovers puts it in front of its neighbors.)
    if (full) root.setAttribute("popover", "manual");
    if (full) root.showPopover?.();
    else root.removeAttribute("popover");
    this.painter.controls.writeFull(full);
    this.layOut();
  }

  /** All that is seen at once should fit the window, or the height that the host states. */
  layOut() {
    const { painter, parts } = this;
    const { state, pictures, rows, sizes } = painter;
    if (!state.data) return;
    const width = parts.find(".desk").clientWidth;
    if (!width) return;
    const { seen, type, beside, full } = this;
    const identity = `${width} ${seen} ${state.compare} ${rows.built} ${state.assumed.offered} ${type} ${full} ${this.under}`;
    const { rows: box, around, fitted } = this;
    const grown = this.measured > around + 0.5 || (fitted && beside && box.scrollHeight > box.clientHeight);
    if (identity === this.laidOut && !grown) return;
    const anew = !this.laidOut;
    this.laidOut = identity;
    parts.root.style.setProperty("--desk", `${width}px`);
    painter.weight = type > LARGE_TYPE ? 2 : 1;
    parts.root.classList.toggle("teach", painter.weight > 1);
    // For a class the legend of the picture stands with that of the kernels: the picture gets its place.
    parts.find(painter.weight > 1 ? ".foot" : ".caption").append(parts.find(".on-picture"));
    if (state.data.sizes) {
      for (let pass = 0; pass < 2; pass++) sizes.layOut(width, seen, type); // bars may have wrapped in the first
      this.around = this.measured;
      return state.changed("bitmaps", "pictures", "cursor");
    }
    // For a class the slider stands under the kernels, where it is in sight.
    const [assumed, before] = [parts.find(".assumed"), parts.find(this.docks ? ".rows" : ".caption")];
    if (before.nextElementSibling !== assumed) before.after(assumed);
    // What takes room is there when room is measured, not only once it is painted.
    parts.find(".assumed").hidden = !state.assumed.offered;
    parts.find(".series").hidden = !state.data.series;
    parts.root.classList.toggle("beside", beside);
    parts.root.classList.toggle("low", beside && this.low);
    const below = !beside && this.strip ? stripHeight(width, state.data.methods.length, state.frames, type) : 0;
    // Pictures that were never laid out take more room than they will.
    if (anew) pictures.layOut(width, seen - this.measured - below, { type, beside, full });
    // Names of small pictures wrap as these become smaller, until all has its place.
    this.around = 0;
    for (let pass = 0; pass < FITTING && this.measured > this.around; pass++) {
      this.around = this.measured;
      const { around, low } = this;
      const most = below ? this.docked - (around - this.above) - below : low ? seen - around : undefined;
      pictures.layOut(width, seen - around - below, { type, beside, full, most });
    }
    this.layOutKernels(beside ? width - pictures.column - DESK_GAP : width, seen, type);
    if (this.docks && !this.fitted) {
      // Rather a smaller picture than kernels that are not in sight.
      [this.crowded, this.laidOut] = [this.room, ""];
      this.layOut();
      return;
    }
    state.changed("bitmaps", "pictures", "cursor");
  }

  /**
   * Kernels in what is left beside the pictures or under them.
   * @param {number} width
   * @param {number} seen
   * @param {number} type
   */
  layOutKernels(width, seen, type) {
    const { beside, parts, low, painter: { rows } } = this; // prettier-ignore
    const { rows: box } = this;
    const bottom = this.topOf(".film") + parts.find(".film").offsetHeight;
    const fromTop = this.topOf(".rows");
    if (beside && !low && !(this.full && window.innerHeight < LOW))
      return this.fit(
        width,
        Math.floor(Math.max(seen, this.docks ? 0 : bottom) - fromTop - this.under),
        type,
        this.full ? "small" : "usual",
      );
    box.style.maxHeight = "";
    // All are in sight with the controls above the stage, or, if they were too small then, with the stage at the window's top.
    // The color scale may be below the window's end.
    const rooms = beside ? [seen - fromTop] : [seen - fromTop, this.docked - (fromTop - this.above)];
    const fits =
      rooms.some((room) => rows.layOut(width, room, type, "strip") && rows.side >= STRIP_KERNEL) || rows.fits;
    if (!fits) rows.layOut(width, Infinity, type, "usual");
    this.fitted = true;
  }

  /**
   * Kernels in a box of a height, in which one scrolls to those that do not fit.
   * @param {number} width
   * @param {number} height
   * @param {number} type
   * @param {"usual" | "small"} how
   */
  fit(width, height, type, how) {
    const { rows: box, painter: { rows } } = this; // prettier-ignore
    box.style.maxHeight = `${height}px`;
    let room = height;
    for (let pass = 0; pass < FITTING; pass++) {
      rows.layOut(width, room, type, how);
      const over = box.scrollHeight - height;
      this.fitted = over <= 0;
      if (this.fitted) return;
      room -= over;
    }
    if (how === "small") return;
    // Rather small than cut; with three values beside them, names may take more of the height than kernels.
    for (const smaller of /** @type {const} */ (["small", "above"])) {
      rows.layOut(width, height, type, smaller);
      this.fitted = box.scrollHeight <= height && rows.side >= READABLE_KERNEL * Math.min(type, 1.3);
      if (this.fitted) return;
    }
    rows.layOut(width, height, type, "usual");
  }
}
