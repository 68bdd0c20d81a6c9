// The view Sizes: the kernel of each size that a network predicts, its factors, and the kernel that they are fused to.

/** @import { CellContent, KernelMethod, NamedCell, RowPlan, SizePart } from "./types" */
/** @import { Painter } from "./painter.js" */
/** @import { Shown } from "./shown.js" */
/** @import { View } from "./views.js" */

import { kernelStats, shapeOf, strongest, sumOfSizes } from "./kernels.js";
import { drawFactors } from "./paint.js";
import { percent, signed } from "./text.js";
import { boxOf, markedShift, methodRows, overN, receipt, shapeText, sumLines } from "./view_parts.js";

/** @param {number} size */
const square = (size) => `${size}×${size}`;

/**
 * Why there is nothing to take apart in a method's kernels, a sentence; "" where there is.
 * @param {KernelMethod} method
 */
export function wholeText({
  kernels: {
    K,
    sizes,
    F,
    parts: { separable, basis },
  },
}) {
  if (basis)
    return `Each of its kernels is a sum of the same ${F} basis kernels of ${square(K)}: it has one size and no factors to take apart.`;
  if (separable || sizes.length > 1) return "";
  return `It predicts the ${K * K} weights of its ${square(K)} kernel one by one: it has one size and no factors to take apart.`;
}

/**
 * One row a method, of the chosen frame: a cell a size, and where there are several, the kernel that they are fused to.
 * @param {Shown} state
 * @returns {RowPlan[]}
 */
function rowsOfFrame(state) {
  const shown = methodRows(state).filter(
    ({ method }) => !state.data.sizes || state.outlined.some((one) => one === method),
  );
  return shown.map((row) => {
    const { method } = row;
    if (!method?.kernels || row.waiting) return row;
    const missing = wholeText(/** @type {KernelMethod} */ (method));
    if (missing) return { ...row, count: 0, missing };
    const of = state.data.panels[method.panel].name;
    const { sizes } = method.kernels;
    /** @type {NamedCell[]} */
    const cells = sizes.map((size) => ({ label: square(size), data: sizes.length > 1 ? { size: `${size}`, of } : {} }));
    if (sizes.length > 1) cells.push({ label: "fused", data: { size: "", of } });
    return { ...row, kind: "parts", count: cells.length, cells };
  });
}

/**
 * One row a size of the chosen method, a cell a frame; the last row is what they are fused to.
 * @param {Shown} state
 * @returns {RowPlan[]}
 */
function rowsOfSizes(state) {
  const method = state.chosenMethod;
  if (!method) return methodRows(state);
  const missing = wholeText(method);
  const { count, sizes } = method.kernels;
  if (missing) return [{ title: method.title, method, count: 0, missing }];
  const rows = sizes.map((size, part) => ({ kind: "parts", title: square(size), method: null, count, part }));
  return [...rows, { kind: "parts", title: method.title, method, count }];
}

/**
 * Whether kernels are mixed of those of two assumed noises.
 * @param {Shown} state
 */
const isMixed = (state) => state.kernelMethods.some((method) => "other" in state.wholeFieldOf(method));

/** @type {View} */
export const partsView = {
  title: "Sizes",
  ofFrame: true,
  about: (state) =>
    `${state.byHand.keepShare} ${state.allFrames ? `all of ${state.chosenMethod?.title}` : ""} ${isMixed(state)} ${state.data.sizes ? state.outlined.map(({ title }) => title) : ""}`,
  rows: (state) => (state.allFrames ? rowsOfSizes(state) : rowsOfFrame(state)),
  contents(painter, row) {
    const { state } = painter;
    return state.allFrames ? contentsOfAll(painter, row) : contentsOfFrame(painter, row);
  },
  note: ({ state }) => {
    const several = state.kernelMethods.some(({ kernels }) => kernels.sizes.length > 1);
    return (
      "Each kernel is the product of a vertical factor u (bars at its left) and a horizontal factor v (bars above it)" +
      (several
        ? "; the fused kernel, which is applied, is the mean of all sizes, each completed with zeros to the largest. Click a size to switch it " +
          `off: the mean is then that of the others${state.byHand.keepShare ? ", scaled to the same sum of shares" : ""}, in the picture and its PSNR too. Under each: its share of the picture, the sum of its weights${overN(state) ? `${overN(state)} and` : ", divided"} by the number of sizes.`
        : `. Under it: its share of the picture, the sum of its weights${overN(state)}.`) +
      (isMixed(state) ? " Between two noises that were computed kernels are mixed, and have no factors." : "")
    );
  },
};

