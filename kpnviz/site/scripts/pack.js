// A burst and its estimates as the lens reads them: kpnviz/lens/payload.py, `pack` and `pack_assumed`.

/** @import { bestSize } from "./best_size.js" */
/** @import { Burst, Config, Estimate, Scores } from "./types" */

import { GUIDE_WEIGHTS } from "./constants.js";
import { guideNoise } from "./noise.js";
import { scoresOf } from "./scores.js";

/**
 * A network on the page.
 * @typedef {object} Shown
 * @property {string} name
 * @property {string} title
 * @property {Config} config
 * @property {Estimate | null} estimate  null: it is still at work
 */

/**
 * The payload of a burst and what networks make of it; the cursor starts at the pixel `start`.
 * @param {Burst} burst
 * @param {Shown[]} shown
 * @param {[number, number]} start
 * @param {string} id  of the burst
 * @param {ReturnType<typeof bestSize> | null} [best]  which kernel size is best where, of what is shown
 */
export function pack(burst, shown, start, id, best = null) {
  const { N, C, H, W, frames, clean, noise, shifts, motion, moving, white_level } = burst;
  const pixels = C * H * W;
  const picture = C === 1 ? [H, W] : [C, H, W];
  const arrays = new Arrays();
  const truth = clean.subarray(0, pixels);
  /** @type {(kind: string, name: string, title: string, image: Float32Array | null, known?: Scores) => object} */
  const panel = (kind, name, title, image, known) => {
    const scores = image && kind !== "truth" ? (known ?? scoresOf(image, truth, H, W, white_level)) : null;
    return { kind, name, title, image: image && arrays.add(image, picture), scores };
  };
  const panels = [
    panel("frame", "frame", "Frame", frames.subarray(0, pixels), burst.scores?.frame),
    panel("mean", "mean", "Plain mean", burst.mean ?? meanOf(frames, N, pixels), burst.scores?.mean),
  ];
  const methods = shown.map(({ name, title, config, estimate }) => {
    const number = panels.push(panel("method", name, title, estimate && estimate.image, estimate?.scores)) - 1;
    const factors = estimate?.factors;
    const kernels = factors && {
      ...{ sizes: config.sizes, separable: config.separable, half: true, padding: "reflect", reduce: "mean" },
      ...{
        height: H,
        width: W,
        inset: 0,
        factors: arrays.add(factors.values, factors.shape),
        scales: null,
        basis: null,
      },
      ...{ unit: 1, error: null, lossy: false },
    };
    return { title, panel: number, kernels: kernels ?? null, steps: null };
  });
  panels.push(panel("truth", "truth", "Truth", truth));
  const color = C > 1;
  const matching = shown.some(({ config }) => config.matching)
    ? { weights: color ? GUIDE_WEIGHTS : [1], noise: color ? guideNoise(noise) : noise }
    : null;
  const stack = color ? [N, C, H, W] : [N, H, W];
  const header = {
    ...{
      height: H,
      width: W,
      white_level,
      burst: best ? "" : id,
      noise: Array.from({ length: C }, () => noise),
      matching,
    },
    clean: best ? null : arrays.add(burst.halves ?? toHalves(clean), stack),
    frames: arrays.add(frames, stack),
    shifts,
    motion: motion && arrays.add(...ofCells(motion, N, H, W)),
    moving: moving && { object_at: arrays.add(moving.object_at, [H, W]), shifts: moving.shifts },
    ...{ panels, methods, series: null, start },
    sizes: best && {
      ...best,
      local: arrays.add(best.local, [shown.length, H, W]),
      index: best.index && arrays.add(best.index, [H, W]),
    },
  };
  const seen = shown.map(({ name, estimate }) => (estimate ? name : `${name}?`)); // one that is awaited has a place, one that is missing has none
  return arrays.behind({ ...header, id: `${id} ${seen.join(" ")}` });
}

/**
 * The payload of what one network makes of other assumed noise.
 * @param {{ C: number, H: number, W: number }} burst
 * @param {number[]} scales  of the true noise
 * @param {Estimate[]} estimates
 * @param {string} id  of the burst
 */
