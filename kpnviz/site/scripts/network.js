// The networks: kpnviz/models/kpn.py and matched.py on the engine. Axes: N frames, F factors, H W pixels, h w cells of 2x2 pixels.

/** @import { Config, Factors, Noise, Tensor } from "./types" */
/** @import { Engine, Layer, Planes } from "./engine.js" */

import { checkTensors, costRows, factorChannels } from "./checkpoint.js";
import { BLIND_NOISE, ENCODED, INPUTS, LEAST_STD, MIXED, MOST_FEATURE, STD_WITHOUT_NOISE } from "./constants.js";
import { BLOCK, in4, MOST_FRAMES } from "./engine.js";
import { reflected } from "./pictures.js";
import { Trunk } from "./trunk.js";

/**
 * What a network makes of frames. It computes in steps, between which others have their turn.
 * @typedef {Generator<void, { images: Float32Array[], factors: Factors | null }>} Steps
 */

/**
 * @typedef {object} Input
 * @property {Float32Array} frames  [N, H, W], that kernels are predicted from
 * @property {Float32Array[]} applied  frames that they are applied to, one a channel
 * @property {number} N
 * @property {number} H
 * @property {number} W
 * @property {Noise} noise
 */

/**
 * The network of a config and its weights, which stay in the engine.
 * @param {Engine} engine
 * @param {Config} config
 * @param {Map<string, Tensor>} tensors
 */
export function networkOf(engine, config, tensors) {
  checkTensors(config, tensors);
  return config.matching ? new MatchingNetwork(engine, config, tensors) : new StackedNetwork(engine, config, tensors);
}

/** @typedef {MatchingNetwork | StackedNetwork} Network */

/**
 * What a network makes of frames; memory that it took is released behind it, also when it is given up (`return`).
 * @param {Network} network
 * @param {Input} input
 * @returns {Steps}
 */
export function* predict(network, input) {
  const { top } = network.engine;
  try {
    return yield* network.steps(input);
  } finally {
    network.engine.top = top;
  }
}

/**
 * All steps at once.
 * @template T
 * @param {Generator<void, T>} steps
 * @returns {T}
 */
