// The kernels of a method, evaluated where one looks: what kpnviz/kernels/field.py calls a KernelField.
//
// A field has K, the side of its kernels, and count, for how many frames it has them. at(y, x) gives the kernels of all
// frames at a pixel, frameAt(frame, y, x) one of them, weightAt(frame, y, x, a, b) one weight of it.

/** @import { Halves, Weights } from "./types" */

import { HALF } from "./half.js";

/**
 * Pixel i of an axis that is upsampled twofold from n samples (bilinear, pixel centers aligned): the two samples that it
 * lies between, and the weight of the second. Outside the samples the edge goes on.
 * @param {number} i
 * @param {number} n
 */
function samplesBeside(i, n) {
  const position = Math.min(Math.max((i + 0.5) / 2 - 0.5, 0), n - 1);
  const low = Math.floor(position);
  return { low, high: Math.min(low + 1, n - 1), weight: position - low };
}

/** Kernels as predicted: factors [N, F, h, w] in float16 at half resolution, upsampled bilinearly to the pixels. */
export class KernelField {
  /** @param {{ sizes: number[], separable: boolean, factors: Halves }} parts */
  constructor({ sizes, separable, factors }) {
    this.sizes = sizes;
    this.separable = separable;
    this.factors = factors;
    this.K = Math.max(...sizes);
    this.count = factors.shape[0];
  }

  /**
   * The same network's field with other factors.
   * @param {Halves} factors
   */
  withFactors(factors) {
    return new KernelField({ sizes: this.sizes, separable: this.separable, factors });
  }

  /**
   * The effective kernels of all frames [N].
   * @param {number} y
   * @param {number} x
   * @returns {Weights[]}
   */
  at(y, x) {
    return Array.from({ length: this.count }, (_, frame) => this.frameAt(frame, y, x));
  }

  /**
   * The effective kernel of one frame: outer products, zero-padded to the largest size and averaged over the sizes (eq. 3).
   * @param {number} frame
   * @param {number} y
   * @param {number} x
   * @returns {Weights}
   */
  frameAt(frame, y, x) {
    const { sizes, separable, K } = this;
    const factors = this.factorsAt(frame, y, x);
    const weights = new Float64Array(K * K);
    let first = 0;
    for (const size of sizes) {
      const margin = (K - size) / 2;
      for (let a = 0; a < size; a++)
        for (let b = 0; b < size; b++)
          weights[(a + margin) * K + b + margin] +=
            (separable ? factors[first + a] * factors[first + size + b] : factors[first + a * size + b]) / sizes.length;
      first += separable ? 2 * size : size * size;
    }
    return weights;
  }

  /**
   * The factors [F] of one frame at a pixel.
   * @param {number} frame
   * @param {number} y
   * @param {number} x
   */
  factorsAt(frame, y, x) {
    const { values, shape: [, F, h, w] } = this.factors; // prettier-ignore
    const row = samplesBeside(y, h);
    const column = samplesBeside(x, w);
    const at = new Float64Array(F);
    for (let f = 0; f < F; f++) {
      const [low, high] = [((frame * F + f) * h + row.low) * w, ((frame * F + f) * h + row.high) * w];
      const left = HALF[values[low + column.low]] * (1 - row.weight) + HALF[values[high + column.low]] * row.weight;
      const right = HALF[values[low + column.high]] * (1 - row.weight) + HALF[values[high + column.high]] * row.weight;
      at[f] = left * (1 - column.weight) + right * column.weight;
    }
    return at;
  }

  /**
   * One weight of one frame's effective kernel at a pixel, without the others: row a, column b of K x K.
   * @param {number} frame
   * @param {number} y
   * @param {number} x
   * @param {number} a
   * @param {number} b
   */
  weightAt(frame, y, x, a, b) {
    const { sizes, separable, K, factors: { values, shape: [, F, h, w] } } = this; // prettier-ignore
    const row = samplesBeside(y, h);
    const column = samplesBeside(x, w);
    /** @param {number} f */
    const factor = (f) => {
      const start = (frame * F + f) * h;
      const [low, high] = [(start + row.low) * w, (start + row.high) * w];
      const left = HALF[values[low + column.low]] * (1 - row.weight) + HALF[values[high + column.low]] * row.weight;
      const right = HALF[values[low + column.high]] * (1 - row.weight) + HALF[values[high + column.high]] * row.weight;
      return left * (1 - column.weight) + right * column.weight;
    };
    let [total, first] = [0, 0];
    for (const size of sizes) {
      const margin = (K - size) / 2;
      const [i, j] = [a - margin, b - margin];
      if (i >= 0 && j >= 0 && i < size && j < size)
        total += separable ? factor(first + i) * factor(first + size + j) : factor(first + i * size + j);
      first += separable ? 2 * size : size * size;
    }
    return total / sizes.length;
  }
}

/** Kernels between two fields, `share` of the way: the picture between their pictures is what these make. */
export class MixedField {
  /**
   * @param {KernelField} one
   * @param {KernelField} other
   * @param {number} share
   */
  constructor(one, other, share) {
    this.one = one;
    this.other = other;
    this.share = share;
    this.K = one.K;
    this.count = one.count;
  }

  /**
   * @param {number} y
   * @param {number} x
   * @returns {Weights[]}
   */
  at(y, x) {
    return Array.from({ length: this.count }, (_, frame) => this.frameAt(frame, y, x));
  }

  /**
   * @param {number} frame
   * @param {number} y
   * @param {number} x
   * @returns {Weights}
   */
  frameAt(frame, y, x) {
    const { one, other, share } = this;
    const second = other.frameAt(frame, y, x);
    return one.frameAt(frame, y, x).map((weight, i) => weight * (1 - share) + second[i] * share);
  }

  /**
   * @param {number} frame
   * @param {number} y
   * @param {number} x
   * @param {number} a
   * @param {number} b
   */
  weightAt(frame, y, x, a, b) {
    const { one, other, share } = this;
    return one.weightAt(frame, y, x, a, b) * (1 - share) + other.weightAt(frame, y, x, a, b) * share;
  }
}
