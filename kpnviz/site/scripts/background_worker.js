// What takes long beside the networks, in a worker: bursts, and photos and files that a visitor brings. The newest question wins.

/** @import { Burst, Picture, Recipe } from "./types" */

import { synthesize } from "./burst.js";
import { interestingPixel } from "./first_look.js";
import { exampleArrays, exampleRecipe } from "./kernel_example.js";
import { kernelFile } from "./kernel_file.js";
import { MOST_BYTES, readNpz, visible } from "./npz.js";
import { meanOf, toHalves } from "./pack.js";
import { readOwnPhoto } from "./photo_file.js";
import { scoresOf } from "./scores.js";
import { inSlices, Outdated } from "./slices.js";

/**
 * What is to be done. burst: of a recipe, whose photos were given before. photo: a visitor's. kernels: a file of them; example:
 * such a file, of a photo that was given. nothing: what is being done is given up.
 * @typedef {{ work: "burst", recipe: Recipe } | { work: "photo", file: File, reduction: number } | { work: "kernels", file: File } | { work: "example", photo: string } | { work: "nothing" }} Work
 */

/** @typedef {{ titles: string[], payload: Uint8Array, note: string }} Kernels  a file of kernels, for the lens */
/** @typedef {{ burst: Burst, nothing: null, photo: { picture: Picture, note: string }, kernels: Kernels, example: Kernels }} Results  by the work */
/** @typedef {Work & { number: number }} Question */

/**
 * To a question: what is being done, as it goes on; at last the result, or a sentence.
 * @typedef {{ number: number, told?: string, result?: any, error?: string }} Answer
 */

/** @type {Map<string, Picture>} */
const photos = new Map();
/** @type {Question | null} */
let asked = null;
let working = false;

onmessage = (/** @type {MessageEvent<Question | { photo: string, picture: Picture }>} */ { data }) => {
  if ("picture" in data) return void photos.set(data.photo, data.picture);
  asked = data;
  if (!working) answerAll();
};

async function answerAll() {
  working = true;
  while (asked) {
    const question = asked;
    asked = null;
    const { number } = question;
    try {
      const result = await done(question);
      reply({ number, result }, buffersOf(result));
    } catch (error) {
      if (!(error instanceof Outdated)) reply({ number, error: sentence(error, question) });
    }
  }
  working = false;
}

/**
 * @param {Question} question
 * @returns {Promise<Results[keyof Results]>}
 */
async function done(question) {
  const { number } = question;
  const step = (/** @type {string} */ told) => {
    if (asked) throw new Outdated();
    reply({ number, told });
  };
  switch (question.work) {
    case "burst": {
      const burst = synthesize(question.recipe, (name) => /** @type {Picture} */ (photos.get(name)));
      const { N, C, H, W, frames, clean, white_level } = burst;
      const mean = meanOf(frames, N, C * H * W);
      const [first, truth] = [frames, clean].map((all) => all.subarray(0, C * H * W));
      const scores = {
        frame: scoresOf(first, truth, H, W, white_level),
        mean: scoresOf(mean, truth, H, W, white_level),
      };
      return { ...burst, mean, halves: toHalves(clean), scores, look: interestingPixel(burst) };
    }
    case "photo":
      return readOwnPhoto(question.file, question);
    case "kernels": {
      const name = nameOf(question.file);
      if (question.file.size > MOST_BYTES)
        throw new Error(
          `${name} has ${Math.ceil(question.file.size / 2 ** 20)} MiB, more than the ${MOST_BYTES / 2 ** 20} MiB that are read here`,
        );
      return inSlices(kernelFile(name, await readNpz(name, new Uint8Array(await question.file.arrayBuffer()))), step);
    }
    case "example": {
      const photo = /** @type {Picture} */ (photos.get(question.photo));
      return inSlices(
        kernelFile("example", exampleArrays(synthesize(exampleRecipe(question.photo), () => photo))),
        step,
      );
    }
    default:
      return null;
  }
}

/** @param {File} file */
function nameOf(file) {
  return visible(file.name) || "the file";
}

/**
 * @param {unknown} error
 * @param {Question} question
 */
function sentence(error, question) {
  if (!(error instanceof RangeError)) return error instanceof Error ? error.message : String(error);
  // A browser says so where a typed array finds no memory.
  return `${"file" in question ? nameOf(question.file) : "this burst"} takes more memory than this browser gives`;
}

/**
 * Buffers of the large arrays of a result, which need not be copied. Photos stay.
 * @param {any} result
 * @returns {ArrayBuffer[]}
 */
function buffersOf(result) {
  const arrays = [
    result?.payload,
    result?.picture?.values,
    result?.frames,
    result?.clean,
    result?.motion,
    result?.mean,
    result?.halves,
  ];
  return arrays.flatMap((array) => (array ? [array.buffer] : []));
}

/**
 * @param {Answer} answer
 * @param {ArrayBuffer[]} [transferred]
 */
function reply(answer, transferred = []) {
  /** @type {any} */ (globalThis).postMessage(answer, transferred);
}
