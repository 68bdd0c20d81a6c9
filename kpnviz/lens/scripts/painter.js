// Paints the state: at the next frame of the screen, what has changed since the last.

/** @import { Ink, Palette } from "./types" */
/** @import { Part } from "./shown.js" */
/** @import { State } from "./state.js" */

import { Controls } from "./controls.js";
import { Desk } from "./desk.js";
import { MapOverlay } from "./map_overlay.js";
import { Parts } from "./elements.js";
import { INKS, PALETTES } from "./palette.js";
import { Pictures } from "./pictures.js";
import { Rows } from "./rows.js";
import { Sizes } from "./sizes.js";
import { Tips } from "./tips.js";

const ANNOUNCE_MS = 250; // after the last key
const KEPT_LATENCIES = 600;

export class Painter {
  /**
   * @param {HTMLElement} root
   * @param {State} state
   */
  constructor(root, state) {
    this.state = state;
    this.parts = new Parts(root);
    this.weight = 1; // of lines: twice as thick where letters are large
    /** @type {Palette} */
    this.palette = PALETTES.light;
    /** @type {Ink} */
    this.ink = { ...INKS.light, text: "#000", paper: "#fff", shift: "#0f9d76", weight: 1 }; // until takeTheme
    this.maps = new MapOverlay(this);
    this.pictures = new Pictures(this);
    this.rows = new Rows(this);
    this.sizes = new Sizes(this);
    this.controls = new Controls(this);
    this.desk = new Desk(this);
    this.tips = new Tips(root);
    /** @type {Set<Part>} */
    this.stale = new Set();
    this.pending = 0;
    /** @type {number[]} */
    this.latencies = [];
  }

  destroy() {
    this.desk.destroy();
    this.tips.destroy();
    clearTimeout(this.announceTimer);
    cancelAnimationFrame(this.pending);
  }

  /** Once per payload. */
  build() {
    const { state, parts: { root } } = this; // prettier-ignore
    this.pictures.build();
    this.sizes.build();
    this.rows.buildAll();
    this.controls.writeSeries(); // before its place is measured
    root.classList.toggle("waiting", state.waiting);
    root.classList.toggle("without-kernels", !state.kernelMethods.length);
    this.tips.hide();
    this.desk.laidOut = "";
    this.desk.layOut();
    this.invalidate("bitmaps", "pictures", "cursor");
  }

  /** The colors and letters of the page around the lens, as they are now. */
  takeTheme() {
    const { root } = this.parts;
    const style = getComputedStyle(root);
    const color = (/** @type {string} */ name) => style.getPropertyValue(name).trim();
    const [r, g, b] = (style.color.match(/[\d.]+/g) ?? []).map(Number);
    const theme = r + g + b > 384 ? "dark" : "light"; // light text
    root.classList.toggle("dark", theme === "dark");
    this.palette = PALETTES[theme];
    this.ink = {
      text: style.color,
      paper: color("--st-background-color") || (theme === "dark" ? "#000" : "#fff"),
      ...INKS[theme],
      shift: color("--shift"),
      weight: this.weight,
    };
    this.controls.paintRamp(".weights", this.palette.css);
    this.invalidate("bitmaps", "pictures", "cursor");
  }

  /** @param {Part[]} parts */
  invalidate(...parts) {
    for (const part of parts) this.stale.add(part);
    this.pending ||= requestAnimationFrame(() => this.paint());
  }

  paint() {
    this.pending = 0;
    const { state, stale } = this;
    if (!state.data || !state.size[0]) return;
    this.stale = new Set();
    if (stale.has("bitmaps")) {
      this.pictures.paintBitmaps();
      this.sizes.paintBitmaps();
    }
    if (stale.has("bitmaps") || stale.has("pictures")) {
      this.pictures.paint();
      this.sizes.paint();
      this.controls.write();
      this.maps.write();
    }
    this.ink.weight = this.weight;
    this.paintCursor();
    if (state.movedAt) this.measure(state.movedAt);
    state.movedAt = 0;
  }

  /** What changes with the pixel. */
  paintCursor() {
    const { state, rows, parts: { root } } = this; // prettier-ignore
    state.evaluate();
    this.pictures.paintCursor();
    this.sizes.paintCursor();
    this.maps.writeHere();
    if (rows.isStale) {
      rows.build();
      this.desk.layOut();
    }
    rows.paint();
    this.controls.writeWeights();
    this.controls.writePixel();
    this.controls.writeFrame();
    if (rows.fresh) {
      rows.fresh = false;
      this.desk.layOut();
    }
    const { cursor: [y, x], pinned, frame, look, view } = state; // prettier-ignore
    Object.assign(root.dataset, { y, x, pinned, frame, look, zoom: view.zoom.toFixed(2) });
    root.classList.toggle("pinned", pinned);
    const others = state.byHand.isChanged || state.kernelMethods.some((method) => !state.byHand.areAll(method));
    root.classList.toggle("assuming", others || state.assumed.applied !== 0); // stars are those of what was computed
  }

  announceSoon() {
    clearTimeout(this.announceTimer);
    this.announceTimer = setTimeout(() => this.controls.announce(), ANNOUNCE_MS);
  }

  /**
   * From the event that moved the pixel until the frame that shows it has been laid out and painted.
   * @param {number} begun
   */
  measure(begun) {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      this.latencies.push(performance.now() - begun);
      if (this.latencies.length > KEPT_LATENCIES) this.latencies.shift();
    };
    port2.postMessage(null);
  }

  /** Milliseconds from hover to paint: the p-quantile of the last moves. */
  latency(p = 0.95) {
    const sorted = [...this.latencies].sort((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.floor(p * sorted.length))];
  }
}
