// The view of the page Sizes: the kernels of all sizes side by side.

/** @import { View } from "./views.js" */

import { drawKernel } from "./paint.js";
import { wordsOf } from "./terms.js";
import { signed } from "./text.js";

const SMALLEST_MARKED = 30; // CSS pixels: marks would cover a smaller kernel

/** @type {View} */
export const sizesView = {
  title: "All sizes",
  available: (state) => Boolean(state.data.sizes),
  rows: (state) => [
    {
      kind: "sizes",
      title: "",
      method: null,
      count: state.kernelMethods.length,
      panels: state.kernelMethods.map(({ panel }) => state.data.panels[panel]),
    },
  ],
  contents(painter) {
    const { state, sizes, palette, ink } = painter;
    const { found, frame } = state;
    const local = sizes.localAt(state.cursor);
    const best = local.indexOf(Math.max(...local));
    return {
      cells: found.map(({ K, cells }, m) => {
        const [{ weights, centroid, share }] = cells;
        const marks = state.marks && (!state.sameScale || (painter.rows.side * K) / state.largest >= SMALLEST_MARKED);
        const panel = state.data.panels[state.kernelMethods[m].panel];
        return {
          text: panel.scores?.psnr == null ? "" : `${panel.scores.psnr.toFixed(1)} dB`,
          more: `here ${local[m].toFixed(1)} dB`,
          strong: m === best,
          tip:
            `${panel.title}: ${K}×${K} px; frame ${frame} has a share of ${signed(100 * share, 1)} %. PSNR ${painter.pictures.film.scoreOf(panel)} over the picture, ` +
            `${local[m].toFixed(2)} dB around this pixel. Click: show it at the right; with Shift, at the left. ${wordsOf(panel.title).join(". ")}`,
          reach: { share: K / state.largest, color: sizes.colorOf(m) },
          draw: (canvas, size) =>
            drawKernel(canvas, size, {
              ...{ weights, K, boxSize: state.sameScale ? state.largest : K, palette, ink, max: state.endOf(weights) },
              centroid: marks ? centroid : null,
              shift: marks && frame > 0 ? state.shifts?.[frame] : null,
            }),
        };
      }),
      lines: [],
    };
  },
  note: ({ state, sizes }) =>
    `The bar under a kernel is as wide as the kernel truly is, and full at ${state.largest} px. PSNR: of the whole picture; here: in a ` +
    `Gaussian window (σ = ${state.data.sizes?.sigma} px) around the pixel, bold where it is highest. ` +
    (sizes.aside
      ? ""
      : sizes.hasMap
        ? sizes.rule
        : "All these sizes are of one class, so there is no map of which class is best where."),
};
