// Reads what Python sends: kpnviz/lens/payload.py describes the layout.

/** @import { AssumedResults, Floats, Payload } from "./types" */

import { fromHalves } from "./half.js";
import { KernelField } from "./field.js";

const ARRAY_TYPES = { float32: Float32Array, float16: Uint16Array, uint8: Uint8Array, int8: Int8Array };

/**
 * A header, and the bytes after it.
 * @param {Uint8Array} bytes
 * @returns {[any, Uint8Array]}
 */
export function readHeader(bytes) {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  const text = new TextDecoder().decode(bytes.subarray(4, 4 + length));
  return [JSON.parse(text), bytes.subarray(4 + length)];
}

/**
 * The arrays after a header, {values, shape} each. float16 stays as its bits.
 * @param {{ dtype: keyof typeof ARRAY_TYPES, shape: number[], offset: number }[]} places
 * @param {Uint8Array} bytes
 * @returns {{ values: any, shape: number[] }[]}
 */
function arraysOf(places, bytes) {
  // What came in a message may start at an odd address, typed arrays may not.
  const { buffer, byteOffset } = bytes.byteOffset % 8 ? bytes.slice() : bytes;
  return places.map(({ dtype, shape, offset }) => ({
    values: new ARRAY_TYPES[dtype](
      /** @type {ArrayBuffer} */ (buffer),
      byteOffset + offset,
      shape.reduce((a, b) => a * b, 1),
    ),
    shape,
  }));
}

/**
 * The payload of a burst and its estimates, frozen.
 * @param {Uint8Array} bytes
 * @returns {Payload}
 */
export function readPayload(bytes) {
  const [header, rest] = readHeader(bytes);
  const arrays = arraysOf(header.arrays, rest);
  /** @param {number | null} number */
  const valuesOf = (number) => (number === null ? null : arrays[number].values);
  const { clean, motion, moving, sizes, height: H, width: W } = header;
  /** @param {number | null} number */
  const imageOf = (number) => (number === null ? null : placed(arrays[number], H, W));
  /** @param {any} kernels */
  const fieldOf = (kernels) =>
    kernels &&
    new KernelField({
      ...kernels,
      factors: arrays[kernels.factors],
      basis: kernels.basis === null ? null : arrays[kernels.basis],
      scales: valuesOf(kernels.scales),
    });
  /** @param {Floats} frames */
  const inChannels = ({ values, shape }) => ({ values, shape: shape.length === 4 ? shape : [shape[0], 1, H, W] });
  return frozen({
    ...header,
    frames: inChannels(arrays[header.frames]),
    clean: clean === null ? null : inChannels({ ...arrays[clean], values: fromHalves(valuesOf(clean)) }),
    // A method that is still at work has a panel without a picture.
    panels: header.panels.map((/** @type {any} */ panel) => ({ ...panel, image: imageOf(panel.image) })),
    methods: header.methods.map((/** @type {any} */ { kernels, steps, ...method }) => ({
      ...method,
      kernels: fieldOf(kernels),
      steps:
        steps &&
        steps.map((/** @type {any} */ step) => ({
          ...step,
          image: imageOf(step.image),
          kernels: fieldOf(step.kernels),
        })),
    })),
    sizes: sizes && { ...sizes, local: valuesOf(sizes.local), index: valuesOf(sizes.index) },
    moving: moving && { ...moving, object_at: valuesOf(moving.object_at) },
    motion: motion === null ? null : { ...arrays[motion], values: fromHalves(valuesOf(motion)) },
  });
}

/**
 * What one method makes of other assumed noise.
 * @param {Uint8Array} bytes
 * @returns {AssumedResults}
 */
export function readAssumed(bytes) {
  const [header, rest] = readHeader(bytes);
  const arrays = arraysOf(header.arrays, rest);
  const { values, shape } = arrays[header.images];
  const length = values.length / shape[0];
  /** @param {number} i */
  const imageAt = (i) => values.subarray(i * length, (i + 1) * length);
  return frozen({
    scales: header.scales,
    images: header.scales.map((/** @type {number} */ _, /** @type {number} */ i) => imageAt(i)),
    factors: header.factors.map((/** @type {number} */ number) => arrays[number]),
  });
}

/**
 * A picture [h, w] or [C, h, w] in the middle of one of H x W pixels; NaN around it.
 * @param {Floats} picture
 * @param {number} H
 * @param {number} W
 */
function placed({ values, shape }, H, W) {
  const [h, w] = shape.slice(-2);
  if (h === H && w === W) return values;
  const [top, left] = [(H - h) / 2, (W - w) / 2];
  const C = values.length / (h * w);
  const whole = new Float32Array(C * H * W).fill(NaN);
  for (let c = 0; c < C; c++)
    for (let y = 0; y < h; y++)
      whole.set(values.subarray((c * h + y) * w, (c * h + y + 1) * w), (c * H + y + top) * W + left);
  return whole;
}

/**
 * An object and all that it holds can be read only; numbers in typed arrays cannot be protected so.
 * @template T
 * @param {T} value
 * @returns {T}
 */
function frozen(value) {
  if (value === null || typeof value !== "object" || ArrayBuffer.isView(value)) return value;
  for (const part of Object.values(value)) frozen(part);
  return Object.freeze(value);
}
