// The kernels of a method, evaluated where one looks: what kpnviz/kernels/field.py calls a KernelField.

/** @import { Padding, SizePart, Values, Weights } from "./types" */

import { Field, fused } from "./any_field.js";
import { HALF } from "./half.js";

/**
 * Pixel i of an axis that is upsampled twofold from n samples (bilinear, pixel centers aligned): the two samples that it
 * lies between, and the weight of the second. Outside the samples the edge goes on.
 * @param {number} i
 * @param {number} n
 */
export function samplesBeside(i, n) {
  const position = Math.min(Math.max((i + 0.5) / 2 - 0.5, 0), n - 1);
  const low = Math.floor(position);
  return { low, high: Math.min(low + 1, n - 1), weight: position - low };
}

/**
 * Kernels as predicted.
 *
 * factors  [N, F, h, w], or of each channel [N, C, F, h, w]: separable factors or dense kernels, at every pixel or (`half`) at
 *          half resolution, upsampled bilinearly to the pixels. float16, times `unit`; float32; or 8 bits, times a scale a pixel
 * basis    [F, N, K, K] or null: then the factors [1, F, h, w] are coefficients, and a kernel is their sum of basis kernels
 */
export class KernelField extends Field {
  /**
   * @typedef {object} Parts
   * @property {number[]} sizes
   * @property {boolean} separable
   * @property {Values} factors
   * @property {Values | null} [basis]
   * @property {Float32Array | null} [scales]  [N, h, w] or [N, C, h, w], of factors in 8 bits
   * @property {number} [unit]
   * @property {boolean} [half]
   * @property {Padding} [padding]
   * @property {"mean" | "sum"} [reduce]
   * @property {number} height  of the picture
   * @property {number} width
   * @property {number} [inset]
   * @property {number | null} [error]  the picture's largest error, as kernels are rounded; null: not measured
   * @property {boolean} [lossy]
   */
  /** @param {Parts} parts */
  constructor(parts) {
    const { sizes, factors: { shape }, basis = null, padding = "reflect", reduce = "mean", height, width, inset = 0 } = parts; // prettier-ignore
    super({
      ...{ K: Math.max(...sizes), padding, reduce, height, width, inset },
      count: basis ? basis.shape[1] : shape[0],
      channels: shape.length === 5 ? shape[1] : 1,
    });
    this.parts = parts;
    const [F, h, w] = shape.slice(-3);
    this.F = F;
    this.h = h;
    this.w = w;
    this.error = parts.error ?? null;
    this.lossy = parts.lossy ?? false;
    this.half = parts.half ?? true; // whether factors stand at half resolution
  }

  /**
   * The same network's field with other factors.
   * @param {Values} factors
   */
  withFactors(factors) {
    return new KernelField({ ...this.parts, factors, error: null }); // what rounding costs these was not measured
  }

  get sizes() {
    return this.parts.sizes;
  }

  /**
   * What reads factor f of some frame at a place (row * w + column) of the grid on which factors are predicted.
   * @param {number} frame
   * @param {number} channel
   * @returns {(f: number, place: number) => number}
   */
  predictedReader(frame, channel) {
    const { F, h, w, channels, parts: { factors: { values }, scales, unit = 1, basis } } = this; // prettier-ignore
    const set = basis ? 0 : frame * channels + (channels > 1 ? channel : 0);
    const [first, plane] = [set * F * h * w, h * w];
    if (values instanceof Uint16Array) return (f, place) => HALF[values[first + f * plane + place]] * unit;
    if (!scales) return (f, place) => values[first + f * plane + place];
    return (f, place) => values[first + f * plane + place] * scales[set * plane + place];
  }

  /**
   * What reads factor f of some frame and channel at a pixel of the picture.
   * @param {number} frame
   * @param {number} y
   * @param {number} x
   * @param {number} channel
   * @returns {(f: number) => number}
   */
  readerAt(frame, y, x, channel) {
    const { h, w, half } = this;
    const number = this.predictedReader(frame, channel);
    if (!half) return (f) => number(f, y * w + x);
    const row = samplesBeside(y, h);
    const column = samplesBeside(x, w);
    const [low, high] = [row.low * w, row.high * w];
    return (f) => {
      const left = number(f, low + column.low) * (1 - row.weight) + number(f, high + column.low) * row.weight;
      const right = number(f, low + column.high) * (1 - row.weight) + number(f, high + column.high) * row.weight;
      return left * (1 - column.weight) + right * column.weight;
    };
  }

