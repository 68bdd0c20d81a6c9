// Trained networks as they lie in checkpoints/: .safetensors of float16, and a card that says what they are.

/** @import { Config, Tensor } from "./types" */

import { HALF } from "../../lens/scripts/half.js";
import { CONFIG, ENCODED, INPUTS, LARGEST, MIXED } from "./constants.js";

/**
 * The tensors of a .safetensors file. It throws, a sentence, where that is damaged.
 * @param {Uint8Array} bytes
 * @returns {Map<string, Tensor>}
 */
export function readTensors(bytes) {
  const [length, header] = headerOf(bytes);
  return new Map(
    Object.entries(header)
      .filter(([name]) => name !== "__metadata__")
      .map(([name, { dtype, shape, data_offsets } = {}]) => {
        if (dtype !== "F16") throw new Error(`${name} has numbers of type ${dtype}; weights here are float16 (F16)`);
        const [start, end] = Array.from(data_offsets ?? [], (place) => 8 + length + place);
        const numbers = Array.from(shape ?? []).reduce((product, side) => product * side, 1);
        if (!(start >= 8 + length && end <= bytes.length && end - start === 2 * numbers))
          throw new Error(`the weights are damaged: ${name} does not lie where their header says`);
        const halves = new Uint16Array(bytes.slice(start, end).buffer);
        const values = new Float32Array(halves.length);
        for (let i = 0; i < values.length; i++) values[i] = HALF[halves[i]];
        return [name, { shape, values }];
      }),
  );
}

/**
 * What a .safetensors file begins with: the length of its header, and that: what tensors there are, by their names.
 * @param {Uint8Array} bytes
 * @returns {[number, Record<string, any>]}
 */
