// Arrays of an NPZ that nobody has vouched for: what its directory and its headers say is checked before memory is taken.

import { fromHalves } from "../../lens/scripts/half.js";

export const MOST_BYTES = 256 * 2 ** 20; // of the file, and of all that it unpacks to
const MOST_MEMBERS = 300;
const MOST_TEXT = 2 ** 16; // bytes of a text, or of few numbers

/**
 * An array: numbers as float32 in C order; or a text.
 * @typedef {{ shape: number[], kind: "f" | "i" | "U", values: Float32Array, text: string }} Stored
 */

/**
 * The arrays of an NPZ by their names. Errors are sentences that begin with the file's name.
 * @param {string} name
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @returns {Promise<Map<string, Stored>>}
 */
export async function readNpz(name, bytes) {
  const refuse = (/** @type {string} */ why) => new Error(`${name} ${why}`);
  if (bytes.length > MOST_BYTES)
    throw refuse(`has ${megabytes(bytes.length)}, more than the ${megabytes(MOST_BYTES)} that are read here`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const is = (/** @type {number} */ at, /** @type {number} */ signature) =>
    at >= 0 && at + 4 <= bytes.length && view.getUint32(at, true) === signature;
  if (!is(0, 0x04034b50) && !is(0, 0x06054b50))
    throw refuse("is no NPZ, which numpy.savez or kpnviz.save_kernels writes");
  let end = bytes.length - 22;
  while (end >= Math.max(bytes.length - 66000, 0) && !is(end, 0x06054b50)) end--;
  if (!is(end, 0x06054b50)) throw refuse("is a ZIP without its directory: it is cut off");
  if (is(end - 20, 0x07064b50)) throw refuse("is a ZIP64; those are for more than 4 GB");
  const count = view.getUint16(end + 10, true);
  if (count > MOST_MEMBERS) throw refuse(`has ${count} members, more than ${MOST_MEMBERS}`);
  let at = view.getUint32(end + 16, true);
  /** @type {Map<string, { method: number, packed: number, size: number, sum: number, begin: number }>} */
  const members = new Map();
  let total = 0;
  for (let k = 0; k < count; k++) {
    if (!is(at, 0x02014b50) || at + 46 > bytes.length) throw refuse("is a ZIP with a damaged directory");
    const flags = view.getUint16(at + 8, true);
    const [method, sum, packed, size] = [
      view.getUint16(at + 10, true),
      view.getUint32(at + 16, true),
      view.getUint32(at + 20, true),
      view.getUint32(at + 24, true),
    ];
    const [letters, extra, comment, local] = [
      view.getUint16(at + 28, true),
      view.getUint16(at + 30, true),
      view.getUint16(at + 32, true),
      view.getUint32(at + 42, true),
    ];
    const member = new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + letters));
    const shown = visible(member);
    if (flags & 1) throw refuse(`holds ${shown}, which is encrypted; make one without a password`);
    if (method !== 0 && method !== 8)
      throw refuse(`holds ${shown}, packed by method ${method}; stored and deflated members are read`);
    if (!is(local, 0x04034b50) || local + 30 > bytes.length)
      throw refuse(`is a ZIP whose directory is wrong about ${shown}`);
    const there = new TextDecoder().decode(bytes.subarray(local + 30, local + 30 + view.getUint16(local + 26, true)));
    if (there !== member)
      throw refuse(
        `is a ZIP that calls a member ${shown} in its directory, and ${visible(there) || "nothing"} where it lies`,
      );
    const begin = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    if (begin + packed > bytes.length || (method === 0 && packed !== size))
      throw refuse(`is a ZIP that is wrong about how long ${shown} is`);
    total += size;
    if (total > MOST_BYTES)
      throw refuse(`unpacks to more than ${megabytes(MOST_BYTES)}, which is the most that is read here`);
    const key = member.replace(/\.npy$/, "");
    if (members.has(key)) throw refuse(`holds ${shown} twice`);
    members.set(key, { method, packed, size, sum, begin });
    at += 46 + letters + extra + comment;
  }
  /** @type {Map<string, Stored>} */
  const arrays = new Map();
  for (const [key, { method, packed, size, sum, begin }] of members) {
    const raw = bytes.subarray(begin, begin + packed);
    const content = method === 0 ? raw : await inflated(raw, size);
    if (content?.length !== size || checksum(content) !== sum) throw refuse(`holds ${visible(key)}, which is damaged`);
    arrays.set(key, readArray(`${name}: ${visible(key)}`, content));
  }
  return arrays;
}

/**
 * What a deflated member holds; null where it is damaged, or longer than its directory says.
 * @param {Uint8Array<ArrayBuffer>} packed
 * @param {number} size
 */
async function inflated(packed, size) {
  const content = new Uint8Array(size);
  let filled = 0;
  try {
    const reader = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return filled === size ? content : null;
      if (filled + value.length > size) return (void (await reader.cancel()), null);
      content.set(value, filled);
      filled += value.length;
    }
  } catch {
    return null;
  }
}

const CRC = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let k = 0; k < 8; k++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

