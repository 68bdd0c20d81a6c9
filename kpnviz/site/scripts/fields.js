// Kernels of estimates, as the lens reads them; and medians of what they do.

/** @import { Answer, Burst, Config, Estimate } from "./types" */

import { psnrOf } from "../../lens/scripts/assumed.js";
import { KernelField } from "../../lens/scripts/field.js";
import { fieldMaps } from "../../lens/scripts/maps.js";

/**
 * The kernels of a network of the site; null where it predicts pixels.
 * @param {Estimate} estimate
 * @param {Config} config
 * @param {{ H: number, W: number }} burst
 */
export function fieldOf({ factors }, { sizes, separable }, { H, W }) {
  if (!factors) return null;
  return new KernelField({
    ...{ sizes, separable, half: true, padding: "reflect", reduce: "mean", height: H, width: W, inset: 0 },
    ...{ factors, scales: null, basis: null, unit: 1, error: null, lossy: false },
  });
}

/** @param {Float32Array} values */
export function median(values) {
  const sorted = Float32Array.from(values).sort();
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * What a network answers to an assumed noise (kpnviz.ui.cache.Answer), in steps; null where it predicts pixels.
 * @param {Estimate} estimate
 * @param {Config} config
 * @param {Pick<Burst, "clean" | "C" | "H" | "W" | "white_level">} burst
 * @returns {Generator<void, Answer | null>}
 */
export function* answerOf(estimate, config, burst) {
  const field = fieldOf(estimate, config, burst);
  if (!field) return null;
  const { spread, share } = yield* fieldMaps(field, [0]);
  const { clean, C, H, W, white_level } = burst;
  return {
    spread: median(spread),
    share: median(share),
    psnr: psnrOf(estimate.image, clean.subarray(0, C * H * W), H, W, white_level),
  };
}
