// What kernels do to the frequencies of a picture (frequency_response and burst_response in kpnviz/analysis/maps.py).

export const POINTS = 33; // of each axis, from -1/2 to 1/2 cycles a pixel, both included

/**
 * |H| of kernels of one pixel together, [POINTS, POINTS] row by row, fy growing downwards, fx to the right:
 *
 *     H(fy, fx) = sum_i sum_ab K_i[a, b] exp(2 pi i (fy (a - r - dy_i) + fx (b - r - dx_i))) / divisor
 *
 * Kernels correlate. `shifts` are the (dy, dx) of each frame's scene, which is what the kernels are applied to; null: the scene
 * stands still.
 * @param {ArrayLike<number>[]} kernels
 * @param {number} K
 * @param {number} divisor
 * @param {ArrayLike<number>[] | null} shifts
 */
export function responseOf(kernels, K, divisor, shifts = null) {
  const [r, middle] = [(K - 1) / 2, (POINTS - 1) / 2];
  const [real, imaginary] = [new Float64Array(POINTS * POINTS), new Float64Array(POINTS * POINTS)];
  // Sums over b at each fx: [K] of cosine and sine sums.
  const [c, s] = [new Float64Array(K), new Float64Array(K)];
  kernels.forEach((weights, i) => {
    const [dy, dx] = shifts ? [shifts[i][0], shifts[i][1]] : [0, 0];
    const down = waves(r + dy, K);
    const across = waves(r + dx, K);
    // Weights are real, so that H(-f) is the conjugate of H(f): half of the columns are summed, and half of the rows.
    for (let x = 0; x <= middle; x++) {
      for (let a = 0; a < K; a++) {
        let [re, im] = [0, 0];
        for (let b = 0; b < K; b++) {
          re += weights[a * K + b] * across.cos[x * K + b];
          im += weights[a * K + b] * across.sin[x * K + b];
        }
        [c[a], s[a]] = [re, im];
      }
      for (let y = 0; y <= middle; y++) {
        let [re, im, otherRe, otherIm] = [0, 0, 0, 0];
        for (let a = 0; a < K; a++) {
          const [cos, sin] = [down.cos[y * K + a], down.sin[y * K + a]];
          re += c[a] * cos - s[a] * sin;
          im += c[a] * sin + s[a] * cos;
          otherRe += c[a] * cos + s[a] * sin;
          otherIm += c[a] * sin - s[a] * cos;
        }
        const [here, other] = [y * POINTS + x, y * POINTS + POINTS - 1 - x];
        real[here] += re;
        imaginary[here] += im;
        if (other === here) continue;
        real[other] += otherRe;
        imaginary[other] += otherIm;
      }
    }
  });
  const size = new Float64Array(POINTS * POINTS);
  for (let y = 0; y <= middle; y++)
    for (let x = 0; x < POINTS; x++) {
      const value = Math.hypot(real[y * POINTS + x], imaginary[y * POINTS + x]) / divisor;
      size[y * POINTS + x] = size[(POINTS - 1 - y) * POINTS + POINTS - 1 - x] = value;
    }
  return size;
}

/** @type {Map<string, { cos: Float64Array, sin: Float64Array }>} */
const known = new Map();
const MOST_KNOWN = 64;

/**
 * exp(2 pi i f (a - origin)) of all frequencies and rows (or columns) of a kernel: [POINTS, K].
 * @param {number} origin
 * @param {number} K
 */
function waves(origin, K) {
  const name = `${origin} ${K}`;
  const before = known.get(name);
  if (before) return before;
  const [cos, sin] = [new Float64Array(POINTS * K), new Float64Array(POINTS * K)];
  for (let f = 0; f < POINTS; f++)
    for (let a = 0; a < K; a++) {
      const angle = 2 * Math.PI * (f / (POINTS - 1) - 0.5) * (a - origin);
      [cos[f * K + a], sin[f * K + a]] = [Math.cos(angle), Math.sin(angle)];
    }
  if (known.size >= MOST_KNOWN) known.clear();
  known.set(name, { cos, sin });
  return { cos, sin };
}

/**
 * What is left of noise that is white and the same in all frames: sqrt(sum of the squares of all weights) / divisor.
 * @param {ArrayLike<number>[]} kernels
 * @param {number} divisor
 */
export function noiseLeft(kernels, divisor) {
  let squares = 0;
  for (const weights of kernels) for (let i = 0; i < weights.length; i++) squares += weights[i] ** 2;
  return Math.sqrt(squares) / divisor;
}
