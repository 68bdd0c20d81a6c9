// Where two pictures differ most (disagreement in kpnviz/analysis/maps.py).

/** @import { Pixel } from "./types" */

import { BORDER } from "./assumed.js";

const MOST = 8;
const APART = 6; // pixels

/**
 * How much the shown values of two pictures [C, H, W] differ at each pixel: the mean of |difference| over the channels [H, W].
 * @param {ArrayLike<number>} a
 * @param {ArrayLike<number>} b
 * @param {number} pixels  H * W
 * @param {(value: number) => number} shown
 */
export function differences(a, b, pixels, shown) {
  const C = a.length / pixels;
  const found = new Float64Array(pixels);
  for (let i = 0; i < a.length; i++) found[i % pixels] += Math.abs(shown(a[i]) - shown(b[i])) / C;
  return found;
}

/**
 * The largest values of a map [H, W], the largest first: more than `apart` pixels from each other by rows or by columns, and
 * the pixels that PSNR leaves out from the border (less in a tiny picture).
 * @param {ArrayLike<number>} map
 * @param {number} H
 * @param {number} W
 * @returns {{ at: Pixel, value: number }[]}
 */
export function peaksOf(map, H, W, count = MOST, apart = APART) {
  const [top, left] = [Math.min(BORDER, (H - 1) >> 1), Math.min(BORDER, (W - 1) >> 1)];
  const largest = (/** @type {number} */ y, /** @type {number} */ x) => {
    const value = map[y * W + x];
    if (!(value > 0)) return false;
    for (let j = Math.max(0, y - apart); j <= Math.min(H - 1, y + apart); j++)
      for (let i = Math.max(0, x - apart); i <= Math.min(W - 1, x + apart); i++)
        if (map[j * W + i] > value) return false;
    return true;
  };
  const peaks = [];
  for (let y = top; y < H - top; y++)
    for (let x = left; x < W - left; x++)
      if (largest(y, x)) peaks.push({ at: /** @type {Pixel} */ ([y, x]), value: map[y * W + x] });
  peaks.sort((a, b) => b.value - a.value);
  /** @type {typeof peaks} */
  const kept = [];
  for (const peak of peaks) {
    const free = kept.every(({ at }) => Math.max(...at.map((c, axis) => Math.abs(c - peak.at[axis]))) >= apart);
    if (free && kept.length < count) kept.push(peak);
  }
  return kept;
}
