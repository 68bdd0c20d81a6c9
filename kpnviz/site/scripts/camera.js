// How a camera moves while it takes a burst: kpnviz/camera_motion.py.

/** @import { Camera, Picture, Shift } from "./types" */

import { STREAMS } from "./constants.js";
import { boxReduce, reflected } from "./pictures.js";
import { Generator } from "./random.js";

const FOCAL_LENGTH = 24 / 36; // of the frame's width
const [BLOBS, IN_FRONT, SHARP] = [20, 0.2, 40]; // of the layer in front: px, standard deviations, slope at the edge
const RADIUS = 4 * BLOBS;
const POLE = Math.sqrt(3) - 2; // of the cubic spline's filter

const { fround } = Math;

/** @typedef {number[]} Matrix  3x3, row after row, of points (y, x, 1) */

/**
 * A hand's motion: kpnviz.burst.draw_handheld with the seed of a recipe.
 * @param {number} seed
 * @returns {Camera}
 */
export function drawHandheld(seed) {
  const random = new Generator([STREAMS.CAMERA, seed, 1]);
  return {
    rotation: random.uniform(0.1, 0.5),
    tilt: 0,
    shutter: random.uniform(0.5, 2),
    parallax: random.uniform(1, 6),
  };
}

/** The motion of one burst of frames of H x W. */
export class CameraPath {
  /**
   * @param {Camera} camera
   * @param {Shift[]} shifts
   * @param {number} H
   * @param {number} W
   * @param {number} seed
   */
  constructor({ rotation, tilt, shutter, parallax }, shifts, H, W, seed) {
    const random = new Generator([STREAMS.CAMERA, seed]);
    this.shifts = shifts;
    this.H = H;
    this.W = W;
    this.center = [random.uniform(0.3, 0.7) * H, random.uniform(0.3, 0.7) * W];
    const [turning, shearing] = [0, 1].map(() => 2 * random.integer(0, 1) - 1);
    const [direction, tilted] = [0, 1].map(() => random.uniform(0, 2 * Math.PI));
    const degree = Math.PI / 180;
    const share = shifts.map((_, i) => i / Math.max(shifts.length - 1, 1));
    this.shear = share.map((t) => shearing * shutter * t);
    this.parallax = share.map((t) => [parallax * t * Math.sin(direction), parallax * t * Math.cos(direction)]);
    this.turns = share.map((t) => {
      const aside = tilt * degree * t;
      return homography(
        turning * rotation * degree * t,
        [aside * Math.sin(tilted), aside * Math.cos(tilted)],
        FOCAL_LENGTH * W,
      );
    });
    this.margin = Math.ceil(parallax) + 8;
    this.front = parallax ? layerInFront(random, H + 2 * this.margin, W + 2 * this.margin) : null;
  }

  /**
   * Displacements (dy, dx) of every pixel of frame 0 in frame i: [H, W, 2].
   * @param {number} i
   */
  where(i) {
    const { H, W, margin, front, center, turns, shifts, shear, parallax } = this;
    const motion = new Float32Array(2 * H * W);
    for (let y = 0; y < H; y++)
      for (let x = 0; x < W; x++) {
        const near = front && front[(y + margin) * (W + 2 * margin) + x + margin] > 0.5;
        const [fromY, fromX] = near ? [y + parallax[i][0], x + parallax[i][1]] : [y, x];
        const [my, mx] = applied(turns[i], fromY - center[0], fromX - center[1]);
        const toY = my + center[0] + shifts[i][0];
        const toX = mx + center[1] + shifts[i][1] + shear[i] * (toY / H - 0.5);
        motion[2 * (y * W + x)] = toY - y;
        motion[2 * (y * W + x) + 1] = toX - x;
      }
    return motion;
  }