function headerOf(bytes) {
  try {
    const length = Number(new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
    if (header instanceof Object && !Array.isArray(header)) return [length, header];
  } catch {
    // It is said below.
  }
  throw new Error("the weights are damaged: they do not begin with the header of a .safetensors file");
}

/**
 * The config in a card, complete. It throws where this engine does not know what a network is asked to be.
 * @param {Record<string, unknown>} given
 * @returns {Config}
 */
export function readConfig(given) {
  if (!(given instanceof Object)) throw new Error("the card has no config");
  const trunk = { ...CONFIG.trunk, ...Object(given.trunk) };
  /** @type {Record<string, any> & { trunk: any }} */
  const config = { ...CONFIG, ...given, trunk };
  for (const [known, values] of [
    [CONFIG, given],
    [CONFIG.trunk, Object(given.trunk)],
  ])
    for (const key of Object.keys(values))
      if (!(key in known)) throw new Error(`the config says ${key}, which this engine does not know`);
  const whole = (/** @type {unknown} */ value, /** @type {number} */ least, /** @type {number} */ most) =>
    Number.isInteger(value) && Number(value) >= least && Number(value) <= most;
  const widths = (/** @type {unknown} */ values) =>
    Array.isArray(values) && values.every((width) => whole(width, 1, 2048));
  const { sizes } = config;
  /** @type {[string, unknown, boolean][]} */
  const found = [
    [
      "sizes",
      sizes,
      Array.isArray(sizes) && sizes.length > 0 && sizes.every((s) => whole(s, 1, LARGEST) && s % 2 === 1),
    ],
    ["frames", config.frames, whole(config.frames, 1, 64)],
    ["windows", config.windows, whole(config.windows, 1, 4)],
    ...["separable", "noise_map", "direct", "matching"].map(
      (key) => /** @type {[string, unknown, boolean]} */ ([key, config[key], typeof config[key] === "boolean"]),
    ),
    ["encoder", trunk.encoder, widths(trunk.encoder) && whole(trunk.encoder.length, 3, 8)],
    ["decoder", trunk.decoder, widths(trunk.decoder)],
    ["convs", trunk.convs, whole(trunk.convs, 1, 8)],
    ["leak", trunk.leak, typeof trunk.leak === "number" && trunk.leak >= 0 && trunk.leak <= 1],
  ];
  for (const [key, value, right] of found)
    if (!right) throw new Error(`${key} is ${JSON.stringify(value)} in the config, which this engine does not know`);
  if (trunk.encoder.length - trunk.decoder.length !== (config.matching ? 1 : 2))
    throw new Error(`encoder [${trunk.encoder}] and decoder [${trunk.decoder}] do not end at half resolution`);
  return /** @type {any} */ (config);
}

/**
 * Channels of a frame's factors.
 * @param {Config} config
 */
export function factorChannels({ sizes, separable }) {
  return sizes.reduce((sum, size) => sum + (separable ? 2 * size : size * size), 0);
}

/**
 * Costs of a frame at a pixel and window of a network that matches.
 * @param {Config} config
 */
export function costRows({ sizes, separable }) {
  const K = Math.max(...sizes);
  return separable ? 2 * K : K * K;
}

/**
 * Names and shapes of the weights that a config asks for.
 * @param {Config} config
 * @returns {Map<string, number[]>}
 */
function shapesOf(config) {
  const { matching, direct, trunk, frames, noise_map, windows, separable, sizes } = config;
  /** @type {Map<string, number[]>} */
  const shapes = new Map();
  const layer = (
    /** @type {string} */ name,
    /** @type {number} */ inputs,
    /** @type {number} */ outputs,
    side = 1,
    bias = true,
  ) => {
    shapes.set(`${name}.weight`, [outputs, inputs, side, side]);
    if (bias) shapes.set(`${name}.bias`, [outputs]);
  };
  const block = (/** @type {string} */ name, /** @type {number} */ inputs, /** @type {number} */ width) => {
    for (let i = 0; i < trunk.convs; i++) layer(`trunk.${name}.${2 * i}`, i ? width : inputs, width, 3);
  };
  const { encoder, decoder } = trunk;
  encoder.forEach((width, level) =>
    block(`encoder.${level}`, level ? encoder[level - 1] : matching ? 4 * INPUTS : frames + Number(noise_map), width),
  );
  decoder.forEach((width, n) =>
    block(`decoder.${n}`, (n ? decoder[n - 1] : encoder[encoder.length - 1]) + encoder[encoder.length - 2 - n], width),
  );
  const [T, F] = [decoder[decoder.length - 1], factorChannels(config)];
  if (!matching) {
    if (!direct) layer("head", T, frames * F);
    else
      [T + encoder[0], encoder[0], encoder[0]].forEach((inputs, n) =>
        layer(`head.${2 * n}`, inputs, n < 2 ? encoder[0] : 1, 3),
      );
    return shapes;
  }
  const rows = costRows(config);
  for (const name of ["encoder", "reference_encoder"]) {
    layer(`${name}.narrow`, windows * rows, ENCODED);
    layer(`${name}.spread`, ENCODED, ENCODED, 3);
  }
  if (direct) {
    layer("mix", T + 2 * ENCODED, MIXED, 3);
    layer("head", MIXED, 4, 3);
    return shapes;
  }
  layer("mix_scene", T + ENCODED, MIXED);
  layer("mix_frame", ENCODED, MIXED, 1, false);
  layer("mix_reference", T + 2 * ENCODED, MIXED);
  layer("head", MIXED, F + rows + 1);
  layer("reference_head", MIXED, F + rows + 1);
  layer("sharpness", T + ENCODED, windows + Number(separable));
  if (separable) shapes.set("size_sharpness", [sizes.length]);
  return shapes;
}

/**
 * Throws where the tensors of a file are not just those that a config asks for, or not finite.
 * @param {Config} config
 * @param {Map<string, Tensor>} tensors
 */
export function checkTensors(config, tensors) {
  const expected = shapesOf(config);
  const different = [...new Set([...expected.keys(), ...tensors.keys()])].filter(
    (name) => !(expected.has(name) && tensors.has(name)),
  );
  if (different.length)
    throw new Error(`weights do not fit the config; missing or unknown: ${different.slice(0, 3).join(", ")}`);
  for (const [name, { shape, values }] of tensors) {
    const wanted = expected.get(name);
    if (String(shape) !== String(wanted)) throw new Error(`${name} has shape [${shape}], the config needs [${wanted}]`);
    if (!values.every(Number.isFinite)) throw new Error(`${name} holds values that are not finite numbers`);
  }
}
