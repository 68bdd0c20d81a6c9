// What views of kernels have in common.

/** @import { Cell, Found, Line } from "./types" */
/** @import { Shown } from "./shown.js" */

import { offset, percent, plus, signed } from "./text.js";

const SAME = 2e-3; // sums of kernels in 16 bits differ from the picture by less

/** @param {Shown} state */
export function methodRows({ data, frames }) {
  return data.methods.map((method) => {
    const waiting = !data.panels[method.panel].image; // still at work: the row keeps the place of its kernels
    return { method, title: method.title, waiting, count: method.kernels?.count ?? (waiting ? frames : 0) };
  });
}

/**
 * What all views of kernels have in common: the share of a frame, and what it adds.
 * @param {Shown} state
 * @param {number} i
 * @param {Pick<Cell, "share" | "adds">} cell
 */
export function shareCell({ shifts }, i, { share, adds }) {
  const moved = i === 0 ? ", the reference" : shifts ? `, moved by ${offset(shifts[i])} px` : "";
  return {
    bar: share,
    text: percent(share),
    tip: `Frame ${i}${moved}: share ${signed(100 * share, 1)} %, adds ${plus(adds, 4)} to the pixel`,
  };
}

/**
 * What the picture has there: with a tick where the sum, as it is written, is the same.
 * @param {number} sum
 * @param {number} picture
 * @returns {Line}
 */
export function pictureLine(sum, picture) {
  const agrees = Math.abs(sum - picture) < SAME * Math.max(1, Math.abs(picture));
  const text = `picture ${signed(picture)}`;
  return {
    text: !agrees ? text : signed(sum) === signed(picture) ? `${text} ✓` : `≈ ${text}`,
    tip: "The picture's linear value at this pixel. ✓: the sum is the same in all digits shown; ≈: as near as kernels in 16 bits allow",
    kind: agrees ? "agrees" : "",
  };
}

/**
 * @param {Found} found
 * @returns {Line[]}
 */
export function sumLines({ cells, sum, picture }) {
  const shares = cells.reduce((total, { share }) => total + share, 0);
  return [
    { text: `= ${signed(sum)}`, tip: "The sum over the frames of patch times kernel, divided by N, taken here", kind: "total" },
    pictureLine(sum, picture),
    {
      text: `shares sum to ${percent(shares)}`,
      tip:
        "What all shares add up to: the weight of all kernels of this pixel over N, and what the network would make of a " +
        "flat area of 1. It need not be 100 %: more brightens, less darkens.",
    },
  ];
}

/**
 * The true shift of a frame, where it is to be marked.
 * @param {Shown} state
 * @param {number} i
 */
export const markedShift = ({ marks, shifts }, i) => (marks && i > 0 && shifts ? shifts[i] : null);

/**
 * The side of the box that a kernel stands in, in its pixels.
 * @param {Shown} state
 * @param {number} K
 */
export const boxOf = ({ sameScale, largest }, K) => (sameScale ? largest : K);
