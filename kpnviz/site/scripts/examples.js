// Bursts worth a look (kpnviz/lens/texts/examples.py), as states of the pages: kpnviz/ui/presets.py.

/** @import { Shift } from "./types" */
/** @import { Offer, State } from "./parameters.js" */

import { BY_HAND, defaults, PANELS, shiftsFor } from "./parameters.js";

/**
 * kpnviz.lens.texts.examples.Example
 * @typedef {object} Example
 * @property {string} title
 * @property {string} look
 * @property {[number, number] | null} pixel
 * @property {Record<string, any>} scene  what of the burst is not at its default
 * @property {string[]} methods
 * @property {Record<string, any>} display
 */

const SHAKES = { "±2": "small", "by hand": BY_HAND }; // as a link writes them: kpnviz/ui/parameters.py

/** A number that texts state, with its burst: kpnviz.lens.texts.measured.Measured; text and says are HTML. @typedef {Omit<Example, "title" | "look"> & { text: string, says: string }} Measured */

/**
 * All of the state that an example sets. Its methods that are not on the site are left out; without any, the usual ones are
 * shown. A photo that is not on the site is another one.
 * @param {Pick<Example, "scene" | "methods" | "pixel" | "display">} example
 * @param {Offer} offer
 * @returns {State}
 */
export function stateOfExample({ scene, methods, pixel, display }, offer) {
  const state = defaults(offer);
  const { shake, ...others } = scene;
  Object.assign(state, others);
  if (!offer.photos.includes(state.photo)) state.photo = defaults(offer).photo;
  if (shake !== undefined) state.shake = SHAKES[/** @type {keyof typeof SHAKES} */ (shake)] ?? shake;
  if (state.shake === BY_HAND) state.shifts = shiftsFor(/** @type {Shift[]} */ (state.shifts), state.frames);
  const here = offer.models.map(({ name }) => name).filter((name) => methods.includes(name));
  if (here.length) state.methods = here;
  state.pixel = pixel;
  // Methods that the site has not are not shown either: what is no network is in the app alone.
  const shown = ["", ...PANELS, ...here];
  state.display = Object.fromEntries(
    Object.entries(display).filter(([name, value]) => !["shown", "other"].includes(name) || shown.includes(value)),
  );
  return state;
}

const COMPARED = /** @type {const} */ (["photo", "crop", "top", "left", "frames", "gain", "shake", "moving", "seed"]);

/**
 * The example whose burst is the state's, in color or gray; pixel, methods and display may be others.
 * @param {State} state
 * @param {Offer} offer
 */
export function exampleShown(state, offer) {
  return offer.examples.find((example) => sameBurst(state, stateOfExample(example, offer)));
}

/**
 * The number whose burst is the state's, with its methods, and shown as it is to be.
 * @param {State} state
 * @param {Offer} offer
 */
export function numberShown(state, offer) {
  return offer.numbers.find((number) => {
    const mine = stateOfExample(number, offer);
    const display = { ...offer.display, ...state.display };
    const { shown, other, compare, assumed } = offer.display;
    return (
      sameBurst(state, mine) &&
      String(state.methods) === String(mine.methods) &&
      Object.entries({ shown, other, compare, assumed, ...mine.display }).every(
        ([name, value]) => display[/** @type {keyof typeof display} */ (name)] === value,
      )
    );
  });
}

/**
 * @param {State} state
 * @param {State} mine  an example's
 */
function sameBurst(state, mine) {
  return (
    COMPARED.every((name) => state[name] === mine[name]) &&
    (mine.shake !== BY_HAND || String(state.shifts) === String(mine.shifts)) &&
    !Object.values(state.camera).some(Boolean)
  );
}
