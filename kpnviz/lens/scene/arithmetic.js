// What the guided scene shows of kernels, beyond what the lens shows (kpnviz/analysis/kernel_stats.py, maps.py).

/** @import { Field, Pixel, Weights } from "../scripts/types" */
/** @import { KernelField } from "../scripts/field.js" */

import { fused } from "../scripts/any_field.js";
import { kernelStats, shapeOf, sumOfSizes } from "../scripts/kernels.js";

/**
 * How much one frame counts in each pixel, at every second row and column.
 * @param {Field} field
 * @param {number} frame
 * @param {number} H
 * @param {number} W
 */
export function shareMap(field, frame, H, W) {
  const [rows, columns] = [Math.ceil(H / 2), Math.ceil(W / 2)];
  const values = new Float32Array(rows * columns);
  for (let i = 0; i < values.length; i++) {
    const weights = field.frameAt(frame, 2 * Math.floor(i / columns), 2 * (i % columns));
    values[i] = kernelStats(weights, field.K).mass / field.rule.divisor;
  }
  return { values, rows, columns };
}

/**
 * The mean of shares over all pixels, or over those where `where` [H, W] is not 0.
 * @param {ReturnType<typeof shareMap>} map
 * @param {number} W
 * @param {Uint8Array | null} where
 */
export function meanShare({ values, columns }, W, where = null) {
  let [sum, count] = [0, 0];
  values.forEach((share, i) => {
    if (where && !where[2 * Math.floor(i / columns) * W + 2 * (i % columns)]) return;
    sum += share;
    count++;
  });
  return sum / count;
}

/**
 * The kernel of each size of one frame at a pixel, within the largest, and divided by the number of sizes: their sum is
 * the kernel that is applied (eq. 3 of the MKPN paper). carries: its part of all |w|.
 * @param {KernelField} field  separable
 * @param {number} frame
 * @param {Pixel} pixel
 * @returns {{ size: number, weights: Weights, carries: number }[]}
 */
export function kernelsOfSizes(field, frame, [y, x]) {
  const parts = field.partsAt(frame, y, x);
  const sums = parts.map(({ weights }) => sumOfSizes(weights));
  const all = sums.reduce((total, sum) => total + sum, 0);
  return parts.map((part, s) => ({
    size: part.size,
    weights: fused([part], field.K).map((weight) => weight / parts.length),
    carries: sums[s] / all,
  }));
}

/**
 * Root mean square distance of |w| from its center, in pixels.
 * @param {Weights} weights
 * @param {number} K
 */
export function spreadOf(weights, K) {
  return shapeOf(weights, K).spread;
}

/**
 * The mean of the first `count` frames.
 * @param {ArrayLike<number>} frames  [N, H, W]
 * @param {number} pixels  H * W
 * @param {number} count
 */
export function meanOf(frames, pixels, count) {
  return Float32Array.from({ length: pixels }, (_, i) => {
    let sum = 0;
    for (let n = 0; n < count; n++) sum += frames[n * pixels + i];
    return sum / count;
  });
}
