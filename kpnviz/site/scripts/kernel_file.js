// A file of frames and kernels, as kpnviz.save_kernels or anybody writes it, for the lens: kpnviz/capture/kernel_file.py says
// what its keys are. Kernels are applied to the frames here: what is shown is what was applied.

/** @import { Stored } from "./npz.js" */
/** @import { Padding } from "../../lens/scripts/types" */

import { KernelField } from "../../lens/scripts/field.js";
import { explainDifference, pictureOf } from "./consistency.js";
import { LIMITS } from "./constants.js";
import { interestingPixel } from "./first_look.js";
import { visible } from "./npz.js";
import { Arrays, meanOf } from "./pack.js";
import { scoresOf } from "./scores.js";

const TOLERANCE = 1e-3; // of the largest intensity, by which a network's picture may differ from that of its kernels
const EXPLAINING_MS = 30_000; // in which the reason is sought why a picture is another
const MOSTLY = 0.8; // of the values above white: what no exposure is meant to be
const SCALES = [8, 10, 12, 14, 16].map((bits) => 2 ** bits - 1); // whites of files
const ROUNDING = 1e-6; // the lens sums in another order
const MOST_WORK = 8e9; // multiply-adds: about a minute
const METHOD_KEY =
  /^(?:(\d{1,2})\/)?((?:kernels|vertical|horizontal)(?:_\d{1,2})?|basis|coefficients|image|title|padding|reduce|scale)$/;
const PADDINGS = ["reflect", "zero", "replicate", "valid"];
const BURST_KEYS = [
  "frames",
  "truth",
  "read_std",
  "shot_gain",
  "white_level",
  "shifts",
  "moving_mask",
  "moving_shifts",
  "recipe",
  "format",
];

/** @typedef {{ title: string, field: KernelField, image: Float32Array }} Method */
/** @typedef {{ N: number, C: number, H: number, W: number }} Shape */

/**
 * The payload of the lens, and the titles of the networks. It computes in steps, between which others have their turn.
 * @param {string} label  the file's name
 * @param {Map<string, Stored>} arrays
 * @returns {Generator<string, { payload: Uint8Array, titles: string[], note: string }>}  steps say what is being done
 */
export function* kernelFile(label, arrays) {
  const refuse = (/** @type {string} */ why) => new Error(`${label}: ${why}`);
  const format = arrays.get("format");
  if (format && format.text !== LIMITS.format)
    throw refuse(`its format is “${visible(format.text)}”; “${LIMITS.format}” is read here`);
  const burst = burstOf(arrays, refuse);
  /** @type {Map<number, Map<string, Stored>>} */
  const methods = new Map();
  for (const [key, value] of arrays) {
    const match = METHOD_KEY.exec(key);
    if (!match) {
      if (!BURST_KEYS.includes(key))
        throw refuse(`${visible(key)} is no key of such a file; it needs frames and, say, kernels`);
      continue;
    }
    const number = Number(match[1] ?? 0);
    const mine = methods.get(number) ?? new Map();
    if (mine.has(match[2])) throw refuse(`it holds ${match[2]} of method ${number} twice`);
    methods.set(number, mine.set(match[2], value));
  }
  if (!methods.size)
    throw refuse("it holds no kernels; the keys are kernels, or vertical and horizontal, or basis and coefficients");
  const numbers = [...methods.keys()].sort((a, b) => a - b);
  if (numbers.some((number, i) => number !== i) || numbers.length > LIMITS.methods)
    throw refuse(`it holds methods ${numbers.join(", ")}; they are counted from 0, up to ${LIMITS.methods}`);
  const titleOf = (/** @type {number} */ number) =>
    visible(methods.get(number)?.get("title")?.text ?? "") || `method ${number}`;
  let work = 0;
  const fields = numbers.map((number) => {
    const blame = (/** @type {string} */ why) => refuse(`${titleOf(number)}: ${why}`);
    const field = fieldOf(/** @type {Map<string, Stored>} */ (methods.get(number)), burst, blame);
    const { height, width, count } = field.rule;
    work += height * width * count * burst.C * field.K ** 2;
    if (work > MOST_WORK)
      throw blame(
        `its kernels take ${work.toPrecision(2)} multiply-adds to be applied, more than the ${MOST_WORK.toPrecision(1)} of this page; the app takes more`,
      );
    return field;
  });
  /** @type {Method[]} */
  const shown = [];
  for (const [i, field] of fields.entries()) {
    const applied = pictureOf(burst, field);
    let step = applied.next();
    for (; !step.done; step = applied.next())
      yield `Applying the kernels of ${label}: ${Math.round((100 * (i + step.value)) / fields.length)} % …`;
    const image = step.value;
    const given = methods.get(i)?.get("image");
    if (given) {
      const checked = check(given, image, field, burst, (why) => refuse(`${titleOf(i)}: ${why}`));
      while (!checked.next().done) yield `Comparing the picture of ${titleOf(i)} with that of its kernels …`;
    }
    shown.push({ title: titleOf(i), field, image });
  }
  return { payload: packed(label, burst, shown), titles: shown.map(({ title }) => title), note: aboveWhite(burst) };
}

