// What the lens shows: the payload, the pixel and what a person chose, and all that follows from them. It knows no element
// of the page. state.js has what may be done with it.

/** @import { Display, Field, Floats, Found, KernelMethod, Method, Panel, Payload, Pixel, Shift, SizePart, WholeField } from "./types" */

import { Assumed } from "./assumed.js";
import { Background } from "./background.js";
import { IdealAtRest } from "./ideal_at_rest.js";
import { ByHand } from "./by_hand.js";
import { halfOf } from "./layout.js";
import { KindsOf } from "./kinds_of.js";
import { MeanOfRegion } from "./mean_of_region.js";
import { applyKernels, kernelStats, strongest, usesOf } from "./kernels.js";
import { costsAt, smoothFrames, weightedSum } from "./matching.js";
import { PredictedAnew } from "./predicted_anew.js";
import { Series } from "./series.js";
import { flatten, stackOf } from "./stack.js";

export const VISIBLE_LEAD = 0.1; // dB: the best method is starred from here on
// A host hears of a pinned pixel and of the display once they rest: not of both clicks of a double-click, nor of every
// arrow key.
export const PIN_REST_MS = 220;
export const MODES = ["picture", "signed", "absolute", "kernels", "stack"];
export const MAP_MODES = ["size", "reach", "displacement", "share", "spread", "entropy", "kinds"]; // see map_overlay.js

/** @typedef {"bitmaps" | "pictures" | "cursor"} Part  of the painting */

/**
 * @typedef {object} Listeners
 * @property {(...parts: Part[]) => void} changed  these parts have to be painted anew
 * @property {(delay: number) => void} chosen  the pinned pixel or the display changed by a person's hand
 * @property {() => void} rearranged  what is on the page takes other places
 * @property {(shown: Shown) => string[]} looksOf  which views there are of this payload
 */

const ORIGIN_STEPS = 8; // see originByMotion
const ROUNDING = 2e-3; // of pictures of kernels in 16 bits, where it was not measured

/**
 * How far the sum of a method's kernels may be from its picture at a pixel, as kernels are rounded on their way.
 * @param {Field} field
 * @param {number[]} pictures
 */
function allowedOf({ error }, pictures) {
  return error ?? ROUNDING * Math.max(1, ...pictures.map(Math.abs));
}

