// Do these kernels, applied to these frames, give this picture? If not: what would explain the difference. The questions, their
// order and the sentences are those of kpnviz/consistency.py; a test compares them.
//
// What each reason leads to is first computed at a few pixels, and over the whole picture where these agree.

/** @import { Padding, Weights } from "../../lens/scripts/types" */

import { KernelField } from "../../lens/scripts/field.js";
import { correlate } from "../../lens/scripts/kernels.js";

/** Frames [N, C, H, W]. @typedef {{ N: number, C: number, H: number, W: number, frames: Float32Array }} Frames */
/** A kernel's K*K weights, read in another way. @typedef {(weights: Weights, K: number) => Weights} Turn */
/** The values of all channels at a pixel (y, x) of the picture. @typedef {(y: number, x: number) => ArrayLike<number>} Values */

const PROBES = 300; // pixels that are tried first
const ORDER_SIDE = 64; // pixels a side of the middle part on which the order of the frames is sought
const PADDINGS = /** @type {const} */ (["reflect", "zero", "replicate"]);

/** @type {Turn} */
const same = (weights) => weights;
/** @type {Turn} */
const flipped = (weights) => weights.slice().reverse();
/** @type {Turn} */
const transposed = (weights, K) => weights.map((_, i) => weights[(i % K) * K + Math.floor(i / K)]);

/** Ways to read kernels. @type {[string, Turn][]} */
const TURNED = [
  ["", same],
  ["kernels flipped (convolution, not correlation)", flipped],
  ["the kernels' axes dy and dx exchanged", transposed],
  ["kernels flipped and their axes dy and dx exchanged", (weights, K) => flipped(transposed(weights, K), K)],
];

/**
 * What kernels make of the frames at a pixel, the sum over the frames.
 * @param {Frames} burst
 * @param {KernelField} field
 * @param {{ turn?: Turn, padding?: Padding, order?: number[], frame?: number }} [how]  order: the frame that each kernel is
 *     applied to; frame: the only one that counts
 * @returns {(y: number, x: number) => Float64Array}
 */
function sums({ C, H, W, frames }, field, { turn = same, padding = field.rule.padding, order, frame } = {}) {
  const { K, count, channels, rule: { inset } } = field; // prettier-ignore
  return (y, x) => {
    const total = new Float64Array(C);
    const sets = Array.from(
      { length: channels },
      (_, channel) => (/** @type {number} */ i) => turn(field.frameAt(i, y + inset, x + inset, channel), K),
    );
    for (let i = frame ?? 0; i < (frame === undefined ? count : frame + 1); i++) {
      const kernels = sets.map((of) => of(i));
      for (let c = 0; c < C; c++)
        total[c] += correlate(
          frames,
          ((order?.[i] ?? i) * C + c) * H * W,
          H,
          W,
          kernels[channels > 1 ? c : 0],
          K,
          y + inset,
          x + inset,
          padding,
        );
    }
    return total;
  };
}

/**
 * What a field's kernels make of the frames: [C, height, width]. A step is a row.
 * @param {Frames} burst
 * @param {KernelField} field
 * @param {Values} [at]
 * @returns {Generator<number, Float32Array>}  steps tell how much is done, 0 to 1
 */
export function* pictureOf(burst, field, at = scaled(sums(burst, field), field.rule.divisor)) {
  const { height, width } = field.rule;
  const image = new Float32Array(burst.C * height * width);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const values = at(y, x);
      for (let c = 0; c < burst.C; c++) image[(c * height + y) * width + x] = values[c];
    }
    yield (y + 1) / height;
  }
  return image;
}

/**
 * @param {(y: number, x: number) => Float64Array} at
 * @param {number} divisor
 * @returns {Values}
 */
function scaled(at, divisor) {
  return (y, x) => at(y, x).map((value) => value / divisor);
}

/**
 * Empty if the field makes this picture of the frames; else one or two sentences: how they differ, and why perhaps.
 * kpnviz.consistency.explain_difference.
 *
 * image, made  the picture, finite, of `shape`, and what the kernels make of the frames, [C, height, width]
 * goOn         asked between parts of the work; false: the reason is not sought further
 * @param {Frames} burst
 * @param {KernelField} field
 * @param {Float32Array} image
 * @param {number[]} shape
 * @param {Float32Array} made
 * @param {number} tolerance  of the largest intensity
 * @param {() => boolean} goOn
 * @returns {Generator<void, string>}
 */
