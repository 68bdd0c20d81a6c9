// Drawing: numbers in, pixels on a canvas out.

/** @import { Context, Ink, Palette, Shift } from "./types" */

import { clamp } from "./layout.js";
import { COSTS, dense, SEQUENTIAL, signedRoot } from "./palette.js";

/**
 * @param {HTMLCanvasElement} canvas
 * @returns {Context}
 */
export function contextOf(canvas) {
  return /** @type {Context} */ (canvas.getContext("2d"));
}

/**
 * A bitmap [H, W] of one color per value, on a canvas that is then drawn, enlarged, on others.
 * @param {number} H
 * @param {number} W
 * @param {(i: number) => number} colorOf
 */
export function bitmap(H, W, colorOf, canvas = new OffscreenCanvas(W, H)) {
  if (canvas.width !== W || canvas.height !== H) Object.assign(canvas, { width: W, height: H });
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const image = context.createImageData(W, H);
  const pixels = new Uint32Array(image.data.buffer);
  for (let i = 0; i < pixels.length; i++) pixels[i] = colorOf(i);
  context.putImageData(image, 0, 0);
  return canvas;
}

/**
 * Give a canvas the device pixels of its CSS size; returns a context that counts in CSS pixels, cleared.
 * @param {HTMLCanvasElement} canvas
 * @param {number} width
 * @param {number} height
 */
export function prepare(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
  const context = contextOf(canvas);
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.imageSmoothingEnabled = false;
  return context;
}

/**
 * A line that is seen on any ground: a casing under it, wider by `more`.
 * @param {Context} context
 * @param {string} color
 * @param {number} width
 * @param {() => void} path
 */
export function cased(context, color, width, path, casing = "rgba(0, 0, 0, 0.55)", more = 2) {
  /** @type {[string, number][]} */
  const strokes = [[casing, width + more], [color, width]]; // prettier-ignore
  for (const [style, lineWidth] of strokes) {
    context.strokeStyle = style;
    context.lineWidth = lineWidth;
    context.beginPath();
    path();
    context.stroke();
  }
}

/**
 * CSS pixels that the casing of a mark is wider than the mark, where a weight is `unit` wide: small weights stay in sight.
 * @param {number} unit
 */
const casingOf = (unit) => (unit < 5 ? 1 : 2);

/** One for all kernels: it is drawn on another canvas at once. */
export const cellBitmap = new OffscreenCanvas(1, 1);

/**
 * A kernel of K*K weights in a box, as wide as side / boxSize of it; colors end at `max`. centroid and shift: marks, (dy, dx)
 * in pixels from the middle, or null.
 * @typedef {object} KernelDrawing
 * @property {ArrayLike<number>} weights
 * @property {number} K
 * @property {number} max
 * @property {number} boxSize
 * @property {Palette} palette
 * @property {Ink} ink
 * @property {Shift | null} centroid
 * @property {Shift | null | undefined} shift
 */

/**
 * A square of side x side values in a box of `size` CSS pixels, filled, or where `boxSize` is larger than the side, as
 * much of it as side / boxSize. Returns the context, the square's left and top edge, and CSS pixels a value.
 * @param {HTMLCanvasElement} canvas
 * @param {number} size
 * @param {number} side
 * @param {number} boxSize
 * @param {(i: number) => number} colorOf
 * @param {string} line
 */
function drawSquare(canvas, size, side, boxSize, colorOf, line) {
  const context = prepare(canvas, size, size);
  const unit = (size - 2) / boxSize;
  const left = (size - unit * side) / 2;
  bitmap(side, side, colorOf, cellBitmap);
  context.drawImage(cellBitmap, left, left, unit * side, unit * side);
  context.lineWidth = 1;
  context.strokeStyle = line;
  context.strokeRect(left - 0.5, left - 0.5, unit * side + 1, unit * side + 1);
  return { context, left, unit };
}

/**
 * One kernel.
 * @param {HTMLCanvasElement} canvas
 * @param {number} size
 * @param {KernelDrawing} kernel
 */
export function drawKernel(canvas, size, { weights, K, max, boxSize, palette, ink, centroid, shift }) {
  const colorOf = (/** @type {number} */ i) => palette.at(signedRoot(weights[i] / max));
  const { context, unit } = drawSquare(canvas, size, K, boxSize, colorOf, ink.line);
  drawMarks(context, size, unit, { centroid, shift, ink });
}

