// The view Frequencies: what kernels let pass of each frequency.

/** @import { CellContent, Shift } from "./types" */
/** @import { Shown } from "./shown.js" */
/** @import { View } from "./views.js" */

import { drawResponse } from "./paint.js";
import { noiseLeft, POINTS, responseOf } from "./response.js";
import { offset, percent, signed } from "./text.js";
import { methodRows, sumLines } from "./view_parts.js";

export const FLOOR = -40; // dB, where colors end

/**
 * The frames that are shown of so many: the chosen one, or all.
 * @param {Shown} state
 * @param {number} count
 */
function framesOf({ allFrames, frame }, count) {
  return allFrames ? Array.from({ length: count }, (_, i) => i) : [Math.min(frame, count - 1)];
}

/** @type {View} */
export const responseView = {
  title: "Frequencies",
  ofFrame: true,
  about: ({ allFrames, frame }) => (allFrames ? "all" : `${frame}`),
  rows: (state) =>
    methodRows(state).map((row) => {
      if (row.count < 2 || row.waiting) return row;
      const cells = framesOf(state, row.count).map((i) => ({ label: `${i}`, data: { frame: `${i}` } }));
      return { ...row, count: cells.length + 1, cells: [{ label: "all", data: {} }, ...cells] };
    }),
  contents(painter, { found }) {
    const { state, ink } = painter;
    const { K, cells, field, covered } = found;
    if (!covered) return { cells: [], lines: sumLines(found) };
    const { divisor } = field.rule;
    const kernels = cells.map(({ weights }) => weights);
    const { shifts, decibel } = state;
    /**
     * @param {Float64Array[]} some
     * @param {Shift[] | null} moved
     */
    const one = (some, moved) => {
      const response = responseOf(some, K, divisor, moved);
      const values = decibel ? response.map((size) => 1 - (20 * Math.log10(size)) / FLOOR) : response;
      /** @type {CellContent["draw"]} */
      const draw = (canvas, size) => drawResponse(canvas, size, { values, side: POINTS, ink });
      return { response, draw };
    };
    /** @param {Float64Array} response */
    const along = (response) => {
      const middle = (POINTS - 1) / 2;
      const ends = [response[middle * POINTS + POINTS - 1], response[(POINTS - 1) * POINTS + middle]];
      return `at half a cycle a pixel |H| is ${ends.map((end) => signed(end, 3)).join(" along x, ")} along y`;
    };
    const frames = framesOf(state, cells.length).map((i) => {
      const { share, weights } = cells[i];
      const { response, draw } = one([weights], null);
      return {
        bar: share,
        text: percent(share),
        tip: `Frame ${i}: at frequency 0, its share of ${signed(100 * share, 1)} %; ${along(response)}`,
        draw,
      };
    });
    const total = cells.reduce((sum, { share }) => sum + share, 0);
    const left = noiseLeft(kernels, divisor);
    if (cells.length > 1) {
      const moved = shifts?.slice(0, cells.length) ?? null;
      const { response, draw } = one(kernels, moved);
      const how = moved
        ? `each frame's true shift taken out (${moved.map(offset).join(", ")})`
        : "as if the scene stood still";
      frames.unshift({
        bar: total,
        text: percent(total),
        tip: `All frames together, ${how}: ${along(response)}`,
        draw,
      });
    }
    return {
      cells: frames,
      lines: [
        {
          ...{ text: `noise × ${signed(left, 2)}`, kind: "total" },
          tip:
            "What is left of the standard deviation of noise that is white and alike in all frames: the root of the sum of " +
            `the squares of all weights${divisor > 1 ? ", divided by the number of frames" : ""}`,
        },
        { text: `shares sum to ${percent(total)}`, tip: "What passes of frequency 0: a flat area" },
      ],
    };
  },
  note: ({ state }) =>
    "|H(fy, fx)|, what passes of each frequency: the Fourier transform of a frame's kernel" +
    `${state.kernelMethods.some(({ kernels }) => kernels.rule.divisor > 1) ? " / N" : ""}. In the middle is frequency 0, a flat area; the rim is the finest ` +
    "detail that pixels hold, half a cycle a pixel. " +
    (state.frames < 2
      ? ""
      : state.data.shifts
        ? "All: the frames together, with the true shift of each taken out, so that what is lost there is lost to the kernels and not to the shake."
        : "All: the frames together, as if the scene stood still; where frames are shifted, the kernels' following it looks like blur."),
};
