// Flat, edge and textured pixels of a truth, and the PSNR of each class: kpnviz/analysis/maps.py.

import { encode } from "../../lens/scripts/palette.js";
import { LUMINANCE_WEIGHTS, PIXEL_CLASSES } from "./constants.js";

const SIGMA = 2; // of the structure tensor's window, px
const RADIUS = Math.floor(4 * SIGMA + 0.5); // as scipy.ndimage cuts a Gaussian off
const WINDOW = Array.from({ length: 2 * RADIUS + 1 }, (_, k) => Math.exp(-0.5 * ((k - RADIUS) / SIGMA) ** 2));
const TOTAL = WINDOW.reduce((a, b) => a + b);
const [FLAT, EDGE, TEXTURED] = [0, 1, 2];
const BORDER = 8; // pixels that the metrics leave out

/** Which pixel of an axis of n stands at i: beyond the edge it goes on by reflection, the edge repeated. @param {number} i @param {number} n */
function mirrored(i, n) {
  const place = ((i % (2 * n)) + 2 * n) % (2 * n);
  return Math.min(place, 2 * n - 1 - place);
}

/**
 * A filter along one axis: 0 down the columns, 1 along the rows.
 * @param {Float64Array} values  [H, W]
 * @param {number} H
 * @param {number} W
 * @param {number} axis
 * @param {number[]} weights  an odd number
 */
function along(values, H, W, axis, weights) {
  const r = (weights.length - 1) / 2;
  const [n, lines, step, next] = axis ? [W, H, 1, W] : [H, W, W, 1];
  const places = Int32Array.from({ length: n + 2 * r }, (_, i) => mirrored(i - r, n) * step);
  const to = new Float64Array(values.length);
  for (let line = 0; line < lines; line++)
    for (let i = 0; i < n; i++) {
      let sum = 0;
      for (let k = 0; k < weights.length; k++) sum += weights[k] * values[line * next + places[i + k]];
      to[line * next + i * step] = sum;
    }
  return to;
}

/**
 * The class of every pixel, an index into PIXEL_CLASSES.names: [H, W].
 * @param {ArrayLike<number>} truth  [C, H, W]
 * @param {{ C: number, H: number, W: number, white_level: number }} burst
 */
export function pixelClasses(truth, { C, H, W, white_level: white }) {
  const pixels = H * W;
  const weights = C === 1 ? [1] : LUMINANCE_WEIGHTS;
  const shown = Float64Array.from(
    { length: pixels },
    (_, p) => encode(weights.reduce((sum, weight, c) => sum + weight * truth[c * pixels + p], 0) / white) / 8,
  );
  // Sobel's filter, whose weights sum to 8 for a slope of 1.
  const slope = [-1, 0, 1];
  const smooth = [1, 2, 1];
  const gradient = [0, 1].map((axis) => along(along(shown, H, W, axis, slope), H, W, 1 - axis, smooth));
  const window = WINDOW.map((weight) => weight / TOTAL);
  const [yy, yx, xx] = [
    [0, 0],
    [0, 1],
    [1, 1],
  ].map(([a, b]) => {
    const product = gradient[a].map((value, p) => value * gradient[b][p]);
    return along(along(product, H, W, 0, window), H, W, 1, window);
  });
  return Uint8Array.from({ length: pixels }, (_, p) => {
    const energy = Math.max(yy[p] + xx[p], 0);
    if (Math.sqrt(energy) < PIXEL_CLASSES.flat_gradient) return FLAT;
    const apart = Math.sqrt((yy[p] - xx[p]) ** 2 + 4 * yx[p] ** 2);
    return apart / energy >= PIXEL_CLASSES.coherence ? EDGE : TEXTURED;
  });
}

/**
 * Of each class its share of the pixels that are compared, and of each picture's squared error [H, W] its PSNR there in dB,
 * NaN without pixels.
 * @param {Uint8Array} classes
 * @param {Float64Array[]} errors
 * @param {number} H
 * @param {number} W
 */
export function ofClasses(classes, errors, H, W) {
  const [rows, columns] = [H, W].map((length) => Math.min(BORDER, Math.floor((length - 1) / 2)));
  const counts = PIXEL_CLASSES.names.map(() => 0);
  const sums = errors.map(() => PIXEL_CLASSES.names.map(() => 0));
  for (let y = rows; y < H - rows; y++)
    for (let x = columns; x < W - columns; x++) {
      const p = y * W + x;
      counts[classes[p]]++;
      errors.forEach((error, m) => (sums[m][classes[p]] += error[p]));
    }
  const total = counts.reduce((a, b) => a + b);
  return {
    shares: counts.map((count) => count / total),
    psnr: sums.map((of) => of.map((sum, i) => -10 * Math.log10(sum / counts[i]))),
  };
}
