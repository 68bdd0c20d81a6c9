// A photo of a visitor's own, in linear light. The browser decodes it, turns it as its EXIF says and brings its colors to sRGB;
// PNGs of 16 bits are decoded here (png.js), as browsers keep 8 of them. It runs in a worker.

/** @import { Picture } from "./types" */

import { visible } from "./npz.js";
import { decodingTable } from "./pictures.js";
import { chunksOf, deepPng, deepRows } from "./png.js";

export const MOST_FILE = 64 * 2 ** 20; // bytes
const MOST_PIXELS = 100e6;
const LONGEST = 32_000; // pixels a side that browsers draw
const STRIP = 128; // rows that are drawn at a time
const MOST_SIDE = 576; // pixels a side of the photo once it is reduced as those of the site are; of longer ones the middle is used
const LEAST_SIDE = 64;

/**
 * @param {File} file
 * @param {{ reduction: number }} offer  pixels a side of the photo that become one
 * @returns {Promise<{ picture: Picture, note: string }>}
 */
export async function readOwnPhoto(file, { reduction }) {
  const name = visible(file.name) || "the file";
  if (file.size > MOST_FILE)
    throw new Error(
      `${name} has ${Math.ceil(file.size / 2 ** 20)} MiB; photos up to ${MOST_FILE / 2 ** 20} MiB are read here`,
    );
  const bytes = new Uint8Array(await file.arrayBuffer());
  const deep = deepPng(bytes);
  /** @type {string[]} */
  const notes = isAnimated(bytes) ? [`${name} is animated: its first frame is used.`] : [];
  const check = (/** @type {number} */ W, /** @type {number} */ H) => {
    if (W * H > MOST_PIXELS)
      throw new Error(`${name} has ${W}×${H} pixels; photos up to ${MOST_PIXELS / 1e6} million are read here`);
    if (Math.max(W, H) > LONGEST)
      throw new Error(`${name} has ${W}×${H} pixels; photos up to ${LONGEST} a side are read here`);
    if (Math.min(W, H) < LEAST_SIDE * reduction)
      throw new Error(`${name} has ${W}×${H} pixels; photos of ${LEAST_SIDE * reduction} a side or more are read here`);
  };
  /** @type {(W: number, H: number, row: Parameters<typeof reduced>[4]) => { picture: Picture, note: string }} */
  const result = (W, H, row) => {
    const picture = reduced(W, H, MOST_SIDE * reduction, LEAST_SIDE * reduction, row);
    const { used, picture: { W: w, H: h } } = picture; // prettier-ignore
    if (!used && w < W - 1) notes.push(`${name}, ${W}×${H} pixels, is made smaller: ${w}×${h}.`);
    if (used) notes.push(`Of ${name}, ${W}×${H} pixels, the middle ${used} is used: it is long and narrow.`);
    return { picture: picture.picture, note: notes.join(" ") };
  };
  let why = deep?.why ?? "";
  if (deep?.plain) {
    check(deep.W, deep.H);
    const rows = await deepRows(name, deep);
    if (rows) return result(deep.W, deep.H, rows);
    why = "a color profile of tables";
  }
  let bitmap;
  try {
    bitmap = await createImageBitmap(file);
  } catch {
    throw new Error(
      isTiff(bytes)
        ? `${name} is a TIFF, which browsers do not read; save it as PNG, of 16 bits if it has them, or as JPEG`
        : `${name} is damaged, or no picture that this browser can read`,
    );
  }
  const { width: W, height: H } = bitmap;
  check(W, H);
  if (typeof OffscreenCanvas === "undefined")
    throw new Error(`${name} cannot be read: this browser cannot draw in the background; one of 2023 or later can`);
  const context = new OffscreenCanvas(W, Math.min(STRIP, H)).getContext("2d", {
    willReadFrequently: true,
    colorSpace: "srgb",
  });
  if (!context) throw new Error(`${name} has ${W}×${H} pixels, more than this browser can draw`);
  const table = decodingTable(8);
  let drawn = -1; // the row that the strip begins with
  if (deep)
    notes.push(
      `Of ${name}, 8 of the 16 bits are used: it has ${why}, which only the browser’s own reader, of 8 bits, can apply.`,
    );
  const found = result(W, H, (y) => {
    const strip = y - (y % STRIP);
    if (strip !== drawn) {
      context.clearRect(0, 0, W, STRIP);
      context.drawImage(bitmap, 0, -strip);
      drawn = strip;
    }
    const { data } = context.getImageData(0, y - strip, W, 1);
    for (let i = 3; i < data.length; i += 4)
      if (data[i] < 255) throw new Error(`${name} is transparent in parts; save it without transparency`);
    return (x, c) => table[data[4 * x + c]];
  });
  bitmap.close();
  return found;
}

/**
 * A picture as large as it may be, the mean over blocks in linear light; of one that is long and narrow the middle, and its size.
 * @param {number} W
 * @param {number} H
 * @param {number} most  pixels of the longer side
 * @param {number} least  and of the shorter one
 * @param {(y: number) => (x: number, c: number) => number} row  is asked for one after the other
 * @returns {{ picture: Picture, used: string }}
 */
function reduced(W, H, most, least, row) {
  const n = Math.min(Math.ceil(Math.max(W, H) / most), Math.floor(Math.min(W, H) / least));
  const [h, w] = [H, W].map((side) => Math.min(Math.floor(side / n), most));
  const [top, left] = [H - h * n, W - w * n].map((rest) => (rest < n ? 0 : rest >> 1));
  const values = new Float32Array(3 * h * w);
  for (let y = 0; y < h * n; y++) {
    const value = row(top + y);
    const line = Math.floor(y / n) * w;
    for (let c = 0; c < 3; c++)
      for (let x = 0; x < w * n; x++) values[c * h * w + line + Math.floor(x / n)] += value(left + x, c) / (n * n);
  }
  return { picture: { values, C: 3, H: h, W: w }, used: top || left ? `${w * n}×${h * n}` : "" };
}

/**
 * Whether it is a TIFF, or a camera raw in the form of one.
 * @param {Uint8Array} bytes
 */
const isTiff = (bytes) => ["73,73,42,0", "77,77,0,42"].includes(bytes.subarray(0, 4).join());

/**
 * Whether a picture is one of several: GIF, PNG, WebP or AVIF.
 * @param {Uint8Array} bytes
 */
function isAnimated(bytes) {
  const text = (/** @type {number} */ at, /** @type {number} */ length) =>
    String.fromCharCode(...bytes.subarray(at, at + length));
  if (text(0, 3) === "GIF") return hasFrames(bytes);
  if (text(8, 8) === "WEBPVP8X") return (bytes[20] & 2) > 0;
  if (text(4, 8) === "ftypavis") return true;
  for (const { kind } of chunksOf(bytes)) if (kind === "acTL") return true;
  return false;
}

/**
 * Whether a GIF has more than one frame.
 * @param {Uint8Array} bytes
 */
function hasFrames(bytes) {
  const table = (/** @type {number} */ flags) => (flags & 128 ? 3 * 2 ** ((flags & 7) + 1) : 0);
  let frames = 0;
  for (let at = 13 + table(bytes[10]); at < bytes.length;) {
    if (bytes[at] === 0x2c) {
      if (++frames > 1) return true;
      at += 11 + table(bytes[at + 9]); // its data begin with the size of codes
    } else if (bytes[at] === 0x21) at += 2;
    else return false;
    while (bytes[at]) at += bytes[at] + 1;
    at++;
  }
  return false;
}