export class Shown {
  /** @param {Listeners} listeners */
  constructor({ changed, chosen, rearranged, looksOf }) {
    this.changed = changed;
    this.chosen = chosen;
    this.rearranged = rearranged;
    this.looksOf = looksOf;
    /** @type {Payload} */
    this.data = /** @type {any} */ (null); // until the first payload is loaded nothing else is asked for
    /** @type {Pixel} */
    this.cursor = [0, 0];
    /** @type {Pixel | null} */
    this.pinnedAt = null; // the pixel that is shown while nobody points at a picture
    this.touched = false; // the cursor is where a person put it
    this.frame = 0;
    this.frames = 0; // how many there are
    this.channel = 1; // whose kernels are shown where each channel has its own: R, G, B
    this.channels = 1; // 3 in color
    this.view = { y: 0, x: 0, zoom: 1 };
    this.size = [0, 0]; // of a large picture, CSS pixels: layout sets it
    this.fit = 0; // CSS pixels of the width of the whole picture without zoom: of two beside each other, each shows a part
    this.compare = "wipe";
    this.shown = ""; // name of the large picture, at the right where there are two
    this.other = "frame"; // name of the one at the left
    this.look = "kernels"; // what is shown of each frame: a name of VIEWS
    /** @type {string[]} */
    this.looks = []; // those that this payload has
    this.mode = "picture";
    this.against = "truth"; // name of the panel that errors are taken against
    this.stops = 0;
    this.linear = false; // else pictures and errors are shown after the sRGB transfer
    this.contrast = 0;
    this.each = false; // a color scale for each kernel, else one for all
    /** @type {number | null} */
    this.heldMax = null;
    this.sameScale = false;
    this.marks = true;
    /** @type {number | null} */
    this.summed = null; // how many frames the sum has; null: all
    this.window = 2; // of matching: 3^window cells a side
    this.flicker = false;
    /** @type {number | null} */
    this.rolling = null; // the frame that is shown in place of the large picture, while frames are played
    /** @type {Found[]} */
    this.found = []; // what the kernels do at the cursor, per method that has some: see `evaluate`
    /** @type {(SizePart[][] | null)[]} */
    this.taken = []; // per method, in the view Sizes: the kernels of each size, of the frames that it shows
    this.allFrames = false; // views of one frame show all of them; Sizes, of one method
    this.mapAll = true; // maps of size and reach are of all frames together
    this.decibel = true; // frequencies are shown in dB
    this.autoMax = 0;
    /** @type {Shift[] | null} */
    this.shifts = null; // the true ones at the cursor
    this.waiting = false; // for methods that are still at work
    /** @type {Panel | undefined} */
    this.truth = undefined;
    /** @type {Panel} */
    this.framePanel = /** @type {any} */ (null); // until the first payload, too
    /** @type {Panel | undefined} */
    this.star = undefined; // the best method's
    /** @type {KernelMethod[]} */
    this.kernelMethods = [];
    this.largest = 1; // kernel
    /** @type {Floats | undefined} */
    this.smoothed = undefined; // the frames that those are of
    /** @type {Floats | null} */
    this.smooth = null; // frames as matching compares them, once they are asked for
    this.movedAt = 0; // when a person moved to the pixel at the cursor, until it has been painted
    this.ideal = new IdealAtRest(this);
    this.assumed = new Assumed(() => this.data && changed("bitmaps", "pictures", "cursor"));
    this.series = new Series(() => changed("bitmaps", "pictures", "cursor"));
    this.background = new Background();
    this.region = 33; // pixels a side of the region whose kernels are averaged; 0: the whole picture
    this.means = new MeanOfRegion(this);
    this.kindCount = 5; // kinds that kernels are sorted into
    this.kinds = new KindsOf(this);
    this.byHand = new ByHand(this);
    this.anew = new PredictedAnew(this);
  }

  /** @param {Payload} data */
  load(data) {
    const before = this.data;
    this.data = data;
    const sameSize = before && before.height === data.height && before.width === data.width;
    if (!sameSize) {
      this.view = { y: 0, x: 0, zoom: this.part };
      if (this.pinned) this.chosen(PIN_REST_MS);
      this.pinnedAt = null;
    }
    if (!sameSize || !this.touched) this.cursor = data.start;
    [this.frames, this.channels] = data.frames.shape;
    this.frame = Math.min(this.frame, this.frames - 1);
    this.truth = data.panels.find((panel) => panel.kind === "truth");
    this.framePanel = /** @type {Panel} */ (data.panels.find(({ kind }) => kind === "frame"));
    this.waiting = data.panels.some(({ image }) => !image);
    this.kernelMethods = data.methods.filter(
      /** @type {(method: Method) => method is KernelMethod} */ (({ kernels }) => kernels !== null),
    );
    this.largest = Math.max(1, ...this.kernelMethods.map(({ kernels }) => kernels.K));
    this.smooth = null;
    this.star = this.bestMethod();
    this.ideal.reset();
    this.byHand.load();
    this.looks = this.looksOf(this);
    this.choosePanels();
    this.assumed.load(data);
    this.series.load(data);
  }

  /** The method whose PSNR leads all others' by what can be seen, or undefined. */
  bestMethod() {
    if (this.waiting || this.data.series) return;
    const psnr = (/** @type {Panel} */ { scores }) => scores?.psnr ?? -Infinity;
    const [first, second] = this.data.panels
      .filter(({ kind, scores }) => kind === "method" && scores?.psnr != null)
      .sort((a, b) => psnr(b) - psnr(a));
    if (second && psnr(first) - psnr(second) >= VISIBLE_LEAD) return first;
  }