/**
 * @param {Painter} painter
 * @param {Parameters<View["contents"]>[1]} row
 */
function contentsOfFrame(painter, { method, found }) {
  const { state } = painter;
  const m = state.kernelMethods.findIndex((one) => one === method);
  const parts = state.taken[m]?.[0];
  if (!parts || !method) return { cells: [], lines: [] };
  const [kept, frame] = [state.byHand.of(state.kernelMethods[m]), Math.min(state.frame, found.cells.length - 1)];
  const { share, weights, centroid } = state.cellOf(m);
  const scale = found.field.scaleAt(...state.cursor, state.channel) / found.field.rule.divisor / kept.length;
  /** @type {CellContent[]} */
  const cells = parts.map((part) => cellOf(painter, part, found.K, parts, frame, kept, scale));
  const shape = shapeOf(weights, found.K, centroid);
  const numbers = shapeText(weights, found.K, centroid);
  if (parts.length > 1) {
    const off = parts.length - kept.length;
    cells.push({
      ...{ text: percent(share), bar: share, pressed: off === 0 },
      tip: `What is applied to frame ${frame}, the mean of ${kept.map(square).join(", ")}: share ${signed(100 * share, 1)} %, ${numbers}.${off ? " Click: all sizes again" : ""}`,
      draw: (canvas, size) =>
        drawFactors(canvas, size, {
          ...drawingOf(painter, found.K, weights),
          ...{ weights, K: found.K, u: null, v: null, end: 1 },
          centroid: state.marks ? centroid : null,
          shift: markedShift(state, frame),
        }),
    });
  }
  const loss = state.byHand.lossText(state.kernelMethods[m]);
  return {
    cells,
    lines: !found.covered
      ? sumLines(found)
      : [
          ...receipt(found.sums, found, "The sum over the frames of patch times kernel, taken here"),
          {
            text: `spread ${signed(shape.spread, 2)} px`,
            tip: `Of frame ${frame}'s kernel, as it is applied: ${numbers}`,
          },
          loss
            ? {
                text: `Δ ${loss}`,
                tip: `What the picture's PSNR changes by without the sizes that are off${state.byHand.keepShare ? "" : ". Where the shares of those left sum to more or less than before, the picture gets brighter or darker, and that counts"}`,
                kind: "loss",
              }
            : null,
        ],
  };
}

/**
 * What all kernels of a method have in common: one scale of pixels, also where small ones would fill their box.
 * @param {Painter} painter
 * @param {number} K
 * @param {ArrayLike<number>} weights
 */
function drawingOf({ state, palette, ink }, K, weights) {
  return { palette, ink, boxSize: boxOf(state, K), max: state.endOf(weights) };
}

/**
 * Where bars end: the strongest of all factors.
 * @param {SizePart[]} parts
 */
function endOf(parts) {
  return Math.max(...parts.flatMap(({ u, v }) => [strongest(u ?? []), strongest(v ?? [])])) || 1;
}

/**
 * A size's kernel.
 * @param {Painter} painter
 * @param {SizePart} part
 * @param {number} K
 * @param {SizePart[]} parts
 * @param {number} frame
 * @param {number[]} kept
 * @param {number} scale  of a weight of it in the picture
 * @returns {CellContent}
 */
