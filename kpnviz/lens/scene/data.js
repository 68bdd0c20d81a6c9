// What the guided scene shows: its payloads as they come, and the pictures and numbers that are made of them.

/** @import { Field, Payload, Pixel } from "../scripts/types" */
/** @import { KernelField } from "../scripts/field.js" */
/** @import { Picture, View } from "./stage.js" */

import { Assumed } from "../scripts/assumed.js";
import { readPayload } from "../scripts/payload.js";
import { kernelsOfSizes, meanOf, shareMap } from "./arithmetic.js";
import { pictureOf, pictureOfShares } from "./stage.js";
import { SCENE } from "./texts.js";

/** @typedef {(part: string) => Promise<Uint8Array>} Load */

/** What is said of a part that is awaited, and of one that cannot be had. @type {Record<string, [string, string]>} */
const COMING = {
  burst: ["The burst comes …", "There is no burst"],
  kernels: ["The kernels come …", "There are no kernels"],
  noise: ["Kernels for other assumed noise come …", "There are no kernels for other assumed noise"],
  sizes: ["Kernels of several sizes come …", "There are no kernels of several sizes"],
};

export class SceneData {
  /**
   * @param {Load} load  gives the payload of a part
   * @param {(part: string | null) => void} onChange  told which part has come; null: one could not be had
   * @param {(() => Promise<Uint8Array>) | null} [early]  gives the burst alone, where that comes before the first part
   */
  constructor(load, onChange, early = null) {
    this.load = load;
    this.early = early;
    this.onChange = onChange;
    /** @type {Map<string, unknown>} */
    this.failures = new Map(); // why a part could not be had
    /** @type {Map<string, Promise<void>>} */
    this.loading = new Map();
    /** @type {Set<string>} */
    this.ready = new Set();
    /** @type {Payload | null} */
    this.kernelsPayload = null;
    /** @type {Payload | null} */
    this.sizesPayload = null;
    this.assumed = new Assumed(() => {});
    /** @type {Map<string, Picture>} */
    this.pictures = new Map();
    /** @type {Map<number, { map: ReturnType<typeof shareMap>, picture: Picture }>} */
    this.shares = new Map();
    /** @type {View | null} */
    this.wholeView = null;
    /** @type {{ pixel: Pixel, kernels: ReturnType<typeof kernelsOfSizes> }[] | null} */
    this.places = null;
  }

  /**
   * Load a part, once; the burst before all others.
   * @param {string} part
   * @returns {Promise<void>}
   */
  want(part) {
    if (part === "burst") return this.want("kernels");
    const known = this.loading.get(part);
    if (known) return known;
    this.failures.delete(part);
    if (part === "kernels")
      this.early?.().then(
        (bytes) => this.receiveBurst(bytes),
        () => {},
      ); // its failure is that of the part
    const before = part === "kernels" ? Promise.resolve() : this.want("kernels");
    const loading = before.then(() => this.load(part)).then((bytes) => this.receive(part, bytes));
    this.loading.set(part, loading);
    loading.catch((error) => {
      this.loading.delete(part);
      this.failures.set(part, error);
      this.onChange(null);
    });
    return loading;
  }

  /**
   * @param {string} part
   * @param {Uint8Array} bytes
   */
  receive(part, bytes) {
    if (part === "noise") this.assumed.set({ burst: this.payload.burst, results: { [SCENE.networks.kernels]: bytes } });
    else if (part === "sizes") this.sizesPayload = readPayload(bytes);
    else {
      this.kernelsPayload = readPayload(bytes);
      this.assumed.load(this.kernelsPayload);
    }
    this.ready.add(part);
    this.failures.delete(part);
    this.onChange(part);
  }

  /**
   * The burst alone, before what a network makes of it.
   * @param {Uint8Array} bytes
   */
  receiveBurst(bytes) {
    if (this.kernelsPayload) return;
    this.kernelsPayload = readPayload(bytes);
    this.onChange("burst");
  }

