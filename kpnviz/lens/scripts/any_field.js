// What the kernels of all methods have in common, of whatever kind they are.
//
// (y, x) is a pixel of the frames. Where convolutions are valid the picture is smaller: its pixel (0, 0) lies at (inset, inset),
// and beyond it there are no kernels (`covers`). A field has K, the side of its kernels, count, for how many frames it has them,
// and channels, how many channels have kernels of their own (1: all share one set); `channel` is ignored where they are shared.

/** @import { Rule, SizePart, Weights } from "./types" */

/**
 * The effective kernel of parts: completed with zeros to K x K, and averaged over the sizes that are `kept` (eq. 3).
 * @param {SizePart[]} parts
 * @param {number} K
 * @param {number[]} kept
 * @returns {Weights}
 */
export function fused(parts, K, kept = parts.map(({ size }) => size)) {
  const weights = new Float64Array(K * K);
  for (const { size, weights: own } of parts) {
    if (!kept.includes(size)) continue;
    const margin = (K - size) / 2;
    for (let a = 0, i = 0; a < size; a++)
      for (let b = 0; b < size; b++, i++) weights[(a + margin) * K + b + margin] += own[i] / kept.length;
  }
  return weights;
}

/** What all fields have in common. */
export class Field {
  /** @param {Omit<Rule, "divisor">} rule */
  constructor(rule) {
    /** @type {Rule} */
    this.rule = { ...rule, divisor: rule.reduce === "mean" ? rule.count : 1 };
    this.K = rule.K;
    this.count = rule.count;
    this.channels = rule.channels;
  }

  /**
   * Whether there is a pixel of the picture here.
   * @param {number} y
   * @param {number} x
   */
  covers(y, x) {
    const { inset, height, width } = this.rule;
    return y >= inset && x >= inset && y < inset + height && x < inset + width;
  }

  /**
   * The effective kernel of one frame: K*K weights, row by row. Beyond the picture they are 0.
   * @param {number} _frame
   * @param {number} _y
   * @param {number} _x
   * @param {number} [_channel]
   * @returns {Weights}
   */
  frameAt(_frame, _y, _x, _channel) {
    throw new Error("a field has kernels");
  }

  /**
   * The effective kernel of one frame that its parts are fused to, before `scaleAt`.
   * @param {number} _frame
   * @param {SizePart[]} parts
   * @returns {Weights}
   */
  kernelOf(_frame, parts) {
    return fused(parts, this.K);
  }

  /** The kernel sizes that the network predicts. @returns {number[]} */
  get sizes() {
    return [this.K];
  }

  /** Those of them that count: all, but of a KeptField. @returns {number[]} */
  get kept() {
    return this.sizes;
  }

  /**
   * What the mean of the sizes that count is multiplied by at a pixel.
   * @param {number} _y
   * @param {number} _x
   * @param {number} [_channel]
   */
  scaleAt(_y, _x, _channel) {
    return 1;
  }

  /**
   * The same at a place (row * w + column) of the grid on which factors are predicted.
   * @param {number} _place
   * @param {number} [_channel]
   */
  predictedScale(_place, _channel) {
    return 1;
  }

  /**
   * The effective kernels of all frames [N].
   * @param {number} y
   * @param {number} x
   * @param {number} channel
   * @returns {Weights[]}
   */
  at(y, x, channel = 0) {
    return Array.from({ length: this.count }, (_, frame) => this.frameAt(frame, y, x, channel));
  }

  /**
   * The kernels of each channel: one set, where they are shared.
   * @param {number} y
   * @param {number} x
   */
  setsAt(y, x) {
    return Array.from({ length: this.channels }, (_, channel) => this.at(y, x, channel));
  }
}
