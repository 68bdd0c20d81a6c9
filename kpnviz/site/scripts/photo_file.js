// A photo of a visitor's own, in linear light. The browser decodes it, turns it as its EXIF says and brings its colors to sRGB;
// PNGs of 16 bits are decoded here, as browsers keep 8 of them. It runs in a worker.

/** @import { Picture } from "./types" */

import { visible } from "./npz.js";
import { decodingTable } from "./pictures.js";

export const MOST_FILE = 64 * 2 ** 20; // bytes
const MOST_PIXELS = 100e6;
const LONGEST = 32_000; // pixels a side that browsers draw
const STRIP = 128; // rows that are drawn at a time
const MOST_SIDE = 576; // pixels a side of the photo once it is reduced as those of the site are
const LEAST_SIDE = 64;

/**
 * @param {File} file
 * @param {{ reduction: number }} offer  pixels a side of the photo that become one
 * @returns {Promise<{ picture: Picture, note: string }>}
 */
export async function readOwnPhoto(file, { reduction }) {
  const name = visible(file.name) || "the file";
  if (file.size > MOST_FILE) throw new Error(`${name} has ${Math.ceil(file.size / 2 ** 20)} MiB; photos up to ${MOST_FILE / 2 ** 20} MiB are read here`);
  const bytes = new Uint8Array(await file.arrayBuffer());
  const deep = deepPng(bytes);
  const check = (/** @type {number} */ W, /** @type {number} */ H) => {
    if (W * H > MOST_PIXELS) throw new Error(`${name} has ${W}×${H} pixels; photos up to ${MOST_PIXELS / 1e6} million are read here`);
    if (Math.max(W, H) > LONGEST) throw new Error(`${name} has ${W}×${H} pixels; photos up to ${LONGEST} a side are read here`);
    if (Math.min(W, H) < LEAST_SIDE * reduction) throw new Error(`${name} has ${W}×${H} pixels; photos of ${LEAST_SIDE * reduction} a side or more are read here`);
  };
  if (deep?.plain) {
    check(deep.W, deep.H);
    const rows = await deepRows(name, deep);
    return { picture: reduced(deep.W, deep.H, MOST_SIDE * reduction, rows), note: "" };
  }
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    throw new Error(`${name} is no picture that this browser can read`);
  }
  const { width: W, height: H } = bitmap;
  check(W, H);
  if (typeof OffscreenCanvas === "undefined") throw new Error(`${name} cannot be read: this browser cannot draw in the background; one of 2023 or later can`);
  const context = new OffscreenCanvas(W, Math.min(STRIP, H)).getContext("2d", { willReadFrequently: true, colorSpace: "srgb" });
  if (!context) throw new Error(`${name} has ${W}×${H} pixels, more than this browser can draw`);
  const table = decodingTable(8);
  const picture = reduced(W, H, MOST_SIDE * reduction, (y) => {
    if (y % STRIP === 0) {
      context.clearRect(0, 0, W, STRIP);
      context.drawImage(bitmap, 0, -y);
    }
    const { data } = context.getImageData(0, y % STRIP, W, 1);
    for (let i = 3; i < data.length; i += 4) if (data[i] < 255) throw new Error(`${name} is transparent in parts; save it without transparency`);
    return (x, c) => table[data[4 * x + c]];
  });
  bitmap.close();
  return { picture, note: deep ? `Of ${name}, 8 of the 16 bits are used: it has ${deep.why}, which the browser alone applies.` : "" };
}

/**
 * A picture as large as it may be: the mean over blocks, in linear light.
 * @param {number} W
 * @param {number} H
 * @param {number} most
 * @param {(y: number) => (x: number, c: number) => number} row
 * @returns {Picture}
 */
function reduced(W, H, most, row) {
  const n = Math.ceil(Math.max(W, H) / most);
  const [h, w] = [Math.floor(H / n), Math.floor(W / n)];
  const values = new Float32Array(3 * h * w);
  for (let y = 0; y < h * n; y++) {
    const value = row(y);
    const line = Math.floor(y / n) * w;
    for (let c = 0; c < 3; c++) for (let x = 0; x < w * n; x++) values[c * h * w + line + Math.floor(x / n)] += value(x, c) / (n * n);
  }
  return { values, C: 3, H: h, W: w };
}

/**
 * What the header of a PNG of 16 bits says; null for all else. plain: it is decoded here; else `why` not.
 * @param {Uint8Array} bytes
 */
function deepPng(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < 33 || view.getUint32(0) !== 0x89504e47 || view.getUint32(12) !== 0x49484452 || bytes[24] !== 16) return null;
  const [W, H, color, interlaced] = [view.getUint32(16), view.getUint32(20), bytes[25], bytes[28]];
  /** @type {Uint8Array<ArrayBuffer>[]} */
  const data = [];
  let why = { 0: "", 2: "" }[color] ?? "transparency or a palette";
  if (interlaced) why = "interlaced rows";
  for (let at = 8; at + 12 <= bytes.length; ) {
    const length = view.getUint32(at);
    const kind = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    const content = /** @type {Uint8Array<ArrayBuffer>} */ (bytes.subarray(at + 8, at + 8 + length));
    if (kind === "IDAT") data.push(content);
    if (kind === "iCCP" || kind === "cICP") why = "a color profile";
    if (kind === "eXIf") why = "EXIF";
    if (kind === "tRNS") why = "transparency";
    if (kind === "gAMA" && Math.abs(view.getUint32(at + 8) - 45455) > 100) why = "a gamma of its own";
    at += 12 + length;
  }
  return { W, H, channels: color === 2 ? 3 : 1, data, plain: !why, why };
}

/**
 * The rows of a PNG of 16 bits, gray or R, G, B: they are asked for one after the other.
 * @param {string} name
 * @param {NonNullable<ReturnType<typeof deepPng>>} png
 */
async function deepRows(name, { W, H, channels, data }) {
  const step = 2 * channels;
  const length = 1 + W * step;
  const damaged = () => new Error(`${name} is a damaged PNG`);
  const all = new Uint8Array(H * length);
  let filled = 0;
  try {
    const reader = new Blob(data).stream().pipeThrough(new DecompressionStream("deflate")).getReader();
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      all.set(next.value, filled); // it throws beyond the end
      filled += next.value.length;
    }
  } catch {
    throw damaged();
  }
  if (filled !== all.length) throw damaged();
  for (let y = 0; y < H; y++) {
    const kind = all[y * length];
    if (kind > 4) throw damaged();
    const line = y * length + 1;
    for (let i = 0; i < W * step; i++) {
      const left = i < step ? 0 : all[line + i - step];
      const up = y ? all[line + i - length] : 0;
      const corner = y && i >= step ? all[line + i - length - step] : 0;
      all[line + i] += kind === 1 ? left : kind === 2 ? up : kind === 3 ? (left + up) >> 1 : kind === 4 ? paeth(left, up, corner) : 0;
    }
  }
  const table = decodingTable(16);
  return (/** @type {number} */ y) => (/** @type {number} */ x, /** @type {number} */ c) => {
    const at = y * length + 1 + x * step + 2 * (c % channels);
    return table[256 * all[at] + all[at + 1]];
  };
}

/**
 * Of the three the one that is nearest to left + up - corner.
 * @param {number} left
 * @param {number} up
 * @param {number} corner
 */
function paeth(left, up, corner) {
  const [a, b, c] = [Math.abs(up - corner), Math.abs(left - corner), Math.abs(left + up - 2 * corner)];
  return a <= b && a <= c ? left : b <= c ? up : corner;
}