export function* explainDifference(burst, field, image, shape, made, tolerance, goOn) {
  const { C } = burst;
  const { height, width } = field.rule;
  const expected = C === 1 ? [height, width] : [C, height, width];
  if (String(shape) !== String(expected)) {
    const text = `the picture has shape (${shape.join(", ")}), what the kernels make of the frames has (${expected.join(", ")})`;
    if (C === 1 && String(shape) === String([width, height]))
      return `${text}; if its axes are [W, H]: image.transpose(1, 0)`;
    return `${text}.${yield* wrongAxis(burst, field, image, shape, tolerance)}`;
  }
  const wrong = made.findIndex((value) => !Number.isFinite(value));
  if (wrong >= 0)
    return `the kernels make a picture that holds ${String(made[wrong]).replace("Infinity", "inf").replace("NaN", "nan")} at (${placeOf(wrong, expected).join(", ")})`;
  const allowed = tolerance * Math.max(peakOf(made), peakOf(image));
  let worst = 0;
  let beyond = false; // whether they differ away from the edge
  const r = (field.K - 1) / 2;
  for (let i = 0; i < made.length; i++) {
    const error = Math.abs(image[i] - made[i]);
    if (error > Math.abs(image[worst] - made[worst])) worst = i;
    const [y, x] = [Math.floor(i / width) % height, i % width];
    if (error > allowed && y >= r && x >= r && y < height - r && x < width - r) beyond = true;
  }
  const error = Math.abs(image[worst] - made[worst]);
  if (error <= allowed) return "";
  const names = C === 1 ? ["row", "column"] : ["channel", "row", "column"];
  const where = placeOf(worst, expected)
    .map((at, axis) => `${names[axis]} ${at}`)
    .join(", ");
  let text = `the picture is not what the kernels make of the frames: they differ by up to ${general(error, 3)}, at ${where} (${general(image[worst], 4)} against ${general(made[worst], 4)})`;
  if (!beyond && height > 2 * r && width > 2 * r) text += `, and only within ${r} pixels of the edge`;
  const unsought = `${text}. Why was not sought to the end: it takes too long.`;

  const probes = probesOf(worst % (height * width), height, width);
  const agrees = function* (/** @type {Values} */ at) {
    const fits = (/** @type {number} */ y, /** @type {number} */ x) => {
      const values = at(y, x);
      for (let c = 0; c < C; c++)
        if (!(Math.abs(values[c] - image[(c * height + y) * width + x]) <= allowed)) return false;
      return true;
    };
    for (const [y, x] of probes) if (!fits(y, x)) return false;
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) if (!fits(y, x)) return false;
      yield;
      if (!goOn()) return false;
    }
    return true;
  };
  for (const [reason, at] of explanations(burst, field, image, made)) {
    yield;
    if (!goOn()) return unsought;
    if (yield* agrees(at)) return `${text}. They agree ${reason}.`;
  }
  for (const [change, turn] of TURNED) {
    const order = yield* orderOf(burst, field, turn, image, allowed, goOn);
    if (!goOn()) return unsought;
    if (!order) continue;
    for (const padding of paddingsOf(field)) {
      if (!(yield* agrees(scaled(sums(burst, field, { turn, padding, order: order.frames }), order.divisor)))) continue;
      const reasons = reasonsOf(field, change, padding, order.divisor === 1 ? "sum" : "mean");
      reasons.push(
        new Set(order.frames).size === order.frames.length ? "the frames in another order" : "some frames twice",
      );
      return `${text}. They agree with ${reasons.join(" and ")}: kernel by kernel, frames ${order.frames.join(", ")}.`;
    }
  }
  if (!goOn()) return unsought;
  return `${text}. None of the usual reasons explains it: padding, sum, flipped or transposed kernels, another order, a factor, a constant.`;
}

/**
 * [a reason, what it would lead to at a pixel], the simplest first.
 * @param {Frames} burst
 * @param {KernelField} field
 * @param {Float32Array} image
 * @param {Float32Array} made
 * @returns {Generator<[string, Values]>}
 */
