// The files of the site: fetched from beside the page, or read out of it where one file holds everything.

/** Whether one file holds everything. */
export const ALONE = typeof document !== "undefined" && document.querySelector("script[data-file]") !== null;

/** Where the site begins: pages lie in folders below it, and the address changes while the site is used. */
export const ROOT = typeof document === "undefined" || ALONE ? "" : new URL(document.documentElement.dataset.root || "./", location.href.split(/[?#]/)[0]).href;

/**
 * Bytes of a file, by its path from the root of the site.
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
  let response;
  try {
    response = await fetch(ROOT + path);
  } catch {
    throw new Error(`${path} cannot be loaded: there is no connection to this site`);
  }
  if (!response.ok) throw new Error(`${path} cannot be loaded: the server answers ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
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

/**
 * A worker that runs the script of a file.
 * @param {string} path
 */
export async function workerOf(path) {
  if (!document.querySelector(`script[data-file="${path}"]`)) return new Worker(ROOT + path);
  const url = URL.createObjectURL(new Blob([await bytesOf(path)], { type: "text/javascript" }));
  try {
    return new Worker(url);
  } finally {
    setTimeout(() => URL.revokeObjectURL(url), 10_000); // once it has been read
  }
}
