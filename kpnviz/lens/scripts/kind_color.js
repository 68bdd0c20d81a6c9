// The colors of kinds of kernels, on maps and beside their mean kernels.

import { rgb } from "./palette.js";

// Told apart by people who see few colors, too (Okabe and Ito), the narrowest kind first.
const COLORS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#999999"];

/** @param {number} kind */
export function kindColor(kind) {
  const [r, g, b] = [1, 3, 5].map((i) => parseInt(COLORS[kind % COLORS.length].slice(i, i + 2), 16) / 255);
  return rgb(r, g, b);
}
