// The curves of lessons, of the burst of each: kpnviz/ui/lesson_figures.py. Lessons that have none are shown in the lens.

/** @import { Burst, Config, Estimate } from "./types" */
/** @import { Curves } from "./chart.js" */
/** @import { KernelField } from "../../lens/scripts/field.js" */

import { HALF } from "../../lens/scripts/half.js";
import { encode } from "../../lens/scripts/palette.js";

const LEVELS = 12;
const SKY = 24; // pixels a side in which noise is measured
const [PAPER_BETA, PAPER_ALPHA] = [100, 0.9998];

/** How far pixels of a gray burst lie from the truth, by the true intensity; as they are, and after the transfer. @param {Burst} burst @returns {[string, Curves][]} */
export function noiseCurves({ frames, clean, H, W, N, noise }) {
  const pixels = H * W;
  const truth = clean.subarray(0, pixels);
  const sorted = Float32Array.from(truth).sort();
  const edges = Array.from({ length: LEVELS - 1 }, (_, k) => sorted[Math.round(((k + 1) / LEVELS) * (pixels - 1))]);
  const place = Uint8Array.from(truth, (value) => edges.filter((edge) => edge <= value).length);
  const groups = Array.from({ length: LEVELS }, () => ({ n: 0, truth: 0, sums: [0, 0], squares: [0, 0] }));
  for (let i = 0; i < N; i++)
    for (let p = 0; p < pixels; p++) {
      const group = groups[place[p]];
      const [value, at] = [frames[i * pixels + p], truth[p]];
      [value - at, encode(value) - encode(at)].forEach(
        (error, k) => ((group.sums[k] += error), (group.squares[k] += error * error)),
      );
      group.n++;
      group.truth += at;
    }
  const full = groups.filter(({ n }) => n);
  const x = full.map((group) => group.truth / group.n);
  const spread = (/** @type {number} */ k) =>
    full.map(({ n, sums, squares }) => Math.sqrt(Math.max(squares[k] / n - (sums[k] / n) ** 2, 0)));
  const law = "√(σᵣ² + σₛ y)";
  const axes = { x, x_title: "true intensity y (white = 1)", y_title: "noise std (white = 1)", zero: true, low: true };
  return [
    [
      "In linear intensity",
      {
        ...axes,
        lines: [
          { name: "measured", y: spread(0) },
          { name: law, y: x.map((y) => Math.sqrt(noise.read_std ** 2 + noise.shot_gain * y)) },
        ],
        level: [law],
      },
    ],
    ["As a screen shows it", { ...axes, lines: [{ name: "measured", y: spread(1) }] }],
  ];
}

/** By how many dB the mean of the first n frames is closer to the truth than frame 0. @param {Burst} burst */
export function gained({ frames, clean, H, W, N }) {
  const pixels = H * W;
  const sum = new Float64Array(pixels);
  const errors = Array.from({ length: N }, (_, i) => {
    let total = 0;
    for (let p = 0; p < pixels; p++) {
      sum[p] += frames[i * pixels + p];
      total += (sum[p] / (i + 1) - clean[p]) ** 2;
    }
    return total;
  });
  return errors.map((error) => 10 * Math.log10(errors[0] / error));
}

/** @param {Burst} still @param {Burst} shaken @returns {Curves} */
export function averageCurves(still, shaken) {
  const x = Array.from({ length: still.N }, (_, i) => i + 1);
  const law = "10 log₁₀ n";
  return {
    x,
    ticks: x.map(String),
    x_title: "frames n",
    y_title: "gained over one frame, dB",
    zero: true,
    level: [law],
    lines: [
      { name: "nothing moves", y: gained(still) },
      { name: "the hand shakes", y: gained(shaken) },
      { name: law, y: x.map((n) => 10 * Math.log10(n)) },
    ],
  };
}

/** The share of each frame, the mean over the picture, of separable kernels. @param {Estimate} estimate @param {Config} config */
export function sharesOf({ factors }, { sizes }) {
  if (!factors) return [];
  const [N, F, h, w] = factors.shape;
  const cells = h * w;
  return Array.from({ length: N }, (_, i) => {
    let total = 0;
    for (let p = 0; p < cells; p++) {
      let first = i * F * cells + p;
      for (const size of sizes) {
        let [u, v] = [0, 0];
        for (let k = 0; k < size; k++)
          [u, v] = [u + HALF[factors.values[first + k * cells]], v + HALF[factors.values[first + (size + k) * cells]]];
        first += 2 * size * cells;
        total += (u * v) / sizes.length;
      }
    }
    return total / cells / N;
  });
}

/** @param {Burst} burst @param {{ title: string, config: Config, estimate: Estimate }[]} networks @returns {Curves} */
export function reachCurves({ shifts }, networks) {
  const far = (shifts ?? []).map(([dy, dx]) => Math.max(Math.abs(dy), Math.abs(dx)));
  const order = far.map((_, i) => i).sort((a, b) => far[a] - far[b] || a - b);
  return {
    x: order.map((i) => far[i]),
    ticks: order.map((i, k) => (far[i] !== far[order[k - 1]] ? String(far[i]) : "")),
    x_title: "shift of the frame, the larger of |dy| and |dx|, px",
    y_title: "share of the frame, %",
    zero: true,
    lines: networks.map(({ title, config, estimate }) => {
      const shares = sharesOf(estimate, config);
      return {
        name: `${title}, reach ${(Math.max(...config.sizes) - 1) / 2} px`,
        mark: (Math.max(...config.sizes) - 1) / 2,
        y: order.map((i) => 100 * shares[i]),
      };
    }),
  };
}

/** The variance that kernels leave of white noise around a pixel, as a part of that of one frame. @param {KernelField} field @param {[number, number]} pixel */
export function varianceLeft(field, [y, x]) {
  let total = 0;
  for (let a = y - SKY / 2; a < y + SKY / 2; a++)
    for (let b = x - SKY / 2; b < x + SKY / 2; b++)
      for (let i = 0; i < field.count; i++) for (const weight of field.frameAt(i, a, b)) total += weight * weight;
  return total / SKY ** 2 / field.count ** 2;
}

/** @param {number} N @param {{ title: string, config: Config, left: number }[]} networks @returns {Curves} */
export function sizeCurves(N, networks) {
  const single = networks.filter(({ config }) => config.sizes.length === 1);
  const x = single.map(({ config }) => config.sizes[0]);
  const several = networks.filter(({ config }) => config.sizes.length > 1);
  const least = "equal weights";
  return {
    x,
    ticks: x.map(String),
    x_title: "kernel size n, px",
    y_title: "noise variance / that of one frame",
    log2: true,
    log10: true,
    level: [least, ...several.map(({ title }) => title)],
    lines: [
      { name: "KPN Lₙ", y: single.map(({ left }) => left) },
      { name: least, y: x.map((K) => 1 / (N * K * K)) },
      ...several.map(({ title, left }) => ({ name: title, y: x.map(() => left) })),
    ],
  };
}

/** @returns {Curves} */
export function annealingCurves() {
  const x = Array.from({ length: 10 }, (_, k) => 5000 * k);
  const one = "the basic loss";
  return {
    x,
    ticks: x.map((t) => (t % 10000 ? "" : `${t / 1000}k`)),
    x_title: "training step t",
    y_title: "weight in the loss",
    log10: true,
    level: [one],
    lines: [
      { name: "βαᵗ", y: x.map((t) => PAPER_BETA * PAPER_ALPHA ** t) },
      { name: one, y: x.map(() => 1) },
    ],
  };
}
