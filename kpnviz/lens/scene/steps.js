// The steps of the guided scene: what each draws, and the numbers that it states. All of it is computed from the frames
// and the kernels that are shown.

/** @import { Scene } from "./scene.js" */
/** @import { View } from "./stage.js" */

import { drawKernel, drawPatch } from "../scripts/paint.js";
import { applyKernels, patchAt, strongest } from "../scripts/kernels.js";
import { encode, gray } from "../scripts/palette.js";
import { factorText, percent, plus, signed } from "../scripts/text.js";
import { meanShare, spreadOf } from "./arithmetic.js";
import { drawBars, drawKernelOver, drawSizes, drawView, FULL_SHARE, markPixel } from "./stage.js";

/**
 * part: the payload that it needs; plays: what moves by itself; steered: the mouse moves the pixel; near: it is looked at
 * closely; paint: draw all, and write what is measured.
 * @typedef {object} Step
 * @property {"burst" | "kernels" | "noise" | "sizes" | null} part
 * @property {"frames" | "noise" | "together" | null} plays
 * @property {number} [milliseconds]  that a frame stays
 * @property {boolean} [steered]
 * @property {boolean} [near]
 * @property {(scene: Scene) => void} paint
 */

const CLOSE = 49; // pixels a side of the part that is looked at closely
const PATCH = 15; // of the patches in the strip
const KEY = "red adds, blue subtracts"; // what the colors of weights mean

/**
 * "dy +2, dx −3 px", down and to the right.
 * @param {number[]} shift
 */
const alongAxes = ([dy, dx]) => `dy ${plus(dy, 0)}, dx ${plus(dx, 0)} px`;

/**
 * @param {number} frame
 * @param {number[]} shift
 */
const movedText = (frame, shift) => (frame ? `moved ${alongAxes(shift)}` : "the reference");

/**
 * The kernels of all frames at the pixel, and what they do there.
 * @param {Scene} scene
 */
function lookAt(scene) {
  const { pixel, data: { payload, field } } = scene; // prettier-ignore
  const { K, cells, sums: [sum] } = applyKernels(payload.frames, field.setsAt(...pixel), field.rule, ...pixel); // prettier-ignore
  const found = { K, sum, cells: cells.map((cell) => ({ ...cell, adds: cell.adds[0] })) }; // of its one channel
  return { ...found, max: Math.max(...found.cells.map(({ weights }) => strongest(weights))) };
}

/** @param {Scene} scene */
function paintBurst(scene) {
  const { frame, data, page } = scene;
  const { payload, whole } = data;
  const { left, right } = page.canvases;
  drawView(left, page.size, data.frameAt(frame), whole);
  drawView(right, page.size, data.meanUpTo(frame), whole);
  scene.strip((canvas, size, i) => void drawView(canvas, size, data.frameAt(i), whole), String);
  const [one, mean] = payload.panels.map(({ scores }) => `${signed(scores?.psnr ?? NaN, 1)} dB`);
  const shift = payload.shifts?.[frame] ?? [0, 0];
  scene.captions(movedText(frame, shift), "not aligned");
  page.facts(`PSNR to the truth: one noisy frame ${one}, the plain mean of all eight ${mean}.`);
}

/** @param {Scene} scene */
function paintKernels(scene) {
  const { frame, pixel, view, data, page } = scene;
  const { payload, field } = data;
  const { size, ink, palette } = page;
  const { cells, K, max, sum } = lookAt(scene);
  const shifts = payload.shifts ?? [];
  const look = drawView(page.canvases.left, size, data.frameAt(frame), view);
  drawKernelOver(look.context, look.unit, view, pixel, {
    ...cells[frame],
    K,
    max,
    palette,
    shift: shifts[frame],
    ring: ink.shift,
  });
  const made = drawView(page.canvases.right, size, data.image(), view);
  markPixel(made.context, made.unit, view, pixel);
  scene.strip(
    (canvas, cell, i) => {
      const patch = patchAt(payload.frames, i, 0, PATCH, ...pixel);
      const colorOf = (/** @type {number} */ n) => gray(encode(patch[n] / payload.white_level));
      drawPatch(canvas, cell, {
        side: PATCH,
        colorOf,
        weights: cells[i].weights,
        K,
        max,
        palette,
        ink,
        shift: shifts[i],
      });
    },
    (i) => signed(cells[i].adds, 3),
    (i) => i > frame,
  );
  const { centroid } = cells[frame];
  const [dy, dx] = shifts[frame];
  const reach = (field.K - 1) / 2;
  const beyond = Math.max(Math.abs(dy), Math.abs(dx)) > reach;
  const away = centroid ? Math.hypot(centroid[0] - dy, centroid[1] - dx) : 0;
  const total = cells.slice(0, frame + 1).reduce((all, { adds }) => all + adds, 0);
  scene.captions(KEY, data.network);
  page.facts(
    beyond
      ? `Frame ${frame} moved by ${alongAxes([dy, dx])}, beyond the kernel’s reach of ${reach} px: it adds ${signed(cells[frame].adds, 3)} (white = 1). `
      : `The middle of this kernel is ${signed(away, 1)} px from where the scene went (ring). `,
    frame === cells.length - 1
      ? `All frames add up to ${signed(sum, 3)}; the picture’s pixel is ${signed(data.imageAt(pixel), 3)} (white = 1).`
      : frame
        ? `Frames 0 to ${frame} add up to ${signed(total, 3)} (white = 1).`
        : `Frame 0 adds ${signed(total, 3)} to the pixel (white = 1).`,
  );
}

