// Explore without a server: one burst, a few networks, and the kernels of the pixel under the mouse.

/** @import { Burst, Estimate, Picture, Recipe } from "./types" */
/** @import { Offer } from "./parameters.js" */
/** @import { Shown } from "./pack.js" */

import { mount } from "../../lens/scripts/mount.js";
import { synthesize } from "./burst.js";
import { drawHandheld } from "./camera.js";
import { Controls } from "./controls.js";
import { bytesOf } from "./files.js";
import { interestingPixel } from "./first_look.js";
import { noiseForGain } from "./noise.js";
import { pack, packAssumed } from "./pack.js";
import { BY_HAND, HANDHELD, mayTurn, readLink, shiftsFor, writeLink } from "./parameters.js";
import { hasColor, linearPicture } from "./pictures.js";
import { Pool } from "./pool.js";

const SCALES = [0.25, 0.5, Math.SQRT1_2, Math.SQRT2, 2, 4]; // of the true noise, between which the lens interpolates
const REST_MS = 600; // after which other assumed noise is computed

/** @param {string} id */
function element(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found;
}

class Explore {
  /** @param {Offer} offer */
  constructor(offer) {
    this.offer = offer;
    this.pool = new Pool();
    /** @type {Map<string, Promise<Picture>>} */
    this.photos = new Map();
    /** @type {Burst | null} */
    this.burst = null;
    this.id = ""; // of the burst
    /** @type {Map<string, Estimate>} */
    this.estimates = new Map();
    this.turn = 0; // counts changes: what belongs to an older one is dropped
    const [state, problem] = readLink(location.search, offer);
    this.state = state;
    this.say(problem, true);
    this.controls = new Controls(element("controls"), offer, state, () => this.changed());
    this.lens = mount(element("lens").attachShadow({ mode: "open" }), {
      onPinned: (pixel) => {
        this.state.pixel = pixel;
        this.keep();
      },
      onDisplay: (display) => {
        this.state.display = display;
        this.keep();
      },
    });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.lens.refresh());
    addEventListener("popstate", () => location.reload());
    this.first = true;
  }

  /**
   * A sentence under the controls; as an alert where something is wrong.
   * @param {string} text
   * @param {boolean} [wrong]
   */
  say(text, wrong = false) {
    element(wrong ? "problem" : "status").textContent = text;
  }

  /** The state goes into the address, so that the page can be shared and loaded again. */
  keep() {
    try {
      history.replaceState(null, "", `?${writeLink(this.state, this.offer)}`);
    } catch {
      // Some browsers do not let a file change its address; it shows the same without.
    }
  }

  /** @param {string} name */
  photo(name) {
    let photo = this.photos.get(name);
    if (!photo) {
      photo = readPhoto(name);
      photo.catch(() => this.photos.delete(name));
      this.photos.set(name, photo);
    }
    return photo;
  }

  /** Another burst, or other networks. */
  async changed() {
    const turn = ++this.turn;
    clearTimeout(this.timer);
    if (turn > 1) this.say("", true); // what was wrong with a link stays until something is changed
    this.keep();
    const { state } = this;
    try {
      const recipe = await this.recipe();
      const photos = new Map(await Promise.all([state.photo, ...recipe.moving.map(({ photo }) => photo)].map(async (name) => /** @type {const} */ ([name, await this.photo(name)]))));
      if (turn !== this.turn) return;
      const id = JSON.stringify(recipe);
      if (id !== this.id) {
        this.burst = synthesize(recipe, (name) => /** @type {Picture} */ (photos.get(name)));
        this.id = id;
        this.estimates.clear();
        this.lens.setAssumed(null);
      }
      this.controls.draw(await this.photo(state.photo), this.burst);
      await this.denoise(turn);
    } catch (error) {
      if (turn === this.turn) this.fail(error);
    }
  }

  /** @param {unknown} error */
  fail(error) {
    this.lens.setOutdated(true);
    this.say("");
    this.say(`${error instanceof Error ? error.message : error}.`, true);
  }

  /** What the controls stand for. */
  async recipe() {
    const { state, offer } = this;
    const photo = await this.photo(state.photo);
    const [height, width] = [photo.H, photo.W].map((length) => Math.floor(length / offer.reduction));
    const side = Math.min(state.crop, height, width);
    const object = offer.moving[state.photo];
    /** @type {Recipe} */
    const recipe = {
      photo: state.photo,
      crop: [Math.min(state.top, height - side), Math.min(state.left, width - side), side, side],
      noise: noiseForGain(state.gain),
      frames: state.frames,
      misalignment: offer.shakes[state.shake] ?? offer.shakes.paper,
      shifts: state.shake === BY_HAND ? shiftsFor(state.shifts, state.frames) : null,
      moving: state.moving && state.shake !== HANDHELD
        ? [{ ...object, center: [side * object.center[0], side * object.center[1]], diameter: side * object.diameter }]
        : [],
      white_level: 1,
      reduction: offer.reduction,
      seed: state.seed,
      color: state.color && hasColor(photo),
      camera: state.shake === HANDHELD ? drawHandheld(state.seed) : mayTurn(state) && Object.values(state.camera).some(Boolean) ? { ...state.camera } : null,
    };
    return recipe;
  }

  /** The networks that take a burst of so many frames. */
  get methods() {
    const { state, offer } = this;
    return offer.models.filter(({ name, config }) => state.methods.includes(name) && (config.matching || config.frames === 1 || config.frames === state.frames));
  }

  /**
   * Show the burst at once, and what each network makes of it as it comes.
   * @param {number} turn
   */
  async denoise(turn) {
    const burst = /** @type {Burst} */ (this.burst);
    const { methods } = this;
    const begun = performance.now();
    const left = this.state.methods.length - methods.length;
    const note = left ? ` (${left === 1 ? "one method takes" : `${left} methods take`} another number of frames)` : "";
    if (!this.first || !methods.length) this.show();
    const waiting = new Set(methods.filter(({ name }) => !this.estimates.has(name)).map(({ title }) => title));
    const progress = () => this.say(waiting.size ? `Denoising with ${[...waiting].join(", ")} …` : `${burst.N} frames of ${burst.H}×${burst.W} pixels, denoised here in ${((performance.now() - begun) / 1000).toFixed(1)} s${note}`);
    progress();
    await Promise.all(
      methods.map(async ({ name, title }) => {
        if (this.estimates.has(name)) return;
        const [estimate] = await this.pool.ask(name, burst, [1]);
        if (turn !== this.turn) return;
        this.estimates.set(name, estimate);
        waiting.delete(title);
        // At first the last network's picture is large, and the lens keeps what it shows: others wait for that.
        if (!this.first || name === methods[methods.length - 1].name || !waiting.size) this.show();
        progress();
      }),
    );
    if (turn !== this.turn) return;
    this.timer = setTimeout(() => this.assume(turn).catch((error) => this.fail(error)), REST_MS);
  }

  /** The lens shows the burst and what has come of it. */
  show() {
    const burst = /** @type {Burst} */ (this.burst);
    /** @type {Shown[]} */
    const shown = this.methods.map(({ name, title, config }) => ({ name, title, config, estimate: this.estimates.get(name) ?? null }));
    this.lens.show(pack(burst, shown, interestingPixel(burst), this.id));
    if (!this.first) return;
    this.first = false;
    this.lens.follow({ pinned: this.state.pixel, display: { ...this.offer.display, ...this.state.display } });
  }

  /**
   * What the networks make of the burst where they are told another noise, in the background.
   * @param {number} turn
   */
  async assume(turn) {
    const burst = /** @type {Burst} */ (this.burst);
    /** @type {Record<string, Uint8Array>} */
    const results = {};
    const given = () => this.lens.setAssumed({ burst: this.id, results: { ...results } });
    if (!this.methods.length) return;
    given();
    for (const { name } of this.methods) {
      const estimates = await this.pool.ask(name, burst, SCALES);
      if (turn !== this.turn) return;
      results[name] = packAssumed(burst, SCALES, estimates, this.id);
      given();
    }
  }
}

/**
 * A photo of the site in linear light.
 * @param {string} name
 * @returns {Promise<Picture>}
 */
async function readPhoto(name) {
  const bytes = await bytesOf(`photos/${name}.png`);
  const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }), { colorSpaceConversion: "none", premultiplyAlpha: "none" });
  const { width: W, height: H } = bitmap;
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [W, H];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error(`the photo ${name} cannot be read: the browser gives no canvas`);
  context.drawImage(bitmap, 0, 0);
  return linearPicture(context.getImageData(0, 0, W, H).data, H, W);
}

const page = new Explore(JSON.parse(element("offer").textContent ?? ""));
page.changed();