  /** What is chosen stays where there still is such; else the last method beside the reference. */
  choosePanels() {
    const { panels, methods } = this.data;
    const has = (/** @type {string} */ name) => panels.some((panel) => panel.name === name); // or it is to come
    // Where nothing is known of the truth, errors are differences from the mean.
    if (!has(this.against)) this.against = this.truth ? "truth" : "mean";
    // While all are to come there is none to choose: the first that comes is shown then.
    const method = this.kernelMethods.at(-1) ?? (this.waiting ? undefined : methods.at(-1));
    if (!has(this.shown)) this.shown = method ? panels[method.panel].name : "";
    if (!has(this.other)) this.other = "frame";
    if (!this.looks.includes(this.look)) this.look = this.looks[0];
    if (!this.modes.includes(this.mode)) this.mode = "picture";
  }

  /**
   * What of the display a host is told, for links.
   * @returns {Display}
   */
  get display() {
    const { view, frame, mode, against, stops, linear, compare, shown, other, look, channel, assumed, series, byHand } =
      this;
    const { moved: { frame: moved, shift } } = byHand; // prettier-ignore
    const round = (/** @type {number} */ value) => Math.round(value * 100) / 100;
    return {
      ...{ frame, mode, against, stops, linear, compare, shown, other, look, channel, step: series.step },
      ...{
        all: this.allFrames,
        region: this.region,
        kinds: this.kindCount,
        off: byHand.offSizes,
        keep: byHand.keepShare,
      },
      ...{
        dropped: byHand.dropped,
        nonnegative: byHand.nonnegative,
        moved: byHand.isMoved ? [moved, ...shift] : null,
        anew: this.anew.asked,
      },
      assumed: round(assumed.power),
      view: this.isWhole ? null : [view.y, view.x, view.zoom].map(round),
    };
  }

  // --- what follows from it ----------------------------------------------------------------------

  /**
   * A panel that has a picture.
   * @param {string} name
   */
  panelNamed(name) {
    return this.data.panels.find((panel) => panel.name === name && panel.image);
  }

  /**
   * The large picture; until a method's has come the mean, and at the left the frame.
   * @returns {Panel}
   */
  get shownPanel() {
    return /** @type {Panel} */ (this.panelNamed(this.shown) ?? this.panelNamed("mean"));
  }

  /** @returns {Panel} */
  get otherPanel() {
    return /** @type {Panel} */ (this.panelNamed(this.other) ?? this.framePanel);
  }

  /**
   * What errors are taken against.
   * @returns {Panel}
   */
  get reference() {
    return /** @type {Panel} */ (this.panelNamed(this.against) ?? this.truth ?? this.panelNamed("mean"));
  }

  /** The method of the large picture, or the last one that has kernels. */
  get chosenMethod() {
    const named = (/** @type {Panel} */ panel) =>
      this.kernelMethods.find((method) => this.data.panels[method.panel] === panel);
    return named(this.shownPanel) ?? named(this.otherPanel) ?? this.kernelMethods.at(-1);
  }

  /** What the large pictures may show. */
  get modes() {
    const some = this.kernelMethods.length > 0 || this.waiting;
    const without = { kernels: !some, stack: this.frames < 2 || Boolean(this.data.sizes) };
    const modes = MODES.filter((mode) => !without[/** @type {keyof typeof without} */ (mode)]);
    return some ? [...modes, ...MAP_MODES] : modes;
  }

  /** Whether the large pictures show a map of the kernels. */
  get isMap() {
    return MAP_MODES.includes(this.mode);
  }

  /** Methods whose kernels are outlined around the pixel: where all sizes are compared, those of the large pictures. */
  get outlined() {
    if (!this.data.sizes) return this.kernelMethods;
    const seen = [this.shownPanel, ...(this.compare === "one" ? [] : [this.otherPanel])];
    return this.kernelMethods.filter(({ panel }) => seen.includes(this.data.panels[panel]));
  }

  /** Whether two pictures meet at an edge that can be dragged. */
  get isWiped() {
    return this.compare === "wipe" && this.mode !== "stack" && this.rolling === null;
  }

  /** Where the sheets of the stacked frames lie. */
  get stack() {
    return stackOf(this.size[0], this.size[1], this.frames);
  }

