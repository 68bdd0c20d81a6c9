// The mean of the kernels of a region (mean_kernels in kpnviz/analysis/maps.py).

/** @import { Field, Weights } from "./types" */

/**
 * Rows top..bottom-1 and columns left..right-1 of the frames.
 * @typedef {{ top: number, bottom: number, left: number, right: number }} Region
 */

/**
 * The square of `side` pixels around a pixel, as much of it as has kernels; of side 0 the whole picture.
 * @param {Field} field
 * @param {number} y
 * @param {number} x
 * @param {number} side
 * @returns {Region}
 */
export function regionAround({ rule: { inset, height, width } }, y, x, side) {
  const half = side ? (side - 1) / 2 : Infinity;
  return {
    top: Math.max(inset, y - half),
    bottom: Math.min(inset + height, y + half + 1),
    left: Math.max(inset, x - half),
    right: Math.min(inset + width, x + half + 1),
  };
}

/**
 * The mean effective kernel of each frame over a region: [N] of K*K weights. A step is a row of one frame.
 * @param {Field} field
 * @param {Region} region
 * @param {number} channel
 * @returns {Generator<void, Weights[], void>}
 */
export function* regionMean(field, { top, bottom, left, right }, channel = 0) {
  const pixels = Math.max(0, bottom - top) * Math.max(0, right - left);
  const means = [];
  for (let frame = 0; frame < field.count; frame++) {
    const total = new Float64Array(field.K ** 2);
    for (let y = top; y < bottom; y++) {
      for (let x = left; x < right; x++) {
        const weights = field.frameAt(frame, y, x, channel);
        for (let i = 0; i < total.length; i++) total[i] += weights[i];
      }
      yield;
    }
    means.push(total.map((sum) => (pixels ? sum / pixels : 0)));
  }
  return means;
}
