// Numbers as they are written.

/** @import { Scores, Shift } from "./types" */

const DIGITS = 4; // of intensities

/**
 * A number with a true minus sign, and no minus before zero.
 * @param {number} value
 */
export function signed(value, digits = DIGITS) {
  return (Number(value.toFixed(digits)) || 0).toFixed(digits).replace("-", "−");
}

/**
 * The same with a plus before what is more than zero.
 * @param {number} value
 * @param {number} digits
 */
export function plus(value, digits) {
  return (Number(value.toFixed(digits)) > 0 ? "+" : "") + signed(value, digits);
}

/**
 * "(+2, −0.5)": shifts are whole or half pixels.
 * @param {Shift} shift
 */
export function offset(shift) {
  return `(${shift.map((d) => plus(d, Number.isInteger(d) ? 0 : 1)).join(", ")})`;
}

export const CHANNELS = ["R", "G", "B"];

/**
 * The values of all channels where there is little room: "0.412", or in color ".41 .30 .22".
 * @param {number[]} values
 */
export function brief(values) {
  if (values.some(Number.isNaN)) return "–";
  if (values.length === 1) return signed(values[0], 3);
  return values.map((value) => signed(value, 2).replace(/^(−?)0\./, "$1.")).join(" ");
}

/** @param {Scores | null} scores */
export function scoreText(scores) {
  return !scores ? "" : scores.psnr == null ? "= truth" : `${scores.psnr.toFixed(2)} dB`;
}

/** @param {number} share */
export function percent(share) {
  return `${signed(100 * share, 0)} %`;
}

/**
 * How many digits after the point the ticks of a color scale have that ends at `high`: two that count.
 * @param {number} high
 */
export function tickDigits(high) {
  return high >= 10 ? 1 : Math.max(2, 1 - Math.floor(Math.log10(high)));
}

/**
 * 0.25 -> "×0.25": a multiple.
 * @param {number} factor
 */
export function timesText(factor) {
  return `×${Number(factor.toFixed(2))}`;
}

/**
 * -2 -> "×0.25": the assumed noise as a multiple of the true one.
 * @param {number} power
 */
export function factorText(power) {
  return power === 0 ? "×1, the true one" : timesText(2 ** power);
}

/**
 * "KPN L5" -> "L5".
 * @param {{ title: string }} named
 */
export function shortTitle({ title }) {
  return title.replace(/^KPN (?=L\d)/, "");
}