  /** CSS pixels of a picture pixel. */
  get scale() {
    return (this.fit * this.view.zoom) / this.data.width;
  }

  /** How much of a picture's width a large one shows without zoom. */
  get part() {
    const { fit, compare, data } = this;
    if (compare !== "pair" || data.sizes) return 1;
    return fit ? halfOf(fit) / fit : 0.5;
  }

  /** How many rows and columns are seen, some of which may be beyond the picture. */
  get seen() {
    const { data, view: { zoom } } = this; // prettier-ignore
    return [data.height / zoom, (this.part * data.width) / zoom];
  }

  /** Whether all of the picture is seen. */
  get isWhole() {
    return this.view.zoom <= this.part + 1e-6;
  }

  /**
   * The values [C, H, W] of a panel as they are shown.
   * @param {Panel} panel
   * @returns {ArrayLike<number>}
   */
  imageOf(panel) {
    if (panel.kind === "frame") return this.frameValues(this.frame);
    return this.variantOf(panel)?.image ?? panel.image ?? [];
  }

  /**
   * The values [C, H, W] of a frame.
   * @param {number} i
   */
  frameValues(i) {
    const { height: H, width: W } = this.data;
    const length = this.channels * H * W;
    return this.byHand.frames.values.subarray(i * length, (i + 1) * length);
  }

  /**
   * The values of a panel at a pixel, of each channel.
   * @param {Panel} panel
   * @param {number} y
   * @param {number} x
   */
  valuesOf(panel, y, x) {
    const { height: H, width: W } = this.data;
    const image = this.imageOf(panel);
    return Array.from({ length: this.channels }, (_, c) => image[(c * H + y) * W + x]);
  }

  /**
   * What is shown of a panel in place of its own picture: with other assumed noise, of a series, or without some sizes.
   * @param {Panel} panel
   */
  variantOf(panel) {
    return this.byHand.variantOf(panel) ?? this.wholeVariantOf(panel);
  }

  /**
   * The same with all sizes.
   * @param {Panel} panel
   */
  wholeVariantOf(panel) {
    return this.assumed.mixed.get(panel) ?? this.series.of(panel);
  }

  /** Whether it matters which channel is chosen. */
  get channelMatters() {
    const own = this.kernelMethods.some(({ kernels }) => kernels.channels > 1);
    return this.channels > 1 && (own || this.look === "sum" || this.look === "ideal");
  }

  /** Whether it is known where the scene went. */
  get shiftsKnown() {
    return Boolean(this.data.shifts || this.data.motion);
  }

  /**
   * The true shifts [N] of the scene at a pixel: a moving object's where one covers the pixel. A frame that is moved by hand
   * takes its scene along.
   * @param {number} y
   * @param {number} x
   * @returns {Shift[] | null}
   */
  shiftsAt(y, x) {
    const shifts = this.ownShiftsAt(y, x);
    return shifts && this.byHand.isMoved ? shifts.map((own, frame) => this.movedBy(frame, own)) : shifts;
  }

  /**
   * The same of the burst as it is.
   * @param {number} y
   * @param {number} x
   * @returns {Shift[] | null}
   */
  ownShiftsAt(y, x) {
    const { motion, moving, shifts, width } = this.data;
    if (motion) {
      const { values, shape: [N, h, w] } = motion; // prettier-ignore
      const at = (/** @type {number} */ n) => 2 * ((n * h + (y >> 1)) * w + (x >> 1));
      return Array.from({ length: N }, (_, n) => [values[at(n)], values[at(n) + 1]]);
    }
    const object = moving ? moving.object_at[y * width + x] : 0;
    return moving && object ? moving.shifts[object - 1] : shifts;
  }

  /**
   * A method's kernels, with the noise that is assumed, of a frame as it is moved, or of the step of a series; without the
   * sizes that are off.
   * @param {KernelMethod} method
   * @returns {Field}
   */
  fieldOf(method) {
    return this.byHand.fieldOf(method, this.wholeFieldOf(method));
  }

