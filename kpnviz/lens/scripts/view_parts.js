// What views of kernels have in common.

/** @import { Cell, Found, Line, Shift } from "./types" */
/** @import { Shown } from "./shown.js" */

import { shapeOf } from "./kernels.js";
import { CHANNELS, offset, percent, plus, signed } from "./text.js";

const NO_KERNEL = {
  text: "no kernel here",
  tip: "Its convolutions are valid: its picture is smaller than the frames, and this pixel is beyond it",
};

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
  const moved = i === 0 ? ", the reference" : shifts ? `, moved by ${offset(shifts[i])} px (dy, dx)` : "";
  return {
    bar: share,
    text: percent(share),
    tip: `Frame ${i}${moved}: share ${signed(100 * share, 1)} %, adds ${adds.map((one) => plus(one, 4)).join(", ")} to the pixel`,
  };
}

/**
 * The statistics of a kernel's shape.
 * @param {ArrayLike<number>} weights
 * @param {number} K
 * @param {Shift | null} centroid
 */
export function shapeText(weights, K, centroid) {
  const { spread, entropy } = shapeOf(weights, K, centroid);
  const [dy, dx] = centroid ?? [0, 0];
  return `spread ${signed(spread, 2)} px, entropy ${signed(entropy, 2)} bits, centroid dy ${signed(dy, 2)}, dx ${signed(dx, 2)} px`;
}

/**
 * What the picture has there: with a tick where the sum, as it is written, is the same.
 * @param {number} sum
 * @param {number} picture
 * @param {number} allowed  how far both may differ, as kernels are rounded
 * @returns {Line}
 */
export function pictureLine(sum, picture, allowed) {
  const agrees = Math.abs(sum - picture) <= allowed;
  const text = `picture ${signed(picture)}`;
  return {
    text: !agrees ? text : signed(sum) === signed(picture) ? `${text} ✓` : `≈ ${text}`,
    tip: `The picture's linear value at this pixel. ${tickText(allowed)}`,
    kind: agrees ? "agrees" : "",
  };
}

/** @param {number} allowed */
function tickText(allowed) {
  return `✓: the sum is the same in all digits shown; ≈: within ${Number(allowed.toPrecision(2))}, because the kernels here are rounded`;
}

/**
 * A channel's sum, and beside it the picture's value where they differ.
 * @param {number} sum
 * @param {number} picture
 * @param {number} allowed
 * @param {number} c
 * @returns {Line}
 */
function channelLine(sum, picture, allowed, c) {
  const agrees = Math.abs(sum - picture) <= allowed;
  const same = signed(sum) === signed(picture);
  return {
    text: `${CHANNELS[c]} ${signed(sum)} ${agrees ? (same ? "✓" : "≈") : `(${signed(picture)})`}`,
    tip: `${CHANNELS[c]}, linear intensity: the kernels make ${signed(sum)}, the picture has ${signed(picture)}. ${tickText(allowed)}`,
    kind: agrees ? "total agrees" : "total",
  };
}

/**
 * What the kernels make of the frames, and whether the picture has it: of each channel.
 * @param {number[]} sums
 * @param {Found} found
 * @param {string} whose
 * @returns {Line[]}
 */
export function receipt(sums, { pictures, allowed }, whose) {
  if (sums.length === 1)
    return [
      { text: `= ${signed(sums[0])}`, tip: `${whose}, linear intensity`, kind: "total" },
      pictureLine(sums[0], pictures[0], allowed),
    ];
  const unit = {
    text: "linear intensity",
    kind: "unit",
    tip: "White is 1, or the burst's white level; the frames and pictures are kept so",
  };
  return [...sums.map((sum, c) => channelLine(sum, pictures[c], allowed, c)), unit];
}

/**
 * @param {Found} found
 * @returns {Line[]}
 */
export function sumLines(found) {
  if (!found.covered) return [NO_KERNEL];
  const { cells, sums, field } = found;
  const mean = field.rule.reduce === "mean";
  const shares = cells.reduce((total, { share }) => total + share, 0);
  return [
    ...receipt(
      sums,
      found,
      `The sum over the frames of patch times kernel${mean ? ", divided by the number of frames" : ""}, taken here`,
    ),
    {
      text: `shares: ${percent(shares)}`,
      kind: "shares-sum",
      tip:
        `What all shares add up to: the weight of all kernels of this pixel${mean ? ", divided by the number of frames" : ""}. By so much a flat area is multiplied: ` +
        "100 % keeps its brightness, more brightens, less darkens.",
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

/**
 * That something is divided by the number of frames, where all methods on this page take the mean of their frames.
 * @param {Shown} state
 */
export function overN({ kernelMethods }) {
  const kinds = new Set(kernelMethods.map(({ kernels }) => kernels.rule.reduce));
  const divided = ", divided by the number of frames";
  return !kinds.has("sum") ? divided : kinds.has("mean") ? `${divided} where a method takes their mean` : "";
}

const MAX_IDEAL_WEIGHTS = 20_000; // of which the equations can be solved while one waits

/**
 * A sentence where ideal kernels of so many weights cannot be computed, or "".
 * @param {Shown} state
 * @param {number} weights
 */
export function missingForIdeal({ truth, waiting, byHand, data: { clean, noise } }, weights) {
  if (waiting) return "";
  if (byHand.isMoved) return "They are those of the frames as they were taken, and one is moved by hand: put it back.";
  if (!truth?.image || !noise) {
    const unknown = truth ? "the noise is" : noise ? "the truth is" : "both are";
    return `They need the truth and the noise; of this burst ${unknown} unknown.`;
  }
  if (!clean) return "They need the frames without noise, which are not here.";
  return weights > MAX_IDEAL_WEIGHTS
    ? `They are computed for up to ${MAX_IDEAL_WEIGHTS} weights; here are ${weights}.`
    : "";
}

/**
 * How exact kernels are as they travel.
 * @param {Shown} state
 */
export function roundingText({ kernelMethods }) {
  const lossy = kernelMethods.filter(({ kernels }) => kernels.lossy);
  if (!lossy.length)
    return kernelMethods.some(({ kernels }) => kernels.error === null)
      ? ": ✓ in all digits shown, ≈ to about 0.001, because the kernels here are rounded"
      : "";
  return `, with kernels in 8 bits to ${lossy.map(({ title, kernels }) => `${Number(kernels.error?.toPrecision(2))} (${title})`).join(", ")}`;
}
