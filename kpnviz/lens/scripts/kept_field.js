// The kernels of a method as a person changed them.

/** @import { Changes, SizePart, WholeField, Weights } from "./types" */

import { Field, fused } from "./any_field.js";

const SMALLEST_SHARE = 0.05; // where shares sum to less (of 1), kernels are scaled up no further
const MOST_SCALES = 50_000; // that are remembered

/**
 * What changed kernels are multiplied by so that the shares of all frames sum to what they did (kpnviz/analysis/counterfactuals.py).
 * Kernels without a share to keep (of a residual, say) are left as they are.
 * @param {number} wanted
 * @param {number} share
 */
export function scaleOfShare(wanted, share) {
  return wanted > SMALLEST_SHARE ? wanted / Math.max(share, SMALLEST_SHARE) : 1;
}

/**
 * A field with only some of its sizes, the effective kernel being the mean of those; without some frames; without negative
 * weights (restrict_sizes, drop_frames and ChangedKernels in kpnviz/analysis/counterfactuals.py). K stays, and so does what
 * `partsAt` gives.
 */
export class KeptField extends Field {
  /**
   * @param {WholeField} whole
   * @param {Changes} changes
   */
  constructor(whole, changes) {
    super(whole.rule);
    this.whole = whole;
    this.changes = changes;
    const { h, w, half, error, lossy } = whole;
    this.h = h;
    this.w = w;
    this.half = half;
    this.error = error;
    this.lossy = lossy;
    /** @type {Map<number, number>} */
    this.scales = new Map();
  }

  get sizes() {
    return this.whole.sizes;
  }

  get kept() {
    return this.changes.kept;
  }

  /**
   * @param {number} frame
   * @param {number} y
   * @param {number} x
   * @param {number} channel
   */
  partsAt(frame, y, x, channel = 0) {
    return this.whole.partsAt(frame, y, x, channel);
  }

  /**
   * @param {number} frame
   * @param {number} place
   * @param {number} channel
   */
  predictedParts(frame, place, channel = 0) {
    return this.whole.predictedParts(frame, place, channel);
  }

  /**
   * @param {number} frame
   * @param {SizePart[]} parts
   */
  kernelOf(frame, parts) {
    const { kept, dropped, nonnegative } = this.changes;
    if (dropped.includes(frame)) return new Float64Array(this.K ** 2);
    const weights = fused(parts, this.K, kept);
    return nonnegative ? weights.map((weight) => Math.max(weight, 0)) : weights;
  }

  /**
   * The scale of the kernels that `partsOf` gives of each frame.
   * @param {(frame: number) => SizePart[]} partsOf
   */
  scaleFrom(partsOf) {
    const { count, sizes, rule: { divisor }, changes: { kept, keepShare, dropped, nonnegative } } = this; // prettier-ignore
    if (!keepShare) return 1;
    const sum = (/** @type {Weights} */ weights) => weights.reduce((total, weight) => total + weight, 0) / divisor;
    let [wanted, share] = [0, 0];
    for (let frame = 0; frame < count; frame++) {
      const parts = partsOf(frame);
      for (const { size, weights } of parts) {
        const mass = sum(weights);
        wanted += mass / sizes.length;
        if (!nonnegative && kept.includes(size) && !dropped.includes(frame)) share += mass / kept.length;
      }
      if (nonnegative) share += sum(this.kernelOf(frame, parts));
    }
    return scaleOfShare(wanted, share);
  }

  /**
   * @param {number} y
   * @param {number} x
   * @param {number} channel
   */
  scaleAt(y, x, channel = 0) {
    const { scales, channels, rule: { inset, width } } = this; // prettier-ignore
    const name = ((y - inset) * width + x - inset) * channels + (channels > 1 ? channel : 0);
    let scale = scales.get(name);
    if (scale === undefined) {
      if (scales.size >= MOST_SCALES) scales.clear();
      scale = this.scaleFrom((frame) => this.partsAt(frame, y, x, channel));
      scales.set(name, scale);
    }
    return scale;
  }

  /**
   * @param {number} place
   * @param {number} channel
   */
  predictedScale(place, channel = 0) {
    return this.scaleFrom((frame) => this.predictedParts(frame, place, channel));
  }

  /**
   * @param {number} frame
   * @param {number} y
   * @param {number} x
   * @param {number} channel
   * @returns {Weights}
   */
  frameAt(frame, y, x, channel = 0) {
    const scale = this.covers(y, x) ? this.scaleAt(y, x, channel) : 1;
    return this.kernelOf(frame, this.partsAt(frame, y, x, channel)).map((weight) => weight * scale);
  }

  /**
   * @param {number} frame
   * @param {number} y
   * @param {number} x
   * @param {number} a
   * @param {number} b
   * @param {number} channel
   */
  weightAt(frame, y, x, a, b, channel = 0) {
    return this.frameAt(frame, y, x, channel)[a * this.K + b];
  }
}
