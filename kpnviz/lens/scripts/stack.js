// The frames of a burst as a stack of sheets that one looks at from above, frame 0 on top, and on each the kernel of the
// pixel, where it is applied.

/** @import { Cell, Context, Ink, Palette, Shift } from "./types" */

import { bitmap, cased, cellBitmap } from "./paint.js";
import { dense } from "./palette.js";

const LEAN = 0.22; // of a sheet's height, by which its lower edge lies to the left of its upper one
const [FLAT, FLATTEST] = [0.5, 0.3]; // how high a sheet looks, of its height: few sheets, many
const FEW = 4;
const MARGIN = 6; // CSS pixels
const TOP = 34; // CSS pixels, for the name of the method
const NAMES = 16; // CSS pixels at the left, for the numbers of the frames
const RING_POINTS = 24;

export const MARK = "#ffb000";

/**
 * Where the sheets of `count` pictures of width x height lie in a box of the same size. A point (u, v) of picture i, in CSS
 * pixels, is at [x + across * u - lean * v, y + down * v] with its [x, y] of `origins`.
 * @param {number} width
 * @param {number} height
 * @param {number} count
 */
export function stackOf(width, height, count) {
  const down = count <= FEW ? FLAT : FLATTEST;
  const lean = LEAN;
  const across = (width - 2 * MARGIN - NAMES - lean * height) / width;
  const apart = count > 1 ? (height * (1 - down) - TOP - MARGIN) / (count - 1) : 0;
  const first = count > 1 ? TOP : (height * (1 - down)) / 2;
  const origins = Array.from({ length: count }, (_, i) => [MARGIN + NAMES + lean * height, first + i * apart]);
  return { across, lean, down, origins };
}

/** @typedef {ReturnType<typeof stackOf>} Stack */

/**
 * The point of a picture at a point of the stack: of the topmost sheet there; beside all sheets null.
 * @param {Stack} stack
 * @param {number[]} at
 * @param {number[]} size
 */
export function flatten({ across, lean, down, origins }, [px, py], [width, height]) {
  for (const [x, y] of origins) {
    const v = (py - y) / down;
    const u = (px - x + lean * v) / across;
    if (u >= 0 && u < width && v >= 0 && v < height) return [u, v];
  }
  return null;
}

/**
 * The sheets, from the lowest up.
 * @param {Context} context
 * @param {Stack} stack
 * @param {number[]} size
 * @param {{ ink: Ink, chosen: number, draw: (i: number) => void }} drawing  draw: picture i at (0, 0), over width x height
 */
export function drawSheets(context, { across, lean, down, origins }, [width, height], { ink, chosen, draw }) {
  for (let i = origins.length - 1; i >= 0; i--) {
    const [x, y] = origins[i];
    context.save();
    context.transform(across, 0, -lean, down, x, y);
    context.beginPath();
    context.rect(0, 0, width, height);
    context.clip();
    draw(i);
    context.restore();
    const corners = [[0, 0], [width, 0], [width, height], [0, height]].map(([u, v]) => [x + across * u - lean * v, y + down * v]); // prettier-ignore
    cased(context, i === chosen ? MARK : "rgba(255, 255, 255, 0.75)", i === chosen ? 2 : 1, () =>
      polygon(context, corners),
    );
    context.fillStyle = ink.text;
    context.font = "11px system-ui, sans-serif";
    context.textBaseline = "middle";
    context.textAlign = "right";
    context.fillText(`${i}`, x - lean * height - 4, y + down * height - 6);
  }
}

/**
 * On every sheet the pixel with its kernel, the square in which the kernel is applied, and a ring where the scene of the
 * pixel went; and a line through them all.
 * @param {Context} context
 * @param {Stack} stack
 * @param {number[]} size
 * @param {{ corner: number[], scale: number, K: number, cells: Cell[], shifts: Shift[] | null, max: number, palette: Palette, ink: Ink, weight: number }} drawing
 *   corner: the left and top edge of the pixel on a picture, CSS pixels; scale: CSS pixels of a pixel
 */
export function drawCore(
  context,
  { across, lean, down, origins },
  [width, height],
  { corner, scale, K, cells, shifts, max, palette, ink, weight },
) {
  const [left, top] = corner;
  const middle = [left + scale / 2, top + scale / 2];
  const inside = (/** @type {number[]} */ [u, v]) => u >= 0 && u <= width && v >= 0 && v <= height;
  if (!inside(middle)) return;
  /** @returns {[number, number]} */
  const placeOf = (/** @type {number} */ i, /** @type {number[]} */ [u, v]) => [
    origins[i][0] + across * u - lean * v,
    origins[i][1] + down * v,
  ];
  const line = () => origins.forEach((_, i) => context[i ? "lineTo" : "moveTo"](...placeOf(i, middle)));
  cased(context, "rgba(255, 255, 255, 0.8)", 1, line);
  const r = (K - 1) / 2;
  for (let i = origins.length - 1; i >= 0; i--) {
    const cell = cells[i];
    if (cell) {
      bitmap(K, K, (j) => dense(cell.weights[j] / max, palette), cellBitmap);
      context.save();
      context.transform(across, 0, -lean, down, origins[i][0], origins[i][1]);
      context.beginPath();
      context.rect(0, 0, width, height);
      context.clip();
      context.drawImage(cellBitmap, left - r * scale, top - r * scale, K * scale, K * scale);
      context.restore();
    }
    const [a, b] = [cell ? r : 0, cell ? r + 1 : 1].map((n, end) => (end ? 1 : -1) * n * scale);
    const square = [[a, a], [b, a], [b, b], [a, b]].map(([du, dv]) => placeOf(i, [left + du, top + dv])); // prettier-ignore
    cased(context, MARK, 1.25 * weight, () => polygon(context, square), undefined, 1.5);
    const shift = i > 0 ? shifts?.[i] : null;
    if (!shift) continue;
    const at = [middle[0] + shift[1] * scale, middle[1] + shift[0] * scale];
    const radius = Math.max(0.6 * scale, 5);
    const ring = Array.from({ length: RING_POINTS }, (_, n) => (2 * Math.PI * n) / RING_POINTS).map((angle) =>
      placeOf(i, [at[0] + radius * Math.cos(angle), at[1] + radius * Math.sin(angle)]),
    );
    if (inside(at)) cased(context, ink.shift, 1.5 * weight, () => polygon(context, ring));
  }
}

/**
 * @param {Context} context
 * @param {number[][]} points
 */
function polygon(context, points) {
  points.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
  context.closePath();
}
