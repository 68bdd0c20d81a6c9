// How the values of a picture become colors: as they are seen, or as errors against another picture.

/** @import { Panel } from "./types" */
/** @import { Painter } from "./painter.js" */

import { clamp } from "./layout.js";
import { encode, gray, rgb } from "./palette.js";

const ERROR_RANGE = 0.2; // of sRGB values, at brightness 1
const NOTHING = 0; // beyond a picture that is smaller: the stage is seen

export class PictureColors {
  /** @param {Painter} painter */
  constructor(painter) {
    this.painter = painter;
    this.state = painter.state;
  }

  /**
   * The color of each pixel. The panel that others are compared with has no error; it stays a picture.
   * @param {ArrayLike<number>} image
   * @param {Panel} panel
   * @returns {(i: number) => number}
   */
  colorsOf(image, panel) {
    const { state, transfer: shown } = this;
    const white = state.data.white_level;
    const picture = state.mode !== "signed" && state.mode !== "absolute";
    const gain = (picture ? 2 ** state.stops : 1) / white;
    const { reference, channels: C, data: { height: H, width: W } } = state; // prettier-ignore
    if (picture || panel === reference) return this.colorOf((i, c) => image[c * H * W + i], gain);
    const range = this.errorRange;
    const size = state.mode === "absolute" ? Math.abs : (/** @type {number} */ error) => error;
    const other = state.imageOf(reference);
    const { palette } = this.painter;
    return (i) => {
      let total = 0; // of R, G and B
      for (let j = i; j < C * H * W; j += H * W) total += size(shown(image[j] / white) - shown(other[j] / white));
      return Number.isNaN(total) ? NOTHING : palette.at(total / C / range);
    };
  }

  /**
   * Colors of pixels i of which value(i, c) is channel c, linear; `gain` makes white 1.
   * @param {(i: number, c: number) => number} value
   * @param {number} gain
   * @returns {(i: number) => number}
   */
  colorOf(value, gain) {
    const { state: { channels }, transfer: shown } = this; // prettier-ignore
    /** @type {(i: number) => number} */
    const color =
      channels === 1
        ? (i) => gray(shown(value(i, 0) * gain))
        : (i) => rgb(shown(value(i, 0) * gain), shown(value(i, 1) * gain), shown(value(i, 2) * gain));
    return (i) => (Number.isNaN(value(i, 0)) ? NOTHING : color(i));
  }

  /**
   * What is shown of a linear value, white being 1.
   * @returns {(value: number) => number}
   */
  get transfer() {
    return this.state.linear ? (value) => clamp(value, 0, 1) : encode;
  }

  get errorRange() {
    return ERROR_RANGE / 2 ** this.state.stops;
  }
}
