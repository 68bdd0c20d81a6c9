// Other assumed noise: what Python computed for some scales, and all that lies between them. What is on the screen assumes
// one noise: until every method's results with other noise have come, all of them are shown with the true one.

/** @import { AssumedGiven, AssumedResults, KernelMethod, Method, Panel, Payload, WholeField } from "./types" */
/** @import { KernelField } from "./field.js" */

import { MixedField } from "./mixed_field.js";
import { clamp } from "./layout.js";
import { encode } from "./palette.js";
import { readAssumed } from "./payload.js";

/**
 * Where a power of two lies among scales (growing): the two beside it, and how far it is from the first to the second.
 * @param {number[]} scales
 * @param {number} power
 */
export function scaleBeside(scales, power) {
  const powers = scales.map(Math.log2);
  const last = powers[powers.length - 1];
  const place = clamp(power, powers[0], last);
  const high = Math.max(
    1,
    powers.findIndex((p) => p >= place),
  );
  return { low: high - 1, high, share: (place - powers[high - 1]) / (powers[high] - powers[high - 1]) };
}

export const BORDER = 8; // pixels that PSNR leaves out, as in kpnviz/analysis/metrics.py

/**
 * PSNR in dB of pictures [C, H, W] as kpnviz/analysis/metrics.py has it: after the transfer, clipped, without the border.
 * @param {ArrayLike<number>} image
 * @param {ArrayLike<number>} truth
 * @param {number} H
 * @param {number} W
 * @param {number} white
 */
export function psnrOf(image, truth, H, W, white) {
  const [top, left] = [Math.min(BORDER, (H - 1) >> 1), Math.min(BORDER, (W - 1) >> 1)];
  const C = truth.length / (H * W);
  let squares = 0;
  for (let c = 0; c < C; c++)
    for (let y = top; y < H - top; y++)
      for (let x = left; x < W - left; x++) {
        const i = (c * H + y) * W + x;
        squares += (encode(image[i] / white) - encode(truth[i] / white)) ** 2;
      }
  return -10 * Math.log10(squares / (C * (H - 2 * top) * (W - 2 * left)));
}

/** A method's pictures and kernels at growing scales of the assumed noise, its own at scale 1 among them. */
class Scales {
  /**
   * @param {AssumedResults} others
   * @param {Float32Array} image
   * @param {KernelField | null} kernels
   */
  constructor(others, image, kernels) {
    const own = others.scales.findIndex((scale) => scale > 1);
    /**
     * @template T
     * @param {T[]} list
     * @param {T} mine
     */
    const among = (list, mine) => [...list.slice(0, own), mine, ...list.slice(own)];
    this.scales = among(others.scales, 1);
    this.images = among(others.images, image);
    this.fields =
      kernels &&
      among(
        others.factors.map((factors) => kernels.withFactors(factors)),
        kernels,
      );
  }

  /**
   * The picture with 2^power times the true noise.
   * @param {number} power
   */
  image(power) {
    const { low, high, share } = scaleBeside(this.scales, power);
    const [a, b] = [this.images[low], this.images[high]];
    return a.map((value, i) => value * (1 - share) + b[i] * share);
  }

  /**
   * The kernels with 2^power times the true noise; null of a method that has none.
   * @param {number} power
   * @returns {WholeField | null}
   */
  field(power) {
    if (!this.fields) return null;
    const { low, high, share } = scaleBeside(this.scales, power);
    if (share === 0 || share === 1) return this.fields[share ? high : low];
    return new MixedField(this.fields[low], this.fields[high], share);
  }
}

export class Assumed {
  /** @param {() => void} changed  called when pictures and kernels are others */
  constructor(changed) {
    this.changed = changed;
    this.power = 0; // the assumed noise that is asked for is 2^power times the true one
    /** @type {AssumedGiven | null} */
    this.given = null;
    /** @type {Payload | null} */
    this.data = null;
    /** @type {Map<Method, Scales>} */
    this.scales = new Map();
    /** @type {Map<Panel, { image: Float32Array, score: string | null }>} */
    this.mixed = new Map();
    /** @type {Map<Method, WholeField>} */
    this.fields = new Map();
  }

  /**
   * What is known of a burst with other noise; null: nothing, and nothing is to come.
   * @param {AssumedGiven | null} given
   */
  set(given) {
    this.given = given;
    this.take();
  }

  /**
   * Another payload is shown.
   * @param {Payload} data
   */
  load(data) {
    this.data = data;
    this.scales.clear();
    this.take();
  }

  /** Of the methods on the page, by name: null where it is too large. Null where nothing is known of this burst. */
  get results() {
    return this.given && this.given.burst === this.data?.burst ? this.given.results : null;
  }

  /** Whether something of a burst that is shown is known, or is to come. */
  get offered() {
    return this.results !== null && Boolean(this.data?.methods.length);
  }

  /** Whether every method on the page has its results with other noise. */
  get ready() {
    const methods = this.data?.methods ?? [];
    return methods.length > 0 && methods.every((method) => this.scales.has(method));
  }

  /** Whether there is nothing to wait for: every method has its results, or they are too large. */
  get complete() {
    const { results, data } = this;
    return Boolean(results && data?.methods.every(({ panel }) => data.panels[panel].name in results));
  }

  get tooLarge() {
    const { results, data } = this;
    return Boolean(results && data?.methods.some(({ panel }) => results[data.panels[panel].name] === null));
  }

  /** The power of what is on the screen. */
  get applied() {
    return this.ready ? this.power : 0;
  }

  /** Read what has come of each method. */
  take() {
    const { data, results } = this;
    if (!data) return;
    for (const method of data.methods) {
      const { name, image } = data.panels[method.panel];
      const bytes = results?.[name];
      if (bytes && image && !this.scales.has(method))
        this.scales.set(method, new Scales(readAssumed(bytes), image, method.kernels));
    }
    this.mix();
  }

  /** @param {number} power */
  moveTo(power) {
    this.power = power;
    this.mix();
  }

  /** The pictures and kernels with the noise that is assumed. */
  mix() {
    const { data, applied } = this;
    if (!data) return;
    const truth = data.panels.find(({ kind }) => kind === "truth")?.image;
    this.mixed.clear();
    this.fields.clear();
    if (applied !== 0)
      for (const [method, scales] of this.scales) {
        const image = scales.image(applied);
        const score = truth ? `${psnrOf(image, truth, data.height, data.width, data.white_level).toFixed(2)} dB` : null;
        this.mixed.set(data.panels[method.panel], { image, score });
        const field = scales.field(applied);
        if (field) this.fields.set(method, field);
      }
    this.changed();
  }

  /**
   * A method's kernels with the noise that is assumed.
   * @param {KernelMethod} method
   * @returns {WholeField}
   */
  fieldOf(method) {
    return this.fields.get(method) ?? method.kernels;
  }
}
