// Random numbers as numpy.random.default_rng draws them: SeedSequence, PCG64, and the distributions that a burst needs. The same
// seed gives the same burst here and in Python.
//
// O'Neill: PCG, A Family of Simple Fast Space-Efficient Statistically Good Algorithms for Random Number Generation, 2014.

import { COUNTS, HEIGHTS, INVERSE_TAIL, TAIL, WIDTHS } from "./ziggurat.js";

const TWO_16 = 2 ** 16;
const TWO_32 = 2 ** 32;
const LIMBS = 8; // of 16 bits each, the lowest first: products and their sums are exact in a double
const LOW = 0xffff;
// The multiplier 0x2360ed051fc65da44385df649fccf645.
const [M0, M1, M2, M3, M4, M5, M6, M7] = [0xf645, 0x9fcc, 0xdf64, 0x4385, 0x5da4, 0x1fc6, 0xed05, 0x2360];

/**
 * 32-bit words of whole numbers, the lowest first, as SeedSequence takes them.
 * @param {number[]} numbers
 */
function wordsOf(numbers) {
  return numbers.flatMap((number) => {
    if (!Number.isSafeInteger(number) || number < 0)
      throw new Error(`${number} is no seed; seeds are whole numbers from 0 on`);
    return number < TWO_32 ? [number] : [number % TWO_32, Math.floor(number / TWO_32)];
  });
}

/**
 * numpy.random.SeedSequence(entropy).generate_state(count): 32-bit words.
 * @param {number[]} entropy  32-bit words
 * @param {number} count
 */
export function seedSequence(entropy, count) {
  const pool = new Uint32Array(4);
  let constant = 0x43b0d7e5;
  const hash = (/** @type {number} */ value) => {
    value ^= constant;
    constant = Math.imul(constant, 0x931e8875);
    value = Math.imul(value, constant);
    return (value ^ (value >>> 16)) >>> 0;
  };
  const mix = (/** @type {number} */ x, /** @type {number} */ y) => {
    const result = Math.imul(0xca01f9dd, x) - Math.imul(0x4973f715, y);
    return (result ^ ((result >>> 0) >>> 16)) >>> 0;
  };
  for (let i = 0; i < 4; i++) pool[i] = hash(entropy[i] ?? 0);
  for (let source = 0; source < 4; source++)
    for (let to = 0; to < 4; to++) if (source !== to) pool[to] = mix(pool[to], hash(pool[source]));
  for (const word of entropy.slice(4)) for (let to = 0; to < 4; to++) pool[to] = mix(pool[to], hash(word));
  constant = 0x8b51f9dd;
  return Array.from({ length: count }, (_, i) => {
    let value = pool[i % 4] ^ constant;
    constant = Math.imul(constant, 0x58f38ded);
    value = Math.imul(value, constant);
    return (value ^ (value >>> 16)) >>> 0;
  });
}

/** What numpy.random.default_rng(numbers) draws. */
export class Generator {
  /** @param {number[]} numbers  whole, 0 or more */
  constructor(numbers) {
    const words = seedSequence(wordsOf(numbers), 8);
    // 64-bit words, the highest first, of which each is two of these, the lowest first.
    const limbs = (/** @type {number[]} */ order) => order.flatMap((i) => [words[i] & 0xffff, words[i] >>> 16]);
    const [start, sequence] = [limbs([2, 3, 0, 1]), limbs([6, 7, 4, 5])];
    this.increment = Float64Array.from(sequence, (limb, k) => ((limb << 1) & 0xffff) | (k ? sequence[k - 1] >> 15 : 1));
    this.state = new Float64Array(LIMBS);
    this.advance();
    let carry = 0;
    for (let k = 0; k < LIMBS; k++) {
      const sum = this.state[k] + start[k] + carry;
      this.state[k] = sum % TWO_16;
      carry = Math.floor(sum / TWO_16);
    }
    this.advance();
    this.low = 0; // the last 64-bit number that was drawn
    this.high = 0;
    /** @type {number | null} */
    this.spare = null; // 32 bits of one that are still to be used
  }

