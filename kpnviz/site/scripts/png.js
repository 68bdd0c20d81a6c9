// PNGs of 16 bits: browsers keep 8 of them.

import { profileOf } from "./color_profile.js";
import { decodingTable } from "./pictures.js";

/**
 * The chunks of a PNG, one after the other; none of another file.
 * @param {Uint8Array} bytes
 * @returns {Generator<{ kind: string, content: Uint8Array<ArrayBuffer> }>}
 */
export function* chunksOf(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < 33 || view.getUint32(0) !== 0x89504e47) return;
  for (let at = 8; at + 12 <= bytes.length;) {
    const length = view.getUint32(at);
    yield {
      kind: String.fromCharCode(...bytes.subarray(at + 4, at + 8)),
      content: /** @type {Uint8Array<ArrayBuffer>} */ (bytes.subarray(at + 8, at + 8 + length)),
    };
    at += 12 + length;
  }
}

/**
 * What the header of a PNG of 16 bits says; null for all else. plain: it is decoded here; else `why` not.
 * @param {Uint8Array} bytes
 */
export function deepPng(bytes) {
  /** @type {Uint8Array<ArrayBuffer>[]} */
  const data = [];
  /** @type {Uint8Array<ArrayBuffer> | null} */
  let profile = null;
  let [W, H, color, why] = [0, 0, 0, ""];
  for (const { kind, content } of chunksOf(bytes)) {
    const view = new DataView(content.buffer, content.byteOffset, content.length);
    if (kind === "IHDR") {
      if (content.length < 13 || content[8] !== 16) return null;
      [W, H, color] = [view.getUint32(0), view.getUint32(4), content[9]];
      why = { 0: "", 2: "" }[color] ?? "transparency or a palette";
      if (content[12]) why = "interlaced rows";
    }
    if (kind === "IDAT") data.push(content);
    if (kind === "iCCP") profile = content;
    if (kind === "cICP" && String(content) !== "1,13,0,1") why = "colors other than those of sRGB (a cICP entry)"; // else they are sRGB's
    if (kind === "eXIf") why = "EXIF data, as of how the camera was held";
    if (kind === "tRNS") why = "transparency";
    if (kind === "gAMA" && content.length === 4 && Math.abs(view.getUint32(0) - 45455) > 100)
      why = "a gamma of its own";
  }
  return W && H ? { W, H, channels: color === 2 ? 3 : 1, data, profile, plain: !why, why } : null;
}

/** @typedef {NonNullable<ReturnType<typeof deepPng>>} DeepPng */

/**
 * The rows of a PNG of 16 bits, gray or R, G, B, in linear light of sRGB's colors: they are asked for one after the other.
 * null: it has a color profile of a kind that is not converted here.
 * @param {string} name
 * @param {DeepPng} png
 * @returns {Promise<((y: number) => (x: number, c: number) => number) | null>}
 */
export async function deepRows(name, { W, H, channels, data, profile }) {
  const colors = profile && (await profileOf(profile, channels));
  if (profile && !colors) return null;
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
      all[line + i] +=
        kind === 1 ? left : kind === 2 ? up : kind === 3 ? (left + up) >> 1 : kind === 4 ? paeth(left, up, corner) : 0;
    }
  }
  const tables = colors?.tables ?? [decodingTable(16)];
  return (y) => {
    const light = (/** @type {number} */ x, /** @type {number} */ c) => {
      const at = y * length + 1 + x * step + 2 * (c % channels);
      return tables[c % tables.length][256 * all[at] + all[at + 1]];
    };
    if (!colors?.matrix) return light;
    const { matrix } = colors;
    return (x, c) =>
      Math.min(Math.max(matrix[c][0] * light(x, 0) + matrix[c][1] * light(x, 1) + matrix[c][2] * light(x, 2), 0), 1);
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
