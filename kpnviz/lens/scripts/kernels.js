// The arithmetic of kernels at one pixel: what they do to the frames, and their statistics
// (kpnviz/local_conv, kpnviz/analysis/kernel_stats.py).

/** @import { Field, Floats, Shift, Weights } from "./types" */

/**
 * The largest |w|.
 * @param {ArrayLike<number>} weights
 */
export function strongest(weights) {
  let max = 0;
  for (let i = 0; i < weights.length; i++) max = Math.max(max, Math.abs(weights[i]));
  return max;
}

/**
 * An index beyond an axis of n pixels, reflected into it; the edge is not repeated (numpy "reflect").
 * @param {number} i
 * @param {number} n
 */
export function reflect(i, n) {
  if (n === 1) return 0;
  const period = 2 * (n - 1);
  const position = ((i % period) + period) % period;
  return Math.min(position, period - position);
}

/**
 * What one frame [H, W], starting at `offset` of `values`, gives to the picture at a pixel: its patch times the kernel.
 * @param {ArrayLike<number>} values
 * @param {number} offset
 * @param {number} H
 * @param {number} W
 * @param {ArrayLike<number>} weights
 * @param {number} K
 * @param {number} y
 * @param {number} x
 */
export function correlate(values, offset, H, W, weights, K, y, x) {
  const r = (K - 1) / 2;
  let sum = 0;
  for (let a = 0; a < K; a++) {
    const row = offset + reflect(y + a - r, H) * W;
    for (let b = 0; b < K; b++) sum += weights[a * K + b] * values[row + reflect(x + b - r, W)];
  }
  return sum;
}

/**
 * Signed sum, and the center of |w| as (dy, dx) from the kernel's middle (null where all weights are 0).
 * @param {ArrayLike<number>} weights
 * @param {number} K
 * @returns {{ mass: number, centroid: Shift | null }}
 */
export function kernelStats(weights, K) {
  const r = (K - 1) / 2;
  let [mass, total, dy, dx] = [0, 0, 0, 0];
  for (let a = 0, i = 0; a < K; a++)
    for (let b = 0; b < K; b++, i++) {
      const size = Math.abs(weights[i]);
      mass += weights[i];
      total += size;
      dy += size * (a - r);
      dx += size * (b - r);
    }
  return { mass, centroid: total > 0 ? [dy / total, dx / total] : null };
}

/**
 * What kernels [N] of K*K weights do with frames [N, H, W] at a pixel: the mean over the frames of patch times kernel.
 * @param {Floats} frames
 * @param {Weights[]} kernels
 * @param {number} K
 * @param {number} y
 * @param {number} x
 */
export function applyKernels({ values, shape: [, H, W] }, kernels, K, y, x) {
  const N = kernels.length;
  const cells = kernels.map((weights, i) => {
    const { mass, centroid } = kernelStats(weights, K);
    return { weights, centroid, share: mass / N, adds: correlate(values, i * H * W, H, W, weights, K, y, x) / N };
  });
  return { K, cells, sum: cells.reduce((total, { adds }) => total + adds, 0) };
}

/**
 * Which pixels of the picture use one pixel (y, x) of a frame, and how much: [K, K], all weights that the pixel
 * (y + a - r, x + b - r) gives it (near the border several do, by reflection). Beyond the picture there is none: 0.
 * @param {Field} field
 * @param {number} frame
 * @param {number} y
 * @param {number} x
 * @param {number} H
 * @param {number} W
 * @returns {Weights}
 */
export function usesOf(field, frame, y, x, H, W) {
  const { K } = field;
  const r = (K - 1) / 2;
  // Rows (or columns) of a kernel at `place` that meet `at`.
  const taps = (/** @type {number} */ place, /** @type {number} */ at, /** @type {number} */ n) =>
    Array.from({ length: K }, (_, a) => a).filter((a) => reflect(place + a - r, n) === at);
  const uses = new Float64Array(K * K);
  const columns = Array.from({ length: K }, (_, b) => taps(x + b - r, x, W));
  for (let a = 0; a < K; a++) {
    const row = y + a - r;
    if (row < 0 || row >= H) continue;
    for (const i of taps(row, y, H))
      columns.forEach((those, b) => {
        const column = x + b - r;
        if (column < 0 || column >= W) return;
        for (const j of those) uses[a * K + b] += field.weightAt(frame, row, column, i, j);
      });
  }
  return uses;
}

/**
 * A patch of side x side values of one frame around a pixel.
 * @param {ArrayLike<number>} values
 * @param {number} offset
 * @param {number} H
 * @param {number} W
 * @param {number} side
 * @param {number} y
 * @param {number} x
 */
export function patchAt(values, offset, H, W, side, y, x) {
  const r = (side - 1) / 2;
  return Float64Array.from({ length: side * side }, (_, i) => {
    const row = reflect(y + Math.floor(i / side) - r, H);
    return values[offset + row * W + reflect(x + (i % side) - r, W)];
  });
}