function* explanations(burst, field, image, made) {
  const { C, H, W, N } = burst;
  const { height, width, padding, divisor } = field.rule;
  const plane = height * width;
  /** @type {(of: (value: number, c: number, at: number) => number) => Values} */
  const changed = (of) => (y, x) =>
    Array.from({ length: C }, (_, c) => of(made[c * plane + y * width + x], c, y * width + x));
  const clipped = (/** @type {number} */ value) => Math.min(Math.max(value, 0), 1);
  yield ["once clipped to 0..1", changed(clipped)];
  for (const [change, turn] of TURNED)
    for (const one of paddingsOf(field))
      for (const [reduce, by] of /** @type {const} */ ([
        ["mean", field.count],
        ["sum", 1],
      ])) {
        const reasons = reasonsOf(field, change, one, reduce);
        if (reasons.length)
          yield [`with ${reasons.join(" and ")}`, scaled(sums(burst, field, { turn, padding: one }), by)];
      }
  if (field.half)
    yield [
      "once the kernels of half resolution are repeated for 2x2 pixels (mode='nearest'), not interpolated",
      scaled(sums(burst, repeated(field)), divisor),
    ];
  const ones = { N, C, H, W, frames: new Float32Array(N * C * H * W).fill(1) };
  /** @type {(one: Padding) => Values} */
  const divided = (one) => {
    const mass = scaled(sums(ones, field, { padding: one }), divisor);
    return (y, x) => {
      const weights = mass(y, x);
      return changed((value, c) => value / weights[c] || 0)(y, x);
    };
  };
  yield ["once divided by the sum of the weights at each pixel", divided(padding === "valid" ? "valid" : "replicate")];
  if (padding === "zero")
    yield ["once divided by the sum of those weights at each pixel that lie within the frame", divided("zero")];
  let [product, square] = [0, 0];
  made.forEach((value, i) => ([product, square] = [product + value * image[i], square + value * value]));
  const factor = product / Math.max(square, 1e-30); // least squares
  yield [`once what the kernels make is multiplied by ${general(factor, 4)}`, changed((value) => factor * value)];
  yield* constants(image, made, C, changed);
  yield ["after the sRGB transfer", changed(transferred)];
  yield ["after the sRGB transfer and clipping to 0..1", changed((value) => clipped(transferred(value)))];
  if (C > 1) yield ["with the channels in reverse order", changed((_, c, at) => made[(C - 1 - c) * plane + at])];
  if (height === H && width === W)
    yield [
      "once frame 0 is added to what the kernels make",
      changed((value, c, at) => value + burst.frames[c * plane + at]),
    ];
}

/**
 * A constant that is added to the picture or to each channel; and a factor with a constant. kpnviz.consistency._constants.
 * @param {Float32Array} image
 * @param {Float32Array} made
 * @param {number} C
 * @param {(of: (value: number, c: number) => number) => Values} changed
 * @returns {Generator<[string, Values]>}
 */
function* constants(image, made, C, changed) {
  const plane = made.length / C;
  const meanOf = (/** @type {(i: number) => number} */ of, from = 0, to = made.length) => {
    let total = 0;
    for (let i = from; i < to; i++) total += of(i);
    return total / (to - from);
  };
  const difference = (/** @type {number} */ i) => image[i] - made[i];
  const constant = meanOf(difference);
  yield [`once ${general(constant, 4)} is added to what the kernels make`, changed((value) => value + constant)];
  if (C > 1) {
    const each = Array.from({ length: C }, (_, c) => meanOf(difference, c * plane, (c + 1) * plane));
    yield [
      `once a constant is added to each channel of what the kernels make: ${each.map((value) => general(value, 4)).join(", ")}`,
      changed((value, c) => value + each[c]),
    ];
  }
  if (image.every((value) => value === image[0])) return; // 0 times whatever the kernels make, with its one value added
  const [middle, level] = [meanOf((i) => made[i]), meanOf((i) => image[i])];
  const spread = meanOf((i) => (made[i] - middle) ** 2);
  const factor = meanOf((i) => (made[i] - middle) * image[i]) / Math.max(spread, 1e-30 / made.length);
  const rest = level - factor * middle;
  yield [
    `once what the kernels make is multiplied by ${general(factor, 4)}, and ${general(rest, 4)} is added`,
    changed((value) => factor * value + rest),
  ];
}

/** kpnviz.color.srgb_encode, which does not clip. @param {number} value */
function transferred(value) {
  return value <= 0.0031308 ? 12.92 * value : 1.055 * value ** (1 / 2.4) - 0.055;
}

/**
 * Paddings for which the frames have the size that they have, the field's own first.
 * @param {KernelField} field
 * @returns {Padding[]}
 */
function paddingsOf({ rule: { padding } }) {
  return padding === "valid" ? ["valid"] : [padding, ...PADDINGS.filter((one) => one !== padding)];
}