/**
 * A sentence on frames that are shown white nearly everywhere, such as those of 0 to 255; "" on others. kpnviz/ui/foreign.py says it, too.
 * @param {{ frames: Float32Array, white_level: number }} burst
 */
function aboveWhite({ frames, white_level }) {
  let [above, most] = [0, 0];
  for (const value of frames) {
    if (value > white_level) above++;
    if (value > most) most = value;
  }
  if (above < MOSTLY * frames.length) return "";
  const white = SCALES.find((scale) => scale >= most) ?? Math.ceil(most);
  return `Almost all values of the frames are above white = ${white_level} and are shown white: divide the frames by ${white / white_level}, or add the key white_level with the value ${white}.`;
}

/**
 * @param {Map<string, Stored>} arrays
 * @param {(why: string) => Error} refuse
 */
function burstOf(arrays, refuse) {
  const frames = arrays.get("frames");
  if (!frames) throw refuse("it holds no frames; the key is frames, [N, H, W] or [N, C, H, W]");
  // One channel is gray, as in the app.
  const shape =
    frames.shape.length === 4 && frames.shape[1] === 1 ? [frames.shape[0], ...frames.shape.slice(2)] : frames.shape;
  if (![3, 4].includes(shape.length) || (shape.length === 4 && shape[1] !== 3))
    throw refuse(`frames has shape (${shape.join(", ")}); expected [N, H, W], or [N, C, H, W] with C = 3`);
  if (frames.kind !== "f")
    throw refuse("frames holds whole numbers; expected a floating point dtype, linear intensity with white = 1");
  if (shape.includes(0)) throw refuse(`frames has shape (${shape.join(", ")}); an axis is empty`);
  const [N, C] = [shape[0], shape.length === 4 ? 3 : 1];
  const [H, W] = shape.slice(-2);
  if (N > LIMITS.frames) throw refuse(`there are N = ${N} frames; ${LIMITS.frames} are read`);
  finite("frames", frames.values, refuse);
  const picture = C === 1 ? [H, W] : [C, H, W];
  const truth = arrays.get("truth");
  if (truth) {
    const of = truth.shape.length === 3 && C === 1 && truth.shape[0] === 1 ? truth.shape.slice(1) : truth.shape;
    if (String(of) !== String(picture))
      throw refuse(`truth has shape (${truth.shape.join(", ")}); that of a frame is (${picture.join(", ")})`);
    finite("truth", truth.values, refuse);
  }
  const [read, shot] = ["read_std", "shot_gain"].map((name) => arrays.get(name));
  if (!read !== !shot) throw refuse("read_std and shot_gain come together; the noise is both");
  for (const [name, value] of /** @type {const} */ ([
    ["read_std", read],
    ["shot_gain", shot],
  ])) {
    if (value && (![1, C].includes(value.values.length) || value.shape.length > 1))
      throw refuse(`${name} has shape (${value.shape.join(", ")}); it is a number, or one of each channel, C = ${C}`);
    if (value && ![...value.values].every((number) => number >= 0 && number <= LIMITS.intensity))
      throw refuse(`${name} is ${value.values[0]}; it is 0 or more`);
  }
  const of = (/** @type {Stored} */ { values }, /** @type {number} */ c) => values[values.length > 1 ? c : 0];
  const noise =
    read && shot ? Array.from({ length: C }, (_, c) => ({ read_std: of(read, c), shot_gain: of(shot, c) })) : null;
  const white_level = numberOf("white_level", arrays.get("white_level"), refuse);
  if (!(white_level > 0 && white_level <= LIMITS.intensity))
    throw refuse(`white_level is ${white_level}; it is a number above 0`);
  const shifts = arrays.get("shifts");
  if (shifts) {
    if (String(shifts.shape) !== String([N, 2]))
      throw refuse(`shifts has shape (${shifts.shape.join(", ")}); expected [N, 2], N = ${N}`);
    finite("shifts", shifts.values, refuse);
  }
  return {
    N,
    C,
    H,
    W,
    frames: frames.values,
    truth: truth?.values ?? null,
    noise,
    white_level,
    shifts: shifts ? Array.from({ length: N }, (_, i) => [...shifts.values.subarray(2 * i, 2 * i + 2)]) : null,
  };
}