  /** state = state * multiplier + increment, modulo 2^128; written out, as it is most of the work of making a burst. */
  advance() {
    const { state, increment } = this;
    const s0 = state[0],
      s1 = state[1],
      s2 = state[2],
      s3 = state[3],
      s4 = state[4],
      s5 = state[5],
      s6 = state[6],
      s7 = state[7];
    let sum = increment[0] + s0 * M0;
    state[0] = sum & LOW;
    sum = increment[1] + Math.floor(sum / TWO_16) + s0 * M1 + s1 * M0;
    state[1] = sum & LOW;
    sum = increment[2] + Math.floor(sum / TWO_16) + s0 * M2 + s1 * M1 + s2 * M0;
    state[2] = sum & LOW;
    sum = increment[3] + Math.floor(sum / TWO_16) + s0 * M3 + s1 * M2 + s2 * M1 + s3 * M0;
    state[3] = sum & LOW;
    sum = increment[4] + Math.floor(sum / TWO_16) + s0 * M4 + s1 * M3 + s2 * M2 + s3 * M1 + s4 * M0;
    state[4] = sum & LOW;
    sum = increment[5] + Math.floor(sum / TWO_16) + s0 * M5 + s1 * M4 + s2 * M3 + s3 * M2 + s4 * M1 + s5 * M0;
    state[5] = sum & LOW;
    sum = increment[6] + Math.floor(sum / TWO_16);
    sum += s0 * M6 + s1 * M5 + s2 * M4 + s3 * M3 + s4 * M2 + s5 * M1 + s6 * M0;
    state[6] = sum & LOW;
    sum = increment[7] + Math.floor(sum / TWO_16);
    sum += s0 * M7 + s1 * M6 + s2 * M5 + s3 * M4 + s4 * M3 + s5 * M2 + s6 * M1 + s7 * M0;
    state[7] = sum & LOW;
  }

  /** Draw 64 bits, into low and high. */
  draw() {
    this.advance();
    const { state } = this;
    let low = (state[0] ^ state[4]) | ((state[1] ^ state[5]) << 16);
    let high = (state[2] ^ state[6]) | ((state[3] ^ state[7]) << 16);
    let turn = state[7] >> 10; // to the right, by up to 63 bits
    if (turn >= 32) {
      [low, high] = [high, low];
      turn -= 32;
    }
    if (turn) [low, high] = [(low >>> turn) | (high << (32 - turn)), (high >>> turn) | (low << (32 - turn))];
    this.low = low >>> 0;
    this.high = high >>> 0;
  }

  /** 32 bits. */
  word() {
    if (this.spare !== null) {
      const word = this.spare;
      this.spare = null;
      return word;
    }
    this.draw();
    this.spare = this.high;
    return this.low;
  }

  /** Uniform in [0, 1). */
  random() {
    this.draw();
    return (this.high * 2 ** 21 + (this.low >>> 11)) / 2 ** 53;
  }

  /**
   * Uniform in [low, high).
   * @param {number} low
   * @param {number} high
   */
  uniform(low, high) {
    return low + (high - low) * this.random();
  }

  /**
   * A whole number, uniform from low to high, both among them.
   * @param {number} low
   * @param {number} high
   */
  integer(low, high) {
    const count = high - low + 1;
    if (!(count >= 1 && count < 2 ** 21)) throw new Error(`no whole number is drawn from ${low} to ${high}`);
    if (count === 1) return low;
    let product = this.word() * count; // Lemire: Fast Random Integer Generation in an Interval, 2019
    if (product % TWO_32 < count) {
      const threshold = (TWO_32 - count) % count;
      while (product % TWO_32 < threshold) product = this.word() * count;
    }
    return low + Math.floor(product / TWO_32);
  }

  /**
   * Poisson, for rates below 10 as NumPy draws them.
   * @param {number} rate
   */
  poisson(rate) {
    if (!(rate >= 0 && rate < 10)) throw new Error(`the rate is ${rate}; Poisson numbers are drawn for rates below 10`);
    if (rate === 0) return 0;
    const least = Math.exp(-rate);
    for (let count = 0, product = 1; ; count++) {
      product *= this.random();
      if (product <= least) return count;
    }
  }

  /** Standard normal, by the ziggurat of 256 layers. Marsaglia, Tsang: The Ziggurat Method, 2000. */
  normal() {
    for (;;) {
      this.draw();
      const { low, high } = this;
      const layer = low & 255;
      const place = (low >>> 9) + (high & 0x1fffffff) * 2 ** 23; // 52 bits
      const x = low & 256 ? -(place * WIDTHS[layer]) : place * WIDTHS[layer];
      if (place < COUNTS[layer]) return x;
      if (layer === 0) return (low >>> 17) & 1 ? -this.tail() : this.tail();
      const height = (HEIGHTS[layer - 1] - HEIGHTS[layer]) * this.random() + HEIGHTS[layer];
      if (height < Math.exp(-0.5 * x * x)) return x;
    }
  }

  /** A normal number beyond TAIL. */
  tail() {
    for (;;) {
      const x = -INVERSE_TAIL * Math.log1p(-this.random());
      const y = -Math.log1p(-this.random());
      if (y + y > x * x) return TAIL + x;
    }
  }
}
