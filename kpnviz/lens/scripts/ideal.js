// The arithmetic of kpnviz/analysis/ideal.py: the kernels that would be best over a window around a pixel, if they were
// the same there and the scene were known.

/** @import { Floats, Noise, Rule, Weights } from "./types" */
/** @typedef {ReturnType<typeof windowAround>} Window */

import { padded } from "./kernels.js";

export const IDEAL_WINDOW = 15; // pixels a side

/**
 * What the weights of N kernels of K*K meet at the pixels of a window around (y, x). frames: noise-free [N, 1, H, W];
 * truth [H, W]; noise as Python has it; rule: how kernels are applied.
 * @param {Floats} frames
 * @param {Float32Array | number[]} truth
 * @param {Noise} noise
 * @param {Pick<Rule, "K" | "padding" | "divisor">} rule
 * @param {number} y
 * @param {number} x
 */
export function windowAround(
  { values, shape: [N, , H, W] },
  truth,
  { read_std, shot_gain },
  rule,
  y,
  x,
  window = IDEAL_WINDOW,
) {
  const { K, padding, divisor } = rule;
  const [r, half, taps] = [(K - 1) / 2, (window - 1) / 2, K * K];
  const [rows, columns] = [axis(y - half, y + half, H), axis(x - half, x + half, W)];
  const n = rows.length * columns.length;
  const unknowns = N * taps;
  const patches = new Float64Array(n * unknowns); // what each weight sees, of each pixel of the window
  const wanted = new Float64Array(n);
  const variance = new Float64Array(unknowns); // of the noise that each weight brings, summed over the window
  let q = 0;
  for (const row of rows)
    for (const column of columns) {
      wanted[q] = divisor * truth[row * W + column];
      let u = 0;
      for (let i = 0; i < N; i++)
        for (let a = 0; a < K; a++) {
          const line = padded(row + a - r, H, padding);
          for (let b = 0; b < K; b++, u++) {
            const place = padded(column + b - r, W, padding);
            if (line < 0 || place < 0) continue; // 0, without noise
            const value = values[(i * H + line) * W + place];
            patches[q * unknowns + u] = value;
            variance[u] += read_std * read_std + shot_gain * Math.max(value, 0);
          }
        }
      q += 1;
    }
  return { N, taps, n, unknowns, divisor, patches, wanted, variance };
}

/**
 * The kernels [N] of K*K weights that, the same at all pixels of a window, have the least expected squared error there.
 * @param {Window} around
 * @returns {Weights[]}
 */
export function idealKernels({ N, taps, n, unknowns, patches, wanted, variance }) {
  // w = V^-1 A' (A V^-1 A' + 1)^-1 t: as many equations as pixels, however many weights there are.
  const scaled = new Float64Array(n * unknowns);
  for (let i = 0, u = 0; i < scaled.length; i++, u = u + 1 === unknowns ? 0 : u + 1)
    scaled[i] = patches[i] / Math.max(variance[u], 1e-12);
  const matrix = new Float64Array(n * n);
  for (let p = 0; p < n; p++)
    for (let s = 0; s <= p; s++) {
      let sum = p === s ? 1 : 0;
      for (let u = 0, i = p * unknowns, j = s * unknowns; u < unknowns; u++) sum += patches[i + u] * scaled[j + u];
      matrix[p * n + s] = sum;
    }
  const solved = solvePositive(matrix, wanted, n);
  const weights = Array.from({ length: N }, () => new Float64Array(taps));
  for (let p = 0; p < n; p++)
    for (let u = 0; u < unknowns; u++) weights[Math.floor(u / taps)][u % taps] += solved[p] * scaled[p * unknowns + u];
  return weights;
}

/**
 * Root mean square error to be expected of kernels [N] that are the same at all pixels of a window, linear intensity.
 * @param {Window} around
 * @param {Weights[]} kernels
 */
export function expectedError({ divisor, taps, n, unknowns, patches, wanted, variance }, kernels) {
  let squares = 0;
  const weights = Float64Array.from({ length: unknowns }, (_, u) => kernels[Math.floor(u / taps)][u % taps]);
  for (let q = 0; q < n; q++) {
    let rest = wanted[q];
    for (let u = 0, i = q * unknowns; u < unknowns; u++) rest -= patches[i + u] * weights[u];
    squares += rest * rest;
  }
  for (let u = 0; u < unknowns; u++) squares += variance[u] * weights[u] ** 2;
  return Math.sqrt(squares / n) / divisor;
}

/**
 * Pixels from first to last that lie on an axis of n.
 * @param {number} first
 * @param {number} last
 * @param {number} n
 */
function axis(first, last, n) {
  const start = Math.max(first, 0);
  return Array.from({ length: Math.min(last, n - 1) - start + 1 }, (_, i) => start + i);
}

/**
 * x of A x = b for a symmetric, positive definite A [n, n], of which the lower half is read and overwritten (Cholesky).
 * @param {Float64Array} A
 * @param {Float64Array} b
 * @param {number} n
 */
function solvePositive(A, b, n) {
  const x = Float64Array.from(b);
  for (let i = 0; i < n; i++)
    for (let j = 0; j <= i; j++) {
      let sum = A[i * n + j];
      for (let k = 0; k < j; k++) sum -= A[i * n + k] * A[j * n + k];
      A[i * n + j] = i === j ? Math.sqrt(sum) : sum / A[j * n + j];
    }
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) x[i] -= A[i * n + k] * x[k];
    x[i] /= A[i * n + i];
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) x[i] -= A[k * n + i] * x[k];
    x[i] /= A[i * n + i];
  }
  return x;
}
