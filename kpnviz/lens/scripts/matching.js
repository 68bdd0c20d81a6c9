// The arithmetic of kpnviz/matching for one pixel: what the frames themselves say about where the scene went.

/** @import { Floats, Noise } from "./types" */

import { padded } from "./kernels.js";

const COST_CAP = 20;
const [LEAST_STD, STD_WITHOUT_NOISE] = [1e-9, 1e-3]; // kpnviz/noise.py

/**
 * The weighted sum of the channels of frames [N, C, H, W]: [N, H, W].
 * @param {Floats} frames
 * @param {number[]} weights
 * @returns {Floats}
 */
export function weightedSum({ values, shape: [N, C, H, W] }, weights) {
  if (C === 1) return { values, shape: [N, H, W] };
  const sum = new Float64Array(N * H * W);
  for (let i = 0; i < sum.length; i++) {
    const first = Math.floor(i / (H * W)) * C * H * W + (i % (H * W));
    for (let c = 0; c < C; c++) sum[i] += weights[c] * values[first + c * H * W];
  }
  return { values: sum, shape: [N, H, W] };
}

/**
 * Frames [N, H, W] in units of their noise, then the means of 2x2, again in units of theirs: [N, H', W'], H' and W' even.
 * @param {Floats} frames
 * @param {Noise} noise
 */
export function smoothFrames({ values, shape: [N, H, W] }, { read_std, shot_gain }) {
  const noisy = read_std > 0 || shot_gain > 0;
  const r = noisy ? Math.max(read_std, shot_gain / 2, LEAST_STD) : STD_WITHOUT_NOISE;
  const g = (/** @type {number} */ x) => (2 * x) / (Math.sqrt(shot_gain * Math.max(x, 0) + r * r) + r);
  const stable = new Float64Array(values).map(g);
  const [h, w] = [H + (H % 2), W + (W % 2)];
  const smooth = new Float64Array(N * h * w);
  for (let i = 0; i < N; i++)
    for (let y = 0; y < h; y++) {
      const [a, b] = [(i * H + padded(y, H)) * W, (i * H + padded(y + 1, H)) * W];
      for (let x = 0; x < w; x++) {
        const [left, right] = [padded(x, W), padded(x + 1, W)];
        smooth[(i * h + y) * w + x] = (stable[a + left] + stable[a + right] + stable[b + left] + stable[b + right]) / 2;
      }
    }
  return { values: smooth, shape: [N, h, w] };
}

/**
 * Whether both pixels of cell k are pictures of the scene, there and displaced.
 * @param {number} k
 * @param {number} offset
 * @param {number} length
 */
function cellIsSeen(k, offset, length) {
  if (offset === 0) return true;
  const last = 2 * k + 1 < length - 1;
  return last && 2 * k + offset >= 0 && 2 * k + 1 + offset < length - 1;
}

/**
 * Costs at the cell of a pixel, N arrays of K*K, K = 2 reach + 1: the mean over a window of 3^level x 3^level cells of
 * (difference)^2 / 2 - 1, up to COST_CAP; 0 where only noise differs.
 * @param {Floats} frames
 * @param {number} y
 * @param {number} x
 * @param {number} reach
 * @param {number} level
 */
export function costsAt({ values, shape: [N, H, W] }, y, x, reach, level) {
  const [cy, cx, half, K] = [y >> 1, x >> 1, (3 ** level - 1) / 2, 2 * reach + 1];
  const [top, bottom] = [Math.max(cy - half, 0), Math.min(cy + half, H / 2 - 1)];
  const [left, right] = [Math.max(cx - half, 0), Math.min(cx + half, W / 2 - 1)];
  return Array.from({ length: N }, (_, frame) => {
    const [there, here] = [frame * H * W, 0];
    const costs = new Float64Array(K * K);
    for (let d = 0; d < K * K; d++) {
      const [dy, dx] = [Math.floor(d / K) - reach, (d % K) - reach];
      let [total, count] = [0, 0];
      for (let k = top; k <= bottom; k++) {
        if (!cellIsSeen(k, dy, H)) continue;
        for (let l = left; l <= right; l++) {
          if (!cellIsSeen(l, dx, W)) continue;
          let squares = 0;
          for (let p = 0; p < 4; p++) {
            const at = (2 * k + (p >> 1)) * W + 2 * l + (p & 1);
            const difference = values[there + at + dy * W + dx] - values[here + at];
            squares += difference * difference;
          }
          total += Math.min(squares / 8 - 1, COST_CAP);
          count += 1;
        }
      }
      costs[d] = count ? total / count : COST_CAP;
    }
    if (frame === 0) costs[(K * K - 1) / 2] = 0; // compared with itself
    return costs;
  });
}
