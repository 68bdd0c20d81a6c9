// A frame of a burst moved by hand, its noise and all (shift_frame in kpnviz/analysis/counterfactuals.py).

/** @import { Floats, Shift } from "./types" */

import { padded } from "./kernels.js";

/**
 * Frames [N, C, H, W] of which one is moved by whole pixels; what moves in from outside is its reflection.
 * @param {Floats} frames
 * @param {number} frame
 * @param {Shift} shift
 * @returns {Floats}
 */
export function withMovedFrame({ values, shape }, frame, [dy, dx]) {
  const [, C, H, W] = shape;
  const moved = values.slice();
  const columns = Int32Array.from({ length: W }, (_, x) => padded(x - dx, W));
  for (let c = 0; c < C; c++)
    for (let y = 0; y < H; y++) {
      const [to, from] = [((frame * C + c) * H + y) * W, ((frame * C + c) * H + padded(y - dy, H)) * W];
      for (let x = 0; x < W; x++) moved[to + x] = values[from + columns[x]];
    }
  return { values: moved, shape };
}
