// One network in a worker. The newest question wins: what is computed for an older one is given up within some milliseconds.

/** @import { Burst, Estimate } from "./types" */
/** @import { Network } from "./network.js" */

import { readConfig, readTensors } from "./checkpoint.js";
import { Engine } from "./engine.js";
import { estimate } from "./estimate.js";
import { networkOf } from "./network.js";

/**
 * The network that the worker is to be: sent before all questions, and again when it is to be another one.
 * @typedef {object} Opening
 * @property {WebAssembly.Module} module  the engine
 * @property {Record<string, unknown>} config
 * @property {Uint8Array} weights  of the .safetensors file
 */

/**
 * @typedef {object} Question
 * @property {number} number
 * @property {Pick<Burst, "frames" | "noise" | "N" | "C" | "H" | "W">} burst
 * @property {number[]} scales  of the burst's noise
 */

/**
 * To a question: an estimate for each scale, or a sentence.
 * @typedef {{ number: number, estimates: Estimate[], error?: undefined } | { number: number, error: string }} Answer
 */

const PATIENCE_MS = 12; // for which it computes before it looks whether something else is asked

/** @type {Promise<Network> | null} */
let network = null;
/** @type {Question | null} */
let asked = null;
let working = false;

onmessage = (/** @type {MessageEvent<Opening | Question | { release: true }>} */ { data }) => {
  if ("release" in data) network = asked = null; // with the memory that it took
  else if ("module" in data) network = opened(data);
  else {
    asked = data;
    if (!working) answerAll();
  }
};

/** @param {Opening} opening */
async function opened({ module, config, weights }) {
  return networkOf(await Engine.create(module), readConfig(config), readTensors(weights));
}

async function answerAll() {
  working = true;
  while (asked) {
    const question = asked;
    asked = null;
    try {
      const estimates = await answered(question);
      if (estimates) reply({ number: question.number, estimates });
    } catch (error) {
      reply({ number: question.number, error: error instanceof Error ? error.message : String(error) });
    }
  }
  working = false;
}

/**
 * Estimates for each scale; null where something else is asked meanwhile.
 * @param {Question} question
 */
async function answered({ burst, scales }) {
  if (!network) throw new Error("no network was opened");
  const opened = await network;
  const estimates = [];
  for (const scale of scales) {
    const steps = estimate(opened, burst, scale);
    for (let since = performance.now(); ; ) {
      const { done, value } = steps.next();
      if (done) {
        estimates.push(value);
        break;
      }
      if (performance.now() - since < PATIENCE_MS) continue;
      await othersTurn();
      since = performance.now();
      if (!asked) continue;
      steps.return(/** @type {any} */ (null)); // its memory is released
      return null;
    }
  }
  return estimates;
}

/** Until messages that have come are read. (Timers would wait for 4 ms.) */
function othersTurn() {
  const { port1, port2 } = new MessageChannel();
  return new Promise((resolve) => {
    port1.onmessage = () => {
      port1.close();
      resolve(null);
    };
    port2.postMessage(null);
  });
}

/** @param {Answer} answer */
function reply(answer) {
  const transferred = "estimates" in answer ? answer.estimates.flatMap(({ image, factors }) => [image.buffer, ...(factors ? [factors.values.buffer] : [])]) : [];
  /** @type {any} */ (globalThis).postMessage(answer, transferred);
}
