// The guided scene (kpnviz/lens/scene) on the site: its parts are computed here. It opens by itself for who comes to the plain
// address for the first time, and from the name in the corner.

/** @import { Burst, Recipe } from "./types" */
/** @import { Site } from "./site.js" */

import { mountScene, wasSeen } from "../../lens/scene/mount.js";
import { SCENE } from "../../lens/scene/texts.js";
import { noiseForGain } from "./noise.js";
import { pack, packAssumed } from "./pack.js";
import { Outdated } from "./slices.js";

/** kpnviz.lens.scene.recipe @returns {Recipe} */
export function sceneRecipe() {
  const { photo, crop, gain, shifts, ball, reduction, seed } = SCENE.burst;
  return {
    ...{
      photo,
      crop,
      noise: noiseForGain(gain),
      frames: shifts.length,
      misalignment: { small: 2, large: 16, rate: 1.5, subpixel: false },
      shifts,
    },
    ...{ moving: [{ ...ball, outline: [] }], white_level: 1, reduction, seed, color: false, camera: null },
  };
}

export class FirstMinute {
  /**
   * @param {HTMLElement} place
   * @param {Site} site
   */
  constructor(place, site) {
    this.site = site;
    this.id = "scene";
    /** @type {Promise<Burst> | null} */
    this.burst = null;
    /** @type {Promise<unknown>} */
    this.before = Promise.resolve();
    this.ended = () => {};
    this.scene = mountScene(place.attachShadow({ mode: "open" }), {
      of: "site",
      addressOf: (page) => site.links.get(page)?.href ?? page,
      toPage: (page) => {
        site.go(page);
        return true;
      },
      load: (part) => this.load(part),
      early: async () => pack(await this.scenery(), [], SCENE.pixels.eye, this.id),
      onEnd: () => {
        this.ended(); // what was still computed for it is given up, and computed anew if it is opened again
        if (site.entry.kept.scene) site.entry.noteScene("pushState", false); // else one went back from it
        if (!site.opening) site.page?.changed();
      },
    });
  }

  /** Whether it is to open by itself. */
  get isNew() {
    return this.site.session.offer.scene && !wasSeen();
  }

  /** @param {"pushState" | "replaceState" | null} how  an entry of the history becomes that of the scene; null: it is */
  open(how) {
    if (how) this.site.entry.noteScene(how, true);
    this.site.session.next(); // the page waits meanwhile
    /** @type {Promise<never>} */
    const over = new Promise((_, reject) => (this.ended = () => reject(new Outdated())));
    over.catch(() => {});
    this.over = over;
    this.before = Promise.resolve();
    this.scene.open();
  }

  /**
   * The payload of a part, one after the other: a network answers its newest question alone.
   * @param {string} part
   * @returns {Promise<Uint8Array>}
   */
  load(part) {
    const found = this.before.then(() => this.computed(part));
    this.before = found.catch(() => {});
    return Promise.race([found, /** @type {Promise<never>} */ (this.over)]);
  }

  /** The burst, made once. */
  scenery() {
    this.burst ??= this.site.session.burstOf(sceneRecipe());
    this.burst.catch(() => (this.burst = null)); // it may be tried again
    return this.burst;
  }

  /** @param {string} part */
  async computed(part) {
    const { session } = this.site;
    const { turn, offer } = session;
    const burst = await this.scenery();
    const network = part === "sizes" ? SCENE.networks.sizes : SCENE.networks.kernels;
    const scales = part === "noise" ? SCENE.scales : [1];
    const estimates = await session.pool.ask(network, burst, scales, part === "noise" ? [] : ["scores"]);
    session.check(turn);
    if (part === "noise") return packAssumed(burst, scales, estimates, this.id);
    const model = offer.models.find(({ name }) => name === network);
    if (!model) throw new Error(`the network ${network} is not on this site`);
    return pack(burst, [{ ...model, estimate: estimates[0] }], SCENE.pixels.eye, this.id);
  }
}
