// The example of a file of kernels, as kpnviz/ui/kernel_example.py writes it: a bilateral filter over the burst takes the place
// of a network.

/** @import { Burst, Recipe } from "./types" */
/** @import { Stored } from "./npz.js" */

import { noiseForGain } from "./noise.js";

/** Its photo. */
export const EXAMPLE_PHOTO = "city";
const K = 5;
const SIGMA = 0.15; // of differences of intensity

/**
 * Its burst.
 * @param {string} photo
 * @returns {Recipe}
 */
export function exampleRecipe(photo) {
  return {
    ...{
      photo,
      crop: [110, 70, 96, 96],
      noise: noiseForGain(4),
      frames: 8,
      misalignment: { small: 2, large: 16, rate: 1.5, subpixel: false },
      shifts: null,
    },
    ...{ moving: [], white_level: 1, reduction: 2, seed: 3, color: false, camera: null },
  };
}

/**
 * Frames and kernels [N, K, K, H, W]: each neighbor weighs the more, the closer its value is to that of the pixel in frame 0.
 * @param {Pick<Burst, "frames" | "N" | "H" | "W">} burst
 * @returns {Map<string, Stored>}
 */
export function exampleArrays({ frames, N, H, W }) {
  const [r, pixels] = [(K - 1) / 2, H * W];
  const kernels = new Float32Array(N * K * K * pixels);
  const sums = new Float64Array(pixels);
  for (let i = 0; i < N; i++)
    for (let a = 0; a < K; a++)
      for (let b = 0; b < K; b++)
        for (let y = 0; y < H; y++)
          for (let x = 0; x < W; x++) {
            const [row, column] = [y + a - r, x + b - r];
            const tap = row < 0 || column < 0 || row >= H || column >= W ? 0 : frames[i * pixels + row * W + column];
            const weight = Math.exp(-(((tap - frames[y * W + x]) / SIGMA) ** 2));
            kernels[((i * K + a) * K + b) * pixels + y * W + x] = weight;
            sums[y * W + x] += weight;
          }
  for (let p = 0; p < kernels.length; p++) kernels[p] /= sums[p % pixels];
  const text = (/** @type {string} */ words) =>
    /** @type {Stored} */ ({ shape: [], kind: "U", values: new Float32Array(0), text: words });
  return new Map([
    ["frames", { shape: [N, H, W], kind: "f", values: frames, text: "" }],
    ["kernels", { shape: [N, K, K, H, W], kind: "f", values: kernels, text: "" }],
    ["title", text("Bilateral filter")],
    ["padding", text("zero")],
    ["reduce", text("sum")],
  ]);
}
