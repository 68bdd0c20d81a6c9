// The view What if: frames left out, negative weights taken away, a frame moved under its kernels; and what comes of it.

/** @import { Found } from "./types" */
/** @import { View } from "./views.js" */

import { drawKernel } from "./paint.js";
import { percent } from "./text.js";
import { boxOf, markedShift, methodRows, shapeText, shareCell, sumLines } from "./view_parts.js";

/** @type {View} */
export const changeView = {
  title: "What if",
  about: (state) => `${state.anew.offered}`,
  rows: (state) =>
    methodRows(state).map((row) => ({
      ...row,
      cells: Array.from({ length: row.count }, (_, i) => ({ label: `${i}`, data: { drop: `${i}` } })),
    })),
  contents(painter, { method, found }) {
    const { state, palette, ink } = painter;
    const { K, cells } = /** @type {Found} */ (found);
    const { dropped, keepShare } = state.byHand;
    const one = state.kernelMethods.find((other) => other === method);
    const loss = one ? state.byHand.lossText(one) : "";
    return {
      cells: cells.map(({ weights, centroid, ...rest }, i) => {
        const off = dropped.includes(i);
        const cell = shareCell(state, i, rest);
        return {
          ...cell,
          ...{ text: off ? "out" : percent(rest.share), dim: off, pressed: !off },
          tip: off
            ? `Frame ${i} is left out. Click: take it in again`
            : `${cell.tip}; ${shapeText(weights, K, centroid)}. Click: leave it out`,
          draw: (/** @type {HTMLCanvasElement} */ canvas, /** @type {number} */ size) =>
            drawKernel(canvas, size, {
              ...{ weights, K, boxSize: boxOf(state, K), palette, ink, max: state.endOf(weights) },
              ...{ centroid: state.marks ? centroid : null, shift: markedShift(state, i) },
            }),
        };
      }),
      lines: [
        ...sumLines(found),
        loss
          ? {
              text: `Δ ${loss}`,
              kind: "loss",
              tip: `What the picture's PSNR changes by${keepShare ? "" : ". Where shares sum to more or less than before, the picture gets brighter or darker, and that counts"}`,
            }
          : null,
      ],
    };
  },
  note: ({ state }) =>
    "Click a kernel to leave its frame out; pictures and PSNR follow. " +
    (state.frames > 1
      ? `A frame that is moved meets kernels that were predicted for it where it was: what it costs not to follow. ${state.anew.offered ? "With “predict anew” the networks see it move." : "No network predicts anew here."}`
      : ""),
};