/**
 * The costs of all displacements up to K / 2, from 0 (bright) to max; the least is marked like a centroid.
 * @param {HTMLCanvasElement} canvas
 * @param {number} size
 * @param {Omit<KernelDrawing, "palette">} costs
 */
export function drawCosts(canvas, size, { weights, K, max, boxSize, ink, centroid, shift }) {
  const colorOf = (/** @type {number} */ i) => COSTS.at(2 * Math.sqrt(Math.max(weights[i], 0) / max) - 1);
  const { context, unit } = drawSquare(canvas, size, K, boxSize, colorOf, ink.line);
  drawMarks(context, size, unit, { centroid, shift, ink: { ...ink, text: "#fff", faint: "#000" } });
}

/**
 * A frame's patch of side x side pixels, with the kernel over it in colors that are as dense as it is strong.
 * @param {HTMLCanvasElement} canvas
 * @param {number} size
 * @param {Omit<KernelDrawing, "boxSize" | "centroid"> & { side: number, colorOf: (i: number) => number }} drawing
 */
export function drawPatch(canvas, size, { side, colorOf, weights, K, max, palette, ink, shift }) {
  const { context, unit } = drawSquare(canvas, size, side, side, colorOf, ink.line);
  const left = (size - unit * K) / 2;
  bitmap(K, K, (i) => dense(weights[i] / max, palette), cellBitmap);
  context.drawImage(cellBitmap, left, left, unit * K, unit * K);
  cased(context, "#ffb000", ink.weight, () => context.rect(left, left, unit * K, unit * K));
  drawMarks(context, size, unit, { centroid: null, shift, ink });
}

/**
 * A frame's patch times its kernel: what each of its pixels gives to the sum.
 * @param {HTMLCanvasElement} canvas
 * @param {number} size
 * @param {Pick<KernelDrawing, "K" | "max" | "boxSize" | "palette" | "ink"> & { products: ArrayLike<number> }} drawing
 */
export function drawProduct(canvas, size, { products, K, max, boxSize, palette, ink }) {
  drawSquare(canvas, size, K, boxSize, (i) => palette.at(signedRoot(products[i] / max)), ink.line);
}

const FACTORS = 0.2; // of a box, for factors above and at the left of their kernel
const FACTOR_COLOR = 0.6; // of the palette's ends

/**
 * A kernel with the factors whose product it is: u as bars at its left, v above it; both end at `end`. Without factors their
 * place is empty. A thin square shows how large the largest kernel is: around the others there are zeros.
 * @param {HTMLCanvasElement} canvas
 * @param {number} size
 * @param {KernelDrawing & { u: ArrayLike<number> | null, v: ArrayLike<number> | null, end: number }} drawing
 */
export function drawFactors(canvas, size, { weights, K, max, boxSize, palette, ink, centroid, shift, u, v, end }) {
  const context = prepare(canvas, size, size);
  const margin = Math.round(FACTORS * size);
  const side = size - margin;
  const unit = (side - 2) / boxSize;
  const left = margin + (side - unit * K) / 2;
  bitmap(K, K, (i) => palette.at(signedRoot(weights[i] / max)), cellBitmap);
  context.drawImage(cellBitmap, left, left, unit * K, unit * K);
  context.lineWidth = 1;
  context.strokeStyle = ink.line;
  if (K < boxSize) context.strokeRect(margin + 0.5, margin + 0.5, side - 1, side - 1);
  context.strokeRect(left - 0.5, left - 0.5, unit * K + 1, unit * K + 1);
  const thick = Math.max(unit - (unit > 4 ? 1 : 0), 1);
  for (let i = 0; u && v && i < K; i++) {
    const [place, most] = [left + i * unit + (unit - thick) / 2, margin - 4];
    const [across, down] = [u[i], v[i]].map((value) =>
      Math.max(Math.min(Math.abs(value) / end, 1) * most, value ? 1 : 0),
    );
    const base = left - 3;
    context.fillStyle = css(palette.at(Math.sign(u[i]) * FACTOR_COLOR));
    context.fillRect(base - across, place, across, thick);
    context.fillStyle = css(palette.at(Math.sign(v[i]) * FACTOR_COLOR));
    context.fillRect(place, base - down, thick, down);
  }
  context.save();
  context.translate(margin, margin);
  drawMarks(context, side, unit, { centroid, shift, ink });
  context.restore();
}

/**
 * A packed color as CSS has it.
 * @param {number} color
 */