  /**
   * Whether all that a step needs is here.
   * @param {string | null} part
   */
  has(part) {
    if (part === "burst") return this.kernelsPayload !== null;
    return part === null || (this.ready.has(part) && this.kernelsPayload !== null);
  }

  /**
   * What is said while a part is not here: that it comes, or why it does not.
   * @param {string | null} part
   */
  waitingFor(part) {
    const [comes, fails] = COMING[this.kernelsPayload && part ? part : "burst"] ?? COMING.burst;
    const error = this.failures.get(part === "burst" ? "kernels" : (part ?? ""));
    if (error === undefined) return comes;
    return `${fails}: ${(error instanceof Error ? error.message : String(error)).replace(/\.$/, "")}.`;
  }

  get payload() {
    if (!this.kernelsPayload) throw new Error("the burst is not here yet");
    return this.kernelsPayload;
  }

  /** The kernels with the noise that is assumed. */
  get field() {
    const method = this.payload.methods[0];
    return this.assumed.fieldOf(/** @type {any} */ (method));
  }

  get sizesField() {
    return /** @type {KernelField} */ (this.sizesPayload?.methods[0].kernels);
  }

  /** The network, and what it predicts. */
  get network() {
    return `${this.payload.methods[0].title}: ${this.field.K}×${this.field.K} kernels`;
  }

  get whole() {
    const { height, width } = this.payload;
    return (this.wholeView ??= { top: 0, left: 0, side: Math.min(height, width) });
  }

  /** The noise that is assumed, as a power of two of the true one. */
  get power() {
    return this.assumed.applied;
  }

  /** @param {number} power */
  assume(power) {
    this.assumed.moveTo(power);
    this.pictures.delete("image");
  }

  get panel() {
    return this.payload.panels[this.payload.methods[0].panel];
  }

  get score() {
    const psnr = this.panel.scores?.psnr;
    const score = this.assumed.mixed.get(this.panel)?.score ?? (psnr == null ? "" : `${psnr.toFixed(2)} dB`);
    return score && `PSNR ${score}`;
  }

  get imageValues() {
    return this.assumed.mixed.get(this.panel)?.image ?? /** @type {Float32Array} */ (this.panel.image);
  }

  /** @param {Pixel} pixel */
  imageAt([y, x]) {
    return this.imageValues[y * this.payload.width + x];
  }

  /**
   * A picture, made when it is first asked for.
   * @param {string} name
   * @param {() => ArrayLike<number>} values
   */
  picture(name, values) {
    const { height, width, white_level: white } = this.payload;
    const found = this.pictures.get(name) ?? pictureOf(values(), height, width, white);
    this.pictures.set(name, found);
    return found;
  }

  image() {
    return this.picture("image", () => this.imageValues);
  }

  sizesImage() {
    return this.picture(
      "sizes",
      () => /** @type {Float32Array} */ (this.sizesPayload?.panels[this.sizesPayload.methods[0].panel].image),
    );
  }

  /** @param {number} frame */
  frameAt(frame) {
    const { frames: { values }, height, width } = this.payload; // prettier-ignore
    return this.picture(`frame ${frame}`, () => values.subarray(frame * height * width, (frame + 1) * height * width));
  }

  /** @param {number} frame */
  meanUpTo(frame) {
    const { frames: { values }, height, width } = this.payload; // prettier-ignore
    return this.picture(`mean ${frame}`, () => meanOf(values, height * width, frame + 1));
  }

  /** @param {number} frame */
  sharesOf(frame) {
    let found = this.shares.get(frame);
    if (!found) {
      const { methods, height, width } = this.payload;
      const map = shareMap(/** @type {Field} */ (methods[0].kernels), frame, height, width);
      this.shares.set(frame, (found = { map, picture: pictureOfShares(map) }));
    }
    return found;
  }

  /** Kernels of all sizes on frame 0, where the scene is flat and where it is detailed. */
  sizePlaces() {
    return (this.places ??= [SCENE.pixels.lawn, SCENE.pixels.fur].map((/** @type {Pixel} */ pixel) => ({
      pixel,
      kernels: kernelsOfSizes(this.sizesField, 0, pixel),
    })));
  }
}
