// The view Region: the mean kernels of a region around the pixel.

/** @import { Found, KernelMethod } from "./types" */
/** @import { View } from "./views.js" */

import { kernelStats, shapeOf } from "./kernels.js";
import { drawKernel } from "./paint.js";
import { percent, signed } from "./text.js";
import { boxOf, methodRows, shapeText, sumLines } from "./view_parts.js";

/** @type {View} */
export const regionView = {
  title: "Region",
  about: ({ region }) => `${region === 0}`,
  rows: methodRows,
  contents(painter, { method, found }) {
    const { state, palette, ink } = painter;
    const one = /** @type {KernelMethod} */ (method);
    const mean = state.means.of(one);
    const { K, field } = /** @type {Found} */ (found);
    const { top, bottom, left, right } = state.means.regionOf(one);
    if (bottom <= top || right <= left) return { cells: [], lines: sumLines(found) };
    const kernels = mean?.kernels ?? found.cells.map(() => new Float64Array(K * K));
    const shares = kernels.map((weights) => kernelStats(weights, K).mass / field.rule.divisor);
    const spreads = kernels.map((weights) => shapeOf(weights, K).spread);
    return {
      cells: kernels.map((weights, i) => {
        const { centroid } = kernelStats(weights, K);
        return {
          ...{ bar: shares[i], text: mean ? percent(shares[i]) : "…", dim: !mean?.fresh },
          tip: `Frame ${i}, mean of ${bottom - top}×${right - left} pixels: share ${signed(100 * shares[i], 1)} %; ${shapeText(weights, K, centroid)}`,
          draw: (canvas, size) =>
            drawKernel(canvas, size, {
              ...{ weights, K, boxSize: boxOf(state, K), palette, ink, max: state.endOf(weights) },
              ...{ centroid: state.marks ? centroid : null, shift: null },
            }),
        };
      }),
      lines: [
        {
          text: `shares: ${percent(shares.reduce((sum, share) => sum + share, 0))}`,
          kind: "total",
          tip: "The mean over the region of what all shares sum to",
        },
        {
          text: `spread ${signed(Math.max(...spreads), 2)} px`,
          tip: "Of the widest of the mean kernels: what the region's kernels do at different places makes their mean wide",
        },
      ],
    };
  },
  note: ({ state }) =>
    `The mean of the kernels of the ${state.region ? "pixels in the frame on the picture" : "whole picture"}. What is common to them stays, ` +
    "what each pixel does for itself averages out.",
};
