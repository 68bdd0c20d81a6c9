// A burst and a network -> an estimate: kpnviz/denoise.py.

/** @import { Burst, Estimate } from "./types" */
/** @import { Network } from "./network.js" */

import { GUIDE_WEIGHTS } from "./constants.js";
import { predict } from "./network.js";
import { guideNoise, scaledNoise } from "./noise.js";

/**
 * Denoise a burst, in steps. In color kernels are predicted once, from a weighted sum of the channels, and applied to each; a
 * network that predicts pixels does each channel by itself.
 * @param {Network} network
 * @param {Pick<Burst, "frames" | "noise" | "N" | "C" | "H" | "W">} burst
 * @param {number} [scale]  the assumed noise as a multiple of the burst's
 * @returns {Generator<void, Estimate>}
 */
export function* estimate(network, { frames, noise, N, C, H, W }, scale = 1) {
  const channels = Array.from({ length: C }, (_, c) => (C === 1 ? frames : channelOf(frames, c, N, C, H * W)));
  const assumed = scaledNoise(noise, scale);
  if (C === 1) {
    const { images, factors } = yield* predict(network, { frames, applied: channels, N, H, W, noise: assumed });
    return { image: images[0], factors };
  }
  if (!network.config.direct) {
    const guide = scaledNoise(guideNoise(noise), scale);
    const { images, factors } = yield* predict(network, {
      frames: weightedSum(channels),
      applied: channels,
      N,
      H,
      W,
      noise: guide,
    });
    return { image: joined(images), factors };
  }
  const images = [];
  for (const channel of channels) {
    const {
      images: [image],
    } = yield* predict(network, { frames: channel, applied: [channel], N, H, W, noise: assumed });
    images.push(image);
  }
  return { image: joined(images), factors: null };
}

/**
 * One channel of frames [N, C, pixels].
 * @param {Float32Array} frames
 * @param {number} c
 * @param {number} N
 * @param {number} C
 * @param {number} pixels
 */
function channelOf(frames, c, N, C, pixels) {
  const channel = new Float32Array(N * pixels);
  for (let i = 0; i < N; i++) channel.set(frames.subarray((i * C + c) * pixels, (i * C + c + 1) * pixels), i * pixels);
  return channel;
}

/**
 * The channel that a network is shown of R, G and B.
 * @param {Float32Array[]} channels
 */
export function weightedSum([r, g, b]) {
  const [a, m, z] = GUIDE_WEIGHTS;
  return Float32Array.from(r, (value, i) => a * value + m * g[i] + z * b[i]);
}

/** @param {Float32Array[]} images */
function joined(images) {
  const image = new Float32Array(images.length * images[0].length);
  images.forEach((one, c) => image.set(one, c * one.length));
  return image;
}
