// The guided scene in any page: what Streamlit (kpnviz/ui/first_minute) and every other host use.

/** @import { Load } from "./data.js" */

import { make } from "../scripts/elements.js";
import { Scene } from "./scene.js";
import STYLE from "./scene.css";
import MARKUP from "./scene.html";

const SEEN = "kpnviz.first-minute"; // in the browser's storage: whether it was gone through, or skipped

/** Whether this browser has shown it before. Where it keeps nothing, it has not. */
export function wasSeen() {
  try {
    return localStorage.getItem(SEEN) !== null;
  } catch {
    return false;
  }
}

function noteSeen() {
  try {
    localStorage.setItem(SEEN, "1");
  } catch {
    // It will be shown again.
  }
}

/**
 * Put the scene into an element, or a shadow root; it is shown once its `open` is called, as a window over the page.
 * `load` gives the payload of a part (kpnviz/lens/scene), `early` that of the burst alone, where it is there before. `onEnd` is told whether the visitor came to its end.
 * `of` says whose pages the last step names: those of the app, or of the site. `addressOf` gives the address of one of them,
 * `toPage` goes there and returns whether it could; else the link is followed.
 * @param {HTMLElement | ShadowRoot} place
 * @param {{ load: Load, early?: () => Promise<Uint8Array>, of?: "app" | "site", addressOf?: (page: string) => string, toPage?: (page: string) => boolean, onEnd?: (finished: boolean) => void }} host
 */
export function mountScene(place, { load, early, of = "app", addressOf, toPage = () => false, onEnd = () => {} }) {
  const markup = document.createElement("template");
  markup.innerHTML = MARKUP;
  place.replaceChildren(make("style", "", STYLE), markup.content);
  const dialog = /** @type {HTMLDialogElement & { scene?: Scene }} */ (place.querySelector("dialog"));
  const scene = new Scene(dialog, {
    load,
    early,
    of,
    addressOf,
    toPage,
    onEnd: (finished) => {
      noteSeen();
      onEnd(finished);
    },
  });
  dialog.scene = scene; // what the tests read
  return scene;
}
