// The arithmetic of kernels at one pixel: what they do to the frames, and their statistics
// (kpnviz/local_conv, kpnviz/analysis/kernel_stats.py). Frames are [N, C, H, W].

/** @import { Field, Floats, Padding, Rule, Shift, Weights } from "./types" */

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
 * Which pixel of an axis of n stands at i, which may lie beyond it; -1: none, there is 0. "reflect" does not repeat the edge
 * (as numpy's), "replicate" goes on with it.
 * @param {number} i
 * @param {number} n
 * @param {Padding} padding
 */
export function padded(i, n, padding = "reflect") {
  if (i >= 0 && i < n) return i;
  if (padding === "replicate") return i < 0 ? 0 : n - 1;
  if (padding !== "reflect") return -1;
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
 * @param {Padding} padding
 */
export function correlate(values, offset, H, W, weights, K, y, x, padding = "reflect") {
  const r = (K - 1) / 2;
  let sum = 0;
  for (let a = 0; a < K; a++) {
    const line = padded(y + a - r, H, padding);
    if (line < 0) continue;
    const row = offset + line * W;
    for (let b = 0; b < K; b++) {
      const column = padded(x + b - r, W, padding);
      if (column >= 0) sum += weights[a * K + b] * values[row + column];
    }
  }
  return sum;
}

/**
 * One channel of the first N frames: [N, 1, H, W].
 * @param {Floats} frames
 * @param {number} c
 * @param {number} N
 * @returns {Floats}
 */
export function channelOf({ values, shape: [, C, H, W] }, c, N) {
  if (C === 1) return { values, shape: [N, 1, H, W] };
  const plane = H * W;
  const own = new Float64Array(N * plane);
  for (let i = 0; i < N; i++) own.set(values.subarray((i * C + c) * plane, (i * C + c + 1) * plane), i * plane);
  return { values: own, shape: [N, 1, H, W] };
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
 * How wide a kernel is: the root mean square distance of |w| from its center in pixels, and the entropy of |w| / sum |w| in
 * bits (kpnviz/analysis/kernel_stats.py). 0 and 0 for one of zeros.
 * @param {ArrayLike<number>} weights
 * @param {number} K
 * @param {Shift | null} [centroid]
 */
export function shapeOf(weights, K, centroid = kernelStats(weights, K).centroid) {
  if (!centroid) return { spread: 0, entropy: 0 };
  const r = (K - 1) / 2;
  let [total, squares, logs] = [0, 0, 0];
  for (let a = 0, i = 0; a < K; a++)
    for (let b = 0; b < K; b++, i++) {
      const size = Math.abs(weights[i]);
      if (!size) continue;
      total += size;
      squares += size * ((a - r - centroid[0]) ** 2 + (b - r - centroid[1]) ** 2);
      logs += size * Math.log2(size);
    }
  return { spread: Math.sqrt(squares / total), entropy: Math.max(0, Math.log2(total) - logs / total) };
}

/**
 * Sum of |w|.
 * @param {ArrayLike<number>} weights
 */
export function sumOfSizes(weights) {
  let total = 0;
  for (let i = 0; i < weights.length; i++) total += Math.abs(weights[i]);
  return total;
}

/**
 * Add the sums of |w| of a kernel's rings to `rings` [r + 1]: ring d holds the weights that are d pixels from the middle, by
 * rows or by columns, whichever is more. The first d rings are the square of 2 d - 1 pixels a side.
 * @param {ArrayLike<number>} weights
 * @param {number} K
 * @param {Float64Array} rings
 */
export function addRings(weights, K, rings) {
  const r = (K - 1) / 2;
  for (let a = 0, i = 0; a < K; a++)
    for (let b = 0; b < K; b++, i++) rings[Math.max(Math.abs(a - r), Math.abs(b - r))] += Math.abs(weights[i]);
}

/**
 * The side of the smallest square around the middle that holds half of all |w|, in pixels; 1 where there is none.
 * @param {Float64Array} rings
 */
export function halfSide(rings) {
  const half = sumOfSizes(rings) / 2;
  let sum = 0;
  for (let d = 0; d < rings.length; d++) {
    sum += rings[d];
    if (sum >= half) return 2 * d + 1;
  }
  return 2 * rings.length - 1;
}

/**
 * What kernels do with frames [N, C, H, W] at a pixel: patch times kernel, and its mean or sum over the frames.
 *
 * sets     the kernels of each channel, or of all: [1 or C][N] of K*K weights
 * channel  whose kernels `cells` hold, with their statistics
 *
 * adds [C] of a cell is what its frame gives to the picture, sums [C] the picture's value.
 * @param {Floats} frames
 * @param {Weights[][]} sets
 * @param {Pick<Rule, "K" | "padding" | "divisor">} rule
 * @param {number} y
 * @param {number} x
 * @param {number} channel
 */
export function applyKernels({ values, shape: [, C, H, W] }, sets, { K, padding, divisor }, y, x, channel = 0) {
  const setOf = (/** @type {number} */ c) => sets[Math.min(c, sets.length - 1)];
  const cells = setOf(channel).map((weights, i) => {
    const { mass, centroid } = kernelStats(weights, K);
    const adds = Array.from(
      { length: C },
      (_, c) => correlate(values, (i * C + c) * H * W, H, W, setOf(c)[i], K, y, x, padding) / divisor,
    );
    return { weights, centroid, share: mass / divisor, adds };
  });
  const sums = Array.from({ length: C }, (_, c) => cells.reduce((total, { adds }) => total + adds[c], 0));
  return { K, cells, sums };
}

/**
 * Which pixels of the picture use one pixel (y, x) of a frame, and how much: [K, K], all weights that the pixel
 * (y + a - r, x + b - r) gives it (near the border several do, where frames are reflected or replicated). Beyond the picture
 * there is none: 0.
 * @param {Field} field
 * @param {number} frame
 * @param {number} y
 * @param {number} x
 * @param {number} H  of the frames
 * @param {number} W
 * @param {number} channel
 * @returns {Weights}
 */
export function usesOf(field, frame, y, x, H, W, channel = 0) {
  const { K, rule: { padding } } = field; // prettier-ignore
  const r = (K - 1) / 2;
  // Rows (or columns) of a kernel at `place` that meet `at`.
  const taps = (/** @type {number} */ place, /** @type {number} */ at, /** @type {number} */ n) =>
    Array.from({ length: K }, (_, a) => a).filter((a) => padded(place + a - r, n, padding) === at);
  const uses = new Float64Array(K * K);
  const columns = Array.from({ length: K }, (_, b) => taps(x + b - r, x, W));
  for (let a = 0; a < K; a++) {
    const row = y + a - r;
    const rows = taps(row, y, H);
    for (let b = 0; b < K; b++) {
      const column = x + b - r;
      if (!field.covers(row, column)) continue;
      for (const i of rows)
        for (const j of columns[b]) uses[a * K + b] += field.weightAt(frame, row, column, i, j, channel);
    }
  }
  return uses;
}

/**
 * A patch of side x side values of one channel of a frame around a pixel; NaN where there is nothing, beyond frames that are
 * not reflected or replicated.
 * @param {Floats} frames
 * @param {number} frame
 * @param {number} c
 * @param {number} side
 * @param {number} y
 * @param {number} x
 * @param {Padding} padding
 */
export function patchAt({ values, shape: [, C, H, W] }, frame, c, side, y, x, padding = "reflect") {
  const r = (side - 1) / 2;
  const offset = (frame * C + c) * H * W;
  return Float64Array.from({ length: side * side }, (_, i) => {
    const row = padded(y + Math.floor(i / side) - r, H, padding);
    const column = padded(x + (i % side) - r, W, padding);
    return row < 0 || column < 0 ? NaN : values[offset + row * W + column];
  });
}