/** @param {Scene} scene */
function paintShares(scene) {
  const { frame, data, page } = scene;
  const { payload, field, whole } = data;
  const { size } = page;
  drawView(page.canvases.left, size, data.frameAt(frame), whole);
  drawView(page.canvases.right, size, data.sharesOf(frame).picture, whole);
  scene.strip(
    (canvas, cell, i) => void drawView(canvas, cell, data.sharesOf(i).picture, whole),
    (i) => percent(meanShare(data.sharesOf(i).map, payload.width)),
  );
  const all = meanShare(data.sharesOf(frame).map, payload.width);
  const ball = meanShare(data.sharesOf(frame).map, payload.width, payload.moving?.object_at ?? null);
  const shift = payload.shifts?.[frame] ?? [0, 0];
  const reach = (field.K - 1) / 2;
  const beyond = Math.max(...shift.map(Math.abs)) > reach;
  scene.captions(movedText(frame, shift), `dark 0 %, bright ≥ ${percent(FULL_SHARE)}`);
  page.facts(
    beyond
      ? `Frame ${frame} moved by ${alongAxes(shift)}, and kernels reach ${reach} px: it makes up ${percent(all)} of the picture.`
      : `Frame ${frame} makes up ${percent(all)} of the picture, and ${percent(ball)} where frame 0 shows the ball.`,
  );
}

/** @param {Scene} scene */
function paintNoise(scene) {
  const { frame, pixel, view, data, page } = scene;
  const { payload, field, whole, power } = data;
  const { size, ink, palette } = page;
  const { cells, K, max } = lookAt(scene);
  const shift = payload.shifts?.[frame] ?? null;
  const look = drawView(page.canvases.left, size, data.frameAt(frame), view);
  drawKernelOver(look.context, look.unit, view, pixel, { ...cells[frame], K, max, palette, shift, ring: ink.shift });
  const made = drawView(page.canvases.right, size, data.image(), whole);
  markPixel(made.context, made.unit, whole, pixel, field.K);
  scene.strip(
    (canvas, cell, i) =>
      drawKernel(canvas, cell, {
        weights: cells[i].weights,
        K,
        max,
        boxSize: K,
        palette,
        ink,
        centroid: null,
        shift: null,
      }),
    (i) => percent(cells[i].share),
  );
  const told = Math.abs(power) < 0.02 ? "the true noise" : `${factorText(Number(power.toFixed(1)))} the true noise`;
  scene.captions(KEY, data.score);
  page.facts(
    `Told of ${told}, the kernel on frame ${frame} spreads over ${signed(spreadOf(cells[frame].weights, K), 1)} px; `,
    `frame ${frame} has ${percent(cells[frame].share)} of this pixel.`,
  );
}

/** @param {Scene} scene */
function paintSizes(scene) {
  const { together, data, page } = scene;
  const { size, palette, ink, font } = page;
  const { left, right } = page.canvases;
  const places = data.sizePlaces();
  [left, right].forEach((canvas, n) => {
    const { kernels, pixel } = places[n];
    const title = `frame 0, pixel y ${pixel[0]}, x ${pixel[1]}`;
    const drawing = {
      kernels,
      pixel,
      K: data.sizesField.K,
      palette,
      ink,
      font,
      together,
      picture: data.sizesImage(),
      width: data.payload.width,
      title,
    };
    drawSizes(canvas, size, drawing);
    drawBars(page.bars[n], { kernels, ink, font, color: ink.shift });
  });
  const large = places.map(({ kernels }) => kernels.slice(-2).reduce((sum, { carries }) => sum + carries, 0));
  scene.captions(KEY, KEY);
  page.facts(
    `The two largest sizes carry ${percent(large[0])} of the weight on the lawn, and ${percent(large[1])} on the fur (bars: each size n×n).`,
  );
}

/** @type {Record<string, Step>} */
export const STEPS = {
  burst: { part: "burst", plays: "frames", milliseconds: 420, paint: paintBurst },
  kernels: { part: "kernels", plays: "frames", milliseconds: 1100, steered: true, near: true, paint: paintKernels },
  shares: { part: "kernels", plays: "frames", milliseconds: 1100, paint: paintShares },
  noise: { part: "noise", plays: "noise", steered: true, near: true, paint: paintNoise },
  sizes: { part: "sizes", plays: "together", paint: paintSizes },
  turn: { part: null, plays: null, paint: () => {} },
};

/**
 * The part of a picture [H, W] that is looked at closely: around a pixel, within the picture.
 * @param {number[]} pixel
 * @param {number} H
 * @param {number} W
 * @returns {View}
 */
export function closeTo([y, x], H, W) {
  const place = (/** @type {number} */ at, /** @type {number} */ n) =>
    Math.min(Math.max(at - (CLOSE - 1) / 2, 0), n - CLOSE);
  return { top: place(y, H), left: place(x, W), side: CLOSE };
}
