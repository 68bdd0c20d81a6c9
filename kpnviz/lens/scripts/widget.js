// The lens in a notebook, by anywidget: kpnviz/lens/widget.py is its other half, and says what it sends.

/** @import { Display, Order, Pixel, Theme } from "./types" */

import { mount } from "./mount.js";

const COLORS_MS = 300;

/**
 * @typedef {object} Model  anywidget's: the traits of the Python object
 * @property {(name: string) => any} get
 * @property {(name: string, value: any) => void} set
 * @property {() => void} save_changes
 * @property {(event: string, heard: () => void) => void} on
 * @property {(event: string, heard: () => void) => void} off
 */

/**
 * What Python set last has a number; what a person has chosen since has the same one.
 * @typedef {Order & { number: number }} Numbered
 */

/**
 * Of a notebook: the colors of JupyterLab or of Visual Studio Code, or else the browser's.
 * @type {Record<string, Theme>}
 */
const THEMES = {
  "": {
    text: "var(--jp-content-font-color1, var(--vscode-editor-foreground, CanvasText))",
    background: "var(--jp-layout-color0, var(--vscode-editor-background, Canvas))",
    primary: "var(--jp-brand-color1, var(--vscode-focusBorder, #0b6bcb))",
    font: "var(--jp-content-font-family, system-ui, sans-serif)",
  },
  light: { text: "#1f2328", background: "#fff", primary: "#0b6bcb", font: "system-ui, sans-serif" },
  dark: { text: "#e6e8eb", background: "#15181d", primary: "#6cb6ff", font: "system-ui, sans-serif" },
};

/** @param {{ model: Model, el: HTMLElement }} view */
function render({ model, el }) {
  el.dataset.lmSuppressShortcuts = ""; // JupyterLab's: keys pressed in the lens are not the notebook's
  const place = el.appendChild(document.createElement("div")).attachShadow({ mode: "open" });
  const theme = THEMES[model.get("theme")];
  const lens = mount(place, {
    height: model.get("height"),
    theme,
    onPinned: (pinned) => keep({ pinned }),
    onDisplay: (display) => keep({ display }),
    onLook: (pixel) => send("pixel", pixel),
  });
  lens.root.style.background = theme.background ?? "";

  /**
   * @param {string} name
   * @param {any} value
   */
  function send(name, value) {
    model.set(name, value);
    model.save_changes();
  }

  /** @param {{ pinned?: Pixel | null, display?: Display }} changed */
  function keep(changed) {
    send("chosen", { ...latest(), ...changed });
  }

  /** @returns {Numbered} */
  function latest() {
    const [order, chosen] = [model.get("order"), model.get("chosen")];
    return chosen?.number === order.number ? chosen : order;
  }

  const show = () => {
    const { buffer, byteOffset, byteLength } = /** @type {DataView<ArrayBuffer>} */ (model.get("payload"));
    lens.show(new Uint8Array(buffer, byteOffset, byteLength));
    lens.follow(latest());
  };
  const follow = () => lens.follow(model.get("order"));
  show();
  model.on("change:order", follow);
  const stopWatching = watchColors(lens.root, () => lens.refresh());
  return () => {
    model.off("change:order", follow);
    stopWatching();
    lens.destroy();
  };
}

/**
 * Hear when an element's colors change: another theme of the notebook, or of the system. They are looked at now and then,
 * as style sheets tell nobody when they have come.
 * @param {HTMLElement} element
 * @param {() => void} heard
 */
function watchColors(element, heard) {
  const colors = () => {
    const { color, backgroundColor } = getComputedStyle(element);
    return `${color} ${backgroundColor}`;
  };
  let last = colors();
  const timer = setInterval(() => {
    const now = colors();
    if (now !== last) heard();
    last = now;
  }, COLORS_MS);
  return () => clearInterval(timer);
}

export default { render };
