// What is shown of each frame at a pixel: a view gives rows, and for every row what its cells and its name hold.

/** @import { Found, RowContent, RowPlan, Shift } from "./types" */
/** @import { Painter } from "./painter.js" */
/** @import { Shown } from "./shown.js" */

import { IDEAL_WINDOW } from "./ideal.js";
import { patchAt, strongest } from "./kernels.js";
import { drawCosts, drawKernel, drawPatch, drawProduct } from "./paint.js";
import { partsView } from "./parts_view.js";
import { changeView } from "./change_view.js";
import { kindsView } from "./kinds_view.js";
import { regionView } from "./region_view.js";
import { responseView } from "./response_view.js";
import { sizesView } from "./sizes_view.js";
import { usesView } from "./uses_view.js";
import { CHANNELS, offset, percent, plus, signed } from "./text.js";
import {
  boxOf,
  markedShift,
  methodRows,
  missingForIdeal,
  overN,
  receipt,
  roundingText,
  shapeText,
  shareCell,
  sumLines,
} from "./view_parts.js";

/**
 * @typedef {object} View
 * @property {string} title
 * @property {(state: Shown) => unknown} [available]  whether the payload has what the view needs; without it, always
 * @property {boolean} [wordy]  what stands under a kernel needs more room than the smallest have
 * @property {boolean} [ofFrame]  it shows the kernels of the chosen frame, or of all
 * @property {(state: Shown) => string} [about]  what its rows are built for, beside the payload and the channel
 * @property {(state: Shown) => RowPlan[]} rows
 * @property {(painter: Painter, row: RowPlan & { found: Found }) => RowContent} contents  of one row; `found` where it has a method
 * @property {(painter: Painter) => string | undefined} note  what there is to know, a sentence or two
 */

