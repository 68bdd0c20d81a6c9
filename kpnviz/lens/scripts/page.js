// The lens on a page of its own, which needs no server. kpnviz/lens/page.py writes it.

/** @import { Display, Pixel } from "./types" */

import { mount } from "./mount.js";
import { readHeader } from "./payload.js";

/**
 * The bytes that an element holds as base64 of gzip.
 * @param {Element} element
 */
async function bytesIn(element) {
  const text = atob(element.textContent);
  const packed = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) packed[i] = text.charCodeAt(i);
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** What the page holds of other assumed noise: of each method its payload. */
async function assumedResults() {
  /** @type {Record<string, Uint8Array>} */
  const results = {};
  for (const element of document.querySelectorAll("[data-method]"))
    results[element.getAttribute("data-method") ?? ""] = await bytesIn(element);
  return results;
}

async function openPage() {
  document.body.classList.toggle("framed", window.self !== window.top);
  const [order, payload] = readHeader(await bytesIn(elementNamed("payload")));
  const [{ id, burst }] = readHeader(payload);
  // What a person chooses is kept in the tab's history: the page shows it again when it is loaded again.
  /** @type {{ id: string, pinned: Pixel | null, display: Display }} */
  const now = history.state?.id === id ? history.state : { id, pinned: order.pinned, display: order.display };
  const keep = () => history.replaceState(now, "");
  const place = elementNamed("lens").attachShadow({ mode: "open" }); // its styles stay inside
  const lens = mount(place, {
    payload,
    order: now,
    onPinned: (pixel) => ((now.pinned = pixel), keep()),
    onDisplay: (display) => ((now.display = display), keep()),
  });
  const results = await assumedResults();
  if (Object.keys(results).length) lens.setAssumed({ burst, results });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => lens.refresh());
}

/** @param {string} id */
function elementNamed(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no #${id}`);
  return element;
}

openPage();
