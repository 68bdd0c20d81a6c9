// True noise against assumed noise: PSNR of every pair of gains, of one network on a small burst (kpnviz.ui.cache.noise_matrix).

/** @import { Recipe } from "./types" */
/** @import { Session } from "./session.js" */

import { make } from "./elements.js";
import { noiseForGain } from "./noise.js";

/**
 * The recipe with a crop of at most `side` pixels a side around a pixel, and without moving objects, which would be cut.
 * @param {Recipe} recipe
 * @param {[number, number]} pixel
 * @param {number} side
 * @returns {Recipe}
 */
export function matrixRecipe(recipe, [y, x], side) {
  if (!recipe.crop) return recipe;
  const [top, left, height, width] = recipe.crop;
  const [rows, columns] = [Math.min(side, height), Math.min(side, width)];
  const place = (/** @type {number} */ at, /** @type {number} */ part, /** @type {number} */ whole) =>
    Math.min(Math.max(at - Math.floor(part / 2), 0), whole - part);
  return {
    ...recipe,
    crop: [top + place(y, rows, height), left + place(x, columns, width), rows, columns],
    moving: [],
  };
}

/**
 * PSNR in dB: [assumed][true]. `told` hears the share that is done; `check` is called between, and throws to end it.
 * @param {Session} session
 * @param {string} name  of the network
 * @param {Recipe} recipe
 * @param {() => void} check
 * @param {(share: number) => void} told
 */
export async function noiseMatrix(session, name, recipe, check, told) {
  const { gains } = session.offer.matrix;
  const values = gains.map(() => new Float64Array(gains.length));
  for (const [j, gain] of gains.entries()) {
    const burst = await session.burstOf({ ...recipe, noise: noiseForGain(gain) });
    for (const [i, assumed] of gains.entries()) {
      check();
      const [{ psnr }] = await session.pool.ask(name, { ...burst, noise: noiseForGain(assumed) }, [1], ["psnr"]);
      values[i][j] = psnr ?? NaN;
      told((j * gains.length + i + 1) / gains.length ** 2);
    }
  }
  check();
  return values;
}

/** The largest gain in dB of assuming another noise than the true one. @param {Float64Array[]} values */
export function lossOf(values) {
  return Math.max(...values.map((_, j) => Math.max(...values.map((row) => row[j])) - values[j][j]));
}

/**
 * The matrix as a table of numbers on colors; of each column the best is framed, where it matters which.
 * @param {Float64Array[]} values
 * @param {number[]} gains
 */
export function matrixTable(values, gains) {
  const all = values.flatMap((row) => [...row]);
  const [low, high] = [Math.min(...all), Math.max(...all)];
  const titles = make(
    "tr",
    {},
    make("th", { textContent: "assumed\u00a0↑ burst\u00a0→", title: "gain of the assumed noise, gain of the burst" }),
    ...gains.map((gain) => make("th", { textContent: `×${gain}`, scope: "col" })),
  );
  // As in the app's figure: the largest assumed noise at the top, gains of the bursts below.
  const rows = gains.map((gain, i) => {
    const cells = gains.map((_, j) => {
      const column = values.map((row) => row[j]);
      const most = Math.max(...column);
      const best = values[i][j] === most && most - Math.min(...column) >= 0.01;
      const share = (values[i][j] - low) / (high - low || 1);
      const cell = make("td", {
        textContent: values[i][j].toFixed(1),
        className: best ? "framed" : "",
        title: `gain ×${gains[j]}, assumed ×${gain}: ${values[i][j].toFixed(2)} dB`,
      });
      cell.style.background = `color-mix(in oklab, #fde725 ${100 * share}%, #443983)`;
      cell.style.color = share > 0.5 ? "black" : "white";
      return cell;
    });
    return make("tr", {}, make("th", { textContent: `×${gain}`, scope: "row" }), ...cells);
  });
  return make(
    "table",
    { className: "matrix" },
    make("caption", {}, "PSNR, dB"),
    make("tbody", {}, ...rows.reverse(), titles),
  );
}
