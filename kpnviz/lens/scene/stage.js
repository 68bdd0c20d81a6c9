// Where the guided scene is drawn: two pictures, a strip of eight small ones, bars. Numbers in, pixels out.

/** @import { Context, Ink, Palette, Pixel, Shift, Weights } from "../scripts/types" */

import { bitmap, cased, cellBitmap, prepare } from "../scripts/paint.js";
import { dense, encode, gray, signedRoot } from "../scripts/palette.js";
import { clamp } from "../scripts/layout.js";

/** A square part of a picture: its top left corner and its side, in pixels. */
/** @typedef {{ top: number, left: number, side: number }} View */

/** A picture as a bitmap, and how many of its values lie in a pixel of the burst, along each axis. */
/** @typedef {{ canvas: OffscreenCanvas, density: number }} Picture */

export const MARK = "#ffb000";

/**
 * A linear picture [H, W] as it is displayed.
 * @param {ArrayLike<number>} values
 * @param {number} H
 * @param {number} W
 * @param {number} white
 * @returns {Picture}
 */
export function pictureOf(values, H, W, white) {
  return { canvas: /** @type {OffscreenCanvas} */ (bitmap(H, W, (i) => gray(encode(values[i] / white)))), density: 1 };
}

const RAMP = [[16, 18, 22], [92, 52, 6], [214, 132, 0], [255, 196, 64], [255, 246, 220]]; // prettier-ignore
export const FULL_SHARE = 0.25; // the brightest color: twice what each of eight frames would get

/**
 * Shares at every second row and column, from nothing (dark) to FULL_SHARE.
 * @param {{ values: Float32Array, rows: number, columns: number }} map
 * @returns {Picture}
 */
export function pictureOfShares({ values, rows, columns }) {
  const colorOf = (/** @type {number} */ i) => {
    const place = clamp(values[i] / FULL_SHARE, 0, 1) * (RAMP.length - 1);
    const low = Math.min(Math.floor(place), RAMP.length - 2);
    const [r, g, b] = RAMP[low].map((c, k) => Math.round(c + (RAMP[low + 1][k] - c) * (place - low)));
    return (0xff000000 | (b << 16) | (g << 8) | r) >>> 0;
  };
  return { canvas: /** @type {OffscreenCanvas} */ (bitmap(rows, columns, colorOf)), density: 0.5 };
}

/**
 * A part of a picture, filling a square canvas. Returns a context, and CSS pixels per pixel of the burst.
 * @param {HTMLCanvasElement} canvas
 * @param {number} size
 * @param {Picture} picture
 * @param {View} view
 */
export function drawView(canvas, size, { canvas: source, density }, { top, left, side }) {
  const context = prepare(canvas, size, size);
  const [x, y, width] = [left, top, side].map((length) => length * density);
  context.drawImage(source, x, y, width, width, 0, 0, size, size);
  return { context, unit: size / side };
}

/**
 * The outline of a pixel, or of a square of `side` pixels around it.
 * @param {Context} context
 * @param {number} unit
 * @param {View} view
 * @param {Pixel} pixel
 */
export function markPixel(context, unit, view, [y, x], side = 1) {
  const shown = Math.max(side * unit, 7); // small pixels too
  const [middleX, middleY] = [(x + 0.5 - view.left) * unit, (y + 0.5 - view.top) * unit];
  cased(context, MARK, 2, () => context.rect(middleX - shown / 2, middleY - shown / 2, shown, shown));
}

/**
 * A kernel over a picture, where it is applied; a ring where the scene went.
 * @param {Context} context
 * @param {number} unit
 * @param {View} view
 * @param {Pixel} pixel
 * @param {{ weights: Weights, K: number, max: number, palette: Palette, shift: Shift | null, ring: string }} kernel
 */
export function drawKernelOver(context, unit, view, [y, x], { weights, K, max, palette, shift, ring }) {
  const r = (K - 1) / 2;
  bitmap(K, K, (i) => dense(weights[i] / max, palette), cellBitmap);
  context.drawImage(cellBitmap, (x - r - view.left) * unit, (y - r - view.top) * unit, K * unit, K * unit);
  markPixel(context, unit, view, [y, x], K);
  markPixel(context, unit, view, [y, x]);
  if (shift?.some(Boolean)) {
    const [cx, cy] = [(x + shift[1] + 0.5 - view.left) * unit, (y + shift[0] + 0.5 - view.top) * unit];
    cased(context, ring, 2.5, () => context.arc(cx, cy, Math.max(0.8 * unit, 5), 0, 2 * Math.PI));
  }
}