export function finish(steps) {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

class Base {
  /**
   * @param {Engine} engine
   * @param {Config} config
   * @param {Map<string, Tensor>} tensors
   */
  constructor(engine, config, tensors) {
    this.engine = engine;
    this.config = config;
    this.tensors = tensors;
    this.channels = factorChannels(config);
    this.trunk = new Trunk(engine, config.trunk, (name) => this.convolution(name));
    this.sizes = engine.putIntegers(config.sizes);
  }

  /** @param {string} name */
  tensor(name) {
    const tensor = this.tensors.get(name);
    if (!tensor) throw new Error(`there is no ${name}`);
    return tensor;
  }

  /** @param {string} name */
  convolution(name) {
    const { shape, values } = this.tensor(`${name}.weight`);
    return this.engine.convolution(values, shape[1], this.tensor(`${name}.bias`).values);
  }

  /** @param {string} name */
  pointwise(name) {
    const { shape, values } = this.tensor(`${name}.weight`);
    return this.engine.pointwise(values, shape[1], this.tensors.get(`${name}.bias`)?.values ?? null);
  }

  /** Of a layer's weights nothing but what the engine has is kept. */
  ready() {
    this.tensors.clear();
  }

  /**
   * Frames [N, H, W], completed by reflection at the bottom and the right to h x w.
   * @param {Float32Array} frames
   * @param {number} N
   * @param {[number, number]} size
   * @param {[number, number]} wanted
   */
  completed(frames, N, [H, W], [h, w]) {
    if (h === H && w === W) return this.engine.put(frames);
    const at = this.engine.reserve(N * h * w);
    const out = this.engine.floats(at, N * h * w);
    for (let i = 0; i < N; i++)
      for (let y = 0; y < h; y++) {
        const row = (i * H + reflected(y, H)) * W;
        for (let x = 0; x < w; x++) out[(i * h + y) * w + x] = frames[row + reflected(x, W)];
      }
    return at;
  }

  /**
   * Frames [N, H, W] with a margin of reflection around them, as engine.c's local_conv reads them.
   * @param {Float32Array | number} given  or their address
   * @param {number} N
   * @param {number} H
   * @param {number} W
   * @param {number} reach
   */
  padded(given, N, H, W, reach) {
    const [tall, wide] = [H + 2 * reach, W + 2 * reach + 8];
    const at = this.engine.reserve(N * tall * wide);
    const out = this.engine.floats(at, N * tall * wide);
    const frames = typeof given === "number" ? this.engine.floats(given, N * H * W) : given;
    const margin = Array.from({ length: 2 * reach }, (_, k) => (k < reach ? k - reach : W + k - reach));
    const columns = margin.map((x) => reflected(x, W));
    for (let i = 0; i < N; i++)
      for (let y = 0; y < tall; y++) {
        const row = (i * H + reflected(y - reach, H)) * W;
        const to = (i * tall + y) * wide + reach;
        out.set(frames.subarray(row, row + W), to);
        for (let k = 0; k < 2 * reach; k++) out[to + margin[k]] = frames[row + columns[k]];
      }
    return at;
  }

  /**
   * The mean over frames and sizes: [H, W].
   * @param {Float32Array | number} frames  or their address
   * @param {number} N
   * @param {[number, number]} size
   * @param {Planes} factors  N times a frame's channels
   * @param {number} sizes  their address
   * @param {number[]} all  the sizes
   */
  apply(frames, N, [H, W], factors, sizes, all) {
    const { engine, config } = this;
    return engine.scratch(() => {
      const reach = Math.max(...all) >> 1;
      const channels = factors.channels / N;
      const padded = this.padded(frames, N, H, W, reach);
      const [image, scratch] = [engine.reserve(H * W), engine.reserve((channels + 2) * BLOCK)];
      const separable = Number(config.separable);
      engine.c.local_conv(
        padded,
        N,
        H,
        W,
        reach,
        factors.at,
        channels,
        factors.stride,
        sizes,
        all.length,
        separable,
        image,
        scratch,
      );
      return engine.floats(image, H * W).slice();
    });
  }

  /**
   * The pictures, and the kernels as they travel.
   * @param {Input} input
   * @param {number} N  of the frames that have kernels
   * @param {Planes} factors
   */
  *applied({ applied, H, W }, N, factors) {
    const [h, w] = [(H + 1) >> 1, (W + 1) >> 1];
    const { engine, config, channels } = this;
    if (h !== factors.h || w !== factors.w)
      engine.c.crop(factors.at, factors.channels, factors.stride, factors.w, h, w);
    const cropped = { ...factors, h, w };
    const images = [];
    for (const frames of applied) {
      images.push(this.apply(frames, N, [H, W], cropped, this.sizes, config.sizes));
      yield;
    }
    /** @type {[number, number, number, number]} */
    const shape = [N, channels, h, w];
    return { images, factors: { values: engine.halves(cropped), shape } };
  }
}

/** Frames as the channels of one picture: KPN, KPN L_n and MKPN as the papers have them. */
export class StackedNetwork extends Base {
  /**
   * @param {Engine} engine
   * @param {Config} config
   * @param {Map<string, Tensor>} tensors
   */
  constructor(engine, config, tensors) {
    super(engine, config, tensors);
    this.head = config.direct
      ? ["head.0", "head.2", "head.4"].map((name) => this.convolution(name))
      : [this.pointwise("head")];
    this.ready();
  }

  /**
   * @param {Input} input
   * @returns {Steps}
   */
  *steps(input) {
    const { engine, config, channels } = this;
    const { frames, N: given, H, W, noise } = input;
    const N = config.frames;
    if (N !== 1 && given !== N) throw new Error(`the burst has ${given} frames; this network takes ${N}`);
    const { stride } = this.trunk;
    const [tall, wide] = [H, W].map((length) => Math.ceil(length / stride) * stride);
    const stacked = engine.planes(N + Number(config.noise_map), tall, wide);
    engine.scratch(() => {
      const whole = this.completed(frames, N, [H, W], [tall, wide]);
      for (let i = 0; i < N; i++)
        engine
          .floats(stacked.at + 4 * i * stacked.stride, tall * wide)
          .set(engine.floats(whole + 4 * i * tall * wide, tall * wide));
      if (config.noise_map)
        engine.c.noise_map(whole, tall * wide, noise.read_std, noise.shot_gain, stacked.at + 4 * N * stacked.stride);
    });
    const { end, first } = yield* this.trunk.features(stacked);
    if (config.direct) return { images: [yield* this.pixels(end, first, H, W)], factors: null };
    const factors = engine.planes(N * channels, end.h, end.w);
    const panel = engine.reserve(end.channels * BLOCK);
    const [{ weights, bias, outputs }] = this.head;
    for (let p = 0; p < end.h * end.w; p += BLOCK) {
      engine.c.gather(end.at, end.channels, end.stride, p, panel);
      engine.c.product(panel, end.channels, weights, bias, 0, outputs, factors.at + 4 * p, factors.stride, 1);
    }
    yield;
    return yield* this.applied(input, N, factors);
  }

  /**
   * A picture without kernels: three convolutions at full resolution.
   * @param {Planes} end
   * @param {Planes} first
   * @param {number} H
   * @param {number} W
   */
  *pixels(end, first, H, W) {
    const { engine } = this;
    let from = engine.planes(end.channels + first.channels, first.h, first.w);
    engine.upsample(end, from);
    const skip = engine.part(from, end.channels, first.channels);
    engine.floats(skip.at, first.channels * first.stride).set(engine.floats(first.at, first.channels * first.stride));
    for (const [n, layer] of this.head.entries()) {
      const to = engine.planes(layer.outputs, first.h, first.w);
      engine.conv3x3(layer, from, to, n < 2 ? 0 : 1);
      from = to;
      yield;
    }
    return cropped(engine.floats(from.at, from.h * from.w), from.w, H, W);
  }
}

/** Networks that are shown what matching says, and take any number of frames. */
export class MatchingNetwork extends Base {
  /**
   * @param {Engine} engine
   * @param {Config} config
   * @param {Map<string, Tensor>} tensors
   */
  constructor(engine, config, tensors) {
    super(engine, config, tensors);
    this.reach = Math.max(...config.sizes) >> 1;
    this.K = 2 * this.reach + 1;
    this.rows = costRows(config);
    this.largest = engine.putIntegers([this.K]);
    const encoder = (/** @type {string} */ name) => ({
      narrow: this.pointwise(`${name}.narrow`),
      spread: this.convolution(`${name}.spread`),
    });
    this.encoders = { reference: encoder("reference_encoder"), other: encoder("encoder") };
    /** @type {Record<string, Layer>} */
    this.heads = {};
    this.scales = 0;
    if (config.direct) this.heads = { mix: this.convolution("mix"), head: this.convolution("head") };
    else {
      for (const name of ["mix_scene", "mix_frame", "mix_reference", "head", "reference_head"])
        this.heads[name] = this.pointwise(name);
      this.heads.sharpness = this.sharpness();
      const scales = this.tensors.get("size_sharpness");
      if (scales) this.scales = engine.put(scales.values.map((value) => Math.exp(2 * value)));
    }
    this.ready();
  }

  /** The layer of [trunk, others' mean], of which panels also hold the reference in between: that has weights of 0. */
  sharpness() {
    const {
      shape: [outputs, inputs],
      values,
    } = this.tensor("sharpness.weight");
    const [T, all] = [inputs - ENCODED, inputs + ENCODED];
    const widened = new Float32Array(outputs * all);
    for (let o = 0; o < outputs; o++)
      for (let i = 0; i < inputs; i++) widened[o * all + (i < T ? i : i + ENCODED)] = values[o * inputs + i];
    return this.engine.pointwise(widened, all, this.tensor("sharpness.bias").values);
  }

  /**
   * @param {Input} input
   * @returns {Steps}
   */
  *steps(input) {
    const { engine, config, reach, K, rows } = this;
    const { c } = engine;
    const { N, H: height, W: width } = input;
    if (N > MOST_FRAMES) throw new Error(`the burst has ${N} frames; up to ${MOST_FRAMES} are denoised here`);
    const { windows: J } = config;
    const separable = Number(config.separable);
    const stride = 2 * this.trunk.stride;
    const [H, W] = [height, width].map((length) => Math.ceil(length / stride) * stride);
    const [h, w] = [H / 2, W / 2];
    const { read_std, shot_gain } = config.noise_map
      ? input.noise
      : { read_std: BLIND_NOISE[0], shot_gain: BLIND_NOISE[1] };
    const floor = Math.max(read_std, shot_gain / 2);

    const full = this.completed(input.frames, N, [height, width], [H, W]);
    const g = engine.reserve(N * H * W);
    c.stabilize(full, N * H * W, floor > 0 ? Math.max(floor, LEAST_STD) : STD_WITHOUT_NOISE, shot_gain, g);
    const costs = engine.planes(N * J * rows, h, w);
    const { top } = engine;
    const smooth = engine.reserve(N * (H + 2 * reach) * (W + 2 * reach + 8));
    c.smooth(g, N, H, W, reach, smooth);
    const scratch = engine.reserve(4 * (h * w * (1 + J) + w * (3 + 2 * J) + 3 ** J + 3));
    for (let i = 0; i < N; i++) {
      c.match(smooth, i, H, W, reach, J, separable, costs.at + 4 * i * J * rows * costs.stride, costs.stride, scratch);
      yield;
    }
    engine.top = top;
    const plain = engine.planes(N * rows, h, w);
    const left = engine.planes(1, h, w);
    c.plain_factors(costs.at, N, J, K, separable, costs.stride, h * w, plain.at, left.at);
    yield;
    const mean = this.apply(g, N, [H, W], plain, this.largest, [K]);
    yield;
    const inputs = engine.planes(4 * INPUTS, h, w);
    engine.scratch(() =>
      c.scene(g, engine.put(mean), left.at, H, W, inputs.at, inputs.stride, engine.reserve(2 * H * W)),
    );
    const { end } = yield* this.trunk.features(inputs);
    if (!config.direct) this.bound(end);

    // Of each frame its encoded costs, and the mean of the alternate ones behind them.
    const encoded = Array.from({ length: N + 1 }, () => engine.planes(ENCODED, h, w));
    const others = encoded[N];
    engine.floats(others.at, ENCODED * others.stride).fill(0);
    for (let i = 0; i < N; i++) {
      this.encode(
        engine.part(costs, i * J * rows, J * rows),
        i ? this.encoders.other : this.encoders.reference,
        encoded[i],
      );
      if (i) c.add(others.at, encoded[i].at, ENCODED * others.stride);
      yield;
    }
    if (N > 1) c.scale(others.at, ENCODED * others.stride, 1 / (N - 1));
    if (config.direct) {
      const image = this.apply(full, N, [H, W], plain, this.largest, [K]);
      const change = this.change([end, encoded[0], others]);
      for (let y = 0; y < H; y++)
        for (let x = 0; x < W; x++) {
          const i = y * W + x;
          const channel = (y & 1) * 2 + (x & 1);
          const std = Math.sqrt(read_std ** 2 + shot_gain * Math.max(image[i], 0));
          image[i] += std * change.values[channel * change.stride + (y >> 1) * w + (x >> 1)];
        }
      return { images: [cropped(image, W, height, width)], factors: null };
    }
    const factors = engine.planes(N * this.channels, h, w);
    yield* this.predict(costs, end, encoded, factors);
    return yield* this.applied(input, N, factors);
  }

  /**
   * Hold features within what is known from training, see MOST_FEATURE in kpnviz/models/matched.py.
   * @param {Planes} features
   */
  bound({ at, channels, stride }) {
    const values = this.engine.floats(at, channels * stride);
    for (let i = 0; i < values.length; i++) values[i] = Math.min(Math.max(values[i], -MOST_FEATURE), MOST_FEATURE);
  }

  /**
   * Costs of a frame -> its features.
   * @param {Planes} costs
   * @param {{ narrow: Layer, spread: Layer }} layers
   * @param {Planes} to
   */
  encode(costs, { narrow, spread }, to) {
    const { engine, trunk } = this;
    engine.scratch(() => {
      const narrowed = engine.planes(ENCODED, costs.h, costs.w);
      const panel = engine.reserve(costs.channels * BLOCK);
      for (let p = 0; p < costs.h * costs.w; p += BLOCK) {
        engine.c.gather_costs(costs.at, costs.channels, costs.stride, p, panel);
        engine.c.product(
          panel,
          costs.channels,
          narrow.weights,
          narrow.bias,
          0,
          ENCODED,
          narrowed.at + 4 * p,
          narrowed.stride,
          trunk.leak,
        );
      }
      engine.conv3x3(spread, narrowed, to, trunk.leak);
    });
  }

  /**
   * Costs and features -> factors, some pixels at a time: what lies between stays in the processor's caches.
   * @param {Planes} costs
   * @param {Planes} end  the trunk's
   * @param {Planes[]} encoded
   * @param {Planes} factors
   */
  *predict(costs, end, encoded, factors) {
    const {
      engine,
      config,
      heads,
      channels,
      K,
      trunk: { leak },
    } = this;
    const { c } = engine;
    const { windows: J, sizes } = config;
    const N = encoded.length - 1;
    const separable = Number(config.separable);
    const apart = heads.head.outputs; // rows of a frame's outputs
    const panel = (/** @type {number} */ count) => engine.reserve(count * BLOCK);
    const seen = panel(end.channels + 2 * ENCODED); // [trunk, reference, mean of the others]
    const [own, scene, mixed, sharp, outputs] = [
      panel(ENCODED),
      panel(MIXED),
      panel(MIXED),
      panel(in4(J + separable)),
      panel(N * apart),
    ];
    const product = (
      /** @type {Layer} */ layer,
      /** @type {number} */ from,
      /** @type {number} */ start,
      /** @type {number} */ to,
      slope = 1,
    ) => c.product(from, layer.inputs, layer.weights, layer.bias, start, layer.outputs, to, BLOCK, slope);
    const row = 4 * BLOCK;
    for (let p = 0; p < end.h * end.w; p += BLOCK) {
      c.gather(end.at, end.channels, end.stride, p, seen);
      c.gather(encoded[0].at, ENCODED, encoded[0].stride, p, seen + end.channels * row);
      c.gather(encoded[N].at, ENCODED, encoded[N].stride, p, seen + (end.channels + ENCODED) * row);
      product(heads.sharpness, seen, 0, sharp);
      product(heads.mix_scene, seen, 0, scene);
      product(heads.mix_reference, seen, 0, mixed, leak);
      product(heads.reference_head, mixed, 0, outputs);
      for (let i = 1; i < N; i++) {
        c.gather(encoded[i].at, ENCODED, encoded[i].stride, p, own);
        product(heads.mix_frame, own, scene, mixed, leak);
        product(heads.head, mixed, 0, outputs + i * apart * row);
      }
      c.last_step(
        outputs,
        apart,
        costs.at,
        sharp,
        N,
        J,
        K,
        channels,
        separable,
        costs.stride,
        p,
        this.sizes,
        this.scales,
        sizes.length,
        factors.at,
      );
      if (p % (16 * BLOCK) === 0) yield;
    }
  }

  /**
   * What a network that predicts pixels adds to the matched mean, in units of the noise: four pixels as channels.
   * @param {Planes[]} parts
   */
  change(parts) {
    const {
      engine,
      heads,
      trunk: { leak },
    } = this;
    const [{ h, w }] = parts;
    const joined = engine.planes(
      parts.reduce((sum, { channels }) => sum + channels, 0),
      h,
      w,
    );
    let { at } = joined;
    for (const part of parts) {
      const count = part.channels * part.stride;
      engine.floats(at, count).set(engine.floats(part.at, count));
      at += 4 * count;
    }
    const [mixed, change] = [engine.planes(MIXED, h, w), engine.planes(4, h, w)];
    engine.conv3x3(heads.mix, joined, mixed, leak);
    engine.conv3x3(heads.head, mixed, change, 1);
    return { values: engine.floats(change.at, 4 * change.stride), stride: change.stride };
  }
}

/**
 * The first H x W pixels of a picture that is `wide` wide.
 * @param {Float32Array} values
 * @param {number} wide
 * @param {number} H
 * @param {number} W
 */
function cropped(values, wide, H, W) {
  const part = new Float32Array(H * W);
  for (let y = 0; y < H; y++) part.set(values.subarray(y * wide, y * wide + W), y * W);
  return part;
}
