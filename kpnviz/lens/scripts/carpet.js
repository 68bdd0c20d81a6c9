// Kernels all over the picture, on a grid that gets finer as one zooms.

/** @import { Context, Ink, KernelMethod, Palette } from "./types" */
/** @import { State } from "./state.js" */

import { strongest } from "./kernels.js";
import { bitmap, cellBitmap } from "./paint.js";
import { dense } from "./palette.js";
import { CHANNELS } from "./text.js";

const CARPET_CELL = 26; // CSS pixels, the least that a kernel is wide
const CARPET_PALE = 0.3; // how much of the picture is left under the kernels

/**
 * How many pixels apart kernels stand where a pixel is `scale` CSS pixels wide: a power of two, so that zooming in adds
 * kernels between those that are there.
 * @param {number} scale
 */
export function carpetStep(scale, least = CARPET_CELL) {
  return 2 ** Math.max(0, Math.ceil(Math.log2(least / scale)));
}

/**
 * The middles [y, x] of the cells of that grid that are seen, of a view of rows x columns pixels from (top, left) on.
 * @param {number} top
 * @param {number} left
 * @param {number} rows
 * @param {number} columns
 * @param {number} H
 * @param {number} W
 * @param {number} step
 */
export function carpetPixels(top, left, rows, columns, H, W, step) {
  const middles = (/** @type {number} */ from, /** @type {number} */ length, /** @type {number} */ n) => {
    const found = [];
    for (let cell = Math.floor(Math.max(from, 0) / step); cell * step < Math.min(from + length, n); cell++)
      found.push(Math.min(cell * step + (step >> 1), n - 1));
    return found;
  };
  return middles(top, rows, H).flatMap((y) => middles(left, columns, W).map((x) => [y, x]));
}

/**
 * What is seen, a sentence.
 * @param {State} state
 */
export function carpetText({ scale, frame, channel, channelMatters }) {
  const step = carpetStep(scale);
  const apart = step === 1 ? "at every pixel" : `${step} px apart`;
  const of = channelMatters ? `, channel ${CHANNELS[channel]}` : "";
  return `Kernels of frame ${frame}${of}, ${apart}. Zoom in for more; keys 0–9: other frames.`;
}

/**
 * Draw a frame's kernels of a method over its picture, which is on the canvas already. Colors are as dense as a weight is
 * strong.
 * @param {Context} context
 * @param {number[]} size
 * @param {State} state
 * @param {KernelMethod} method
 * @param {Palette} palette
 * @param {Ink} ink
 */
export function drawCarpet(context, [width, height], state, method, palette, ink) {
  const { view, scale, data, frame } = state;
  const step = carpetStep(scale);
  context.fillStyle = ink.paper;
  context.globalAlpha = 1 - CARPET_PALE;
  context.fillRect(0, 0, width, height);
  context.globalAlpha = 1;
  const field = state.fieldOf(method);
  const { K } = field;
  if (frame >= field.count) return; // it takes fewer frames
  const cells = carpetPixels(view.y, view.x, height / scale, width / scale, data.height, data.width, step);
  const places = cells.filter(([y, x]) => field.covers(y, x));
  const kernels = places.map(([y, x]) => field.frameAt(frame, y, x, state.channel));
  // Nine of ten kernels are within the scale: a few that are all but a delta would make the others pale.
  const ends = kernels.map(strongest).sort((a, b) => a - b);
  const common = ends[Math.floor(0.9 * (ends.length - 1))];
  const [gap, side] = [step * scale > 20 ? 2 : 1, step * scale];
  kernels.forEach((weights, n) => {
    const max = (state.each ? strongest(weights) : common) / 2 ** state.contrast || 1;
    bitmap(K, K, (i) => dense(weights[i] / max, palette), cellBitmap);
    const [top, left] = places[n].map((at, axis) => (Math.floor(at / step) * step - [view.y, view.x][axis]) * scale);
    context.drawImage(cellBitmap, left + gap / 2, top + gap / 2, side - gap, side - gap);
    context.strokeStyle = ink.line;
    context.lineWidth = 1;
    context.strokeRect(left + gap / 2, top + gap / 2, side - gap, side - gap);
  });
}