/** @type {Record<string, View>} */
export const VIEWS = {
  kernels: {
    title: "Kernels",
    rows: methodRows,
    contents(painter, { found }) {
      const { state, palette, ink } = painter;
      const { K, cells } = found;
      const boxSize = boxOf(state, K);
      return {
        cells: cells.map(({ weights, centroid, ...rest }, i) => {
          const cell = shareCell(state, i, rest);
          return {
            ...cell,
            tip: `${cell.tip}; ${shapeText(weights, K, centroid)}`,
            draw: (canvas, size) =>
              drawKernel(canvas, size, {
                ...{ weights, K, boxSize, palette, ink, max: state.endOf(weights) },
                centroid: state.marks ? centroid : null,
                shift: markedShift(state, i),
              }),
          };
        }),
        lines: sumLines(found),
      };
    },
    note: ({ state }) =>
      `Under each kernel: its frame, and the frame's share, the sum of the weights (negative ones subtract)${overN(state)}. All shares together are what a ` +
      "flat area is multiplied by: 100 % keeps its brightness. Colors go by the square root of a weight, so that weak ones are seen. " +
      `${state.channels > 1 ? "The numbers beside are" : "The number beside is"} patch times kernel, added up over the frames: ` +
      `it is the picture's value${roundingText(state)}.`,
  },

  parts: partsView,

  frames: {
    title: "On the frames",
    rows: methodRows,
    contents(painter, { found }) {
      const { state, palette, ink } = painter;
      const { K, cells, field } = found;
      const { data: { white_level: white }, byHand: { frames } } = state; // prettier-ignore
      const side = boxOf(state, K) + (K < 9 ? 8 : 10);
      const [y, x] = state.cursor;
      const { padding } = field.rule;
      /** @param {number} i */
      const colorsOf = (i) => {
        const patches = Array.from({ length: state.channels }, (_, c) => patchAt(frames, i, c, side, y, x, padding));
        return painter.pictures.colors.colorOf((j, c) => patches[c][j], 2 ** state.stops / white);
      };
      return {
        cells: cells.map(({ weights, ...rest }, i) => ({
          ...shareCell(state, i, rest),
          draw: (canvas, size) =>
            drawPatch(canvas, size, {
              ...{ weights, K, side, palette, ink, max: state.endOf(weights) },
              colorOf: colorsOf(i),
              shift: markedShift(state, i),
            }),
        })),
        lines: sumLines(found),
      };
    },
    note: ({ state }) =>
      `The ${state.data.noise ? "noisy " : ""}frames around the pixel, and over them the kernel, where it is applied. If a network ` +
      "aligns, its weights sit on the same thing in every frame.",
  },

  sum: {
    title: "Sum",
    wordy: true,
    rows: methodRows,
    contents(painter, { found }) {
      const { state, palette, ink } = painter;
      const { K, cells, pictures, covered, field } = found;
      const [y, x] = state.cursor;
      const c = Math.min(state.channel, state.channels - 1);
      const picture = pictures[c];
      const products = cells.map(({ weights }, i) => {
        const patch = patchAt(state.byHand.frames, i, c, K, y, x, field.rule.padding);
        return weights.map((weight, j) => (weight * (patch[j] || 0)) / field.rule.divisor); // beyond the frame there is 0
      });
      const common = Math.max(...products.map(strongest));
      const boxSize = boxOf(state, K);
      const taken = Math.min(state.summed ?? cells.length, cells.length);
      const totals = pictures.map((_, one) => cells.slice(0, taken).reduce((sum, { adds }) => sum + adds[one], 0));
      const total = totals[c];
      const among =
        taken === cells.length
          ? "all frames"
          : taken === 0
            ? "no frame yet"
            : taken === 1
              ? "frame 0"
              : `frames 0–${taken - 1}`;
      return {
        cells: cells.map(({ adds, share }, i) => ({
          dim: i >= taken,
          bar: picture && covered ? adds[c] / picture : 0,
          text: plus(adds[c], 4),
          tip: `Frame ${i} adds ${plus(adds[c], 4)}; its share of the weight is ${percent(share)}`,
          draw: (canvas, size) =>
            drawProduct(canvas, size, {
              ...{ products: products[i], K, boxSize, palette, ink },
              max: (state.each ? strongest(products[i]) : common) / 2 ** state.contrast || 1,
            }),
        })),
        lines: covered ? [...receipt(totals, found, `What ${among} add up to`), { text: among }] : sumLines(found),
        progress: picture && covered ? total / picture : 0,
      };
    },
    note: ({ state }) =>
      `Each square is a frame's patch times its kernel${overN(state)}${state.channels > 1 ? `, of channel ${CHANNELS[state.channel]}` : ""}, ` +
      "and the number what it adds to the pixel. Play adds them up, frame by frame; comma and full stop step.",
  },

  uses: usesView,

  matching: {
    title: "Matching",
    wordy: true,
    available: (state) => state.frames > 1 && Boolean(state.data.matching),
    rows: (state) => [{ kind: "costs", title: "Matching", count: state.frames, method: null }, ...methodRows(state)],
    contents(painter, row) {
      const { state, ink } = painter;
      if (row.method) return VIEWS.kernels.contents(painter, row);
      const costs = state.costs;
      const K = Math.sqrt(costs[0].length);
      const highest = Math.max(1, ...costs.map(strongest));
      return {
        cells: costs.map((weights, i) => {
          const least = weights.reduce((best, cost, j) => (cost < weights[best] ? j : best), 0);
          /** @type {Shift} */
          const at = [Math.floor(least / K) - (K - 1) / 2, (least % K) - (K - 1) / 2];
          return {
            text: i === 0 ? "itself" : offset(at),
            tip: `Frame ${i}: least cost ${signed(weights[least], 2)} at a displacement of ${offset(at)} px`,
            draw: (canvas, size) =>
              drawCosts(canvas, size, {
                ...{ weights, K, max: highest, boxSize: boxOf(state, K), ink },
                centroid: state.marks && i > 0 ? at : null,
                shift: markedShift(state, i),
              }),
          };
        }),
        lines: [
          {
            text: `window ${2 * 3 ** state.window} px`,
            tip: "A cost is the mean over a square of this side; View has others",
          },
          {
            text: `cost 0 to ${highest.toFixed(1)}`,
            tip: "Bright to dark, by the square root of the cost: the mean squared difference over the noise's variance, less what noise alone gives",
          },
          { text: "(dy, dx) in px", tip: "Under each frame: the displacement of least cost, down and to the right" },
        ],
      };
    },
    note: ({ state }) =>
      `What the ${state.channels > 1 ? "frames (the weighted sum of R, G and B)" : "frames"} alone say, without any network: how ` +
      "unlike frame 0 each frame is around this pixel, " +
      "displaced by up to the reach of the kernels. The cost is 0, bright, where only noise differs. The cross is the least cost, " +
      "under it its displacement (dy, dx) in pixels, down and to the right. Below, what each network makes of the frames.",
  },

  frequencies: responseView,
  region: regionView,
  kinds: kindsView,
  change: changeView,

  ideal: {
    title: "Ideal",
    about: ({ chosenMethod }) => `${chosenMethod?.title}`,
    rows: (state) => {
      if (!state.chosenMethod) return methodRows(state);
      const method = state.chosenMethod;
      const [count, K] = [method.kernels.count, method.kernels.K];
      const missing = missingForIdeal(state, count * K * K);
      return [
        missing
          ? { kind: "ideal", title: `Ideal ${K}×${K}`, count: 0, method: null, missing }
          : { kind: "ideal", title: `Ideal ${K}×${K}`, count, method: null },
        { method, title: method.title, count },
      ];
    },
    contents(painter, row) {
      const { state, palette, ink } = painter;
      const { ideal } = state;
      const found = ideal.isStale ? null : ideal.found;
      const error = (/** @type {number} */ value, /** @type {string} */ whose) => ({
        text: `± ${((100 * value) / state.data.white_level).toFixed(2)} % of white`,
        tip:
          `The root mean square error to be expected of ${whose} if they were the same at all ` +
          `${IDEAL_WINDOW}×${IDEAL_WINDOW} pixels around this one, in % of white`,
      });
      if (row.method) {
        const content = VIEWS.kernels.contents(painter, row);
        if (found && row.found.covered) content.lines[content.lines.length - 1] = error(found.network, "these kernels");
        return content;
      }
      if (!ideal.found) return { cells: [], lines: [{ text: "rest on a pixel" }] };
      const { K, cells, sums, truth } = ideal.found;
      const of = state.channels > 1 ? `${CHANNELS[state.channel]} ` : "";
      return {
        cells: cells.map(({ weights, centroid, ...rest }, i) => ({
          ...shareCell(state, i, rest),
          dim: !found,
          draw: (canvas, size) =>
            drawKernel(canvas, size, {
              ...{ weights, K, boxSize: K, palette, ink, max: state.endOf(weights) },
              centroid: state.marks ? centroid : null,
              shift: markedShift(state, i),
            }),
        })),
        lines: found
          ? [
              { text: `${of}= ${signed(sums[0])}`, kind: "total", tip: "What these kernels make of the noisy frames" },
              { text: `truth ${signed(truth)}` },
              error(found.error, "these kernels, the least that any have,"),
            ]
          : [{ text: "rest on a pixel" }],
      };
    },
    note: ({ state, state: { chosenMethod } }) =>
      chosenMethod === undefined || missingForIdeal(state, 0)
        ? ""
        : `The ${chosenMethod.kernels.K}×${chosenMethod.kernels.K} kernels, separable or not, that would be best if they were the same at ` +
          `all ${IDEAL_WINDOW}×${IDEAL_WINDOW} pixels around this one and one knew the scene: ± is the error to be expected of them there, as a part of white, and of the ` +
          "network's kernels of this pixel, used in the same way. Those of a network change from pixel to pixel, so that its " +
          "picture may be better.",
  },

  sizes: sizesView,
};

/**
 * The names of the views that a payload has.
 * @param {Shown} state
 */
export function looksOf(state) {
  if (state.data.sizes) return ["sizes", "parts"];
  return Object.entries(VIEWS)
    .filter(([, { available }]) => !available || available(state))
    .map(([name]) => name);
}