  /**
   * Frame i, [C, H, W]: the mean of fine x fine points of a scene in every pixel.
   * @param {number} i
   * @param {Float64Array[]} planes  spline coefficients of a photo's channels, `fine` pixels to a pixel
   * @param {Picture} photo
   * @param {[number, number]} corner  (top, left) of frame 0 in it, in pixels of the frame
   * @param {number} fine
   * @returns {Picture}
   */
  frame(i, planes, { H: tall, W: wide }, [top, left], fine) {
    const { H, W, margin, front, center, turns, shifts, shear, parallax } = this;
    const back = inverse(turns[i]);
    const place = new SplinePlace();
    const [h, w] = [H * fine, W * fine];
    const values = new Float32Array(planes.length * h * w);
    for (let row = 0; row < h; row++)
      for (let column = 0; column < w; column++) {
        const py = (row + 0.5) / fine - 0.5;
        const px = (column + 0.5) / fine - 0.5 - shear[i] * (py / H - 0.5);
        const [my, mx] = applied(back, py - center[0] - shifts[i][0], px - center[1] - shifts[i][1]);
        const [qy, qx] = [my + center[0], mx + center[1]];
        const at = row * w + column;
        place.moveTo((qy + top + 0.5) * fine - 0.5, (qx + left + 0.5) * fine - 0.5, tall, wide);
        for (let c = 0; c < planes.length; c++) values[c * h * w + at] = place.valueOf(planes[c]);
        if (!front) continue;
        const [ny, nx] = [qy - parallax[i][0], qx - parallax[i][1]];
        const cover = linearAt(front, ny + margin, nx + margin, H + 2 * margin, W + 2 * margin);
        if (cover === 0) continue;
        place.moveTo((ny + top + 0.5) * fine - 0.5, (nx + left + 0.5) * fine - 0.5, tall, wide);
        for (let c = 0; c < planes.length; c++) {
          const k = c * h * w + at;
          values[k] = fround(cover * fround(place.valueOf(planes[c]))) + fround(fround(1 - cover) * values[k]);
        }
      }
    return boxReduce({ values, C: planes.length, H: h, W: w }, fine);
  }
}

/**
 * How much of frame 0, and of a margin around it, the layer in front covers: smooth noise, cut off.
 * @param {Generator} random
 * @param {number} h
 * @param {number} w
 */
function layerInFront(random, h, w) {
  const weights = Float64Array.from({ length: 2 * RADIUS + 1 }, (_, k) => Math.exp(-0.5 * ((k - RADIUS) / BLOBS) ** 2));
  const total = weights.reduce((a, b) => a + b);
  let field = Float64Array.from({ length: h * w }, () => random.normal());
  for (const [count, length, step, line] of [
    [w, h, w, 1],
    [h, w, 1, w],
  ]) {
    const smooth = new Float64Array(h * w);
    const around = new Float64Array(length + 2 * RADIUS); // a line that goes on at its other end
    for (let k = 0; k < count; k++) {
      for (let n = 0; n < around.length; n++)
        around[n] = field[k * line + ((n - RADIUS + RADIUS * length) % length) * step];
      for (let n = 0; n < length; n++) {
        let sum = 0;
        for (let d = 0; d <= 2 * RADIUS; d++) sum += weights[d] * around[n + d];
        smooth[k * line + n * step] = sum / total;
      }
    }
    field = smooth;
  }
  const mean = field.reduce((a, b) => a + b) / field.length;
  const std = Math.max(Math.sqrt(field.reduce((sum, value) => sum + (value - mean) ** 2, 0) / field.length), 1e-12);
  return Float32Array.from(field, (value) => Math.min(Math.max((value / std - IN_FRONT) * SHARP + 0.5, 0), 1));
}

/**
 * Coefficients of the cubic spline through a plane [H, W], which goes on by reflection: scipy.ndimage.spline_filter.
 * @param {Float32Array} plane
 * @param {number} H
 * @param {number} W
 */
export function splineOf(plane, H, W) {
  const c = Float64Array.from(plane);
  const filter = (/** @type {number} */ start, /** @type {number} */ n, /** @type {number} */ step) => {
    if (n < 2) return;
    const last = start + (n - 1) * step;
    for (let i = start; i <= last; i += step) c[i] *= 6;
    const power = POLE ** (n - 1);
    let sum = c[start] + power * c[last];
    for (let k = 1, z = POLE; k < n - 1; k++, z *= POLE) sum += z * (c[start + k * step] + power * c[last - k * step]);
    c[start] = sum / (1 - power * power);
    for (let i = start + step; i <= last; i += step) c[i] += POLE * c[i - step];
    c[last] = ((POLE * c[last - step] + c[last]) * POLE) / (POLE * POLE - 1);
    for (let i = last - step; i >= start; i -= step) c[i] = POLE * (c[i + step] - c[i]);
  };
  for (let x = 0; x < W; x++) filter(x, H, W);
  for (let y = 0; y < H; y++) filter(y * W, W, 1);
  return c;
}

