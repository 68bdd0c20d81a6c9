// Where the cursor stands at first: kpnviz.ui.cache.interesting_pixel.

/** @import { Burst } from "./types" */

import { LUMINANCE_WEIGHTS } from "./constants.js";

const MARGIN = 20;
const RADIUS = 6;
const BLUR = Array.from({ length: 2 * RADIUS + 1 }, (_, k) => Math.exp(-0.5 * ((k - RADIUS) / 1.5) ** 2));

/** @type {WeakMap<Burst, [number, number]>} */
const known = new WeakMap();

/**
 * The pixel (y, x) on the strongest edge of what the burst shows without noise, away from the border.
 * @param {Burst} burst
 * @returns {[number, number]}
 */
export function interestingPixel(burst) {
  const found = burst.look ?? known.get(burst) ?? strongestEdge(burst);
  known.set(burst, found);
  return found;
}

/**
 * @param {Burst} burst
 * @returns {[number, number]}
 */
function strongestEdge({ C, H, W, clean }) {
  const weights = C === 1 ? [1] : LUMINANCE_WEIGHTS;
  let image = Float64Array.from({ length: H * W }, (_, p) =>
    Math.sqrt(
      Math.max(
        weights.reduce((sum, weight, c) => sum + weight * clean[c * H * W + p], 0),
        0,
      ),
    ),
  );
  const within = (/** @type {number} */ i, /** @type {number} */ n) => Math.min(Math.max(i, 0), n - 1); // the edge is repeated
  const total = BLUR.reduce((a, b) => a + b);
  for (const [dy, dx] of [
    [1, 0],
    [0, 1],
  ])
    image = image.map((_, p) => {
      const [y, x] = [Math.floor(p / W), p % W];
      return (
        BLUR.reduce(
          (sum, weight, k) =>
            sum + weight * image[within(y + dy * (k - RADIUS), H) * W + within(x + dx * (k - RADIUS), W)],
          0,
        ) / total
      );
    });
  const at = (/** @type {number} */ y, /** @type {number} */ x) => image[within(y, H) * W + within(x, W)];
  const margin = Math.min(MARGIN, (Math.min(H, W) - 1) >> 1);
  /** @type {[number, number]} */
  let best = [margin, margin];
  let strongest = -1;
  for (let y = margin; y < H - margin; y++)
    for (let x = margin; x < W - margin; x++) {
      const down =
        at(y + 1, x - 1) + 2 * at(y + 1, x) + at(y + 1, x + 1) - at(y - 1, x - 1) - 2 * at(y - 1, x) - at(y - 1, x + 1);
      const along =
        at(y - 1, x + 1) + 2 * at(y, x + 1) + at(y + 1, x + 1) - at(y - 1, x - 1) - 2 * at(y, x - 1) - at(y + 1, x - 1);
      const edge = down ** 2 + along ** 2;
      if (edge > strongest) [strongest, best] = [edge, [y, x]];
    }
  return best;
}
