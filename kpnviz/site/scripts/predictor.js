// Networks of a pool, as the lens asks them about frames that are changed by hand.

/** @import { Predictor } from "../../lens/scripts/types" */
/** @import { Pool } from "./pool.js" */

const NO_TRUTH = new Float32Array(0); // nothing is measured of what is predicted

/**
 * @param {Pool} pool  that nobody else asks
 * @param {string} burst  as the lens' payload names it
 * @param {string[]} networks
 * @returns {Predictor}
 */
export function predictorOf(pool, burst, networks) {
  return {
    burst,
    networks,
    async predict(network, { values, shape: [N, C, H, W] }, noise, scale) {
      const [estimate] = await pool.ask(
        network,
        { frames: new Float32Array(values), clean: NO_TRUTH, noise, white_level: 1, N, C, H, W },
        [scale],
      );
      return estimate;
    },
  };
}
