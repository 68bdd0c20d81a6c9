// The film: all pictures, small, each with its name, its score and its value at the pixel.

/** @import { Panel } from "./types" */
/** @import { Painter } from "./painter.js" */

import { make, makeButton } from "./elements.js";
import { CELL_GAP, clamp } from "./layout.js";
import { prepare } from "./paint.js";
import { Roving } from "./roving.js";
import { VISIBLE_LEAD } from "./shown.js";
import { PANELS } from "./terms.js";
import { brief, offset, scoreText } from "./text.js";

export const THUMB = 64; // CSS pixels, about the width of a small picture

export class Film {
  /** @param {Painter} painter */
  constructor(painter) {
    this.painter = painter;
    this.state = painter.state;
    this.element = painter.parts.find(".film");
    this.roving = new Roving(this.element, ".thumb");
    this.thumbSize = THUMB;
    /** @type {Map<Panel, ReturnType<Film["makeThumb"]>>} */
    this.thumbs = new Map();
  }

  /** Once per payload. */
  build() {
    const { data, truth } = this.state;
    this.thumbs = new Map(data.panels.map((panel) => [panel, this.makeThumb(panel)]));
    this.element.replaceChildren(...[...this.thumbs.values()].map(({ button }) => button));
    this.element.classList.toggle("scored", Boolean(truth));
    this.roving.stopAt();
  }

  /** @param {Panel} panel */
  makeThumb(panel) {
    const [canvas, label, score, value] = [
      make("canvas", ""),
      make("span", "title", panel.title),
      make("span", "score"),
      make("span", "value"),
    ];
    value.title = `the pixel's value${this.state.channels > 1 ? "s R, G, B" : ""}, linear intensity`;
    if (panel === this.state.star) label.append(make("span", "best", "★"));
    const button = makeButton("thumb panel", "", canvas, label, score, value);
    Object.assign(button.dataset, { kind: panel.kind, name: panel.name });
    button.classList.toggle("waiting", !panel.image);
    return { canvas, label, score, value, button };
  }

  /**
   * @param {number} across  CSS pixels
   * @param {number} aspect
   * @param {number} least  CSS pixels of a small picture
   */
  layOut(across, aspect, least) {
    const most = clamp(Math.floor((across + CELL_GAP) / (least + CELL_GAP)), 1, this.thumbs.size);
    this.thumbSize = Math.min(Math.floor((across + CELL_GAP) / most) - CELL_GAP, THUMB + 8);
    // Now, not when they are painted: what is left for the large picture is measured before.
    for (const { canvas } of this.thumbs.values()) canvas.style.height = `${Math.round(this.thumbSize / aspect)}px`;
    this.element.style.gridTemplateColumns = `repeat(${most}, ${this.thumbSize}px)`;
  }

  // --- what is written --------------------------------------------------------------------------

  /** @param {Panel} panel */
  titleOf(panel) {
    return panel.kind === "frame" ? `Frame ${this.state.frame}` : panel.title;
  }

  /**
   * The score of a panel as it was computed, with the true noise.
   * @param {Panel} panel
   */
  ownScoreOf({ image, scores }) {
    return image ? scoreText(scores) : "…";
  }

  /**
   * The scores are the reference's: another frame has none, it shows the scene elsewhere.
   * @param {Panel} panel
   */
  scoreOf(panel) {
    const { frame, data } = this.state;
    if (panel.kind === "frame" && frame > 0) return data.shifts ? offset(data.shifts[frame]) : "";
    return this.state.variantOf(panel)?.score ?? this.ownScoreOf(panel);
  }

  /**
   * All that is known of a panel.
   * @param {Panel} panel
   */
  aboutOf(panel) {
    const { frame, data } = this.state;
    const [title, score] = [this.titleOf(panel), this.state.series.of(panel)?.score ?? this.ownScoreOf(panel)];
    if (panel.kind === "frame" && frame > 0)
      return data.shifts ? `${title} · moved by ${offset(data.shifts[frame])} px` : title;
    const parts = [
      PANELS[panel.kind] ?? title,
      panel.kind === "truth" ? "" : score,
      panel.scores?.ssim == null || panel.kind === "frame" || this.state.series.of(panel)
        ? ""
        : `SSIM ${panel.scores.ssim.toFixed(3)}`,
      panel === this.state.star ? `★ its PSNR leads all other methods' here by ${VISIBLE_LEAD} dB or more` : "",
    ];
    return parts.filter(Boolean).join(" · ");
  }

  /**
   * Where a panel is on the stage: shown, other, or "".
   * @param {Panel} panel
   */
  sideOf(panel) {
    const { shownPanel, otherPanel, compare } = this.state;
    return panel === shownPanel ? "shown" : panel === otherPanel && compare !== "one" ? "other" : "";
  }

  // --- painting ---------------------------------------------------------------------------------

  /**
   * @param {Panel} panel
   * @param {OffscreenCanvas} painted
   */
  draw(panel, painted) {
    const thumb = this.thumbs.get(panel);
    if (!thumb) return;
    const { height: H, width: W } = this.state.data;
    const height = Math.round((this.thumbSize * H) / W);
    const context = prepare(thumb.canvas, this.thumbSize, height);
    context.imageSmoothingEnabled = true;
    context.drawImage(painted, 0, 0, this.thumbSize, height);
  }

  /** Another frame is shown. */
  nameFrame() {
    const { framePanel } = this.state;
    const title = this.titleOf(framePanel);
    const thumb = this.thumbs.get(framePanel);
    if (thumb) thumb.label.textContent = title;
    for (const option of this.painter.parts.root.querySelectorAll("option[value=frame]")) option.textContent = title;
  }

  paint() {
    for (const [panel, { button, score }] of this.thumbs) {
      const side = this.sideOf(panel);
      button.dataset.side = side;
      button.setAttribute("aria-pressed", `${Boolean(side)}`);
      button.title = this.aboutOf(panel);
      const text = this.scoreOf(panel);
      score.textContent = this.painter.weight > 1 ? text.replace(" dB", "") : text; // large letters leave no room for the unit
    }
  }

  paintCursor() {
    const { state } = this;
    const [y, x] = state.cursor;
    for (const [panel, { value }] of this.thumbs)
      if (panel.image) value.textContent = brief(state.valuesOf(panel, y, x));
  }
}
