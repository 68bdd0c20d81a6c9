// Kernels between those of two computed noises.

/** @import { SizePart, Weights } from "./types" */
/** @import { KernelField } from "./field.js" */

import { Field } from "./any_field.js";

/** Kernels between two fields, `share` of the way: the picture between their pictures is what these make. */
export class MixedField extends Field {
  /**
   * @param {KernelField} one
   * @param {KernelField} other
   * @param {number} share
   */
  constructor(one, other, share) {
    super(one.rule);
    this.one = one;
    this.other = other;
    this.share = share;
    this.error = one.error === null || other.error === null ? null : Math.max(one.error, other.error);
    this.lossy = one.lossy;
    const { h, w, half } = one;
    this.h = h;
    this.w = w;
    this.half = half;
  }

  get sizes() {
    return this.one.sizes;
  }

  /**
   * The kernel of each size, mixed; a mixture of two outer products has no factors.
   * @param {SizePart[]} these
   * @param {SizePart[]} others
   * @returns {SizePart[]}
   */
  mixed(these, others) {
    const { share } = this;
    return these.map(({ size, weights }, s) => ({
      ...{ size, u: null, v: null },
      weights: weights.map((weight, i) => weight * (1 - share) + others[s].weights[i] * share),
    }));
  }

  /**
   * @param {number} frame
   * @param {number} y
   * @param {number} x
   * @param {number} channel
   */
  partsAt(frame, y, x, channel = 0) {
    return this.mixed(this.one.partsAt(frame, y, x, channel), this.other.partsAt(frame, y, x, channel));
  }

  /**
   * @param {number} frame
   * @param {number} place
   * @param {number} channel
   */
  predictedParts(frame, place, channel = 0) {
    return this.mixed(this.one.predictedParts(frame, place, channel), this.other.predictedParts(frame, place, channel));
  }

  /**
   * @param {number} frame
   * @param {number} y
   * @param {number} x
   * @param {number} channel
   * @returns {Weights}
   */
  frameAt(frame, y, x, channel = 0) {
    const { one, other, share } = this;
    const second = other.frameAt(frame, y, x, channel);
    return one.frameAt(frame, y, x, channel).map((weight, i) => weight * (1 - share) + second[i] * share);
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
    const { one, other, share } = this;
    return one.weightAt(frame, y, x, a, b, channel) * (1 - share) + other.weightAt(frame, y, x, a, b, channel) * share;
  }
}
