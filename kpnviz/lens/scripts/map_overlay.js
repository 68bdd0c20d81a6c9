// Maps of a method's kernels over its picture, with their legend: which size carries the weight, how far it reaches, and the
// statistics of one frame's kernels.

/** @import { Context, Field, KernelMethod } from "./types" */
/** @import { FieldMaps } from "./maps.js" */
/** @import { Painter } from "./painter.js" */

import { make } from "./elements.js";
import { MAP_KINDS } from "./map_kinds.js";
import { kindColor } from "./kind_color.js";
import { clamp } from "./layout.js";
import { fieldMaps, sharesOfValues } from "./maps.js";
import { bitmap, cased, css } from "./paint.js";
import { COSTS, SEQUENTIAL } from "./palette.js";
import { offset, percent, signed } from "./text.js";

const HEAVY = 0.62; // of the color of a class over the picture
const PALE = 0.45; // of the paper over the picture, under arrows
const ARROW = 17; // CSS pixels, the least between two arrows
const MOST_LONGER = 4; // times as long as they are, at most
const FEW = 0.95; // of the arrows are no longer than they have room
const LEAST_SHARE = 0.005; // of the picture: classes with less have no entry in the legend

/**
 * What is known of the places of a grid: of each place a share, at least.
 * @typedef {{ h: number, w: number, share: ArrayLike<number>, index?: ArrayLike<number> } & Partial<Omit<FieldMaps, "h" | "w" | "share">>} Shown
 */

export class MapOverlay {
  /** @param {Painter} painter */
  constructor(painter) {
    this.painter = painter;
    this.state = painter.state;
    this.bar = painter.parts.find(".of-map");
    /** @type {WeakMap<Field, Map<string, FieldMaps>>} */
    this.known = new WeakMap();
    /** @type {WeakMap<Shown, Map<string, number>>} */
    this.ends = new WeakMap(); // of colors, by mode
    this.canvas = new OffscreenCanvas(1, 1);
  }

  get kind() {
    return MAP_KINDS[this.state.mode];
  }

  /** Methods on the stage, the right one last. */
  get methods() {
    const { state } = this;
    const seen = state.compare === "one" ? [state.shownPanel] : [state.otherPanel, state.shownPanel];
    return seen.flatMap((panel) => state.kernelMethods.filter((method) => state.data.panels[method.panel] === panel));
  }

  /** @param {Field} field */
  framesOf({ count }) {
    const { state } = this;
    return this.kind.classes && state.mapAll
      ? Array.from({ length: count }, (_, i) => i)
      : [Math.min(state.frame, count - 1)];
  }

  /**
   * A method's maps, once they are computed.
   * @param {KernelMethod} method
   * @returns {Shown | undefined}
   */
  mapsOf(method) {
    const { state, known } = this;
    if (state.mode === "kinds") {
      const kinds = state.kinds.of(method);
      return kinds && { h: kinds.h, w: kinds.w, share: kinds.index, index: kinds.index };
    }
    const field = state.fieldOf(method);
    const frames = this.framesOf(field);
    const name = `${frames} ${state.channel}`;
    const maps = known.get(field) ?? new Map();
    known.set(field, maps);
    const found = /** @type {FieldMaps | undefined} */ (maps.get(name));
    if (!found)
      state.background.add(
        `map of ${method.title}`,
        `${name} ${state.assumed.applied} ${state.series.applied} ${field.kept}`,
        () => fieldMaps(field, frames, state.channel),
        (made) => {
          maps.set(name, made);
          state.changed("pictures", "cursor");
        },
      );
    return found;
  }

  /**
   * The number of a place that a map shows, and where its colors end.
   * @param {Shown} shown
   * @param {number} place
   * @param {KernelMethod} method
   */
  valueAt(shown, place, method) {
    const { mode } = this.state;
    if (shown.index) return shown.index[place];
    const maps = /** @type {FieldMaps} */ (shown);
    if (mode === "size") return method.kernels.sizes[maps.size[place]];
    if (mode === "displacement") return Math.hypot(maps.dy[place], maps.dx[place]);
    return maps[/** @type {"share" | "spread" | "entropy" | "reach"} */ (mode)][place];
  }

