// The files of the site: fetched from beside the page, or read out of it where one file holds everything.

/** Whether one file holds everything. */
export const ALONE = typeof document !== "undefined" && document.querySelector("script[data-file]") !== null;

/** Where the site begins: pages lie in folders below it, and the address changes while the site is used. */
export const ROOT =
  typeof document === "undefined" || ALONE
    ? ""
    : new URL(document.documentElement.dataset.root || "./", location.href.split(/[?#]/)[0]).href;

/**
 * Of the files that came with the page, but for networks, which have cards: their bytes and how their SHA-256 begins.
 * @type {Record<string, [number, string]>}
 */
const KNOWN = typeof document === "undefined" ? {} : JSON.parse(document.documentElement.dataset.files || "{}");

/**
 * Bytes of a file, by its path from the root of the site. It throws, a sentence, where they cannot be had, or are not those that
 * came with the page.
 * @param {string} path
 * @returns {Promise<Uint8Array<ArrayBuffer>>}
 */
export async function bytesOf(path) {
  const inside = document.querySelector(`script[data-file="${path}"]`);
  if (inside) {
    const text = atob(inside.textContent ?? "");
    const packed = Uint8Array.from(text, (letter) => letter.charCodeAt(0));
    const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  }
  const known = KNOWN[path];
  if (!known) return fetched(path, path, "default");
  for (const cache of /** @type {RequestCache[]} */ (["default", "reload"])) {
    // a damaged one that the browser has kept is asked for again
    const bytes = await fetched(path, `${path}?${known[1]}`, cache); // not one of an older site either
    if (bytes.length === known[0] && (await begins(bytes, known[1]))) return bytes;
  }
  throw new Error(`${path} is damaged, or of another version of this site; load the page again`);
}

/**
 * @param {string} path
 * @param {string} address  from the root of the site
 * @param {RequestCache} cache
 */
async function fetched(path, address, cache) {
  let response;
  try {
    response = await fetch(ROOT + address, { cache });
  } catch {
    throw new Error(`${path} cannot be loaded: there is no connection to this site`);
  }
  if (!response.ok) throw new Error(`${path} cannot be loaded: the server answers ${response.status}`);
  try {
    return new Uint8Array(await response.arrayBuffer());
  } catch {
    throw new Error(`${path} cannot be loaded: the connection to this site broke off`);
  }
}

/**
 * Whether the SHA-256 of bytes begins so. (Without a secure context browsers have no hashes.)
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @param {string} digits
 */
async function begins(bytes, digits) {
  if (!globalThis.crypto?.subtle) return true;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, "0"))
    .join("")
    .startsWith(digits);
}

/**
 * The object in a JSON file.
 * @param {string} path
 * @returns {Promise<any>}
 */
export async function jsonOf(path) {
  const bytes = await bytesOf(path);
  try {
    const found = JSON.parse(new TextDecoder().decode(bytes));
    if (found instanceof Object) return found;
  } catch {
    // It is said below.
  }
  throw new Error(`${path} is damaged: it holds no JSON object; load the page again`);
}

/** @type {Map<string, Promise<Uint8Array<ArrayBuffer>>>} scripts of workers: a second one needs no connection */
const scripts = new Map();

/**
 * A worker that runs the script of a file, as it was read and checked.
 * @param {string} path
 */
export async function workerOf(path) {
  if (typeof Worker !== "function") throw new Error("this browser has no workers, in which the networks run");
  let script = scripts.get(path);
  if (!script) {
    script = bytesOf(path);
    script.catch(() => scripts.delete(path)); // it may be tried again
    scripts.set(path, script);
  }
  const url = URL.createObjectURL(new Blob([await script], { type: "text/javascript" }));
  try {
    return new Worker(url);
  } finally {
    setTimeout(() => URL.revokeObjectURL(url), 10_000); // once it has been read
  }
}
