// A burst of noisy frames from a photo: kpnviz/burst/. The same recipe gives the same burst as there.

/** @import { Burst, Misalignment, MovingObject, Picture, Recipe, Shift } from "./types" */

import { CameraPath, splineOf } from "./camera.js";
import { STREAMS } from "./constants.js";
import { boxReduce, luminance, windowOf } from "./pictures.js";
import { Generator } from "./random.js";

/**
 * To the nearest whole number, of two to the even one, as numpy.rint.
 * @param {number} x
 */
export function rint(x) {
  const near = Math.round(x);
  return Math.abs(x % 1) === 0.5 && near % 2 !== 0 ? near - 1 : near;
}

/**
 * How far the camera's shake moves each of N frames: Misalignment.sample with the seed of a recipe.
 * @param {Misalignment} misalignment
 * @param {number} N
 * @param {number} seed
 * @returns {Shift[]}
 */
export function drawShifts({ small, large, rate, subpixel }, N, seed) {
  const random = new Generator([STREAMS.SHAKE, seed]);
  const probability = Math.min(random.poisson(rate) / N, 1);
  const far = Array.from({ length: N }, () => random.random() < probability);
  const grid = subpixel ? 2 : 1;
  return far.map((moved, i) => {
    const reach = (moved ? large : small) * grid;
    const [dy, dx] = [random.integer(-reach, reach), random.integer(-reach, reach)];
    return i ? [dy / grid, dx / grid] : [0, 0];
  });
}

/**
 * How much of what lies (dy, dx) pixels from its center an object hides, in 0..1.
 * @param {MovingObject} object
 * @param {number} dy
 * @param {number} dx
 */
function coverage({ diameter, outline, softness }, dy, dx) {
  let radius = diameter / 2;
  if (outline.length) {
    const angle = Math.atan2(dy, dx);
    radius *= 1 + outline.reduce((sum, [a, b], k) => sum + a * Math.cos((k + 2) * angle + b), 0);
  }
  const cover = (radius - Math.sqrt(dy * dy + dx * dx)) / softness + 0.5;
  return Math.fround(Math.min(Math.max(cover, 0), 1));
}

/**
 * Draw an object, moved by `shift`, into a frame `scale` times as fine, in place; its coverage [1, H, W].
 * @param {Picture} frame
 * @param {MovingObject} object
 * @param {Picture} texture  of its photo
 * @param {Shift} shift
 * @param {number} scale
 * @returns {Picture}
 */
function paste(frame, object, texture, shift, scale) {
  const { C, H, W, values } = frame;
  const [y0, x0] = shift.map((moved, axis) => rint((rint(object.center[axis]) + moved) * scale));
  const fine = (scale - 1) / 2; // pixel centers of the finer grid lie beside those of the coarse one
  // The cut-out is the middle of the second photo, and travels with the object.
  const cut = windowOf(texture, Math.floor(texture.H / 2) - y0, Math.floor(texture.W / 2) - x0, H, W).values;
  const cover = new Float32Array(H * W);
  for (let y = 0; y < H; y++)
    for (let x = 0; x < W; x++) {
      const share = (cover[y * W + x] = coverage(object, (y - y0 - fine) / scale, (x - x0 - fine) / scale));
      if (share === 0) continue;
      for (let c = 0; c < C; c++) {
        const i = (c * H + y) * W + x;
        values[i] = Math.fround(share * cut[i]) + Math.fround(Math.fround(1 - share) * values[i]);
      }
    }
  return { values: cover, C: 1, H, W };
}

/**
 * Make the burst of a recipe.
 * @param {Recipe} recipe
 * @param {(photo: string) => Picture} photoOf  photos by name: [3, H, W] in linear light
 * @returns {Burst}
 */