  /** Where colors end, for all pictures on the stage; of arrows, the length that few of them exceed. */
  get end() {
    const { state: { mode }, methods } = this; // prettier-ignore
    if (mode === "entropy") return Math.max(1, ...methods.map(({ kernels: { K } }) => 2 * Math.log2(K)));
    const ends = methods.map((method) => {
      const maps = this.mapsOf(method);
      if (!maps) return 0;
      const known = this.ends.get(maps) ?? new Map();
      this.ends.set(maps, known);
      if (!known.has(mode)) {
        const values = Float32Array.from(maps.share, (_, i) => Math.abs(this.valueAt(maps, i, method))).sort();
        known.set(mode, values[Math.floor((mode === "displacement" ? FEW : 1) * (values.length - 1))]);
      }
      return known.get(mode);
    });
    return Math.max(0, ...ends) || 1;
  }

  /** The largest number of pixels that has a color. */
  get largest() {
    return Math.max(3, ...this.methods.map(({ kernels }) => kernels.K));
  }

  /** @param {number} size */
  classColor(size) {
    if (this.state.mode === "kinds") return kindColor(size);
    return COSTS.at((2 * (size - 1)) / (this.largest - 1) - 1);
  }

  // --- painting ---------------------------------------------------------------------------------

  /**
   * A method's map over its picture, which is on the canvas already; nothing until it is computed.
   * @param {Context} context
   * @param {KernelMethod} method
   */
  draw(context, method) {
    const maps = this.mapsOf(method);
    if (!maps) return;
    const { state, painter: { palette, ink } } = this; // prettier-ignore
    const { view, scale } = state;
    const { half, rule: { inset, height, width } } = state.fieldOf(method); // prettier-ignore
    const [left, top] = [(inset - view.x) * scale, (inset - view.y) * scale];
    context.save();
    context.beginPath();
    context.rect(left, top, width * scale, height * scale);
    context.clip();
    if (this.kind.classes || state.mode === "displacement") {
      context.globalCompositeOperation = "saturation"; // colors are those of the map
      context.fillStyle = "#808080";
      context.fillRect(left, top, width * scale, height * scale);
      context.globalCompositeOperation = "source-over";
    }
    if (state.mode === "displacement") {
      context.globalAlpha = PALE;
      context.fillStyle = ink.paper;
      context.fillRect(left, top, width * scale, height * scale);
      context.globalAlpha = 1;
      this.drawArrows(context, maps, left, top, (half ? 2 : 1) * scale);
    } else {
      const end = this.kind.classes ? 1 : this.end;
      const colorOf = (/** @type {number} */ i) => {
        const value = this.valueAt(maps, i, method);
        return this.kind.classes
          ? this.classColor(value)
          : state.mode === "share"
            ? palette.at(value / end)
            : SEQUENTIAL.at((2 * value) / end - 1);
      };
      bitmap(maps.h, maps.w, colorOf, this.canvas);
      context.globalAlpha = this.kind.classes ? HEAVY : 1;
      const unit = (half ? 2 : 1) * scale;
      context.drawImage(this.canvas, left, top, maps.w * unit, maps.h * unit);
    }
    context.restore();
  }

  /** How many times as long as they are arrows are drawn: neighbors are told apart, and do not cover each other. */
  get longer() {
    const { scale } = this.state;
    return clamp((1.2 * ARROW) / (this.end * scale), 1, MOST_LONGER);
  }

  /**
   * From places on the grid, so far apart that they can be told apart, to where the weight is.
   * @param {Context} context
   * @param {Shown} maps
   * @param {number} left
   * @param {number} top
   * @param {number} unit  CSS pixels of a place
   */
  drawArrows(context, maps, left, top, unit) {
    const { h, w, dy, dx } = /** @type {FieldMaps} */ (maps);
    const { longer, state: { scale }, painter: { ink, weight } } = this; // prettier-ignore
    const step = Math.max(1, Math.ceil(ARROW / unit));
    const [lines, heads] = [new Path2D(), new Path2D()];
    for (let i = step >> 1; i < h; i += step)
      for (let j = step >> 1; j < w; j += step) {
        const [x, y, place] = [left + (j + 0.5) * unit, top + (i + 0.5) * unit, i * w + j];
        const [toX, toY] = [x + dx[place] * scale * longer, y + dy[place] * scale * longer];
        lines.moveTo(x, y);
        lines.lineTo(toX, toY);
        heads.moveTo(toX + 1.8 * weight, toY);
        heads.arc(toX, toY, 1.8 * weight, 0, 2 * Math.PI);
      }
    context.lineWidth = 1.2 * weight;
    context.strokeStyle = context.fillStyle = ink.text;
    context.stroke(lines);
    context.fill(heads);
  }

