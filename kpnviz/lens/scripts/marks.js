// The marks on the large pictures, on a canvas of their own: crosshair, footprints, the pin, where the scene went.

/** @import { Context } from "./types" */
/** @import { Pictures } from "./pictures.js" */

import { strongest } from "./kernels.js";
import { clamp } from "./layout.js";
import { cased, drawPin, prepare } from "./paint.js";
import { drawCore, MARK } from "./stack.js";

const PIN = 18; // CSS pixels, the height of the pin

export class Marks {
  /** @param {Pictures} pictures */
  constructor(pictures) {
    this.pictures = pictures;
    this.painter = pictures.painter;
    this.state = pictures.state;
  }

  /**
   * The left and top edge of a pixel on a large picture, CSS pixels.
   * @param {number[]} pixel
   */
  cornerOf([y, x]) {
    const { view, scale } = this.state;
    return [(x - view.x) * scale, (y - view.y) * scale];
  }

  /**
   * Crosshair and footprints; on a frame that moved, also where the scene of this pixel went. And the pinned pixel.
   * @param {{ role: string, marks: HTMLCanvasElement }} stage
   */
  paint(stage) {
    const { state, painter: { weight, ink } } = this; // prettier-ignore
    const { scale, size: [w, h], shifts, framePanel, compare, rolling } = state; // prettier-ignore
    const context = prepare(stage.marks, w, h);
    if (state.mode === "stack" && stage.role !== "map") return this.paintCore(context, stage.role);
    const rolls = rolling !== null && stage.role === "shown";
    const frame = rolls ? rolling : state.frame;
    const [left, top] = this.cornerOf(state.cursor);
    const here = stage.role === "shown" ? state.shownPanel : state.otherPanel;
    const [y, x] = state.cursor;
    const sizes = state.outlined.filter(({ kernels }) => kernels.covers(y, x)).map(({ kernels }) => kernels.K);
    const reach = (Math.max(1, ...sizes) - 1) / 2;
    const [x0, x1] = [left - reach * scale, left + (reach + 1) * scale];
    const [y0, y1] = [top - reach * scale, top + (reach + 1) * scale];
    const [mx, my] = [left + scale / 2, top + scale / 2];
    const hairs = () => {
      for (const [a, b] of [[0, x0], [x1, w]]) (context.moveTo(a, my), context.lineTo(b, my)); // prettier-ignore
      for (const [a, b] of [[0, y0], [y1, h]]) (context.moveTo(mx, a), context.lineTo(mx, b)); // prettier-ignore
    };
    cased(context, "rgba(255, 255, 255, 0.6)", 0.75 * weight, hairs, "rgba(0, 0, 0, 0.2)");
    const square = (/** @type {number} */ r) =>
      context.rect(left - r * scale, top - r * scale, (2 * r + 1) * scale, (2 * r + 1) * scale);
    for (const K of new Set(sizes)) cased(context, MARK, 1.25 * weight, () => square((K - 1) / 2));
    if (scale > 8) cased(context, MARK, 1, () => square(0));
    if (state.look === "region" && stage.role !== "map") this.paintRegion(context);
    if (stage.role === "shown") this.paintPeaks(context);
    if (state.pinnedAt) this.paintPin(context, state.pinnedAt, reach);
    if (state.isMap && stage.role !== "map") this.painter.maps.drawTrue(context, [mx, my]);
    if (stage.role === "map" || !shifts || frame === 0) return;
    if (!rolls && ![here, state.otherPanel].includes(framePanel)) return;
    if (!rolls && here !== framePanel && !state.isWiped) return;
    const [dy, dx] = shifts[frame];
    const [ringX, ringY] = [mx + dx * scale, my + dy * scale];
    // In a wipe, only on the frame's side of the edge.
    const onLeft = ringX < this.pictures.wipe.at * w;
    if (state.isWiped && compare === "wipe" && onLeft !== (state.otherPanel === framePanel)) return;
    const ring = () => context.arc(ringX, ringY, Math.max(4, scale * 0.6), 0, 2 * Math.PI);
    cased(context, ink.shift, 1.5 * weight, ring);
  }

  /**
   * The region whose kernels are averaged.
   * @param {Context} context
   */
  paintRegion(context) {
    const { state, painter: { weight } } = this; // prettier-ignore
    const method = state.chosenMethod;
    if (!method) return;
    const { top, bottom, left, right } = state.means.regionOf(method);
    const [x, y] = this.cornerOf([top, left]);
    context.setLineDash([6, 4]);
    cased(context, "#fff", 1.25 * weight, () =>
      context.rect(x, y, (right - left) * state.scale, (bottom - top) * state.scale),
    );
    context.setLineDash([]);
  }

  /**
   * The places where pictures differ most, by their numbers.
   * @param {Context} context
   */
  paintPeaks(context) {
    const { state: { scale }, painter: { weight } } = this; // prettier-ignore
    context.font = `600 ${11 * Math.sqrt(weight)}px system-ui, sans-serif`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    this.pictures.peaks.forEach(({ at }, i) => {
      const [x, y] = this.cornerOf(at);
      context.strokeStyle = "rgba(0, 0, 0, 0.8)";
      context.lineWidth = 3;
      context.strokeText(`${i + 1}`, x + scale / 2, y + scale / 2);
      context.fillStyle = "#fff";
      context.fillText(`${i + 1}`, x + scale / 2, y + scale / 2);
    });
  }

  /**
   * The kernels of the pixel on the stacked frames: of the picture's method, or the last one that has some.
   * @param {Context} context
   * @param {string} role
   */
  paintCore(context, role) {
    const { state, painter: { palette, ink, weight } } = this; // prettier-ignore
    const panel = role === "other" ? state.otherPanel : state.shownPanel;
    const method = state.kernelMethods.find((one) => state.data.panels[one.panel] === panel) ?? state.chosenMethod;
    const found = method && state.foundOf(method);
    const cells = found?.covered ? found.cells : [];
    drawCore(context, state.stack, state.size, {
      ...{ corner: this.cornerOf(state.cursor), scale: state.scale, K: found?.K ?? 1, cells, palette, ink, weight },
      shifts: state.marks ? state.shifts : null,
      // A scale of their own: those of a smaller size, beside them, may be much stronger.
      max: Math.max(0, ...cells.map(({ weights }) => strongest(weights))) / 2 ** state.contrast || 1,
    });
  }

  /**
   * A pin on the upper edge of the pinned pixel's footprint, which is outlined also while one looks elsewhere.
   * @param {Context} context
   * @param {number[]} pixel
   * @param {number} reach
   */
  paintPin(context, pixel, reach) {
    const { state: { scale, size: [w, h], isAway }, painter: { weight } } = this; // prettier-ignore
    const [left, top] = this.cornerOf(pixel);
    if (left + scale < 0 || top + scale < 0 || left > w || top > h) return; // out of sight
    const side = (2 * reach + 1) * scale;
    const outline = () => context.rect(left - reach * scale, top - reach * scale, side, side);
    if (isAway) cased(context, MARK, 0.75 * weight, outline);
    const pin = PIN * Math.sqrt(weight);
    drawPin(context, clamp(left + scale / 2, pin / 2, w - pin / 2), Math.max(top - reach * scale, pin), pin, MARK);
  }
}
