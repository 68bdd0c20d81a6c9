// The worker that does what takes long beside the networks; it is opened when it is first asked.

/** @import { Picture } from "./types" */
/** @import { Answer, Results, Work } from "./background_worker.js" */

import { workerOf } from "./files.js";
import { Outdated } from "./slices.js";

export class Background {
  constructor() {
    /** @type {Promise<Worker> | null} */
    this.worker = null;
    /** @type {Map<string, Picture>} */
    this.given = new Map(); // photos that the worker has
    /** @type {{ number: number, resolve: (result: any) => void, reject: (error: Error) => void, told: (text: string) => void } | null} */
    this.asked = null;
    this.count = 0;
  }

  /** @returns {Promise<Worker>} */
  async open() {
    const worker = await workerOf("background.js");
    worker.onmessage = (/** @type {MessageEvent<Answer>} */ { data: { number, told, result, error } }) => {
      const { asked } = this;
      if (asked?.number !== number) return; // to an older question
      if (told !== undefined) return asked.told(told);
      this.asked = null;
      if (error === undefined) asked.resolve(result);
      else asked.reject(new Error(error));
    };
    worker.onerror = ({ message }) => {
      worker.terminate();
      this.worker = null;
      this.given.clear();
      this.asked?.reject(
        new Error(`what is computed in the background has stopped: ${message || "background.js cannot be loaded"}`),
      );
    };
    return worker;
  }

  /**
   * What comes of some work. What was asked before is given up: Outdated. An Error is a sentence.
   * @template {Work} W
   * @param {W} work
   * @param {Map<string, Picture>} [photos]  that it needs
   * @param {(text: string) => void} [told]  what is being done
   * @returns {Promise<Results[W["work"]]>}
   */
  async ask(work, photos = new Map(), told = () => {}) {
    const number = ++this.count;
    this.worker ??= this.open();
    this.worker.catch(() => (this.worker = null)); // it may be tried again
    const worker = await this.worker;
    if (number !== this.count) throw new Outdated();
    for (const [photo, picture] of photos) {
      if (this.given.get(photo) === picture) continue;
      worker.postMessage({ photo, picture });
      this.given.set(photo, picture);
    }
    this.asked?.reject(new Outdated());
    return new Promise((resolve, reject) => {
      this.asked = { number, resolve, reject, told };
      worker.postMessage({ ...work, number });
    });
  }

  /** What was asked is given up. */
  stop() {
    if (this.asked) this.ask({ work: "nothing" }).catch(() => {});
  }
}
