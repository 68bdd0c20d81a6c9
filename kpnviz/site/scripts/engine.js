// The memory of engine.c, and its functions. Numbers lie at addresses, in bytes; what is allocated last is released first.

/**
 * @typedef {object} Planes  maps of h x w numbers, one a channel: [channels][stride]
 * @property {number} at
 * @property {number} channels
 * @property {number} stride
 * @property {number} h
 * @property {number} w
 */

/**
 * @typedef {object} Layer  a convolution; its weights as engine.c wants them
 * @property {number} weights
 * @property {number} bias
 * @property {number} inputs
 * @property {number} outputs  a multiple of 4; the last ones may be empty
 */

/** Pixels in a panel, as in engine.c. */
export const BLOCK = 64;

/** Frames of a burst, as in engine.c. */
export const MOST_FRAMES = 64;

const PAGE = 65536;
const MOST_PAGES = 24576; // 1.5 GB
const SPARE = 512; // bytes that loops read beyond the end

/** @param {number} n */
export const in4 = (n) => (n + 3) & ~3;

export class Engine {
  /**
   * @param {WebAssembly.Module} module  engine.wasm or engine.relaxed.wasm, compiled
   * @returns {Promise<Engine>}
   */
  static async create(module) {
    let memory;
    try {
      memory = new WebAssembly.Memory({ initial: 64, maximum: MOST_PAGES });
    } catch {
      throw new Error("this browser gives no memory for a network; close other pages, or choose fewer methods");
    }
    const { exports } = await WebAssembly.instantiate(module, { env: { memory } });
    return new Engine(/** @type {any} */ (exports), memory);
  }

  /**
   * @param {Record<string, (...args: number[]) => void> & { __heap_base: WebAssembly.Global }} functions
   * @param {WebAssembly.Memory} memory
   */
  constructor(functions, memory) {
    this.c = functions;
    this.memory = memory;
    this.top = (functions.__heap_base.value + 63) & ~63;
    this.most = this.top; // bytes that were ever in use
  }

  /**
   * The address of memory for so many numbers of 4 bytes; what is in it is anything.
   * @param {number} count
   */
  reserve(count) {
    const at = this.top;
    this.top = (at + 4 * count + SPARE + 63) & ~63;
    this.most = Math.max(this.most, this.top);
    const lacking = this.top - this.memory.buffer.byteLength;
    if (lacking > 0)
      try {
        this.memory.grow(Math.ceil(lacking / PAGE));
      } catch {
        throw new Error(
          `there is no memory for this burst: ${Math.ceil(this.top / 2 ** 20)} MB are needed; choose a smaller crop or fewer frames`,
        );
      }
    return at;
  }

  /**
   * What `work` returns; memory that it reserved is released.
   * @template T
   * @param {() => T} work
   * @returns {T}
   */
  scratch(work) {
    const { top } = this;
    try {
      return work();
    } finally {
      this.top = top;
    }
  }

  /**
   * @param {number} at
   * @param {number} count
   */
  floats(at, count) {
    return new Float32Array(this.memory.buffer, at, count);
  }

  /** @param {ArrayLike<number>} values */
  put(values) {
    const at = this.reserve(values.length);
    this.floats(at, values.length).set(values);
    return at;
  }

  /** @param {number[]} values  whole */
  putIntegers(values) {
    const at = this.reserve(values.length);
    new Int32Array(this.memory.buffer, at, values.length).set(values);
    return at;
  }

  /**
   * @param {number} channels
   * @param {number} h
   * @param {number} w
   * @returns {Planes}
   */
  planes(channels, h, w) {
    const stride = ((h * w + BLOCK - 1) & -BLOCK) + 16; // no power of two, which the processor's caches would not like
    return { at: this.reserve(in4(channels) * stride), channels, stride, h, w };
  }

  /**
   * Some of the channels of planes.
   * @param {Planes} planes
   * @param {number} first
   * @param {number} channels
   * @returns {Planes}
   */
  part({ at, stride, h, w }, first, channels) {
    return { at: at + 4 * first * stride, channels, stride, h, w };
  }

  /**
   * A 1x1 convolution with weights [outputs, inputs], packed in blocks of four outputs.
   * @param {ArrayLike<number>} values
   * @param {number} inputs
   * @param {ArrayLike<number> | null} bias
   * @returns {Layer}
   */
  pointwise(values, inputs, bias) {
    const count = values.length / inputs;
    const outputs = in4(count);
    const packed = new Float32Array(outputs * inputs);
    for (let o = 0; o < count; o++)
      for (let i = 0; i < inputs; i++) packed[((o >> 2) * inputs + i) * 4 + (o & 3)] = values[o * inputs + i];
    return { weights: this.put(packed), bias: this.putPadded(bias ?? [], outputs), inputs, outputs };
  }

  /**
   * A 3x3 convolution with weights [outputs, inputs, 3, 3].
   * @param {ArrayLike<number>} values
   * @param {number} inputs
   * @param {ArrayLike<number>} bias
   * @returns {Layer}
   */
  convolution(values, inputs, bias) {
    const count = bias.length;
    const outputs = in4(count);
    const weights = this.reserve(16 * outputs * inputs);
    this.floats(weights, 16 * outputs * inputs).fill(0);
    const layer = { weights, bias: this.putPadded(bias, outputs), inputs, outputs: count };
    this.scratch(() => this.c.transform_weights(this.put(values), count, inputs, weights));
    return layer;
  }

  /**
   * Numbers, with zeros up to so many.
   * @param {ArrayLike<number>} values
   * @param {number} count
   */
  putPadded(values, count) {
    const padded = new Float32Array(count);
    padded.set(values);
    return this.put(padded);
  }

  /**
   * out = leaky ReLU (slope `leak` below 0; 1: none) of a 3x3 convolution, zero beyond the edge.
   * @param {Layer} layer
   * @param {Planes} from
   * @param {Planes} to
   * @param {number} leak
   */
  conv3x3({ weights, bias, inputs, outputs }, from, to, leak) {
    const across = in4((from.w + 1) >> 1);
    const rows = Math.min((from.h + 1) >> 1, Math.max(1, Math.floor(32 / across)));
    const tiles = (rows * across + 7) & ~7;
    this.scratch(() => {
      const scratch = this.reserve(16 * (inputs + in4(outputs)) * tiles + 4 * (2 * across + 8));
      this.c.conv3x3(
        from.at,
        inputs,
        from.stride,
        from.h,
        from.w,
        weights,
        bias,
        outputs,
        to.at,
        to.stride,
        leak,
        scratch,
      );
    });
  }

  /**
   * Planes doubled in both directions, bilinearly.
   * @param {Planes} from
   * @param {Planes} to
   */
  upsample(from, to) {
    this.scratch(() => {
      const scratch = this.reserve(3 * from.w + 64);
      this.c.upsample(from.at, from.channels, from.stride, from.h, from.w, to.at, to.stride, scratch);
    });
  }

  /**
   * Planes without gaps between them, as float16: [channels, h, w].
   * @param {Planes} planes
   */
  halves({ at, channels, stride, h, w }) {
    return this.scratch(() => {
      const packed = this.reserve((channels * h * w + 1) >> 1);
      this.c.halves(at, channels, stride, h * w, packed);
      return new Uint16Array(this.memory.buffer, packed, channels * h * w).slice();
    });
  }
}
