// What a visitor is at: the state that a link holds, its burst, and what networks make of it. All pages of the site share it,
// so that a page that is left and entered again computes nothing twice.

/** @import { Burst, Estimate, Measure, Picture, Recipe } from "./types" */
/** @import { OwnPhoto } from "./own_photo.js" */
/** @import { Offer, State } from "./parameters.js" */
/** @import { Predictor } from "../../lens/scripts/types" */

import { Background } from "./background.js";
import { drawHandheld } from "./camera.js";
import { bytesOf, jsonOf, workerOf } from "./files.js";
import { EXAMPLE_PHOTO } from "./kernel_example.js";
import { noiseForGain } from "./noise.js";
import { keptPhoto } from "./own_photo.js";
import { BY_HAND, defaults, HANDHELD, mayTurn, OWN, readLink, shiftsFor, withOthersOf } from "./parameters.js";
import { hasColor, linearPicture } from "./pictures.js";
import { Pool } from "./pool.js";
import { predictorOf } from "./predictor.js";
import { Outdated } from "./slices.js";

const FILES = { bytesOf, jsonOf, workerOf };

/** Of an estimate, by what is wanted to be known of it. */
const FIELD = { scores: "scores", errors: "local", answer: "answer", psnr: "psnr" };

export class Session {
  /** @param {Offer} offer */
  constructor(offer) {
    this.offer = offer;
    this.pool = new Pool(FILES);
    /** @type {Pool | null} */
    this.anew = null; // predicts for frames that are moved by hand: a worker answers its newest question alone
    this.background = new Background();
    /** @type {Map<string, Promise<Picture>>} */
    this.photos = new Map();
    /** @type {Burst | null} */
    this.burst = null;
    this.id = ""; // of the burst
    /** @type {Map<string, Estimate>} */
    this.estimates = new Map(); // of each network
    /** @type {Map<string, Uint8Array>} */
    this.assumed = new Map(); // of each network, what it makes of other assumed noise, packed for the lens
    /** @type {OwnPhoto | null} */
    this.own = null; // the visitor's photo
    /** @type {number | null} */
    this.presented = null; // the example that was shown last
    this.turn = 0; // counts changes: what belongs to an older one is dropped
    /** @type {State} */
    this.state = readLink("", offer)[0];
  }

  /**
   * The state of a link; a sentence on what was wrong with it.
   * @param {string} search
   * @param {string | null} page  of which it is the link, where what such a link does not hold stays as it is
   */
  open(search, page) {
    const [state, problem] = readLink(search, this.offer);
    Object.assign(this.state, page === null ? state : withOthersOf(state, this.state, page)); // controls have this very object
    return problem;
  }

  /** What the burst and its pictures come of, as JSON. */
  get source() {
    return JSON.stringify([
      { ...this.state, pixel: 0, display: 0, noise: 0, sizes: 0, results: 0, lesson: 0, teach: 0, others: 0 },
      this.own?.id,
    ]);
  }

  /** Photos that there are: those of the site, and the visitor's own. */
  get photoNames() {
    return [...this.offer.photos, ...(this.photos.has(OWN) ? [OWN] : [])];
  }

  /** The visitor's own photo takes the place of one before. @param {OwnPhoto} photo */
  bring(photo) {
    this.own = photo;
    this.photos.set(OWN, Promise.resolve(photo.picture));
  }

  /**
   * Bring a photo that the visitor brought before; whether the browser has kept it.
   * @param {string} id
   */
  async recall(id) {
    if (this.own?.id === id) return true;
    const photo = await keptPhoto(id);
    if (photo) this.bring(photo);
    return photo !== null;
  }

