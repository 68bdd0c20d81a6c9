// PSNR and SSIM of pictures [C, H, W]: kpnviz/analysis/metrics.py. After the transfer, clipped, without the border.

import { psnrOf } from "../../lens/scripts/assumed.js";
import { encode } from "../../lens/scripts/palette.js";

const BORDER = 8;
const RADIUS = 5; // of SSIM's window, 11 x 11
const WINDOW = gaussian(1.5, RADIUS);
const [C1, C2] = [0.01 ** 2, 0.03 ** 2];

/**
 * @param {number} sigma
 * @param {number} radius
 */
function gaussian(sigma, radius) {
  const weights = Array.from({ length: 2 * radius + 1 }, (_, k) => Math.exp(-0.5 * ((k - radius) / sigma) ** 2));
  const sum = weights.reduce((a, b) => a + b);
  return weights.map((weight) => weight / sum);
}

/**
 * What the window makes of [h, w] where it lies wholly inside: [h - 10, w - 10].
 * @param {Float64Array} values
 * @param {number} h
 * @param {number} w
 */
function filtered(values, h, w) {
  const narrow = w - 2 * RADIUS;
  const rows = new Float64Array(h * narrow);
  for (let y = 0; y < h; y++)
    for (let x = 0; x < narrow; x++) {
      let sum = 0;
      for (let k = 0; k <= 2 * RADIUS; k++) sum += WINDOW[k] * values[y * w + x + k];
      rows[y * narrow + x] = sum;
    }
  const result = new Float64Array((h - 2 * RADIUS) * narrow);
  for (let i = 0; i < result.length; i++) {
    let sum = 0;
    for (let k = 0; k <= 2 * RADIUS; k++) sum += WINDOW[k] * rows[i + k * narrow];
    result[i] = sum;
  }
  return result;
}

/**
 * Structural similarity, in color the mean of that of R, G and B; null for pictures that are too small for it.
 * @param {ArrayLike<number>} image
 * @param {ArrayLike<number>} truth
 * @param {number} H
 * @param {number} W
 * @param {number} white
 */
export function ssimOf(image, truth, H, W, white) {
  const [h, w] = [H - 2 * BORDER, W - 2 * BORDER];
  if (Math.min(h, w) < 2 * RADIUS + 1) return null;
  const C = truth.length / (H * W);
  let total = 0;
  for (let c = 0; c < C; c++) {
    const inside = (/** @type {ArrayLike<number>} */ values) =>
      Float64Array.from({ length: h * w }, (_, i) =>
        encode(values[(c * H + BORDER + Math.floor(i / w)) * W + BORDER + (i % w)] / white),
      );
    const [a, b] = [inside(image), inside(truth)];
    const mean = (/** @type {(i: number) => number} */ of) =>
      filtered(
        a.map((_, i) => of(i)),
        h,
        w,
      );
    const [ma, mb] = [filtered(a, h, w), filtered(b, h, w)];
    const [aa, bb, ab] = [mean((i) => a[i] * a[i]), mean((i) => b[i] * b[i]), mean((i) => a[i] * b[i])];
    let sum = 0;
    for (let i = 0; i < ma.length; i++) {
      const [va, vb, cov] = [aa[i] - ma[i] ** 2, bb[i] - mb[i] ** 2, ab[i] - ma[i] * mb[i]];
      sum += ((2 * ma[i] * mb[i] + C1) * (2 * cov + C2)) / ((ma[i] ** 2 + mb[i] ** 2 + C1) * (va + vb + C2));
    }
    total += sum / ma.length;
  }
  return total / C;
}

/**
 * The scores of a picture.
 * @param {Float32Array} image
 * @param {Float32Array} truth
 * @param {number} H
 * @param {number} W
 * @param {number} white
 * @returns {import("./types").Scores}
 */
export function scoresOf(image, truth, H, W, white) {
  const psnr = psnrOf(image, truth, H, W, white);
  return { psnr: Number.isFinite(psnr) ? psnr : null, ssim: ssimOf(image, truth, H, W, white) };
}