function cellOf(painter, { size: n, weights, u, v }, K, parts, frame, kept, scale) {
  const { state } = painter;
  const on = kept.includes(n);
  const { mass, centroid } = kernelStats(weights, n);
  const share = on ? scale * mass : 0;
  const all = parts.reduce((sum, part) => sum + (kept.includes(part.size) ? sumOfSizes(part.weights) : 0), 0);
  const carried = on && all ? sumOfSizes(weights) / all : 0;
  const { spread } = shapeOf(weights, n, centroid);
  const click =
    parts.length === 1
      ? ""
      : on && kept.length === 1
        ? ". The last one stays"
        : `. Click: switch it ${on ? "off" : "on"}`;
  return {
    ...{ bar: share, text: on ? percent(share) : "off", dim: !on },
    pressed: parts.length > 1 ? on : undefined,
    tip: `${square(n)} of frame ${frame}${on ? `: share ${signed(100 * share, 1)} %, ${percent(carried)} of all |w|, spread ${signed(spread, 2)} px` : " is off"}${click}`,
    draw: (canvas, size) =>
      drawFactors(canvas, size, {
        ...drawingOf(painter, K, weights),
        ...{ weights, K: n, u, v, end: endOf(parts) },
        centroid: parts.length === 1 && state.marks ? centroid : null,
        shift: parts.length === 1 ? markedShift(state, frame) : null,
      }),
  };
}

/**
 * One size in all frames, or with a method in the row what all sizes are fused to.
 * @param {Painter} painter
 * @param {Parameters<View["contents"]>[1]} row
 */
function contentsOfAll(painter, row) {
  const { state } = painter;
  const method = /** @type {KernelMethod} */ (state.chosenMethod);
  const m = state.kernelMethods.indexOf(method);
  const found = state.found[m];
  const taken = state.taken[m];
  if (!taken) return { cells: [], lines: [] };
  const kept = state.byHand.of(method);
  const ofSize = found.field.scaleAt(...state.cursor, state.channel) / kept.length;
  const { divisor } = found.field.rule;
  const kernels = row.part === undefined ? found.cells : taken.map((parts) => parts[row.part ?? 0]);
  const n = row.part === undefined ? found.K : method.kernels.sizes[row.part];
  const on = row.part === undefined || kept.includes(n);
  const carried = taken.map((parts) => parts.map((part) => (kept.includes(part.size) ? sumOfSizes(part.weights) : 0)));
  const [own, all] = [
    carried.reduce((sum, of) => sum + of[row.part ?? 0], 0),
    carried.flat().reduce((sum, one) => sum + one, 0),
  ];
  return {
    cells: kernels.map(({ weights }, i) => {
      const { mass, centroid } = kernelStats(weights, n);
      const share = on ? ((row.part === undefined ? 1 : ofSize) * mass) / divisor : 0;
      return {
        ...{ bar: share, text: percent(share), dim: !on },
        tip: `${row.part === undefined ? "Fused" : square(n)}, frame ${i}: share ${signed(100 * share, 1)} %, spread ${signed(shapeOf(weights, n, centroid).spread, 2)} px`,
        draw: (/** @type {HTMLCanvasElement} */ canvas, /** @type {number} */ size) =>
          drawFactors(canvas, size, {
            ...drawingOf(painter, found.K, weights),
            ...{ weights, K: n, end: endOf(taken[i]), u: null, v: null },
            ...(row.part === undefined ? {} : { u: taken[i][row.part].u, v: taken[i][row.part].v }),
            centroid: row.part === undefined && state.marks ? centroid : null,
            shift: row.part === undefined ? markedShift(state, i) : null,
          }),
      };
    }),
    lines:
      row.part === undefined
        ? sumLines(found)
        : [
            {
              text: on ? `${percent(all ? own / all : 0)} of all |w|` : "off",
              tip: "Of the |w| of all sizes and frames at this pixel",
            },
          ],
  };
}
