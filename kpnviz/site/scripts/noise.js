// The noise of a frame: kpnviz/noise.py and what kpnviz/denoise.py tells networks of it.

/** @import { Noise } from "./types" */

import { GAINS, GUIDE_NOISE_SCALE, GUIDE_WEIGHTS } from "./constants.js";

/**
 * The noise at a sensor gain: NoiseModel.for_gain.
 * @param {number} gain
 * @returns {Noise}
 */
export function noiseForGain(gain) {
  const [first, last] = [GAINS[0], GAINS[GAINS.length - 1]];
  const inside = Math.min(Math.max(gain, first[0]), last[0]);
  const place = Math.log2(inside);
  const next = Math.max(
    1,
    GAINS.findIndex(([other]) => other >= inside),
  );
  const [low, high] = [GAINS[next - 1], GAINS[next]];
  const at = (/** @type {number} */ k) => {
    const [a, b] = [Math.log2(low[0]), Math.log2(high[0])];
    const log = place === b ? high[k] : ((high[k] - low[k]) / (b - a)) * (place - a) + low[k];
    return (10 ** log * gain) / inside;
  };
  return { read_std: at(1), shot_gain: at(2) };
}

/**
 * The model whose standard deviation is `factor` times this one's at every intensity.
 * @param {Noise} noise
 * @param {number} factor
 * @returns {Noise}
 */
export function scaledNoise({ read_std, shot_gain }, factor) {
  return { read_std: read_std * factor, shot_gain: shot_gain * factor ** 2 };
}

/**
 * What a network is told of the one channel that it is shown of a burst in color, whose channels all have this noise.
 * @param {Noise} noise
 * @returns {Noise}
 */
export function guideNoise({ read_std, shot_gain }) {
  let [variance, gain, sum] = [0, 0, 0];
  for (const weight of GUIDE_WEIGHTS) {
    variance += weight ** 2 * read_std ** 2;
    gain += weight ** 2 * shot_gain;
    sum += weight;
  }
  return scaledNoise({ read_std: Math.sqrt(variance), shot_gain: gain / sum }, GUIDE_NOISE_SCALE);
}
