// The view Uses: which pixels of the picture use the pixel of each frame.

/** @import { KernelMethod } from "./types" */
/** @import { View } from "./views.js" */

import { kernelStats } from "./kernels.js";
import { drawKernel } from "./paint.js";
import { percent, signed } from "./text.js";
import { boxOf, methodRows } from "./view_parts.js";

/** @type {View} */
export const usesView = {
  title: "Uses",
  rows: methodRows,
  contents(painter, { method, found }) {
    const { state, palette, ink } = painter;
    const { K, field } = found;
    const mean = field.rule.reduce === "mean";
    const uses = state.usesOf(/** @type {KernelMethod} */ (method));
    const boxSize = boxOf(state, K);
    const parts = uses.map((weights) => weights.reduce((sum, weight) => sum + weight, 0) / field.rule.divisor);
    const total = parts.reduce((sum, part) => sum + part, 0);
    const [y, x] = state.cursor;
    return {
      cells: uses.map((weights, i) => ({
        bar: parts[i],
        text: percent(parts[i]),
        tip: `The weights that the picture gives to pixel y ${y}, x ${x} of frame ${i} add up${mean ? ", divided by the number of frames," : ""} to ${signed(100 * parts[i], 1)} %`,
        draw: (canvas, size) =>
          drawKernel(canvas, size, {
            ...{ weights, K, boxSize, palette, ink },
            max: state.endOf(weights), // the scale of the kernels, so that both compare
            centroid: state.marks ? kernelStats(weights, K).centroid : null,
            shift: state.marks && i > 0 ? state.originOf(i) : null,
          }),
      })),
      lines: [
        {
          text: `used: ${percent(total)}`,
          tip: "All that the picture takes from this pixel of all frames; on the average over the picture, what the shares sum to",
          kind: "total",
        },
      ],
    };
  },
  note: ({ state }) =>
    `The reverse: take this pixel of each ${state.data.noise ? "noisy " : ""}frame. Which pixels of the picture use it, and how much? Each square is ` +
    "a piece of the picture around it, and a color the weight that the pixel there gives it." +
    (state.shiftsKnown
      ? " The ring is where the scene that frame shows here lies in frame 0: a network that aligns uses it there."
      : ""),
};