/** Where a spline is evaluated: weights and indices of the 4x4 coefficients around, reused from point to point. */
class SplinePlace {
  constructor() {
    this.down = new Float64Array(4);
    this.along = new Float64Array(4);
    this.rows = new Int32Array(4);
    this.columns = new Int32Array(4);
  }

  /**
   * @param {number} y
   * @param {number} x
   * @param {number} H
   * @param {number} W
   */
  moveTo(y, x, H, W) {
    const [y0, x0] = [Math.floor(y), Math.floor(x)];
    cubic(y - y0, this.down);
    cubic(x - x0, this.along);
    for (let k = 0; k < 4; k++) {
      this.rows[k] = reflected(y0 + k - 1, H) * W;
      this.columns[k] = reflected(x0 + k - 1, W);
    }
  }

  /** @param {Float64Array} coefficients */
  valueOf(coefficients) {
    const { down, along, rows, columns } = this;
    let sum = 0;
    for (let a = 0; a < 4; a++) {
      let row = 0;
      for (let b = 0; b < 4; b++) row += along[b] * coefficients[rows[a] + columns[b]];
      sum += down[a] * row;
    }
    return sum;
  }
}

/**
 * The cubic B-spline's four weights at t, between 0 and 1.
 * @param {number} t
 * @param {Float64Array} weights
 */
function cubic(t, weights) {
  const s = 1 - t;
  weights[0] = (s * s * s) / 6;
  weights[1] = 2 / 3 - (t * t * (2 - t)) / 2;
  weights[2] = 2 / 3 - (s * s * (2 - s)) / 2;
  weights[3] = (t * t * t) / 6;
}

/**
 * A plane [h, w] at a place between its pixels; beyond the edge its last ones go on.
 * @param {Float32Array} plane
 * @param {number} y
 * @param {number} x
 * @param {number} h
 * @param {number} w
 */
function linearAt(plane, y, x, h, w) {
  const [cy, cx] = [Math.min(Math.max(y, 0), h - 1), Math.min(Math.max(x, 0), w - 1)];
  const [y0, x0] = [Math.min(Math.floor(cy), h - 2), Math.min(Math.floor(cx), w - 2)];
  const [a, b] = [cy - y0, cx - x0];
  const at = y0 * w + x0;
  return fround(
    (1 - a) * ((1 - b) * plane[at] + b * plane[at + 1]) + a * ((1 - b) * plane[at + w] + b * plane[at + w + 1]),
  );
}

/**
 * K R K^-1 for points about the center: a turn about the axis after a tilt (up, to the side).
 * @param {number} turn
 * @param {number[]} tilt
 * @param {number} focal
 * @returns {Matrix}
 */
function homography(turn, tilt, focal) {
  const [[sy, sx], [cy, cx]] = [tilt.map(Math.sin), tilt.map(Math.cos)];
  const [s, c] = [Math.sin(turn), Math.cos(turn)];
  const up = [cy, 0, -sy, 0, 1, 0, sy, 0, cy];
  const side = [1, 0, 0, 0, cx, -sx, 0, sx, cx];
  const about = [c, -s, 0, s, c, 0, 0, 0, 1];
  const [scale, unscale] = [focal, 1 / focal].map((f) => [f, 0, 0, 0, f, 0, 0, 0, 1]);
  return [about, up, side, unscale].reduce(times, scale);
}

/**
 * @param {Matrix} a
 * @param {Matrix} b
 * @returns {Matrix}
 */
function times(a, b) {
  return Array.from({ length: 9 }, (_, k) => {
    const [row, column] = [Math.floor(k / 3), k % 3];
    return [0, 1, 2].reduce((sum, j) => sum + a[3 * row + j] * b[3 * j + column], 0);
  });
}

/**
 * @param {Matrix} m
 * @returns {Matrix}
 */
function inverse([a, b, c, d, e, f, g, h, i]) {
  const minors = [
    e * i - f * h,
    c * h - b * i,
    b * f - c * e,
    f * g - d * i,
    a * i - c * g,
    c * d - a * f,
    d * h - e * g,
    b * g - a * h,
    a * e - b * d,
  ];
  const determinant = a * minors[0] + b * minors[3] + c * minors[6];
  return minors.map((minor) => minor / determinant);
}

/**
 * @param {Matrix} m
 * @param {number} y
 * @param {number} x
 */
function applied(m, y, x) {
  const by = m[6] * y + m[7] * x + m[8];
  return [(m[0] * y + m[1] * x + m[2]) / by, (m[3] * y + m[4] * x + m[5]) / by];
}