export function packAssumed({ C, H, W }, scales, estimates, id) {
  const arrays = new Arrays();
  const images = new Float32Array(scales.length * C * H * W);
  estimates.forEach(({ image }, k) => images.set(image, k * C * H * W));
  const header = {
    burst: id,
    scales,
    images: arrays.add(images, [scales.length, ...(C === 1 ? [H, W] : [C, H, W])]),
    factors: estimates.flatMap(({ factors }) => (factors ? [arrays.add(factors.values, factors.shape)] : [])),
  };
  return arrays.behind({ ...header, id });
}

/**
 * Displacements [N, H, W, 2] at every other pixel, as float16, and their shape.
 * @param {Float32Array} motion
 * @param {number} N
 * @param {number} H
 * @param {number} W
 * @returns {[Uint16Array, number[]]}
 */
function ofCells(motion, N, H, W) {
  const [h, w] = [(H + 1) >> 1, (W + 1) >> 1];
  const cells = new Float32Array(N * h * w * 2);
  for (let i = 0; i < N; i++)
    for (let y = 0; y < h; y++)
      for (let x = 0; x < w; x++) {
        const from = 2 * ((i * H + 2 * y) * W + 2 * x);
        cells.set(motion.subarray(from, from + 2), 2 * ((i * h + y) * w + x));
      }
  return [toHalves(cells), [N, h, w, 2]];
}

/**
 * The plain mean of frames [N, pixels].
 * @param {Float32Array} frames
 * @param {number} N
 * @param {number} pixels
 */
export function meanOf(frames, N, pixels) {
  const mean = new Float32Array(pixels);
  for (let i = 0; i < N; i++) for (let p = 0; p < pixels; p++) mean[p] += frames[i * pixels + p];
  for (let p = 0; p < pixels; p++) mean[p] /= N;
  return mean;
}

/** Arrays that travel behind a header. Uint16Array: the bits of float16. */
export class Arrays {
  constructor() {
    /** @type {(Float32Array | Uint16Array | Uint8Array)[]} */
    this.values = [];
    /** @type {{ dtype: string, shape: number[], offset: number }[]} */
    this.places = [];
    this.bytes = 0;
  }

  /**
   * @param {Float32Array | Uint16Array | Uint8Array} values
   * @param {number[]} shape
   * @returns {number} its number
   */
  add(values, shape) {
    const dtype = values instanceof Float32Array ? "float32" : values instanceof Uint16Array ? "float16" : "uint8";
    this.places.push({ dtype, shape, offset: this.bytes });
    this.bytes += (values.byteLength + 7) & ~7;
    return this.values.push(values) - 1;
  }

  /** @param {object} header */
  behind(header) {
    const payload = withHeader({ ...header, arrays: this.places }, this.bytes);
    const begin = payload.length - this.bytes;
    this.values.forEach(({ buffer, byteOffset, byteLength }, k) =>
      payload.set(new Uint8Array(buffer, byteOffset, byteLength), begin + this.places[k].offset),
    );
    return payload;
  }
}

/**
 * A header, padded with spaces to a multiple of 8 bytes, and room for so many more.
 * @param {object} header
 * @param {number} more
 */
function withHeader(header, more) {
  const text = new TextEncoder().encode(JSON.stringify(header));
  const length = ((4 + text.length + 7) & ~7) - 4;
  const bytes = new Uint8Array(4 + length + more);
  new DataView(bytes.buffer).setUint32(0, length, true);
  bytes.fill(32, 4, 4 + length);
  bytes.set(text, 4);
  return bytes;
}

/**
 * Numbers as float16, by their bits, rounded to the nearest even.
 * @param {Float32Array} values
 */
export function toHalves(values) {
  const one = new Float32Array(1);
  const bits = new Uint32Array(one.buffer);
  const half = (/** @type {number} */ value) => {
    one[0] = Math.abs(value);
    const sign = value < 0 ? 0x8000 : 0;
    const size = bits[0];
    if (size >= 0x477ff000) return sign | (size > 0x7f800000 ? 0x7e00 : 0x7c00); // infinity, or no number
    if (size < 0x38800000) {
      one[0] += 0.5; // below the smallest normal one: that shifts its bits to the end
      return sign | (bits[0] - 0x3f000000);
    }
    return sign | ((size - 0x38000000 + 0xfff + ((size >>> 13) & 1)) >>> 13);
  };
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < values.length; i++) halves[i] = half(values[i]);
  return halves;
}
