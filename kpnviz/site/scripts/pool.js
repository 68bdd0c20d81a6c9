// The networks on the page: a worker each, opened when it is first asked.

/** @import { Asked, Estimate, Measure } from "./types" */
/** @import { Answer } from "./worker.js" */

import { readConfig } from "./checkpoint.js";
import { Outdated } from "./slices.js";

/**
 * @typedef {object} Opened
 * @property {Worker} worker
 * @property {Error | null} broken  why the worker answers no more
 * @property {{ number: number, resolve: (estimates: Estimate[]) => void, reject: (error: Error) => void } | null} asked  the last question
 */

/**
 * Where networks and engine come from, by their paths from the root of the site.
 * @typedef {object} Files
 * @property {(path: string) => Promise<Uint8Array<ArrayBuffer>>} bytesOf
 * @property {(path: string) => Promise<any>} jsonOf
 * @property {(path: string) => Promise<Worker>} workerOf
 */

export class Pool {
  /** @param {Files} source */
  constructor(source) {
    this.source = source;
    /** @type {Map<string, Promise<Opened>>} */
    this.networks = new Map();
    /** @type {Map<string, Promise<{ config: Record<string, unknown>, weights: Uint8Array }>>} */
    this.files = new Map(); // kept, so that a network that was let go comes back without a connection
    /** @type {Worker[]} */
    this.idle = [];
    this.count = 0;
    /** @type {Promise<WebAssembly.Module> | undefined} */
    this.compiled = undefined;
  }

  /**
   * A network by its name. It throws, a sentence, where its files cannot be had or are not what they say.
   * @param {string} name
   */
  open(name) {
    let opened = this.networks.get(name);
    if (!opened) {
      opened = this.load(name);
      opened.catch(() => this.networks.delete(name)); // it may be tried again
      this.networks.set(name, opened);
    }
    return opened;
  }

  /**
   * @param {string} name
   * @returns {Promise<Opened>}
   */
  async load(name) {
    const [module, { config, weights }] = await Promise.all([this.engine(), this.filesOf(name)]);
    /** @type {Opened} */
    const opened = { worker: this.idle.pop() ?? (await this.source.workerOf("worker.js")), broken: null, asked: null };
    opened.worker.onmessage = (/** @type {MessageEvent<Answer>} */ { data }) => {
      const { asked } = opened;
      if (asked?.number !== data.number) return; // to an older question
      opened.asked = null;
      if (data.error === undefined) asked.resolve(data.estimates);
      else asked.reject(new Error(data.error));
    };
    opened.worker.onerror = ({ message }) => {
      this.networks.delete(name);
      opened.broken = new Error(`the network ${name} has stopped: ${message || "worker.js cannot be loaded"}`);
      opened.asked?.reject(opened.broken);
    };
    opened.worker.postMessage({ module, config, weights });
    return opened;
  }

  /**
   * A network's config and weights, which are those that its card names.
   * @param {string} name
   */
  filesOf(name) {
    let files = this.files.get(name);
    if (!files) {
      files = Promise.all([
        this.source.jsonOf(`models/${name}.json`),
        this.source.bytesOf(`models/${name}.safetensors`),
      ]).then(async ([card, weights]) => {
        await check(name, weights, card.sha256);
        try {
          readConfig(card.config); // it throws where the engine does not know it
        } catch (error) {
          throw new Error(`models/${name}.json: ${error instanceof Error ? error.message : error}`);
        }
        return { config: card.config, weights };
      });
      files.catch(() => this.files.delete(name)); // it may be tried again
      this.files.set(name, files);
    }
    return files;
  }

  /**
   * Let a network go, with the memory that it takes.
   * @param {string} name
   */
  close(name) {
    const closing = this.networks.get(name);
    this.networks.delete(name);
    closing?.then(
      ({ worker }) => {
        worker.onmessage = worker.onerror = null;
        worker.postMessage({ release: true });
        this.idle.push(worker); // another network may be it, without a connection too
      },
      () => {},
    );
  }

  /** Let all networks go. */
  closeAll() {
    for (const name of [...this.networks.keys()]) this.close(name);
  }

  /** The engine, compiled once for all workers: the faster build where the browser has fused multiply-adds. */
  engine() {
    this.compiled ??= compileEngine(this.source);
    this.compiled.catch(() => (this.compiled = undefined));
    return this.compiled;
  }

  /**
   * What a network makes of a burst, told each of `scales` times its noise, with what is wanted to be known of it. What it was
   * asked before is given up: Outdated.
   * @param {string} name
   * @param {Asked} burst
   * @param {number[]} scales
   * @param {Measure[]} [wanted]
   * @returns {Promise<Estimate[]>}
   */
  async ask(name, { frames, clean, noise, white_level, N, C, H, W }, scales, wanted = []) {
    const opened = await this.open(name);
    if (opened.broken) throw opened.broken;
    const number = ++this.count;
    opened.asked?.reject(new Outdated());
    return new Promise((resolve, reject) => {
      opened.asked = { number, resolve, reject };
      opened.worker.postMessage({
        number,
        burst: { frames, clean: clean.slice(0, C * H * W), noise, white_level, N, C, H, W },
        scales,
        wanted,
      });
    });
  }
}

// Modules of one function each, which a browser accepts if it has SIMD, and its fused multiply-adds (relaxed SIMD).
// prettier-ignore
const SIMD = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11);
// prettier-ignore
const RELAXED = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 15, 1, 13, 0, 65, 1, 253, 15, 65, 2, 253, 15, 253, 128, 2, 11);

/** @param {Files} source */
async function compileEngine({ bytesOf }) {
  if (typeof WebAssembly !== "object") throw new Error("this browser has no WebAssembly, in which the networks run");
  if (!WebAssembly.validate(SIMD))
    throw new Error("this browser has WebAssembly without SIMD, which the networks need; one of 2023 or later has it");
  const path = WebAssembly.validate(RELAXED) ? "engine.relaxed.wasm" : "engine.wasm";
  const bytes = await bytesOf(path);
  return WebAssembly.compile(bytes).catch((error) => {
    throw error instanceof WebAssembly.CompileError ? new Error(`${path} is damaged; load the page again`) : error;
  });
}

/**
 * Throws where the weights are not those that their card names. (Without a secure context browsers have no hashes.)
 * @param {string} name
 * @param {Uint8Array<ArrayBuffer>} weights
 * @param {string} sha256
 */
async function check(name, weights, sha256) {
  if (!globalThis.crypto?.subtle) return;
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", weights));
  const found = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (found !== sha256)
    throw new Error(
      `models/${name}.safetensors: its sha256 begins with ${found.slice(0, 12)}, its card says ${String(sha256).slice(0, 12)}; load the page again`,
    );
}
