// Pictures in linear light: kpnviz/color.py, sampling.py and photos.py. Each step is rounded to float32 where NumPy rounds it.

/** @import { Picture } from "./types" */

import { LUMINANCE_WEIGHTS } from "./constants.js";

const { fround } = Math;

/**
 * The linear intensity of each code of an sRGB picture of so many bits.
 * @param {number} bits
 */
export function decodingTable(bits) {
  const white = 2 ** bits - 1;
  return Float32Array.from({ length: white + 1 }, (_, code) => {
    const encoded = fround(code / white);
    if (encoded <= 0.04045) return encoded / fround(12.92);
    return fround(fround(encoded + fround(0.055)) / fround(1.055)) ** fround(2.4);
  });
}

/**
 * A picture [3, H, W] in linear light from RGBA bytes, sRGB.
 * @param {ArrayLike<number>} rgba
 * @param {number} H
 * @param {number} W
 * @returns {Picture}
 */
export function linearPicture(rgba, H, W) {
  const table = decodingTable(8);
  const values = new Float32Array(3 * H * W);
  for (let c = 0; c < 3; c++) for (let i = 0; i < H * W; i++) values[c * H * W + i] = table[rgba[4 * i + c]];
  return { values, C: 3, H, W };
}

/**
 * Luminance [1, H, W] of a picture [3, H, W].
 * @param {Picture} picture
 * @returns {Picture}
 */
export function luminance({ values, H, W }) {
  const [r, g, b] = LUMINANCE_WEIGHTS.map(fround);
  const n = H * W;
  return {
    values: Float32Array.from({ length: n }, (_, i) => r * values[i] + g * values[n + i] + b * values[2 * n + i]),
    C: 1,
    H,
    W,
  };
}

/**
 * Whether R, G and B of a picture differ anywhere.
 * @param {Picture} picture
 */
export function hasColor({ values, H, W }) {
  const n = H * W;
  for (let i = 0; i < n; i++) if (values[i] !== values[n + i] || values[i] !== values[2 * n + i]) return true;
  return false;
}

/**
 * Where index i of an axis of n pixels lies that goes on by reflection: (-1, 0, 1) -> (1, 0, 1).
 * @param {number} i
 * @param {number} n
 */
export function reflected(i, n) {
  if (n === 1) return 0;
  const period = 2 * (n - 1);
  const place = Math.abs(i) % period;
  return place >= n ? period - place : place;
}

/**
 * Mean over blocks of n x n pixels; rows and columns that fill no block are dropped.
 * @param {Picture} picture
 * @param {number} n
 * @returns {Picture}
 */
export function boxReduce({ values, C, H, W }, n) {
  if (n === 1) return { values, C, H, W };
  const [h, w] = [Math.floor(H / n), Math.floor(W / n)];
  const reduced = new Float32Array(C * h * w);
  for (let c = 0; c < C; c++)
    for (let y = 0; y < h; y++)
      for (let x = 0; x < w; x++) {
        let sum = 0;
        for (let a = 0; a < n; a++) for (let b = 0; b < n; b++) sum += values[(c * H + y * n + a) * W + x * n + b];
        reduced[(c * h + y) * w + x] = sum / (n * n);
      }
  return { values: reduced, C, H: h, W: w };
}

/**
 * The part of h x w pixels that begins at (top, left); beyond the edge a picture goes on by reflection.
 * @param {Picture} picture
 * @param {number} top
 * @param {number} left
 * @param {number} h
 * @param {number} w
 * @returns {Picture}
 */
export function windowOf({ values, C, H, W }, top, left, h, w) {
  const part = new Float32Array(C * h * w);
  const columns = Int32Array.from({ length: w }, (_, x) => reflected(left + x, W));
  for (let c = 0; c < C; c++)
    for (let y = 0; y < h; y++) {
      const [from, to] = [(c * H + reflected(top + y, H)) * W, (c * h + y) * w];
      for (let x = 0; x < w; x++) part[to + x] = values[from + columns[x]];
    }
  return { values: part, C, H: h, W: w };
}
