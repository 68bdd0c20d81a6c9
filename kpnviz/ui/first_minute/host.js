// The guided scene as a component of Streamlit (components v2): the name in the corner opens it.

import { mountScene, wasSeen } from "../../lens/scene/mount.js";
import { readHeader } from "../../lens/scripts/payload.js";
import { fetchBytes } from "../kernel_lens/loader.js";
import { called } from "../latest_call.js";

const PARTS = ["kernels", "noise", "sizes"];

/**
 * What Python sends: kpnviz/ui/first_minute/__init__.py.
 * @typedef {{ opens: boolean, addresses: Record<string, string> | null, lengths: number[] }} Header
 */

/**
 * By the page's own navigation, where it is in sight: the app is not loaded anew.
 * @param {string} page
 */
function toPage(page) {
  const link = [...document.querySelectorAll("a")].find(({ pathname }) => pathname.endsWith(`/${page}`));
  link?.click();
  return Boolean(link);
}

class Host {
  /** @param {HTMLElement} root */
  constructor(root) {
    /** @type {(name: string, value: any) => void} */
    this.report = () => {};
    /** @type {Record<string, string> | null} */
    this.addresses = null;
    /** @type {Record<string, Uint8Array>} */
    this.sent = {};
    /** @type {(() => void)[]} */
    this.waiting = [];
    this.stop = new AbortController();
    this.scene = mountScene(/** @type {HTMLElement} */ (root.querySelector(".window")), {
      load: (part) => this.load(part),
      toPage,
    });
    root.querySelector(".brand")?.addEventListener("click", () => this.scene.open());
  }

  destroy() {
    this.stop.abort();
    this.scene.destroy();
  }

  /**
   * Called again for every run of the script and every change of the theme.
   * @param {Uint8Array} bytes
   * @param {(name: string, value: any) => void} report
   */
  update(bytes, report) {
    this.report = report;
    const [header, rest] = /** @type {[Header, Uint8Array]} */ (readHeader(bytes));
    this.addresses = header.addresses;
    let first = 0;
    header.lengths.forEach((length, i) => {
      this.sent[PARTS[i]] = rest.subarray(first, (first += length));
    });
    if (header.lengths.length) for (const done of this.waiting.splice(0)) done();
    this.scene.setTheme();
    // Once in a tab, whatever page it is on by then.
    const tab = /** @type {{ kpnvizOpened?: boolean }} */ (globalThis);
    if (!tab.kpnvizOpened && header.opens && !wasSeen()) this.scene.open();
    tab.kpnvizOpened = true;
  }

  /**
   * The payload of a part: from its address, or where that is not to be had in a message.
   * @param {string} part
   */
  async load(part) {
    const address = this.addresses?.[part];
    if (address && !(part in this.sent)) {
      try {
        return await fetchBytes(address, this.stop.signal);
      } catch (error) {
        if (this.stop.signal.aborted) throw error;
        console.warn(`kpnviz: ${error}: the scene will come in a message`);
      }
    }
    if (!(part in this.sent)) {
      this.report("refused", part);
      await new Promise((done) => this.waiting.push(() => done(null)));
    }
    return this.sent[part];
  }
}

/** @type {WeakMap<Element, Host>} */
const hosts = new WeakMap();

/** @param {{ data: Uint8Array, parentElement: ParentNode, setTriggerValue: (name: string, value: any) => void }} component */
export default function ({ data, parentElement, setTriggerValue }) {
  const root = /** @type {HTMLElement} */ (parentElement.querySelector(".first-minute"));
  const host = hosts.get(root) ?? new Host(root);
  hosts.set(root, host);
  return called(
    root,
    () => host.update(data, setTriggerValue),
    () => {
      host.destroy();
      hosts.delete(root);
    },
  );
}
