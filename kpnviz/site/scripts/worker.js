// One network in a worker. The newest question wins: what is computed for an older one is given up within some milliseconds.

/** @import { Asked, Estimate, Measure } from "./types" */
/** @import { Network } from "./network.js" */

import { readConfig, readTensors } from "./checkpoint.js";
import { Engine } from "./engine.js";
import { estimate } from "./estimate.js";
import { measured } from "./measures.js";
import { networkOf } from "./network.js";
import { inSlices, Outdated } from "./slices.js";

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
 * @property {Asked} burst
 * @property {number[]} scales  of the burst's noise
 * @property {Measure[]} wanted
 */

/**
 * To a question: an estimate for each scale, or a sentence.
 * @typedef {{ number: number, estimates: Estimate[], error?: undefined } | { number: number, error: string }} Answer
 */

/** @type {Promise<Network> | null} */
let network = null;
/** @type {Question | null} */
let asked = null;
let working = false;

onmessage = (/** @type {MessageEvent<Opening | Question | { release: true }>} */ { data }) => {
  if ("release" in data)
    network = asked = null; // with the memory that it took
  else if ("module" in data) {
    network = opened(data);
    network.catch(() => {}); // it is said to who asks
  } else {
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
      reply({ number: question.number, estimates: await answered(question) });
    } catch (error) {
      if (!(error instanceof Outdated)) reply({ number: question.number, error: sentence(error, question.burst) });
    }
  }
  working = false;
}

/**
 * Estimates for each scale; Outdated where something else is asked meanwhile.
 * @param {Question} question
 */
async function answered({ burst, scales, wanted }) {
  if (!network) throw new Error("no network was opened");
  const opened = await network;
  const newest = () => {
    if (asked) throw new Outdated();
  };
  const estimates = [];
  for (const scale of scales) {
    const made = await inSlices(estimate(opened, burst, scale), newest);
    estimates.push(await inSlices(measured(made, opened.config, burst, wanted), newest));
  }
  return estimates;
}

/**
 * @param {unknown} error
 * @param {Asked} burst
 */
function sentence(error, { N, H, W }) {
  // A browser says so where a typed array finds no memory.
  if (error instanceof RangeError)
    return `there is no memory for this burst of ${N} frames of ${H}×${W} pixels; choose a smaller crop or fewer frames`;
  return error instanceof Error ? error.message : String(error);
}

/** @param {Answer} answer */
function reply(answer) {
  const transferred =
    "estimates" in answer
      ? answer.estimates.flatMap(({ image, factors, error, local }) =>
          [image, factors?.values, error, local].flatMap((array) => (array ? [array.buffer] : [])),
        )
      : [];
  /** @type {any} */ (globalThis).postMessage(answer, transferred);
}