/**
 * Kernels of several sizes on their way from places of their own (together 0) to one place (1), where they are one.
 * @param {HTMLCanvasElement} canvas
 * @param {number} size
 * @param {{ kernels: { size: number, weights: Weights }[], K: number, palette: Palette, ink: Ink, font: string, together: number, picture: Picture, pixel: Pixel, width: number, title: string }} drawing
 */
export function drawSizes(canvas, size, { kernels, K, palette, ink, font, together, picture, pixel, width, title }) {
  const context = prepare(canvas, size, size);
  const fused = kernels[0].weights.map((_, i) => kernels.reduce((sum, { weights }) => sum + weights[i], 0));
  const max = fused.reduce((most, weight) => Math.max(most, Math.abs(weight)), 0);
  const columns = Math.ceil(kernels.length / 2);
  const near = together * together * (3 - 2 * together);
  const between = (/** @type {number} */ a, /** @type {number} */ b) => a + (b - a) * near;
  const side = between((0.82 * size) / columns, 0.62 * size);
  const whole = clamp((together - 0.85) / 0.15, 0, 1); // from many kernels to one
  const letters = Math.max(11, 0.034 * size);
  const small = size < 300;
  context.font = `${letters}px ${font}`;
  context.textAlign = "center";
  kernels.forEach(({ size: own, weights }, n) => {
    const x = between(((n % columns) + 0.5) * (size / columns), size / 2);
    const y = between((Math.floor(n / columns) * 0.375 + 0.175) * size, 0.36 * size);
    context.globalAlpha = 1 - whole;
    bitmap(K, K, (i) => dense(weights[i] / max, palette), cellBitmap);
    context.drawImage(cellBitmap, x - side / 2, y - side / 2, side, side);
    const box = (side * own) / K;
    context.strokeStyle = ink.line;
    context.lineWidth = 1;
    context.strokeRect(x - box / 2, y - box / 2, box, box);
    context.globalAlpha = Math.max(0, 1 - 2.5 * together);
    context.fillStyle = ink.text;
    context.fillText(`${own}×${own}`, x, y + side / 2 + letters);
  });
  if (whole > 0) {
    context.globalAlpha = whole;
    bitmap(K, K, (i) => palette.at(signedRoot(fused[i] / max)), cellBitmap);
    context.drawImage(cellBitmap, size / 2 - side / 2, 0.36 * size - side / 2, side, side);
    context.strokeStyle = ink.line;
    context.strokeRect(size / 2 - side / 2, 0.36 * size - side / 2, side, side);
    context.fillStyle = ink.text;
    context.fillText(
      small ? "their mean" : "their mean: the kernel that is applied",
      size / 2,
      0.36 * size + side / 2 + 1.3 * letters,
    );
  }
  context.globalAlpha = 1;
  // Where it is.
  const inset = 0.2 * size;
  const unit = inset / width;
  const [left, top] = [0.04 * size, 0.77 * size];
  context.drawImage(picture.canvas, left, top, inset, inset);
  const [cx, cy] = [left + (pixel[1] + 0.5) * unit, top + (pixel[0] + 0.5) * unit];
  cased(context, MARK, 2, () => context.arc(cx, cy, 4, 0, 2 * Math.PI));
  context.textAlign = "left";
  context.fillStyle = ink.text;
  context.fillText(
    small ? `y ${pixel[0]}, x ${pixel[1]}` : title,
    left + inset + letters,
    top + 0.5 * inset + 0.35 * letters,
  );
}

/**
 * How much of the weight each size carries.
 * @param {HTMLCanvasElement} canvas
 * @param {{ kernels: { size: number, carries: number }[], ink: Ink, font: string, color: string }} drawing
 */
export function drawBars(canvas, { kernels, ink, font, color }) {
  const { width, height } = canvas.getBoundingClientRect();
  const context = prepare(canvas, width, height);
  const column = width / kernels.length;
  const full = height - 40;
  context.textAlign = "center";
  context.font = `${Math.max(11, Math.min(13, column / 4))}px ${font}`;
  kernels.forEach(({ size, carries }, n) => {
    const x = (n + 0.5) * column;
    const high = full * Math.min(carries / 0.75, 1);
    context.fillStyle = color;
    context.fillRect(x - 0.3 * column, height - 20 - high, 0.6 * column, high);
    context.fillStyle = ink.text;
    context.fillText(`${Math.round(100 * carries)} %`, x, height - 25 - high);
    context.fillText(column < 40 ? String(size) : `${size}×${size}`, x, height - 5);
  });
}