/**
 * A number, 1 where there is none.
 * @param {string} name
 * @param {Stored | undefined} stored
 * @param {(why: string) => Error} refuse
 */
function numberOf(name, stored, refuse) {
  if (!stored) return 1;
  if (stored.kind === "U") throw refuse(`${name} is the text “${visible(stored.text)}”; it is a number`);
  if (stored.shape.length) throw refuse(`${name} has shape (${stored.shape.join(", ")}); it is a number`);
  return stored.values[0];
}

/**
 * A text, `usual` where there is none.
 * @param {string} name
 * @param {Stored | undefined} stored
 * @param {string} usual
 * @param {(why: string) => Error} refuse
 */
function textOf(name, stored, usual, refuse) {
  if (stored && stored.kind !== "U")
    throw refuse(`${name} is ${stored.values.length === 1 ? stored.values[0] : "an array of numbers"}; it is a text`);
  return stored?.text ?? usual;
}

/**
 * @param {string} name
 * @param {Float32Array} values
 * @param {(why: string) => Error} refuse
 */
function finite(name, values, refuse) {
  for (const value of values)
    if (!(Math.abs(value) <= LIMITS.intensity))
      throw refuse(`${name} holds ${value}; numbers are finite and up to ${LIMITS.intensity}`);
}

/**
 * The kernels of a method.
 * @param {Map<string, Stored>} method
 * @param {Shape} burst
 * @param {(why: string) => Error} refuse
 */