  /**
   * The same with all sizes.
   * @param {KernelMethod} method
   * @returns {WholeField}
   */
  wholeFieldOf(method) {
    return this.series.fieldOf(method) ?? this.anew.fieldOf(method) ?? this.assumed.fieldOf(method);
  }

  /**
   * Per method: the kernels at a pixel, and all that is written beside them.
   * @param {number} y
   * @param {number} x
   * @returns {Found[]}
   */
  kernelsAt(y, x) {
    const { panels } = this.data;
    const { frames } = this.byHand;
    return this.kernelMethods.map((method) => {
      const field = this.fieldOf(method);
      const pictures = this.valuesOf(panels[method.panel], y, x);
      return {
        ...applyKernels(frames, field.setsAt(y, x), field.rule, y, x, this.channel),
        ...{ pictures, field, covered: field.covers(y, x), allowed: allowedOf(field, pictures) },
      };
    });
  }

  /**
   * The same of the chosen frame alone, and not applied: the mouse does not wait for 25x25 weights of all the others.
   * @param {number} y
   * @param {number} x
   * @returns {Found[]}
   */
  frameKernelsAt(y, x) {
    return this.kernelMethods.map((method) => {
      const field = this.fieldOf(method);
      const weights = field.frameAt(Math.min(this.frame, field.count - 1), y, x, this.channel);
      const { mass, centroid } = kernelStats(weights, field.K);
      const cells = [{ weights, centroid, share: mass / field.rule.divisor, adds: [] }];
      return { K: field.K, cells, sums: [], pictures: [], allowed: 0, covered: field.covers(y, x), field };
    });
  }

  /** Look at the pixel at the cursor: before it is painted. */
  evaluate() {
    const [y, x] = this.cursor;
    this.anew.follow();
    this.shifts = this.shiftsAt(y, x);
    this.found = this.look === "sizes" ? this.frameKernelsAt(y, x) : this.kernelsAt(y, x);
    this.taken =
      this.look === "parts" ? this.kernelMethods.map((method, m) => this.takeApart(method, this.found[m], y, x)) : [];
    this.autoMax = Math.max(0, ...this.drawnKernels.map(strongest));
    if (this.look === "ideal" && this.kernelMethods.length) this.ideal.follow();
  }

  /** The kernels that are drawn: what they share a scale of colors over. */
  get drawnKernels() {
    const { look, chosenMethod } = this;
    if (look === "kinds") return (chosenMethod && this.kinds.of(chosenMethod)?.kernels.flat()) ?? [];
    if (look === "region") return this.kernelMethods.flatMap((method) => this.means.of(method)?.kernels ?? []);
    const cells = this.taken.length
      ? this.taken.flatMap((frames, m) => [
          ...(frames?.flat() ?? []),
          ...(this.allFrames ? this.found[m].cells : [this.cellOf(m)]),
        ])
      : this.found.flatMap(({ cells }) => cells);
    return cells.map(({ weights }) => weights);
  }

  /**
   * The kernels of each size of a method at a pixel: of the chosen frame, or of all; null where they are not shown.
   * @param {KernelMethod} method
   * @param {Found} found
   * @param {number} y
   * @param {number} x
   */
  takeApart(method, { field: { count } }, y, x) {
    if (this.allFrames && method !== this.chosenMethod) return null;
    this.byHand.prepare(method);
    const frames = this.allFrames ? Array.from({ length: count }, (_, i) => i) : [Math.min(this.frame, count - 1)];
    return frames.map((frame) => this.wholeFieldOf(method).partsAt(frame, y, x, this.channel));
  }

  /**
   * What `evaluate` found of the chosen frame, or of the last one that a method takes.
   * @param {number} m
   */
  cellOf(m) {
    const { cells } = this.found[m];
    return cells[Math.min(this.frame, cells.length - 1)];
  }

  /**
   * What `evaluate` found of a method.
   * @param {Method} method
   */
  foundOf(method) {
    return this.found[this.kernelMethods.findIndex((one) => one === method)];
  }

  /**
   * Where a kernel's colors end.
   * @param {ArrayLike<number>} weights
   */
  endOf(weights) {
    const end = this.each ? strongest(weights) : (this.heldMax ?? this.autoMax);
    return end / 2 ** this.contrast || 1;
  }

