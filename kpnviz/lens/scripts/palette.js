// Colors of numbers.

/** @import { Palette } from "./types" */

// Diverging, color-blind safe (ColorBrewer RdBu), as in figures/style.py. On a dark page zero is dark, so that calm stays
// calm, and both ends keep their hue.
export const STOPS = {
  light: ["#053061", "#2166ac", "#4393c3", "#92c5de", "#f7f7f7", "#f4a582", "#d6604d", "#b2182b", "#67001f"],
  dark: ["#6ab7fe", "#2397f1", "#1575be", "#185383", "#1b1f26", "#7d3829", "#b44d36", "#e56549", "#fd8e74"],
};
const STEPS = 255;

/**
 * Packed ABGR colors of -1..1, and the same as CSS colors.
 * @param {string[]} stops
 * @returns {Palette}
 */
function makePalette(stops) {
  const rgb = stops.map((hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)));
  const colors = Uint32Array.from({ length: 2 * STEPS + 1 }, (_, i) => {
    const position = (i / (2 * STEPS)) * (stops.length - 1);
    const low = Math.min(Math.floor(position), stops.length - 2);
    const [r, g, b] = rgb[low].map((c, k) => Math.round(c + (rgb[low + 1][k] - c) * (position - low)));
    return (0xff000000 | (b << 16) | (g << 8) | r) >>> 0;
  });
  return { colors, css: stops, at: (t) => colors[Math.round((Math.min(Math.max(t, -1), 1) + 1) * STEPS)] };
}

export const PALETTES = { light: makePalette(STOPS.light), dark: makePalette(STOPS.dark) };

const VIRIDIS = [
  "#440154",
  "#482878",
  "#3e4989",
  "#31688e",
  "#26828e",
  "#1f9e89",
  "#35b779",
  "#6ece58",
  "#b5de2b",
  "#fde725",
];

/** Numbers from dark to bright, as in the figures of Python (Viridis). */
export const SEQUENTIAL = makePalette(VIRIDIS);

/** What matching costs: bright where the scene is alike. */
export const COSTS = makePalette([...VIRIDIS].reverse());

/** Lines over and around kernels. Marks have a casing of `faint`: on any color of the palette one of both is seen. */
export const INKS = {
  light: { line: "rgba(0, 0, 0, 0.3)", faint: "rgba(255, 255, 255, 0.9)" },
  dark: { line: "rgba(255, 255, 255, 0.28)", faint: "rgba(0, 0, 0, 0.9)" },
};

/**
 * The sRGB transfer (IEC 61966-2-1) of a linear value, clipped to 0..1.
 * @param {number} linear
 */
export function encode(linear) {
  const x = Math.min(Math.max(linear, 0), 1);
  return x <= 0.0031308 ? 12.92 * x : 1.055 * x ** (1 / 2.4) - 0.055;
}

/**
 * The packed color of a value 0..1.
 * @param {number} value
 */
export function gray(value) {
  return (0xff000000 | (Math.round(255 * value) * 0x010101)) >>> 0;
}

/**
 * The packed color of values 0..1.
 * @param {number} r
 * @param {number} g
 * @param {number} b
 */
export function rgb(r, g, b) {
  return (0xff000000 | (Math.round(255 * b) << 16) | (Math.round(255 * g) << 8) | Math.round(255 * r)) >>> 0;
}

/**
 * Weights are colored by their signed square root: the reference's kernel is often ten times as strong as the others, and
 * both are to be seen. The color bar's ticks say so.
 * @param {number} t
 */
export function signedRoot(t) {
  return Math.sign(t) * Math.sqrt(Math.abs(t));
}

/**
 * The color of a weight (relative to the end of the scale) over a picture: as dense as it is strong.
 * @param {number} weight
 * @param {Palette} palette
 */
export function dense(weight, { colors }) {
  const color = colors[Math.round((weight < 0 ? 0.28 : 1.72) * STEPS)];
  return ((color & 0xffffff) | (Math.round(210 * Math.min(Math.abs(signedRoot(weight)), 1)) << 24)) >>> 0;
}
