// What keys do.

/** @import { Input } from "./input.js" */

import { MODES } from "./shown.js";

const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
const ZOOM = 1.5;

/**
 * What a key does now, or undefined.
 * @param {string} key
 * @param {number} step  pixels that an arrow key moves
 * @param {Input} input
 * @returns {(() => void) | undefined}
 */
export function actionOf(key, step, input) {
  const { state, painter, parts } = input;
  const arrow = key in ARROWS ? ARROWS[/** @type {keyof typeof ARROWS} */ (key)] : null;
  if (arrow)
    return () => {
      state.step(arrow[0] * step, arrow[1] * step);
      painter.announceSoon();
    };
  if (/^[0-9]$/.test(key)) return () => state.chooseFrame(Number(key));
  const zoomBy = (/** @type {number} */ factor) => {
    const [y, x] = state.cursor;
    state.zoomAt(factor, (x + 0.5 - state.view.x) * state.scale, (y + 0.5 - state.view.y) * state.scale);
  };
  /**
   * @param {string[]} values
   * @param {string} value
   */
  const next = (values, value) => values[(values.indexOf(value) + 1) % values.length];
  /** @param {() => void} change */
  const redrawn = (change) => () => (change(), state.redraw());
  /** @type {Record<string, () => void>} */
  const always = {
    Enter: () => input.pinOrRelease(),
    Escape: () => (painter.desk.full ? input.fill() : state.release()),
    "+": () => zoomBy(ZOOM),
    "=": () => zoomBy(ZOOM),
    "-": () => zoomBy(1 / ZOOM),
    "[": () => state.chooseFrame(state.frame - 1),
    "]": () => state.chooseFrame(state.frame + 1),
    f: () => state.setFlicker(true),
    w: () => state.chooseCompare(state.compare === "wipe" ? "one" : "wipe"),
    e: redrawn(
      () =>
        (state.mode = next(
          state.modes.filter((mode) => MODES.includes(mode)),
          state.mode,
        )),
    ),
    l: redrawn(() => (state.linear = !state.linear)),
    t: () => state.chooseLook(next(state.looks, state.look)),
    c: redrawn(() => (state.each = !state.each)),
    k: redrawn(() => (state.sameScale = !state.sameScale)),
    m: redrawn(() => ((state.marks = !state.marks), painter.rows.writeLegend())),
    h: () => state.holdScale(state.heldMax === null),
    n: () => state.chooseStep(state.series.applied + 1),
    p: () => state.chooseStep(state.series.applied - 1),
    b: () => input.fill(),
    v: () => state.roll(painter.pictures.calm.matches),
    "?": () => parts.openHelp(),
  };
  /** @type {Record<string, () => void>} */
  const whileSumming = { ",": () => state.stepSum(-1), ".": () => state.stepSum(1), " ": () => state.play() };
  return always[key] ?? (state.look === "sum" ? whileSumming[key] : undefined);
}
