// The view Kinds: the mean kernels of each kind that the kernels of the whole picture are sorted into.

/** @import { KernelMethod } from "./types" */
/** @import { View } from "./views.js" */

import { kernelStats } from "./kernels.js";
import { kindColor } from "./kind_color.js";
import { css, drawKernel } from "./paint.js";
import { percent, signed } from "./text.js";
import { boxOf, markedShift, methodRows, shapeText } from "./view_parts.js";

/** @type {View} */
export const kindsView = {
  title: "Kinds",
  ofFrame: true,
  about: (state) => {
    const found = state.chosenMethod && state.kinds.of(state.chosenMethod);
    return `${state.chosenMethod?.title} ${state.allFrames} ${state.kindCount} ${found ? found.kernels.length : "computing"}`;
  },
  rows: (state) => {
    const method = state.chosenMethod;
    if (!method) return methodRows(state);
    const frames = state.kinds.framesOf(method.kernels.count);
    const kinds = state.kinds.of(method)?.kernels.length ?? state.kindCount;
    const cells = frames.map((i) => ({ label: `${i}`, data: { frame: `${i}` } }));
    return Array.from({ length: kinds }, (_, part) => ({
      kind: "kind",
      title: `Kind ${part + 1}`,
      method: null,
      count: cells.length,
      cells,
      part,
    }));
  },
  contents(painter, row) {
    const { state, palette, ink } = painter;
    const method = /** @type {KernelMethod} */ (state.chosenMethod);
    const found = state.kinds.of(method);
    const kind = row.part ?? 0;
    const { K, rule: { divisor } } = method.kernels; // prettier-ignore
    const kernels = found?.kernels[kind];
    if (!found || !kernels) return { cells: [], lines: [{ text: "sorting kernels …" }] };
    const frames = state.kinds.framesOf(method.kernels.count);
    const here = state.kinds.at(method, ...state.cursor) === kind;
    const places = found.index.reduce((sum, one) => sum + (one === kind ? 1 : 0), 0) / found.index.length;
    return {
      swatch: css(kindColor(kind)),
      cells: kernels.map((weights, i) => {
        const { mass, centroid } = kernelStats(weights, K);
        return {
          ...{ bar: mass / divisor, text: percent(mass / divisor) },
          tip: `Kind ${kind + 1}, frame ${frames[i]}: share ${signed((100 * mass) / divisor, 1)} %; ${shapeText(weights, K, centroid)}`,
          draw: (/** @type {HTMLCanvasElement} */ canvas, /** @type {number} */ size) =>
            drawKernel(canvas, size, {
              ...{ weights, K, boxSize: boxOf(state, K), palette, ink, max: state.endOf(weights) },
              ...{ centroid: state.marks ? centroid : null, shift: markedShift(state, frames[i]) },
            }),
        };
      }),
      lines: [
        { text: `${percent(places)} of places`, kind: "total" },
        {
          text: `spread ${signed(found.spread[kind], 2)} px`,
          tip: "The mean over the frames, each weighted by its sum of |w|",
        },
        here ? { text: "here", tip: "The kernels of this pixel are of this kind", kind: "agrees" } : null,
      ],
    };
  },
  note: ({ state }) => {
    const method = state.chosenMethod;
    const found = method && state.kinds.of(method);
    return (
      `k-means sorts the kernels of all places of ${method?.title} by how alike they are, weight by weight, into kinds, the narrowest first; ` +
      "each row is the mean of a kind. It knows kernels alone, not the picture under them." +
      (found ? ` These kinds hold ${percent(found.explained)} of the kernels' variance.` : "")
    );
  },
};
