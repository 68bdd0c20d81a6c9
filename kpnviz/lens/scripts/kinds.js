// Kinds of kernels over a picture: k-means of the kernels of all places (kernel_kinds in kpnviz/analysis/maps.py, which draws
// other starting points).

/** @import { Field, Weights } from "./types" */

import { shapeOf, sumOfSizes } from "./kernels.js";

const FITTED_PLACES = 1024; // kinds are found on so many places, evenly spread; each place then gets the nearest
const FITTED_WEIGHTS = 8_000_000; // of them in all: 32 MB
const ROUNDS = 20;
const TRIALS = 4; // starting points that are drawn for one
const SEED = 7;
const ALIKE = 1e-12; // of the mean squared weights: below it, kernels differ by rounding alone

/**
 * index      the kind of each place of the grid [h, w] on which kernels are predicted
 * kernels    the mean of each kind [kinds, N], K*K weights; the narrowest kind first
 * spread     how wide each kind is, px: the mean of its frames' spreads, each weighted by the sum of |w| there
 * explained  how much of the kernels' variance the kinds hold, 0 to 1
 * @typedef {{ h: number, w: number, index: Uint8Array, kernels: Weights[][], spread: number[], explained: number }} KernelKinds
 */

/**
 * Random numbers 0..1, the same from the same seed (mulberry32).
 * @param {number} seed
 */