/** CRC-32. @param {Uint8Array} bytes */
export function checksum(bytes) {
  let sum = 0xffffffff;
  for (let i = 0; i < bytes.length; i++) sum = CRC[(sum ^ bytes[i]) & 255] ^ (sum >>> 8);
  return (sum ^ 0xffffffff) >>> 0;
}

/**
 * An array of NumPy's format.
 * @param {string} label
 * @param {Uint8Array} bytes
 * @returns {Stored}
 */
function readArray(label, bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < 12 || bytes[0] !== 0x93 || new TextDecoder().decode(bytes.subarray(1, 6)) !== "NUMPY")
    throw new Error(`${label} is no array of NumPy`);
  const wide = bytes[6] > 1;
  const length = wide ? view.getUint32(8, true) : view.getUint16(8, true);
  const begin = (wide ? 12 : 10) + length;
  const header = new TextDecoder().decode(
    bytes.subarray(wide ? 12 : 10, Math.min(begin, (wide ? 12 : 10) + MOST_TEXT)),
  );
  const descr = /'descr': '([<>|=]?)([a-zA-Z])(\d+)'/.exec(header);
  const order = /'fortran_order': (True|False)/.exec(header);
  const sizes = /'shape': \(([\d, ]*)\)/.exec(header);
  if (!descr || !order || !sizes || begin > bytes.length)
    throw new Error(`${label} has a dtype or a header that is not read: numbers and short texts are, objects are not`);
  const shape = sizes[1]
    .split(",")
    .filter((part) => part.trim())
    .map(Number);
  const [, end, kind, digits] = descr;
  const width = Number(digits) * (kind === "U" ? 4 : 1);
  const numbers = shape.reduce((a, b) => a * b, 1);
  if (numbers * width !== bytes.length - begin)
    throw new Error(
      `${label} has ${bytes.length - begin} bytes of numbers; dtype ${kind}${digits} and shape (${shape.join(", ")}) have ${numbers * width}`,
    );
  const big = end === ">";
  const content = bytes.slice(begin); // it starts at an even address
  if (kind === "U") {
    if (numbers !== 1 || content.length > MOST_TEXT) throw new Error(`${label} is not a short text`);
    const data = new DataView(content.buffer);
    const letters = Array.from({ length: content.length / 4 }, (_, i) => data.getUint32(4 * i, !big)).filter(
      (code) => code && code < 0x110000,
    );
    return { shape, kind, values: new Float32Array(0), text: String.fromCodePoint(...letters) };
  }
  if (big) for (let i = 0; i < content.length; i += width) content.subarray(i, i + width).reverse();
  const values = numbersOf(kind, width, content);
  if (!values) throw new Error(`${label} has dtype ${kind}${digits}; numbers and short texts are read`);
  return {
    shape,
    kind: kind === "f" ? "f" : "i",
    values: order[1] === "True" && shape.length > 1 ? inOrder(values, shape) : values,
    text: "",
  };
}

/**
 * @param {string} kind
 * @param {number} width
 * @param {Uint8Array<ArrayBuffer>} content
 */
function numbersOf(kind, width, { buffer }) {
  switch (`${kind}${width}`) {
    case "f2": return fromHalves(new Uint16Array(buffer)); // prettier-ignore
    case "f4": return new Float32Array(buffer); // prettier-ignore
    case "f8": return new Float32Array(new Float64Array(buffer)); // prettier-ignore
    case "b1":
    case "u1": return new Float32Array(new Uint8Array(buffer)); // prettier-ignore
    case "i1": return new Float32Array(new Int8Array(buffer)); // prettier-ignore
    case "u2": return new Float32Array(new Uint16Array(buffer)); // prettier-ignore
    case "i2": return new Float32Array(new Int16Array(buffer)); // prettier-ignore
    case "u4": return new Float32Array(new Uint32Array(buffer)); // prettier-ignore
    case "i4": return new Float32Array(new Int32Array(buffer)); // prettier-ignore
    case "u8": return Float32Array.from(new BigUint64Array(buffer), Number); // prettier-ignore
    case "i8": return Float32Array.from(new BigInt64Array(buffer), Number); // prettier-ignore
    default: return null; // prettier-ignore
  }
}

/**
 * Numbers in Fortran order, in C order.
 * @param {Float32Array} values
 * @param {number[]} shape
 */
function inOrder(values, shape) {
  const result = new Float32Array(values.length);
  const steps = shape.map((_, axis) => shape.slice(0, axis).reduce((a, b) => a * b, 1));
  const index = shape.map(() => 0);
  let from = 0;
  for (let i = 0; i < values.length; i++) {
    result[i] = values[from];
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += steps[axis];
      if (++index[axis] < shape[axis]) break;
      from -= steps[axis] * shape[axis];
      index[axis] = 0;
    }
  }
  return result;
}

/** @param {number} bytes */
const megabytes = (bytes) => `${Number((bytes / 2 ** 20).toFixed(1))} MiB`;

/**
 * What a stranger wrote, short.
 * @param {string} text
 */
export function visible(text) {
  const clean = text.replace(/[\p{C}\p{Z}]/gu, " ").trim();
  return clean.length > 60 ? `${clean.slice(0, 59)}…` : clean;
}
