// What is measured of a network's estimate, beside it: where it is computed, so that the page does not wait for it.

/** @import { Asked, Config, Estimate, Measure } from "./types" */

import { psnrOf } from "../../lens/scripts/assumed.js";
import { localPsnr, squaredError } from "./best_size.js";
import { answerOf } from "./fields.js";
import { scoresOf } from "./scores.js";

/**
 * An estimate with what is wanted to be known of it. "psnr": that alone, without the picture and its kernels.
 * @param {Estimate} estimate
 * @param {Config} config
 * @param {Asked} burst
 * @param {Measure[]} wanted
 * @returns {Generator<void, Estimate>}
 */
export function* measured(estimate, config, burst, wanted) {
  const { clean, H, W, white_level } = burst;
  if (wanted.includes("psnr"))
    return { image: new Float32Array(0), factors: null, psnr: psnrOf(estimate.image, clean, H, W, white_level) };
  const found = { ...estimate };
  if (wanted.includes("scores")) found.scores = scoresOf(estimate.image, clean, H, W, white_level);
  yield;
  if (wanted.includes("errors")) {
    found.error = squaredError(estimate.image, clean, burst);
    yield;
    found.local = localPsnr(found.error, H, W);
  }
  if (wanted.includes("answer")) found.answer = yield* answerOf(estimate, config, burst);
  return found;
}