/**
 * @param {KernelField} field
 * @param {string} change
 * @param {Padding} padding
 * @param {"mean" | "sum"} reduce
 */
function reasonsOf({ rule }, change, padding, reduce) {
  return [
    ...(change ? [change] : []),
    ...(padding !== rule.padding ? [`padding='${padding}'`] : []),
    ...(reduce !== rule.reduce ? [`reduce='${reduce}'`] : []),
  ];
}

/** The field with kernels at every pixel: those of half resolution, each for 2x2 pixels. @param {KernelField} field */
function repeated(field) {
  const { height, width } = field.rule;
  const { h, w, parts } = field;
  const { values, shape } = parts.factors;
  const planes = values.length / (h * w);
  const full = new Float32Array(planes * height * width);
  for (let f = 0; f < planes; f++)
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) full[(f * height + y) * width + x] = values[(f * h + (y >> 1)) * w + (x >> 1)];
  return new KernelField({
    ...parts,
    half: false,
    factors: { values: full, shape: [...shape.slice(0, -2), height, width] },
  });
}

/**
 * The frame that each kernel would have to be applied to, by least squares, and 1 for a sum or N for a mean; null if no order
 * gives the middle of the picture, and if too few pixels tell. kpnviz.consistency._order.
 *
 * With p_ij what kernel i makes of frame j, the picture is fitted by sum_ij a_ij p_ij; kernel i belongs to the frame j with the
 * largest a_ij, be that 1 (a sum) or 1/N (a mean). Of a burst in color the first channel tells.
 * @param {Frames} burst
 * @param {KernelField} field
 * @param {Turn} turn
 * @param {Float32Array} image
 * @param {number} allowed
 * @param {() => boolean} goOn
 * @returns {Generator<void, { frames: number[], divisor: number } | null>}
 */
function* orderOf({ N, C, H, W, frames }, field, turn, image, allowed, goOn) {
  const { K, count, rule: { height, width, padding, inset } } = field; // prettier-ignore
  const r = (K - 1) / 2;
  const margin = padding === "valid" ? 0 : r; // from which on a kernel lies within the frames
  const [[top, bottom], [left, right]] = [height, width].map((length) => {
    const first = Math.max(Math.floor((length - ORDER_SIDE) / 2), margin);
    return [first, Math.min(first + ORDER_SIDE, length - margin)];
  });
  const pixels = Math.max(bottom - top, 0) * Math.max(right - left, 0);
  const unknown = N * N;
  if (N === 1 || count !== N || pixels < 2 * unknown) return null;
  const step = Math.max(1, Math.floor(pixels / Math.max(3 * unknown, 1024))); // more pixels tell nothing more
  // The normal equations, row by row of the picture.
  const [normal, right_side] = [new Float64Array(unknown * unknown), new Float64Array(unknown)];
  /** @type {{ parts: Float64Array, wanted: number }[]} */
  const told = [];
  for (let p = 0; p < pixels; p += step) {
    const [y, x] = [top + Math.floor(p / (right - left)), left + (p % (right - left))];
    const parts = new Float64Array(unknown);
    for (let i = 0; i < N; i++) {
      const weights = turn(field.frameAt(i, y + inset, x + inset, 0), K);
      for (let k = 0; k < N; k++)
        parts[i * N + k] = correlate(
          frames,
          ((i + k) % N) * C * H * W,
          H,
          W,
          weights,
          K,
          y + inset,
          x + inset,
          padding,
        );
    }
    const wanted = image[y * width + x];
    told.push({ parts, wanted });
    for (let a = 0; a < unknown; a++) {
      right_side[a] += parts[a] * wanted;
      for (let b = 0; b <= a; b++) normal[a * unknown + b] += parts[a] * parts[b];
    }
    yield;
    if (!goOn()) return null;
  }
  const found = yield* solved(normal, right_side);
  const turns = Array.from({ length: N }, (_, i) => {
    const mine = found.subarray(i * N, (i + 1) * N);
    return mine.indexOf(Math.max(...mine));
  });
  if (turns.includes(-1)) return null;
  for (const divisor of [N, 1])
    if (
      told.every(
        ({ parts, wanted }) =>
          Math.abs(turns.reduce((sum, k, i) => sum + parts[i * N + k], 0) / divisor - wanted) <= allowed,
      )
    )
      return { frames: turns.map((k, i) => (i + k) % N), divisor };
  return null;
}