  /**
   * The kernel of each size that factors make; u and v are its vertical and horizontal factor, where there are some.
   * @param {number} frame
   * @param {(f: number) => number} read
   * @returns {SizePart[]}
   */
  partsFrom(frame, read) {
    const { K, F, parts: { sizes, separable, basis } } = this; // prettier-ignore
    if (basis) {
      const { values, shape: [, N] } = basis; // prettier-ignore
      const weights = new Float64Array(K * K);
      for (let f = 0; f < F; f++) {
        const coefficient = read(f);
        const start = (f * N + frame) * K * K;
        for (let i = 0; i < K * K; i++) weights[i] += coefficient * values[start + i];
      }
      return [{ size: K, weights, u: null, v: null }];
    }
    let first = 0;
    return sizes.map((size) => {
      const factors = new Float64Array(separable ? 2 * size : size * size);
      for (let f = 0; f < factors.length; f++) factors[f] = read(first + f);
      first += factors.length;
      if (!separable) return { size, weights: factors, u: null, v: null };
      const [u, v] = [factors.subarray(0, size), factors.subarray(size)];
      const weights = new Float64Array(size * size);
      for (let a = 0, i = 0; a < size; a++) for (let b = 0; b < size; b++, i++) weights[i] = u[a] * v[b];
      return { size, weights, u, v };
    });
  }

  /**
   * The kernel of each size of one frame at a pixel, whether it counts or not. Beyond the picture they are 0.
   * @param {number} frame
   * @param {number} y
   * @param {number} x
   * @param {number} channel
   * @returns {SizePart[]}
   */
  partsAt(frame, y, x, channel = 0) {
    const { inset } = this.rule;
    if (this.covers(y, x)) return this.partsFrom(frame, this.readerAt(frame, y - inset, x - inset, channel));
    return this.sizes.map((size) => ({ size, weights: new Float64Array(size * size), u: null, v: null }));
  }

  /**
   * The same at a place (row * w + column) of the grid on which factors are predicted.
   * @param {number} frame
   * @param {number} place
   * @param {number} channel
   * @returns {SizePart[]}
   */
  predictedParts(frame, place, channel = 0) {
    const number = this.predictedReader(frame, channel);
    return this.partsFrom(frame, (f) => number(f, place));
  }

  /**
   * Outer products, zero-padded to the largest size and averaged over the sizes (eq. 3); or sums of basis kernels.
   * @param {number} frame
   * @param {number} y
   * @param {number} x
   * @param {number} channel
   * @returns {Weights}
   */
  frameAt(frame, y, x, channel = 0) {
    return fused(this.partsAt(frame, y, x, channel), this.K);
  }

  /**
   * One weight of one frame's effective kernel at a pixel, without the others: row a, column b of K x K.
   * @param {number} frame
   * @param {number} y
   * @param {number} x
   * @param {number} a
   * @param {number} b
   * @param {number} channel
   */
  weightAt(frame, y, x, a, b, channel = 0) {
    const { K, F, parts: { sizes, separable, basis }, rule: { inset } } = this; // prettier-ignore
    if (!this.covers(y, x)) return 0;
    const read = this.readerAt(frame, y - inset, x - inset, channel);
    let [total, first] = [0, 0];
    if (basis) {
      const { values, shape: [, N] } = basis; // prettier-ignore
      for (let f = 0; f < F; f++) total += read(f) * values[((f * N + frame) * K + a) * K + b];
      return total;
    }
    for (const size of sizes) {
      const margin = (K - size) / 2;
      const [i, j] = [a - margin, b - margin];
      if (i >= 0 && j >= 0 && i < size && j < size)
        total += separable ? read(first + i) * read(first + size + j) : read(first + i * size + j);
      first += separable ? 2 * size : size * size;
    }
    return total / sizes.length;
  }
}