  /** The visitor's own photo is gone. */
  forget() {
    this.own = null;
    this.photos.delete(OWN);
    if (this.state.photo === OWN) this.state.photo = defaults(this.offer).photo;
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

  /** The next turn: what was computed for the one before is given up. */
  next() {
    return ++this.turn;
  }

  /** @param {number} turn */
  check(turn) {
    if (turn !== this.turn) throw new Outdated();
  }

  /**
   * The burst of a recipe, as that of the page.
   * @param {Recipe} recipe
   * @param {number} turn
   */
  async take(recipe, turn) {
    const id = JSON.stringify(recipe) + (recipe.photo === OWN ? this.own?.id : "");
    if (id === this.id && this.burst) return this.burst;
    const burst = await this.burstOf(recipe);
    this.check(turn);
    this.burst = burst;
    this.id = id;
    this.estimates.clear();
    this.assumed.clear();
    return this.burst;
  }

  /**
   * Make a burst. Outdated where another is asked meanwhile.
   * @param {Recipe} recipe
   */
  async burstOf(recipe) {
    return this.background.ask(
      { work: "burst", recipe },
      await this.photosOf([recipe.photo, ...recipe.moving.map(({ photo }) => photo)]),
    );
  }

  /** @param {string[]} names */
  async photosOf(names) {
    return new Map(await Promise.all(names.map(async (name) => /** @type {const} */ ([name, await this.photo(name)]))));
  }

  /**
   * The example of kernels of another network. Its photo is another one where the site has it not. Outdated where it is wanted
   * no more once the photo is there: a file that is being read meanwhile is not to be given up for it.
   * @param {() => boolean} wanted
   */
  async kernelExample(wanted = () => true) {
    const { photos } = this.offer;
    const photo = photos.includes(EXAMPLE_PHOTO) ? EXAMPLE_PHOTO : photos[0];
    const given = await this.photosOf([photo]);
    if (!wanted()) throw new Outdated();
    return this.background.ask({ work: "example", photo }, given);
  }

  /** What the controls stand for. */
  async recipe() {
    return this.recipeOf(this.state);
  }

  /**
   * @param {State} state
   * @returns {Promise<Recipe>}
   */
  async recipeOf(state) {
    const { offer } = this;
    const photo = await this.photo(state.photo);
    const [height, width] = [photo.H, photo.W].map((length) => Math.floor(length / offer.reduction));
    const side = Math.min(state.crop, height, width);
    const object = offer.moving[state.photo] ?? Object.values(offer.moving)[0];
    return {
      photo: state.photo,
      crop: [Math.min(state.top, height - side), Math.min(state.left, width - side), side, side],
      noise: noiseForGain(state.gain),
      frames: state.frames,
      misalignment: offer.shakes[state.shake] ?? offer.shakes.paper,
      shifts: state.shake === BY_HAND ? shiftsFor(state.shifts, state.frames) : null,
      moving:
        state.moving && state.shake !== HANDHELD
          ? [
              {
                ...object,
                center: [side * object.center[0], side * object.center[1]],
                diameter: side * object.diameter,
              },
            ]
          : [],
      white_level: 1,
      reduction: offer.reduction,
      seed: state.seed,
      color: state.color && hasColor(photo),
      camera:
        state.shake === HANDHELD
          ? drawHandheld(state.seed)
          : mayTurn(state) && Object.values(state.camera).some(Boolean)
            ? { ...state.camera }
            : null,
    };
  }

  /**
   * Networks by their names, of those that are on the site and take so many frames.
   * @param {string[]} names
   * @param {number} frames
   */
  modelsOf(names, frames) {
    return this.offer.models.filter(
      ({ name, config }) =>
        names.includes(name) && (config.matching || config.frames === 1 || config.frames === frames),
    );
  }

  /** What predicts for a frame of the burst that is moved by hand. @returns {Predictor} */
  get predictor() {
    this.anew ??= new Pool(FILES);
    return predictorOf(
      this.anew,
      this.id,
      this.offer.models.map(({ name }) => name),
    );
  }

  /**
   * What a network makes of the burst, with what is wanted to be known of it; Outdated where a newer turn came meanwhile.
   * @param {string} name
   * @param {number} turn
   * @param {Measure[]} [wanted]
   */
  async estimate(name, turn, wanted = []) {
    const known = this.estimates.get(name);
    if (known && wanted.every((measure) => FIELD[measure] in known)) return known;
    const [found] = await this.ask(name, turn, [1], ["scores", ...wanted]);
    const estimate = { ...known, ...found };
    this.estimates.set(name, estimate);
    return estimate;
  }

  /**
   * What a network makes of the burst, told each of `scales` times its noise; Outdated where a newer turn came meanwhile.
   * @param {string} name
   * @param {number} turn
   * @param {number[]} scales
   * @param {Measure[]} [wanted]
   */
  async ask(name, turn, scales, wanted = []) {
    if (!this.burst) throw new Error("there is no burst yet");
    const found = await this.pool.ask(name, this.burst, scales, wanted);
    this.check(turn);
    return found;
  }
}

/**
 * A photo of the site in linear light.
 * @param {string} name
 * @returns {Promise<Picture>}
 */
async function readPhoto(name) {
  const path = `photos/${name}.webp`;
  const bytes = await bytesOf(path);
  const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/webp" }), {
    colorSpaceConversion: "none",
    premultiplyAlpha: "none",
  }).catch(() => {
    throw new Error(`${path} is damaged, or no picture that this browser can read; load the page again`);
  });
  const { width: W, height: H } = bitmap;
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [W, H];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error(`the photo ${name} cannot be read: the browser gives no canvas`);
  context.drawImage(bitmap, 0, 0);
  return linearPicture(context.getImageData(0, 0, W, H).data, H, W);
}