export function synthesize(recipe, photoOf) {
  const { frames: N, reduction, seed } = recipe;
  const read = (/** @type {string} */ name, /** @type {number} */ by) => {
    const photo = photoOf(name);
    return boxReduce(recipe.color ? photo : luminance(photo), by);
  };
  const reduced = read(recipe.photo, reduction);
  const [top, left, H, W] = recipe.crop ?? [0, 0, reduced.H, reduced.W];
  if (top < 0 || left < 0 || top + H > reduced.H || left + W > reduced.W)
    throw new Error(`crop ${top},${left},${H},${W} does not fit the photo ${recipe.photo}, ${reduced.H}x${reduced.W}`);
  const shifts = recipe.shifts ?? drawShifts(recipe.misalignment, N, seed);
  if (shifts.length !== N) throw new Error(`shifts names ${shifts.length} frames; the burst has ${N}`);
  if (recipe.camera)
    return taken(recipe, shifts, windowOf(reduced, top, left, H, W), read(recipe.photo, 1), [top, left]);
  // Whole pixels: the reduced photo is shifted. Parts of a pixel: the photo is, by whole pixels of its own, and each frame is
  // reduced by itself, as a sensor would do it.
  const whole = shifts.flat().every(Number.isInteger);
  const scale = whole ? 1 : reduction;
  if (!shifts.flat().every((shift) => Number.isInteger(shift * scale)))
    throw new Error(`shifts are not multiples of 1/${reduction} px: whole pixels of the photo, before its reduction`);
  const scene = whole ? reduced : read(recipe.photo, 1);
  const textures = recipe.moving.map(({ photo }) => read(photo, whole ? reduction : 1));
  const grid = whole ? 1 : 2;
  /** @type {Shift[][]} */
  const movingShifts = recipe.moving.map(({ velocity }) =>
    shifts.map(([dy, dx], i) => [dy + rint(i * velocity[0] * grid) / grid, dx + rint(i * velocity[1] * grid) / grid]),
  );
  const { C } = scene;
  const clean = new Float32Array(N * C * H * W);
  /** @type {Float32Array[]} */
  let masks = [];
  for (let i = 0; i < N; i++) {
    const start = [top - shifts[i][0], left - shifts[i][1]].map((place) => rint(place * scale));
    const frame = windowOf(scene, start[0], start[1], H * scale, W * scale);
    recipe.moving.forEach((object, m) => {
      const cover = boxReduce(paste(frame, object, textures[m], movingShifts[m][i], scale), scale).values;
      if (i === 0) masks = [...masks.map((mask) => mask.map((value, p) => value * (1 - cover[p]))), cover];
    });
    clean.set(boxReduce(frame, scale).values, i * C * H * W);
  }
  const object_at = Uint8Array.from({ length: H * W }, (_, p) => 1 + masks.findIndex((mask) => mask[p] > 0.5));
  const moving = masks.length ? { object_at, shifts: movingShifts } : null;
  return { ...noisy(recipe, { clean, C, H, W }), shifts, motion: null, moving };
}

/**
 * The burst of a camera that turns; frame 0 is given.
 * @param {Recipe} recipe
 * @param {Shift[]} shifts
 * @param {Picture} first
 * @param {Picture} photo  before its reduction
 * @param {[number, number]} corner
 * @returns {Burst}
 */
function taken(recipe, shifts, { values, C, H, W }, photo, corner) {
  const { frames: N, reduction, seed } = recipe;
  const path = new CameraPath(/** @type {NonNullable<typeof recipe.camera>} */ (recipe.camera), shifts, H, W, seed);
  const size = photo.H * photo.W;
  const planes = Array.from({ length: C }, (_, c) =>
    splineOf(photo.values.subarray(c * size, (c + 1) * size), photo.H, photo.W),
  );
  const clean = new Float32Array(N * C * H * W);
  const motion = new Float32Array(N * H * W * 2);
  for (let i = 0; i < N; i++) {
    clean.set(i ? path.frame(i, planes, photo, corner, reduction).values : values, i * C * H * W);
    motion.set(path.where(i), i * H * W * 2);
  }
  return { ...noisy(recipe, { clean, C, H, W }), shifts: null, motion, moving: null };
}

/**
 * Noisy frames, x ~ N(y, read_std^2 + shot_gain y), of clean ones [N, C, H, W] with white at 1.
 * @param {Recipe} recipe
 * @param {{ clean: Float32Array, C: number, H: number, W: number }} scene
 */
function noisy(recipe, { clean, C, H, W }) {
  const { frames: N, noise, color, seed, white_level } = recipe;
  if (white_level !== 1) for (let i = 0; i < clean.length; i++) clean[i] *= Math.fround(white_level);
  const { read_std, shot_gain } = noise;
  const frames = new Float32Array(clean.length);
  const pixels = H * W;
  for (let c = 0; c < C; c++) {
    const random = new Generator(color ? [STREAMS.COLOR_GRAIN, c, seed] : [STREAMS.GRAIN, seed]);
    for (let start = c * pixels; start < clean.length; start += C * pixels)
      for (let i = start; i < start + pixels; i++)
        frames[i] = clean[i] + Math.sqrt(read_std * read_std + shot_gain * Math.max(clean[i], 0)) * random.normal();
  }
  return { recipe, ...{ N, C, H, W, frames, clean, noise, white_level } };
}