export function css(color) {
  return `rgb(${color & 255} ${(color >> 8) & 255} ${(color >> 16) & 255})`;
}

/**
 * The response to all frequencies, [side, side], in colors of 0 to 1; its rim is half a cycle a pixel. It is smooth.
 * @param {HTMLCanvasElement} canvas
 * @param {number} size
 * @param {{ values: ArrayLike<number>, side: number, ink: Ink }} response
 */
export function drawResponse(canvas, size, { values, side, ink }) {
  const context = prepare(canvas, size, size);
  bitmap(side, side, (i) => SEQUENTIAL.at(2 * values[i] - 1), cellBitmap);
  context.imageSmoothingEnabled = true;
  context.drawImage(cellBitmap, 1, 1, size - 2, size - 2);
  context.lineWidth = 1;
  context.strokeStyle = ink.line;
  context.strokeRect(0.5, 0.5, size - 1, size - 1);
}

/**
 * Thin, around a weight or beside its middle: the weights stay in sight.
 * @param {Context} context
 * @param {number} size
 * @param {number} unit
 * @param {Pick<KernelDrawing, "centroid" | "shift" | "ink">} marks
 */
function drawMarks(context, size, unit, { centroid, shift, ink }) {
  const middle = size / 2;
  if (shift)
    drawShift(
      context,
      size,
      [middle + shift[1] * unit, middle + shift[0] * unit],
      clamp(0.62 * unit, 3.5, 0.24 * size),
      ink,
      casingOf(unit),
    );
  if (!centroid) return;
  // Where its lines fill whole pixels of the screen: between two, they would be half as strong.
  const whole = (/** @type {number} */ place) => Math.round(place - ink.weight / 2) + ink.weight / 2;
  const [x, y] = [whole(middle + centroid[1] * unit), whole(middle + centroid[0] * unit)];
  const arms = () => {
    for (const [dx, dy] of [
      [1, 0],
      [-1, 0],
      [0, 1],
      [0, -1],
    ]) {
      context.moveTo(x + 1.5 * ink.weight * dx, y + 1.5 * ink.weight * dy);
      context.lineTo(x + 4.5 * ink.weight * dx, y + 4.5 * ink.weight * dy);
    }
  };
  cased(context, ink.text, ink.weight, arms, ink.faint, casingOf(unit));
}

/**
 * A ring where the scene went; at the edge of the box an arrow head, if that lies outside.
 * @param {Context} context
 * @param {number} size
 * @param {number[]} at
 * @param {number} radius
 * @param {Ink} ink
 * @param {number} casing
 */
function drawShift(context, size, [x, y], radius, ink, casing) {
  const half = size / 2;
  const out = Math.max(Math.abs(x - half), Math.abs(y - half)) / (half - 2);
  if (out <= 1)
    return cased(
      context,
      ink.shift,
      1.25 * ink.weight,
      () => context.arc(x, y, radius, 0, 2 * Math.PI),
      ink.faint,
      casing,
    );
  const [tipX, tipY] = [half + (x - half) / out, half + (y - half) / out];
  const angle = Math.atan2(y - half, x - half);
  /** @returns {[number, number]} */
  const corner = (/** @type {number} */ turn) => [tipX - 9 * Math.cos(angle + turn), tipY - 9 * Math.sin(angle + turn)];
  context.fillStyle = ink.shift;
  context.beginPath();
  context.moveTo(tipX, tipY);
  context.lineTo(...corner(0.45));
  context.lineTo(...corner(-0.45));
  context.closePath();
  context.strokeStyle = ink.faint;
  context.lineWidth = casing;
  context.stroke();
  context.fill();
}

/**
 * A pin of some height with its tip at (x, y).
 * @param {Context} context
 * @param {number} x
 * @param {number} y
 * @param {number} height
 * @param {string} color
 */
export function drawPin(context, x, y, height, color) {
  const radius = 0.32 * height;
  const middle = y - height + radius;
  context.beginPath();
  context.arc(x, middle, radius, 0.85 * Math.PI, 2.15 * Math.PI); // open below
  context.lineTo(x, y);
  context.closePath();
  context.fillStyle = color;
  context.strokeStyle = "rgba(0, 0, 0, 0.75)";
  context.lineWidth = 1.5;
  context.fill();
  context.stroke();
  context.beginPath();
  context.arc(x, middle, 0.4 * radius, 0, 2 * Math.PI);
  context.fillStyle = "#15181d";
  context.fill();
}
