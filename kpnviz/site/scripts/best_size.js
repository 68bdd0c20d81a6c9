// Which class of kernel sizes errs least around each pixel: kpnviz/analysis/best_size.py.

import { encode } from "../../lens/scripts/palette.js";
import { BEST_SIZE } from "./constants.js";

const { window_sigma: SIGMA, tie: TIE, no_error: NO_ERROR, titles: TITLES } = BEST_SIZE;
const RADIUS = Math.floor(4 * SIGMA + 0.5); // as scipy.ndimage cuts a Gaussian off
const WINDOW = Array.from({ length: 2 * RADIUS + 1 }, (_, k) => Math.exp(-0.5 * ((k - RADIUS) / SIGMA) ** 2));
const TOTAL = WINDOW.reduce((a, b) => a + b);

/**
 * Squared error of the displayed values, the mean over the channels: [H, W].
 * @param {Float32Array} image
 * @param {Float32Array} truth
 * @param {{ C: number, H: number, W: number, white_level: number }} burst
 */
export function squaredError(image, truth, { C, H, W, white_level: white }) {
  const pixels = H * W;
  const error = new Float64Array(pixels);
  for (let i = 0; i < C * pixels; i++)
    error[i % pixels] += (encode(image[i] / white) - encode(truth[i] / white)) ** 2 / C;
  return error;
}

/**
 * Averaged by a Gaussian; beyond the edge its pixels are repeated.
 * @param {Float64Array} values
 * @param {number} H
 * @param {number} W
 */
function averaged(values, H, W) {
  const pass = (
    /** @type {Float64Array} */ from,
    /** @type {number} */ n,
    /** @type {number} */ step,
    /** @type {number} */ lines,
    /** @type {number} */ next,
  ) => {
    const to = new Float64Array(from.length);
    for (let line = 0; line < lines; line++)
      for (let i = 0; i < n; i++) {
        let sum = 0;
        for (let k = -RADIUS; k <= RADIUS; k++)
          sum += WINDOW[k + RADIUS] * from[line * next + Math.min(Math.max(i + k, 0), n - 1) * step];
        to[line * next + i * step] = sum / TOTAL;
      }
    return to;
  };
  return pass(pass(values, H, W, W, 1), W, 1, H, W);
}

/**
 * PSNR in dB around each pixel of a picture, from its squared error: [H, W].
 * @param {Float64Array} error
 * @param {number} H
 * @param {number} W
 */
export function localPsnr(error, H, W) {
  return Float32Array.from(averaged(error, H, W), (value) => -10 * Math.log10(Math.max(value, NO_ERROR)));
}

/**
 * Of each pixel 1 + the class whose best size leads, or 0 for a tie.
 * @param {Float32Array} local
 * @param {(number | null)[]} classes
 * @param {number} pixels
 */
function bestOf(local, classes, pixels) {
  const index = new Uint8Array(pixels);
  const best = new Float64Array(3);
  for (let p = 0; p < pixels; p++) {
    best.fill(-Infinity);
    for (let m = 0; m < classes.length; m++) {
      const number = classes[m];
      if (number !== null && local[m * pixels + p] > best[number]) best[number] = local[m * pixels + p];
    }
    const first = best[0] >= best[1] && best[0] >= best[2] ? 0 : best[1] >= best[2] ? 1 : 2;
    const second = Math.max(best[(first + 1) % 3], best[(first + 2) % 3]);
    index[p] = best[first] - second < TIE ? 0 : 1 + first;
  }
  return index;
}

/**
 * Compare networks by their local PSNR. sizes: the kernel size of each, null for one with several.
 * @param {Float32Array[]} locals
 * @param {(number | null)[]} sizes
 * @param {number} H
 * @param {number} W
 */
export function bestSize(locals, sizes, H, W) {
  const local = new Float32Array(locals.length * H * W);
  locals.forEach((one, m) => local.set(one, m * H * W));
  const classes = sizes.map((size) => (size === null ? null : (size - 1) >> 1 <= 1 ? 0 : (size - 1) >> 1 <= 4 ? 1 : 2));
  const found = [...new Set(classes.filter((number) => number !== null))];
  /** @type {Uint8Array | null} */
  let index = null;
  if (found.length > 1) index = bestOf(local, classes, H * W);
  return { local, classes, index, titles: TITLES, sigma: SIGMA, tie: TIE };
}