function fieldOf(method, { N, C, H, W }, refuse) {
  const sized = (/** @type {string} */ key) => Number(key.split("_")[1] ?? 0);
  const keysOf = (/** @type {string} */ kind) =>
    [...method.keys()].filter((key) => key.split("_")[0] === kind).sort((a, b) => sized(a) - sized(b));
  const given = ["kernels", "vertical", "horizontal", "basis", "coefficients"].filter((kind) => keysOf(kind).length);
  const kind = { kernels: "dense", "vertical horizontal": "separable", "basis coefficients": "basis" }[given.join(" ")];
  if (!kind)
    throw refuse(
      `it has ${given.join(", ") || "no kernels"}; expected kernels, or vertical and horizontal, or basis and coefficients`,
    );
  const padding = textOf("padding", method.get("padding"), "reflect", refuse);
  const reduce = textOf("reduce", method.get("reduce"), "mean", refuse);
  if (!PADDINGS.includes(padding)) throw refuse(`padding is “${visible(padding)}”; it is ${PADDINGS.join(", ")}`);
  if (reduce !== "mean" && reduce !== "sum") throw refuse(`reduce is “${visible(reduce)}”; it is mean or sum`);
  const scale = numberOf("scale", method.get("scale"), refuse);
  if (scale !== 1 && scale !== 2) throw refuse(`scale is ${scale}; it is 1, or 2 for kernels at half resolution`);
  const layouts = {
    kernels: ["N", "K", "K", "h", "w"],
    vertical: ["N", "K", "h", "w"],
    horizontal: ["N", "K", "h", "w"],
    basis: ["F", "N", "K", "K"],
    coefficients: ["F", "h", "w"],
  };
  /**
   * Axes of an array by their names.
   * @param {string} key
   * @returns {Partial<Record<"N" | "C" | "K" | "F" | "h" | "w", number>> & { shape: number[], values: Float32Array }}
   */
  const axes = (key) => {
    const array = /** @type {Stored} */ (method.get(key));
    const plain = layouts[/** @type {keyof typeof layouts} */ (key.split("_")[0])];
    const channels = plain[0] === "N" ? [plain[0], "C", ...plain.slice(1)] : plain;
    const layout = [plain, channels].find(({ length }) => length === array.shape.length);
    const shape = `(${array.shape.join(", ")})`;
    if (!layout)
      throw refuse(
        `${key} has shape ${shape}; expected [${plain.join(", ")}]${plain === channels ? "" : `, or [${channels.join(", ")}]`}`,
      );
    const wrong = (/** @type {string} */ why) =>
      refuse(`${key} has shape ${shape}, so ${why}; its axes are to be [${layout.join(", ")}]`);
    if (array.kind !== "f") throw refuse(`${key} holds whole numbers; expected a floating point dtype`);
    if (array.shape.includes(0)) throw refuse(`${key} has shape ${shape}; an axis is empty`);
    const named = Object.fromEntries(layout.map((name, i) => [name, array.shape[i]]));
    const sides = array.shape.filter((_, i) => layout[i] === "K");
    if (new Set(sides).size > 1) throw wrong(`K = ${sides[0]} rows and ${sides[1]} columns, and kernels are square`);
    if (named.K !== undefined && (named.K % 2 === 0 || named.K > LIMITS.kernel))
      throw wrong(`K = ${named.K}, and kernels have an odd side up to ${LIMITS.kernel}`);
    if (sized(key) && named.K !== sized(key)) throw wrong(`K = ${named.K}, and its name says ${sized(key)}`);
    if (named.C !== undefined && named.C !== 1 && named.C !== C)
      throw wrong(`C = ${named.C} channels, and the frames have ${C}`);
    if (named.N !== undefined && named.N !== N) throw wrong(`N = ${named.N} frames, and the burst has ${N}`);
    finite(key, array.values, refuse);
    return { ...named, shape: array.shape, values: array.values };
  };
  /** @type {ReturnType<typeof axes>[][]} */
  let sets; // of each size
  if (kind === "separable") {
    const [vertical, horizontal] = ["vertical", "horizontal"].map((name) => keysOf(name).map(axes));
    if (vertical.length !== horizontal.length)
      throw refuse(`vertical has ${vertical.length} sizes, horizontal ${horizontal.length}; they must agree`);
    sets = vertical.map((u, i) => {
      if (String(u.shape) !== String(horizontal[i].shape))
        throw refuse(
          `vertical has shape (${u.shape.join(", ")}), horizontal (${horizontal[i].shape.join(", ")}); they must agree`,
        );
      return [u, horizontal[i]];
    });
  } else if (kind === "dense") sets = keysOf("kernels").map((key) => [axes(key)]);
  else sets = [[axes("coefficients")]];
  const basis = kind === "basis" ? axes("basis") : null;
  const first = sets[0][0];
  if (basis && basis.F !== first.F)
    throw refuse(
      `basis has shape (${basis.shape.join(", ")}), coefficients (${first.shape.join(", ")}), so F = ${basis.F} and ${first.F}; they must agree, with axes [F, N, K, K] and [F, h, w]`,
    );
  const sizes = basis ? [/** @type {number} */ (basis.K)] : sets.map(([{ K }]) => /** @type {number} */ (K));
  if (new Set(sizes).size < sizes.length) throw refuse(`kernels of K = ${sizes.join(", ")} were given; each size once`);
  for (const [one] of sets)
    if (one.h !== first.h || one.w !== first.w || one.N !== first.N || one.C !== first.C)
      throw refuse(
        `kernels of several sizes have shapes (${first.shape.join(", ")}) and (${one.shape.join(", ")}); all axes but K must agree`,
      );
  const K = Math.max(...sizes);
  const less = padding === "valid" ? K - 1 : 0;
  const [height, width] = [H - less, W - less];
  const [h, w] = [/** @type {number} */ (first.h), /** @type {number} */ (first.w)];
  const wanted = scale === 1 ? [height, width] : [(height + 1) >> 1, (width + 1) >> 1];
  if (h !== wanted[0] || w !== wanted[1] || height < 1 || width < 1)
    throw refuse(
      `its kernels are given at ${h}×${w} places; with frames of ${H}×${W}, padding ${padding} and scale ${scale} there are ${Math.max(wanted[0], 0)}×${Math.max(wanted[1], 0)}${h === wanted[1] && w === wanted[0] ? ": H and W are exchanged" : ""}; the last two axes are to be [h, w], rows and columns of places`,
    );
  const count = /** @type {number} */ (basis ? basis.N : first.N);
  const channels = first.C && first.C > 1 ? first.C : 1;
  // Factors of all sizes, one after the other: [N, F, h, w], or [N, C, F, h, w].
  const groups = basis ? 1 : count * channels;
  const parts = sets.flat();
  const F = parts.reduce((sum, { values }) => sum + values.length / groups / (h * w), 0);
  const factors = new Float32Array(groups * F * h * w);
  let place = 0;
  for (let g = 0; g < groups; g++)
    for (const { values } of parts) {
      const length = values.length / groups;
      factors.set(values.subarray(g * length, (g + 1) * length), place);
      place += length;
    }
  return new KernelField({
    ...{
      sizes,
      separable: kind === "separable",
      half: scale === 2,
      padding: /** @type {Padding} */ (padding),
      reduce,
      height,
      width,
      inset: less / 2,
    },
    factors: { values: factors, shape: channels > 1 ? [count, channels, F, h, w] : [basis ? 1 : count, F, h, w] },
    ...{
      basis: basis && { values: basis.values, shape: basis.shape },
      scales: null,
      unit: 1,
      error: null,
      lossy: false,
    },
  });
}

