// Color profiles (ICC.1:2022) of tone curves and a matrix, as kpnviz/capture/metadata.py reads them: Display P3, Adobe RGB, gray.

import { FROM_XYZ } from "./constants.js";

const CODES = 65536;
const MOST_BYTES = 4 * 2 ** 20; // of a profile, unpacked: those of tables have one

/** tables: linear light of each code of 16 bits, of a channel or of all; matrix: to R, G and B of sRGB, null for gray. @typedef {{ tables: Float32Array[], matrix: number[][] | null }} Colors */

/**
 * Of a PNG's chunk iCCP; null where it is damaged, or of another kind.
 * @param {Uint8Array<ArrayBuffer>} chunk
 * @param {number} channels
 * @returns {Promise<Colors | null>}
 */
export async function profileOf(chunk, channels) {
  try {
    const begin = chunk.indexOf(0) + 2; // behind its name and the way that it is packed
    const reader = new Blob([chunk.subarray(begin)])
      .stream()
      .pipeThrough(new DecompressionStream("deflate"))
      .getReader();
    const parts = [];
    for (let [next, size] = [await reader.read(), 0]; !next.done; next = await reader.read()) {
      parts.push(next.value);
      size += next.value.length;
      if (size > MOST_BYTES) {
        reader.cancel().catch(() => {});
        return null;
      }
    }
    return colorsOf(new Uint8Array(await new Blob(parts).arrayBuffer()), channels);
  } catch {
    return null;
  }
}

/**
 * @param {Uint8Array} icc
 * @param {number} channels
 * @returns {Colors | null}
 */
function colorsOf(icc, channels) {
  const view = new DataView(icc.buffer, icc.byteOffset, icc.length);
  const text = (/** @type {number} */ at) => String.fromCharCode(...icc.subarray(at, at + 4));
  /** @type {Map<string, number>} where each begins */
  const tags = new Map(
    Array.from({ length: view.getUint32(128) }, (_, i) => [text(132 + 12 * i), view.getUint32(136 + 12 * i)]),
  );
  const number = (/** @type {number} */ at) => view.getInt32(at) / 65536;
  /** @returns {Float32Array} */
  const table = (/** @type {string} */ tag) => {
    const at = /** @type {number} */ (tags.get(tag));
    const curve =
      text(at) === "para"
        ? parametric(view.getUint16(at + 8), (k) => number(at + 12 + 4 * k))
        : sampled(view.getUint32(at + 8), (k) => view.getUint16(at + 12 + 2 * k));
    return Float32Array.from({ length: CODES }, (_, code) => curve(code / (CODES - 1)));
  };
  if (channels === 1) return tags.has("kTRC") ? { tables: [table("kTRC")], matrix: null } : null;
  if (
    text(16) !== "RGB " ||
    tags.has("A2B0") ||
    ["rTRC", "gTRC", "bTRC", "rXYZ", "gXYZ", "bXYZ"].some((tag) => !tags.has(tag))
  )
    return null;
  const columns = ["rXYZ", "gXYZ", "bXYZ"].map((tag) =>
    [0, 1, 2].map((k) => number(/** @type {number} */ (tags.get(tag)) + 8 + 4 * k)),
  );
  const matrix = FROM_XYZ.map((row) =>
    columns.map((column) => row.reduce((sum, value, k) => sum + value * column[k], 0)),
  );
  return { tables: ["rTRC", "gTRC", "bTRC"].map(table), matrix };
}

/**
 * @param {number} kind
 * @param {(k: number) => number} number
 * @returns {(x: number) => number}
 */
function parametric(kind, number) {
  const [g, a = 1, b = 0, c = 0, d = 0, e = 0, f = 0] = Array.from({ length: [1, 3, 4, 5, 7][kind] }, (_, k) =>
    number(k),
  );
  const power = (/** @type {number} */ x) => Math.max(a * x + b, 0) ** g;
  if (kind === 0) return power;
  if (kind < 3) return (x) => (x >= -b / a ? power(x) : 0) + (kind === 2 ? c : 0);
  return (x) => (x >= d ? power(x) + e : c * x + f);
}

/**
 * @param {number} count  of samples; 0: none; 1: an exponent
 * @param {(k: number) => number} sample
 * @returns {(x: number) => number}
 */
function sampled(count, sample) {
  if (count === 0) return (x) => x;
  if (count === 1) return (x) => x ** (sample(0) / 256);
  return (x) => {
    const low = Math.min(Math.floor(x * (count - 1)), count - 2);
    const part = x * (count - 1) - low;
    return ((1 - part) * sample(low) + part * sample(low + 1)) / 65535;
  };
}