  /**
   * Which pixels of the picture use the pixel at the cursor of each frame [N], and how much.
   * @param {KernelMethod} method
   */
  usesOf(method) {
    const { height: H, width: W } = this.data;
    const field = this.fieldOf(method);
    const [y, x] = this.cursor;
    return Array.from({ length: field.count }, (_, frame) => usesOf(field, frame, y, x, H, W, this.channel));
  }

  /**
   * Where what a frame shows at the cursor lies in the reference, (dy, dx) from there; null where it is hidden or unknown.
   * @param {number} frame
   * @returns {Shift | null}
   */
  originOf(frame) {
    const { height: H, width: W, motion, moving, shifts } = this.data;
    const [y, x] = this.cursor;
    if (motion) return this.originByMotion(frame);
    for (const table of [...(moving?.shifts ?? []), shifts]) {
      if (!table) continue;
      const [dy, dx] = this.movedBy(frame, table[frame]);
      const [row, column] = [Math.round(y - dy), Math.round(x - dx)];
      const inside = row >= 0 && column >= 0 && row < H && column < W;
      if (inside && this.ownShiftsAt(row, column) === table) return [-dy, -dx];
    }
    return null;
  }

  /**
   * A true shift of a frame, with what it was moved by hand.
   * @param {number} frame
   * @param {Shift} own
   * @returns {Shift}
   */
  movedBy(frame, own) {
    const { moved } = this.byHand;
    return frame === moved.frame ? [own[0] + moved.shift[0], own[1] + moved.shift[1]] : own;
  }

  /**
   * The same where every pixel has a shift of its own: q with q + shift(q) = the cursor, by fixed-point steps.
   * @param {number} frame
   * @returns {Shift | null}
   */
  originByMotion(frame) {
    const { height: H, width: W } = this.data;
    const [y, x] = this.cursor;
    let [row, column] = [y, x];
    for (let step = 0; step < ORIGIN_STEPS; step++) {
      const [j, i] = [Math.round(row), Math.round(column)];
      if (j < 0 || i < 0 || j >= H || i >= W) return null;
      const [dy, dx] = /** @type {Shift[]} */ (this.shiftsAt(j, i))[frame];
      if (Math.hypot(j + dy - y, i + dx - x) < 1) return [j - y, i - x];
      [row, column] = [y - dy, x - dx];
    }
    return null;
  }

  /** What matching says at the cursor: see VIEWS.matching. */
  get costs() {
    const { data: { matching }, byHand: { frames } } = this; // prettier-ignore
    if (!matching) return [];
    if (this.smoothed !== frames) this.smooth = null;
    this.smoothed = frames;
    this.smooth ??= smoothFrames(weightedSum(frames, matching.weights), matching.noise);
    const reach = Math.max(2, (this.largest - 1) / 2);
    return costsAt(this.smooth, this.cursor[0], this.cursor[1], reach, this.window);
  }

  /** The pixel that is shown is a pinned one, or may be another that the mouse is on. */
  get pinned() {
    return this.pinnedAt !== null;
  }

  /** Whether the pixel that is shown is not the pinned one: the mouse is on another. */
  get isAway() {
    const { pinnedAt, cursor } = this;
    return pinnedAt !== null && pinnedAt.some((at, axis) => at !== cursor[axis]);
  }

  /**
   * The point of a picture at a point of the stage: of stacked frames, on the sheet that is seen there.
   * @param {number[]} point
   */
  flat(point) {
    return this.mode === "stack" ? flatten(this.stack, point, this.size) : point;
  }

  /**
   * The pixel (y, x) at a point of a large picture, in CSS pixels; beside stacked frames the one that is shown.
   * @param {number[]} point
   * @returns {Pixel}
   */
  pixelAt(point) {
    const at = this.flat(point);
    if (!at) return this.cursor;
    const [px, py] = at;
    return [Math.floor(this.view.y + py / this.scale), Math.floor(this.view.x + px / this.scale)];
  }
}