/**
 * The picture that a network gave is that of its kernels; else the file is refused, with the reason.
 * @param {Stored} given
 * @param {Float32Array} made
 * @param {KernelField} field
 * @param {ReturnType<typeof burstOf>} burst
 * @param {(why: string) => Error} refuse
 * @returns {Generator<void, void>}
 */
function* check(given, made, field, burst, refuse) {
  finite("image", given.values, refuse);
  const wanted = burst.C === 1 ? 2 : 3;
  const shape = given.shape.length === wanted + 1 && given.shape[0] === 1 ? given.shape.slice(1) : given.shape; // of a batch of one
  const end = performance.now() + EXPLAINING_MS;
  const difference = yield* explainDifference(
    burst,
    field,
    given.values,
    shape,
    made,
    TOLERANCE,
    () => performance.now() < end,
  );
  if (difference) throw refuse(difference);
}

/**
 * @param {string} label
 * @param {ReturnType<typeof burstOf>} burst
 * @param {Method[]} shown
 */
function packed(label, burst, shown) {
  const { N, C, H, W, frames, truth, noise, white_level, shifts } = burst;
  const pixels = C * H * W;
  const arrays = new Arrays();
  const whole = C === 1 ? [H, W] : [C, H, W];
  const mean = meanOf(frames, N, pixels);
  /** @type {(kind: string, name: string, title: string, image: Float32Array, shape?: number[]) => object} */
  const panel = (kind, name, title, image, shape = whole) => {
    const scores =
      truth && kind !== "truth" && image.length === truth.length ? scoresOf(image, truth, H, W, white_level) : null;
    return { kind, name, title, image: arrays.add(image, shape), scores };
  };
  const panels = [panel("frame", "frame", "Frame", frames.slice(0, pixels)), panel("mean", "mean", "Plain mean", mean)];
  const methods = shown.map(({ title, field, image }, number) => {
    const { height, width, inset, padding, reduce } = field.rule;
    const at =
      panels.push(panel("method", `kernels ${number}`, title, image, C === 1 ? [height, width] : [C, height, width])) -
      1;
    const { sizes, separable, half, factors, basis } = field.parts;
    const peak = image.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const kernels = {
      ...{
        sizes,
        separable,
        half,
        padding,
        reduce,
        height,
        width,
        inset,
        factors: arrays.add(/** @type {Float32Array} */ (factors.values), factors.shape),
      },
      ...{
        scales: null,
        basis: basis ? arrays.add(/** @type {Float32Array} */ (basis.values), basis.shape) : null,
        unit: 1,
        error: ROUNDING * Math.max(peak, 1),
        lossy: false,
      },
    };
    return { title, panel: at, kernels, steps: null };
  });
  if (truth) panels.push(panel("truth", "truth", "Truth", truth));
  const start = interestingPixel(/** @type {any} */ ({ C, H, W, clean: truth ?? mean }));
  return arrays.behind({
    ...{ height: H, width: W, white_level, burst: label, alone: false, noise, matching: null, clean: null },
    frames: arrays.add(frames, C === 1 ? [N, H, W] : [N, C, H, W]),
    ...{
      shifts,
      motion: null,
      moving: null,
      panels,
      methods,
      series: null,
      start,
      sizes: null,
      id: `${label} ${frames.length} ${Math.random()}`,
    },
  });
}
