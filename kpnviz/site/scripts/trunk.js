// The U-Net that all networks share: kpnviz/models/unet.py.

/** @import { TrunkConfig } from "./types" */
/** @import { Engine, Layer, Planes } from "./engine.js" */

export class Trunk {
  /**
   * @param {Engine} engine
   * @param {TrunkConfig} config
   * @param {(name: string) => Layer} layerOf  a 3x3 convolution of the checkpoint
   */
  constructor(engine, { encoder, decoder, convs, leak }, layerOf) {
    this.engine = engine;
    this.encoder = encoder;
    this.decoder = decoder;
    this.leak = leak;
    const block = (/** @type {string} */ name) =>
      Array.from({ length: convs }, (_, i) => layerOf(`trunk.${name}.${2 * i}`));
    this.down = encoder.map((_, level) => block(`encoder.${level}`));
    this.up = decoder.map((_, n) => block(`decoder.${n}`));
  }

  /** Height and width of the input are multiples of this. */
  get stride() {
    return 2 ** (this.encoder.length - 1);
  }

  /**
   * Features at the end of the decoder, and those of the first level; it pauses after each convolution.
   * @param {Planes} input
   * @returns {Generator<void, { end: Planes, first: Planes }>}
   */
  *features(input) {
    const { engine, encoder, decoder } = this;
    const bottom = encoder.length - 1;
    /** @type {(level: number) => [number, number]} */
    const size = (level) => [input.h >> level, input.w >> level];
    // What comes from below and the skip lie side by side, as the decoder's block reads both.
    /** @type {Planes[]} */
    const joined = [];
    /** @type {Planes[]} */
    const features = [];
    for (let level = 0; level <= bottom; level++) {
      const [h, w] = size(level);
      const n = bottom - 1 - level; // the decoder's block at this level
      if (n >= 0 && n < decoder.length) {
        const below = n ? decoder[n - 1] : encoder[bottom];
        joined[level] = engine.planes(below + encoder[level], h, w);
        features[level] = engine.part(joined[level], below, encoder[level]);
      } else features[level] = engine.planes(encoder[level], h, w);
    }
    const ends = decoder.map((width, n) => engine.planes(width, ...size(bottom - 1 - n)));
    for (let level = 0; level <= bottom; level++) {
      const { top } = engine;
      let from = input;
      if (level) {
        const above = features[level - 1];
        from = engine.planes(above.channels, ...size(level));
        engine.c.pool(above.at, above.channels, above.stride, above.h, above.w, from.at, from.stride);
      }
      yield* this.block(this.down[level], from, features[level]);
      engine.top = top;
    }
    let from = features[bottom];
    for (const [n, block] of this.up.entries()) {
      const { top } = engine;
      engine.upsample(from, joined[bottom - 1 - n]);
      yield* this.block(block, joined[bottom - 1 - n], ends[n]);
      engine.top = top;
      from = ends[n];
    }
    return { end: from, first: features[0] };
  }

  /**
   * @param {Layer[]} layers
   * @param {Planes} from
   * @param {Planes} to
   */
  *block(layers, from, to) {
    for (const [i, layer] of layers.entries()) {
      const out = i === layers.length - 1 ? to : this.engine.planes(layer.outputs, from.h, from.w);
      this.engine.conv3x3(layer, from, out, this.leak);
      from = out;
      yield;
    }
  }
}
