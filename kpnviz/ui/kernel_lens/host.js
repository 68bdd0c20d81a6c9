// The lens as a component of Streamlit (components v2): it fetches what Python offers, and tells Python what a person chose.

/** @import { Display, Pixel } from "../../lens/scripts/types" */

import { mount } from "../../lens/scripts/mount.js";
import { readHeader } from "../../lens/scripts/payload.js";
import { Pool } from "../../site/scripts/pool.js";
import { predictorOf } from "../../site/scripts/predictor.js";
import { called } from "../latest_call.js";
import { AssumedLoader, fetchBytes } from "./loader.js";

/** The engine of the site, from this server (ui/engine.py): fetched when a network is first asked. */
const ENGINE = {
  bytesOf: (/** @type {string} */ path) => fetchBytes(`engine/${path}`),
  jsonOf: async (/** @type {string} */ path) =>
    JSON.parse(new TextDecoder().decode(await fetchBytes(`engine/${path}`))),
  workerOf: async (/** @type {string} */ path) => new Worker(new URL(`engine/${path}`, document.baseURI)),
};

/**
 * What Python sends in front of the payload: kpnviz/ui/kernel_lens/__init__.py describes it.
 * @typedef {object} Order
 * @property {number} number  tells whether it has been followed already
 * @property {string} lens
 * @property {Pixel | null} pinned
 * @property {Display} display
 * @property {{ address: string, id: string } | null} payload  where it is fetched; null: it follows
 * @property {{ burst: string, addresses: Record<string, string> } | null} assumed
 * @property {number | null} share  of the window's height that the lens takes; null: what there is
 */

/**
 * What each lens of the page showed last, by its name: where one is put into its place anew, it goes on from there.
 * @type {Map<string, { number: number, pinned: Pixel | null, display: Display }>}
 */
const shownLast = new Map();

const LEAST_HEIGHT = 400; // CSS pixels

class Host {
  /** @param {HTMLElement} place */
  constructor(place) {
    /** @type {(name: string, value: any) => void} */
    this.report = () => {};
    this.name = "";
    /** @type {number | undefined} */
    this.followed = undefined; // number of the last order
    /** @type {number | null} */
    this.share = null; // of the window's height
    this.lens = mount(place, {
      onPinned: (pinned) => this.tell("pinned", { at: pinned }, { pinned }),
      onDisplay: (display) => this.tell("display", display, { display }),
    });
    this.loader = new AssumedLoader((given) => this.lens.setAssumed(given));
    this.pool = new Pool(ENGINE);
    this.predictsFor = "";
    /** @type {{ id: string, order: Order, stop: AbortController } | null} */
    this.fetching = null;
  }

  destroy() {
    this.fetching?.stop.abort();
    this.loader.destroy();
    this.pool.closeAll();
    this.lens.destroy();
  }

  /**
   * Called again for every rerun of the script and every change of theme.
   * @param {Uint8Array} bytes
   * @param {(name: string, value: any) => void} report
   */
  update(bytes, report) {
    this.report = report;
    const [order, payload] = /** @type {[Order, Uint8Array]} */ (readHeader(bytes));
    if (order.share !== this.share) {
      this.share = order.share;
      this.lens.setHeight(order.share && Math.max(order.share * innerHeight, LEAST_HEIGHT));
    }
    const id = order.payload?.id;
    if (id && id === this.fetching?.id) this.fetching.order = order;
    else {
      this.fetching?.stop.abort();
      this.fetching = null;
      if (order.payload && id !== this.lens.id) this.fetch(order, order.payload);
      else this.take(order, payload);
    }
    this.loader.load(order.assumed);
    this.setPredictor(order.assumed);
    this.lens.refresh();
  }

  /**
   * Show what Python offers, once it is here; what was there stays until then.
   * @param {Order} order
   * @param {{ address: string, id: string }} offered
   */
  async fetch(order, { address, id }) {
    this.lens.setOutdated(this.lens.id !== ""); // the text beside it may speak of the new burst by now
    const fetching = (this.fetching = { id, order, stop: new AbortController() });
    try {
      const payload = await fetchBytes(address, fetching.stop.signal);
      if (fetching === this.fetching) this.take(fetching.order, payload);
    } catch (error) {
      if (fetching.stop.signal.aborted) return;
      console.warn(`kpnviz: ${error}: pictures and kernels will come in messages`);
      this.report("refused", id);
    } finally {
      if (fetching === this.fetching) this.fetching = null;
    }
  }

  /**
   * Where results with other noise can be fetched, so can the engine, and the methods are networks.
   * @param {Order["assumed"]} offered
   */
  setPredictor(offered) {
    const networks = Object.keys(offered?.addresses ?? {});
    const predictsFor = offered ? [offered.burst, ...networks].join() : "";
    if (predictsFor === this.predictsFor) return;
    this.predictsFor = predictsFor;
    this.lens.setPredictor(offered && predictorOf(this.pool, offered.burst, networks));
  }

  /**
   * @param {Order} order
   * @param {Uint8Array} payload  empty: the lens has it already
   */
  take(order, payload) {
    this.lens.setOutdated(false);
    if (payload.length) this.lens.show(payload);
    if (order.number !== this.followed) this.follow(order);
    this.lens.refresh();
  }

  /**
   * What Python set: the pinned pixel and the options of display. What a person chose since is newer.
   * @param {Order} order
   */
  follow({ number, lens, pinned, display }) {
    const last = shownLast.get(lens);
    const now = last?.number === number ? last : { number, pinned, display };
    [this.followed, this.name] = [number, lens];
    shownLast.set(lens, now);
    this.lens.follow(now);
  }

  /**
   * @param {string} name
   * @param {any} value
   * @param {{ pinned?: Pixel | null, display?: Display }} changed
   */
  tell(name, value, changed) {
    const last = shownLast.get(this.name);
    if (last) shownLast.set(this.name, { ...last, ...changed });
    this.report(name, { ...value, order: this.followed });
  }
}

/** @type {WeakMap<Element, Host>} */
const hosts = new WeakMap();

/** @param {{ data: Uint8Array, parentElement: ParentNode, setTriggerValue: (name: string, value: any) => void }} component */
export default function ({ data, parentElement, setTriggerValue }) {
  const place = /** @type {HTMLElement} */ (parentElement.querySelector(".place"));
  const host = hosts.get(place) ?? new Host(place);
  hosts.set(place, host);
  return called(
    place,
    () => host.update(data, setTriggerValue),
    () => {
      host.destroy();
      hosts.delete(place);
    },
  );
}