  /**
   * Where the scene truly went, at the pixel, as long as the arrows of the map are drawn.
   * @param {Context} context
   * @param {number[]} middle
   */
  drawTrue(context, [x, y]) {
    const { state, painter: { ink, weight } } = this; // prettier-ignore
    const shift = state.frame > 0 && state.shifts?.[state.frame];
    if (state.mode !== "displacement" || !shift) return;
    const [toX, toY] = [x + shift[1] * state.scale * this.longer, y + shift[0] * state.scale * this.longer];
    cased(
      context,
      ink.shift,
      2 * weight,
      () => (context.moveTo(x, y), context.lineTo(toX, toY), context.arc(toX, toY, 2 * weight, 0, 2 * Math.PI)),
      ink.faint,
    );
  }

  // --- the legend -------------------------------------------------------------------------------

  write() {
    const { state, bar, painter: { parts, palette } } = this; // prettier-ignore
    bar.hidden = !state.isMap;
    if (!state.isMap) return;
    const { title, unit, classes, tip } = this.kind;
    const { methods } = this;
    const ready = methods.every((method) => this.mapsOf(method));
    const what = bar.querySelector(".what");
    if (what instanceof HTMLElement)
      Object.assign(what, {
        textContent: title + (classes ? "" : ` of frame ${state.frame}`) + (unit ? `, ${unit}` : ""),
        title: tip,
      });
    parts.find(".of-map label").hidden = !classes || state.mode === "kinds";
    parts.input("mapped").value = state.mapAll ? "all" : "one";
    parts.find("[name=mapped] [value=one]").textContent = `frame ${state.frame}`;
    const scale = parts.find(".of-map .scale");
    scale.hidden = Boolean(classes) || state.mode === "displacement" || !ready || !methods.length;
    if (!scale.hidden) {
      const { end } = this;
      const { controls } = this.painter;
      controls.paintRamp(".of-map", state.mode === "share" ? palette.css : SEQUENTIAL.css);
      controls.writeScale(".of-map", state.mode === "share" ? [-100 * end, 0, 100 * end] : [0, end / 2, end]);
    }
    this.writeClasses(Boolean(classes) && ready);
    this.writeHere();
  }

  /**
   * Colors of the sizes, and how much of the picture at the right each has.
   * @param {boolean} shown
   */
  writeClasses(shown) {
    const method = this.methods.at(-1);
    const maps = shown && method && this.mapsOf(method);
    const shares = maps ? sharesOfValues(Array.from(maps.share, (_, i) => this.valueAt(maps, i, method))) : new Map();
    const entries = [...shares].filter(([, share]) => share >= LEAST_SHARE).sort(([a], [b]) => a - b);
    const items = entries.map(([size, share]) => {
      const swatch = make("i", "swatch");
      swatch.style.background = css(this.classColor(size));
      const kind = this.state.mode === "kinds" ? `${size + 1}` : "";
      const item = make("span", "entry", swatch, make("b", "", kind || `${size}`), ` ${percent(share)}`);
      item.title = `${kind ? `Kind ${kind}` : `${size}×${size} px`} on ${percent(share)} of the picture`;
      return item;
    });
    this.painter.parts.find(".of-map .shares").replaceChildren(...items);
  }

  /** What the map says at the pixel. */
  writeHere() {
    const { state } = this;
    if (!state.isMap) return;
    this.painter.parts.find(".of-map .here").textContent = this.hereText();
  }

  hereText() {
    const { state, methods } = this;
    const method = methods.at(-1);
    if (!method) return "choose a picture that kernels made";
    const maps = this.mapsOf(method);
    if (!maps) return "computing …";
    const [y, x] = state.cursor;
    const { half, rule: { inset } } = state.fieldOf(method); // prettier-ignore
    if (!state.fieldOf(method).covers(y, x)) return "no kernel here";
    const [i, j] = [y - inset, x - inset].map((at) => (half ? at >> 1 : at));
    const place = i * maps.w + j;
    const value = this.valueAt(maps, place, method);
    if (state.mode === "kinds") return `here ${value + 1}`;
    if (this.kind.classes) return `here ${value}×${value} px`;
    if (state.mode === "share") return `here ${signed(100 * value, 1)} %`;
    if (state.mode !== "displacement") return `here ${signed(value, 2)}`;
    const { longer } = this;
    const shift = state.frame > 0 && state.shifts?.[state.frame];
    const drawn = longer > 1 ? `; drawn ×${longer.toFixed(1)}` : "";
    const { dy, dx } = /** @type {FieldMaps} */ (maps);
    return `here (${signed(dy[place], 1)}, ${signed(dx[place], 1)})${shift ? `, true ${offset(shift)}` : ""}${drawn}`;
  }
}