/**
 * The solution of symmetric equations, of which the lower triangle is given, by Cholesky's decomposition; a ridge of 1e-12 of
 * their size keeps those of frames that are alike apart.
 * @param {Float64Array} matrix  it is overwritten
 * @param {Float64Array} values
 * @returns {Generator<void, Float64Array>}
 */
function* solved(matrix, values) {
  const n = values.length;
  let trace = 0;
  for (let a = 0; a < n; a++) trace += matrix[a * n + a];
  for (let a = 0; a < n; a++) matrix[a * n + a] += (1e-12 * trace) / n;
  const x = Float64Array.from(values);
  for (let a = 0; a < n; a++) {
    for (let b = 0; b <= a; b++) {
      let sum = matrix[a * n + b];
      for (let k = 0; k < b; k++) sum -= matrix[a * n + k] * matrix[b * n + k];
      matrix[a * n + b] = a === b ? Math.sqrt(sum) : sum / matrix[b * n + b];
    }
    for (let k = 0; k < a; k++) x[a] -= matrix[a * n + k] * x[k];
    x[a] /= matrix[a * n + a];
    yield;
  }
  for (let a = n - 1; a >= 0; a--) {
    for (let k = a + 1; k < n; k++) x[a] -= matrix[k * n + a] * x[k];
    x[a] /= matrix[a * n + a];
  }
  return x;
}

/**
 * Whether the picture is the mean over rows or columns instead of frames, as a sentence; "" if it is not. It becomes that if a
 * batch of 1 is squeezed away before a mean over axis 1.
 * @param {Frames} burst
 * @param {KernelField} field
 * @param {Float32Array} image
 * @param {number[]} shape
 * @param {number} tolerance
 * @returns {Generator<void, string>}
 */
function* wrongAxis(burst, field, image, shape, tolerance) {
  const { height, width } = field.rule;
  const { C, N } = burst;
  if (C !== 1) return "";
  for (const [axis, name] of /** @type {const} */ ([
    [1, "rows"],
    [2, "columns"],
  ])) {
    const [length, across] = axis === 1 ? [width, height] : [height, width];
    if (String(shape) !== String([N, length])) continue;
    const other = new Float64Array(N * length);
    for (let i = 0; i < N; i++) {
      const of = sums(burst, field, { frame: i });
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) other[i * length + (axis === 1 ? x : y)] += of(y, x)[0];
        yield;
      }
    }
    for (const [reduce, divisor] of /** @type {const} */ ([
      ["mean", across],
      ["sum", 1],
    ])) {
      const values = other.map((value) => value / divisor);
      const allowed = tolerance * peakOf(values);
      if (values.every((value, i) => Math.abs(value - image[i]) <= allowed))
        return ` It is the ${reduce} over the ${name} in place of the frames: a network whose batch of 1 was squeezed away does that; give it a batch of 2, or mend it.`;
    }
  }
  return "";
}

/**
 * Pixels [y, x] to try first: the worst one, the corners, and others evenly spread.
 * @param {number} worst
 * @param {number} height
 * @param {number} width
 */
function probesOf(worst, height, width) {
  const last = height * width - 1;
  const spread = Array.from({ length: PROBES }, (_, k) => Math.round((k / (PROBES - 1)) * last));
  return [...new Set([worst, 0, width - 1, last, ...spread])].map(
    (p) => /** @type {const} */ ([Math.floor(p / width), p % width]),
  );
}

/**
 * Where number i of an array lies, an index for each axis.
 * @param {number} i
 * @param {number[]} shape
 */
function placeOf(i, shape) {
  const place = [];
  for (const length of [...shape].reverse()) {
    place.unshift(i % length);
    i = Math.floor(i / length);
  }
  return place;
}

/** @param {Float32Array | Float64Array} values */
function peakOf(values) {
  let peak = 0;
  for (const value of values) peak = Math.max(peak, Math.abs(value));
  return peak;
}

/**
 * A number with so many digits that count, as Python's format "g".
 * @param {number} value
 * @param {number} digits
 */
export function general(value, digits) {
  if (value === 0 || !Number.isFinite(value))
    return value === 0 ? "0" : String(value).replace("Infinity", "inf").replace("NaN", "nan");
  const power = Number(value.toExponential(digits - 1).split("e")[1]);
  const short = (/** @type {string} */ text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
  if (power >= -4 && power < digits) return short(value.toFixed(digits - 1 - power));
  return `${short(value.toExponential(digits - 1).split("e")[0])}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
}