function randomFrom(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * The squared distance of two of the vectors that arrays hold, one after the other.
 * @param {Float32Array} a
 * @param {number} i
 * @param {Float32Array} b
 * @param {number} j
 * @param {number} D
 */
function distance(a, i, b, j, D) {
  let sum = 0;
  for (let d = 0, p = i * D, q = j * D; d < D; d++, p++, q++) sum += (a[p] - b[q]) ** 2;
  return sum;
}

/**
 * The nearest of `count` centers, and the squared distance to it.
 * @param {Float32Array} points
 * @param {number} i
 * @param {Float32Array} centers
 * @param {number} count
 * @param {number} D
 */
function nearest(points, i, centers, count, D) {
  let [best, least] = [0, Infinity];
  for (let k = 0; k < count; k++) {
    const far = distance(points, i, centers, k, D);
    if (far < least) [best, least] = [k, far];
  }
  return { best, least };
}

/**
 * Starting points by greedy k-means++: of a few that are drawn, the farther from those before the likelier, the one that leaves
 * the least squared distance. Fewer, where there are fewer that differ.
 * @param {Float32Array} points
 * @param {number} n
 * @param {number} count
 * @param {number} D
 */
function* startingPoints(points, n, count, D) {
  const random = randomFrom(SEED);
  const centers = new Float32Array(count * D);
  let far = new Float64Array(n).fill(Infinity);
  let total = Infinity;
  for (let k = 0; k < count; k++) {
    let [chosen, best, least] = [0, far, Infinity];
    for (let trial = 0; trial < (k ? TRIALS : 1); trial++) {
      let left = random() * total;
      const drawn = k
        ? Math.max(
            0,
            far.findIndex((one) => (left -= one) < 0),
          )
        : Math.floor(random() * n);
      const then = new Float64Array(n);
      let sum = 0;
      for (let i = 0; i < n; i++) {
        then[i] = Math.min(far[i], distance(points, i, points, drawn, D));
        sum += then[i];
        if (i % 64 === 0) yield;
      }
      if (sum < least) [chosen, best, least] = [drawn, then, sum];
    }
    centers.set(points.subarray(chosen * D, (chosen + 1) * D), k * D);
    [far, total] = [best, least];
    if (total <= 0) return { centers, found: k + 1 };
  }
  return { centers, found: count };
}

/**
 * The kinds of the kernels of one frame, or of several together. A step is a few places.
 * @param {Field} field
 * @param {number[]} frames
 * @param {number} count
 * @param {number} channel
 * @returns {Generator<void, KernelKinds, void>}
 */
export function* kernelKinds(field, frames, count, channel = 0) {
  const { h, w, K } = field;
  const [N, size] = [frames.length, K * K];
  const D = N * size;
  const places = h * w;
  const point = new Float32Array(D);
  const read = (/** @type {number} */ place, /** @type {Float32Array} */ into, /** @type {number} */ at) => {
    const scale = field.predictedScale(place, channel);
    frames.forEach((frame, n) => {
      const weights = field.kernelOf(frame, field.predictedParts(frame, place, channel));
      for (let i = 0; i < size; i++) into[at + n * size + i] = scale * weights[i];
    });
  };

  const most = Math.max(count, Math.min(FITTED_PLACES, Math.floor(FITTED_WEIGHTS / D)));
  const thin = Math.max(1, Math.round(Math.sqrt(places / most)));
  const chosen = Array.from({ length: places }, (_, i) => i).filter(
    (i) => Math.floor(i / w) % thin === 0 && (i % w) % thin === 0,
  );
  const n = chosen.length;
  const sample = new Float32Array(n * D);
  for (let i = 0; i < n; i++) {
    read(chosen[i], sample, i * D);
    yield;
  }
  const { centers, found } = yield* startingPoints(sample, n, Math.min(count, n), D);
  const owner = new Int32Array(n).fill(-1);
  for (let round = 0; round < ROUNDS; round++) {
    let moved = 0;
    for (let i = 0; i < n; i++) {
      const { best } = nearest(sample, i, centers, found, D);
      if (best !== owner[i]) moved++;
      owner[i] = best;
      if (i % 16 === 0) yield;
    }
    if (!moved) break;
    for (let k = 0; k < found; k++) {
      const own = chosen.map((_, i) => i).filter((i) => owner[i] === k);
      if (!own.length) continue; // it stays where it was
      const mean = new Float64Array(D);
      for (const i of own) for (let d = 0; d < D; d++) mean[d] += sample[i * D + d] / own.length;
      centers.set(mean, k * D);
      yield;
    }
  }

  // Every place gets the nearest; then the means of what each got.
  const index = new Uint8Array(places);
  const sums = Array.from({ length: found }, () => new Float64Array(D));
  const counts = new Array(found).fill(0);
  let squares = 0;
  for (let place = 0; place < places; place++) {
    read(place, point, 0);
    const { best } = nearest(point, 0, centers, found, D);
    index[place] = best;
    counts[best] += 1;
    for (let d = 0; d < D; d++) {
      sums[best][d] += point[d];
      squares += point[d] ** 2;
    }
    if (place % 8 === 0) yield;
  }
  return sorted({ h, w, index, sums, counts, squares, N, K });
}

/**
 * The kinds that have places, the narrowest first.
 * @param {{ h: number, w: number, index: Uint8Array, sums: Float64Array[], counts: number[], squares: number, N: number, K: number }} found
 * @returns {KernelKinds}
 */
function sorted({ h, w, index, sums, counts, squares, N, K }) {
  const size = K * K;
  const all = new Float64Array(N * size);
  for (const sum of sums) for (let d = 0; d < all.length; d++) all[d] += sum[d];
  const total = squares - all.reduce((sum, one) => sum + one ** 2, 0) / index.length;
  const kinds = sums
    .map((sum, kind) => {
      const mean = sum.map((one) => one / counts[kind]);
      const kernels = Array.from({ length: N }, (_, i) => mean.slice(i * size, (i + 1) * size));
      const weights = kernels.map((kernel) => Math.max(sumOfSizes(kernel), Number.MIN_VALUE));
      const heavy = weights.reduce((a, b) => a + b, 0);
      const spread = kernels.reduce((width, kernel, i) => width + (shapeOf(kernel, K).spread * weights[i]) / heavy, 0);
      return { kind, kernels, spread, held: counts[kind] * mean.reduce((one, value) => one + value ** 2, 0) };
    })
    .filter(({ kind }) => counts[kind])
    .sort((a, b) => a.spread - b.spread);
  const place = new Map(kinds.map(({ kind }, i) => [kind, i]));
  const within = squares - kinds.reduce((sum, { held }) => sum + held, 0);
  return {
    ...{ h, w, index: index.map((kind) => place.get(kind) ?? 0) },
    kernels: kinds.map(({ kernels }) => kernels),
    spread: kinds.map(({ spread }) => spread),
    explained: kinds.length === 1 || total <= ALIKE * squares ? 1 : 1 - within / total,
  };
}
