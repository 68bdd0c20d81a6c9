// Statistics of all kernels of a field, on the grid on which they are predicted (kpnviz/analysis/maps.py).

/** @import { Field } from "./types" */

import { addRings, halfSide, kernelStats, shapeOf, sumOfSizes } from "./kernels.js";

/**
 * Of each place of a grid of h x w: at half resolution (i, j) is the middle of the pixels 2i..2i+1, 2j..2j+1.
 *
 * share     signed sum of the weights, over the field's divisor; of several frames their sum
 * spread, entropy, dy, dx   of the frame (the first, of several), px, bits, px
 * size      the kernel size whose sum of |w| is largest, over the frames: its index among the field's sizes
 * reach     the side of the smallest square around the middle that holds half of the effective kernels' |w|, over the frames
 * @typedef {object} FieldMaps
 * @property {number} h
 * @property {number} w
 * @property {Float32Array} share
 * @property {Float32Array} spread
 * @property {Float32Array} entropy
 * @property {Float32Array} dy
 * @property {Float32Array} dx
 * @property {Uint8Array} size
 * @property {Uint8Array} reach
 */

/**
 * The maps of one frame, or of several together. A step of it is a row of the grid.
 * @param {Field} field
 * @param {number[]} frames
 * @param {number} channel
 * @returns {Generator<void, FieldMaps, void>}
 */
export function* fieldMaps(field, frames, channel = 0) {
  const { h, w, K, kept, sizes, rule: { divisor } } = field; // prettier-ignore
  const floats = () => new Float32Array(h * w);
  const maps = {
    ...{ h, w, share: floats(), spread: floats(), entropy: floats(), dy: floats(), dx: floats() },
    ...{ size: new Uint8Array(h * w), reach: new Uint8Array(h * w) },
  };
  const rings = new Float64Array((K + 1) / 2);
  const heavy = new Float64Array(sizes.length);
  for (let i = 0, place = 0; i < h; i++) {
    for (let j = 0; j < w; j++, place++) {
      rings.fill(0);
      heavy.fill(0);
      const scale = field.predictedScale(place, channel);
      frames.forEach((frame, n) => {
        const parts = field.predictedParts(frame, place, channel);
        const weights = field.kernelOf(frame, parts);
        const { mass, centroid } = kernelStats(weights, K);
        maps.share[place] += (scale * mass) / divisor;
        addRings(weights, K, rings);
        parts.forEach((part, s) => kept.includes(part.size) && (heavy[s] += sumOfSizes(part.weights)));
        if (n) return;
        const { spread, entropy } = shapeOf(weights, K, centroid);
        [maps.spread[place], maps.entropy[place]] = [spread, entropy];
        [maps.dy[place], maps.dx[place]] = centroid ?? [0, 0];
      });
      maps.size[place] = heavy.reduce((best, sum, s) => (sum > heavy[best] ? s : best), 0);
      maps.reach[place] = halfSide(rings);
    }
    yield;
  }
  return maps;
}

/**
 * How many places have each value, as shares.
 * @param {ArrayLike<number>} values
 * @returns {Map<number, number>}
 */
export function sharesOfValues(values) {
  /** @type {Map<number, number>} */
  const counts = new Map();
  for (let i = 0; i < values.length; i++) counts.set(values[i], (counts.get(values[i]) ?? 0) + 1 / values.length);
  return counts;
}
