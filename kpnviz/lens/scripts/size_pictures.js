// The picture that each kernel size of a field makes by itself. The picture of some of them is their mean (eq. 3).

/** @import { Floats } from "./types" */
/** @import { KernelField } from "./field.js" */

import { samplesBeside } from "./field.js";
import { padded } from "./kernels.js";

/**
 * picture  what the kernels of one size make of frames: [C, H, W], NaN beyond the picture
 * share    sum of the shares of all frames: [H, W], or [C, H, W] where each channel has kernels of its own
 * @typedef {{ picture: Float32Array, share: Float32Array }} OfSize
 */

/**
 * What the kernels of each size make of frames [N, C, H, W]. A step of it is a row of the picture.
 * @param {KernelField} field
 * @param {Floats} frames
 * @returns {Generator<void, OfSize[], void>}
 */
export function* sizePictures(field, { values, shape: [, C, H, W] }) {
  const { K, F, sizes, count, channels, rule: { inset, height, width, padding, divisor }, parts: { separable } } = field; // prettier-ignore
  const reach = (K - 1) / 2;
  const found = sizes.map(() => ({
    picture: new Float32Array(C * H * W).fill(inset ? NaN : 0),
    share: new Float32Array(channels * H * W),
  }));
  const across = width + 2 * reach;
  const columns = Int32Array.from({ length: across }, (_, x) => padded(x + inset - reach, W, padding));
  const lines = new Float64Array(K * across); // of one frame and channel: what lies under the kernels of a row of pixels
  const factors = new Float64Array(F * width);
  const totals = sizes.map(() => new Float64Array(C * width));
  const inner = new Float64Array(width);
  for (let y = 0; y < height; y++) {
    for (const total of totals) total.fill(0);
    for (let frame = 0; frame < count; frame++)
      for (let c = 0; c < C; c++) {
        if (c === 0 || channels > 1) {
          readRow(field, frame, c, y, factors);
          addShares(field, factors, found, (c * H + y + inset) * W + inset);
        }
        for (let a = 0; a < K; a++) {
          const line = padded(y + inset + a - reach, H, padding);
          const from = ((frame * C + c) * H + line) * W;
          for (let x = 0; x < across; x++)
            lines[a * across + x] = line < 0 || columns[x] < 0 ? 0 : values[from + columns[x]];
        }
        let first = 0;
        sizes.forEach((size, s) => {
          const margin = reach - (size - 1) / 2;
          const total = totals[s].subarray(c * width, (c + 1) * width);
          for (let a = 0; a < size; a++) {
            inner.fill(0);
            for (let b = 0; b < size; b++) {
              const [weight, value] = [
                (first + (separable ? size + b : a * size + b)) * width,
                (a + margin) * across + b + margin,
              ];
              for (let x = 0; x < width; x++) inner[x] += factors[weight + x] * lines[value + x];
            }
            const u = (first + a) * width;
            if (separable) for (let x = 0; x < width; x++) total[x] += factors[u + x] * inner[x];
            else for (let x = 0; x < width; x++) total[x] += inner[x];
          }
          first += separable ? 2 * size : size * size;
        });
      }
    sizes.forEach((_, s) => {
      for (let c = 0; c < C; c++)
        for (let x = 0; x < width; x++)
          found[s].picture[(c * H + y + inset) * W + x + inset] = totals[s][c * width + x] / divisor;
    });
    yield;
  }
  return found;
}

/**
 * Add the shares of one frame's kernels at a row of pixels, the first of which is at `start`.
 * @param {KernelField} field
 * @param {Float64Array} factors  [F, width]
 * @param {OfSize[]} found
 * @param {number} start
 */
function addShares({ sizes, rule: { width, divisor }, parts: { separable } }, factors, found, start) {
  const sumOf = (/** @type {number} */ first, /** @type {number} */ count, /** @type {number} */ x) => {
    let sum = 0;
    for (let f = first; f < first + count; f++) sum += factors[f * width + x];
    return sum;
  };
  let first = 0;
  sizes.forEach((size, s) => {
    for (let x = 0; x < width; x++)
      found[s].share[start + x] +=
        (separable ? sumOf(first, size, x) * sumOf(first + size, size, x) : sumOf(first, size * size, x)) / divisor;
    first += separable ? 2 * size : size * size;
  });
}

/**
 * All factors of one frame at the pixels of a row: [F, width].
 * @param {KernelField} field
 * @param {number} frame
 * @param {number} channel
 * @param {number} y
 * @param {Float64Array} factors
 */
export function readRow(field, frame, channel, y, factors) {
  const { F, h, w, half, rule: { width } } = field; // prettier-ignore
  const number = field.predictedReader(frame, channel);
  if (!half) {
    for (let f = 0; f < F; f++) for (let x = 0; x < width; x++) factors[f * width + x] = number(f, y * w + x);
    return;
  }
  const { low, high, weight } = samplesBeside(y, h);
  const beside = Array.from({ length: width }, (_, x) => samplesBeside(x, w));
  const row = new Float64Array(w);
  for (let f = 0; f < F; f++) {
    for (let j = 0; j < w; j++) row[j] = number(f, low * w + j) * (1 - weight) + number(f, high * w + j) * weight;
    for (let x = 0; x < width; x++) {
      const { low: left, high: right, weight: share } = beside[x];
      factors[f * width + x] = row[left] * (1 - share) + row[right] * share;
    }
  }
}
