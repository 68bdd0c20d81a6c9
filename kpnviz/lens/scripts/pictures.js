// The pictures: one or two large ones on the stage, and all of them, small, on the film under it.

/** @import { Context, Panel } from "./types" */
/** @import { Painter } from "./painter.js" */

import { drawCarpet } from "./carpet.js";
import { make, makeButton } from "./elements.js";
import { Film, THUMB } from "./film.js";
import { CELL_GAP, clamp, COLUMN_SHARE, halfOf, stageSize } from "./layout.js";
import { Marks } from "./marks.js";
import { bitmap, prepare } from "./paint.js";
import { PictureColors } from "./picture_colors.js";
import { differences, peaksOf } from "./peaks.js";
import { drawSheets } from "./stack.js";
import { offset, signed } from "./text.js";
import { Wipe } from "./wipe.js";

const SMALLEST_NUMBERED_PIXEL = 38; // CSS pixels: from here on, pixels carry their values
const SMALLEST_COLUMN = 270; // CSS pixels, for two lines of controls above a stage in a low window
const KEYS_LABEL =
  "Pictures of the burst and the kernels predicted at one pixel. Arrow keys move the pixel, Enter pins it, question mark lists all keys.";

/** @typedef {ReturnType<Pictures["makeStage"]>} Stage */

export class Pictures {
  /** @param {Painter} painter */
  constructor(painter) {
    this.painter = painter;
    this.state = painter.state;
    this.colors = new PictureColors(painter);
    this.film = new Film(painter);
    this.wipe = new Wipe(this.state);
    this.marks = new Marks(this);
    this.beside = false; // whether the kernels stand beside them
    this.width = 0;
    this.column = 0; // CSS pixels of what stands with them: bars of controls need some
    /** @type {Map<Panel, OffscreenCanvas>} */
    this.bitmaps = new Map();
    /** @type {Map<number, OffscreenCanvas>} */
    this.frames = new Map(); // bitmaps of single frames, once they are asked for
    /** @type {{ image: ArrayLike<number>, other: ArrayLike<number>, linear: boolean, peaks: ReturnType<typeof peaksOf> } | undefined} */
    this.compared = undefined; // see peaks
    this.rollName = make("span", "");
    this.rollButton = makeButton("roll", "");
    this.rollButton.tabIndex = -1; // one stop at the pictures: by keyboard it is v
    this.rollBar = make("span", "roll-bar", this.rollButton, this.rollName);
    this.rollBar.addEventListener("pointerdown", (event) => event.stopPropagation()); // the picture under it is not pinned
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    this.stages = [this.makeStage("other"), this.makeStage("shown")];
    this.surface = this.stages[1].marks; // what takes the keys
    const attributes = {
      tabindex: "0",
      role: "application",
      "aria-roledescription": "kernel lens",
      "aria-label": KEYS_LABEL,
    };
    for (const [name, value] of Object.entries(attributes)) this.surface.setAttribute(name, value);
  }

  /**
   * A large picture: what it shows is the state's `other` (left, of a pair) or `shown` panel.
   * @param {"other" | "shown"} role
   */
  makeStage(role) {
    const [picture, marks] = [make("canvas", "picture"), make("canvas", "marks")];
    const [left, right] = [this.makeLabel("other"), this.makeLabel("shown")];
    const element = make("div", `stage ${role}`, picture, marks, left.element, right.element);
    if (role === "shown") element.append(this.wipe.handle, this.rollBar);
    return { role, picture, marks, left, right, element };
  }

  /**
   * A picture's name over its corner, which is a choice of another one, with its score.
   * @param {"other" | "shown"} role
   */
  makeLabel(role) {
    const [select, score] = [make("select", ""), make("span", "score")];
    select.name = role;
    select.setAttribute("aria-label", role === "other" ? "Left picture" : "Picture");
    return { select, score, element: make("span", `chip ${role}`, select, score) };
  }

  /** Once per payload. */
  build() {
    const { parts } = this.painter;
    this.bitmaps.clear();
    parts.find(".stages").replaceChildren(...this.stages.map(({ element }) => element));
    this.film.build();
    for (const select of parts.root.querySelectorAll("[name=against], [name=shown], [name=other]"))
      select.replaceChildren(
        ...this.state.data.panels.map((panel) => new Option(this.film.titleOf(panel), panel.name)),
      );
  }

  // --- layout -----------------------------------------------------------------------------------

  /** How many large pictures stand beside each other. */
  get count() {
    return this.state.compare === "pair" ? 2 : 1;
  }

  /**
   * As large as the window allows; small pictures, as many in a line as fit.
   * @param {number} width
   * @param {number} height
   * @param {{ type: number, beside: boolean, full: boolean, most?: number }} options
   */
  layOut(width, height, options) {
    const { data } = this.state;
    const { beside } = options;
    const least = options.most === undefined ? 0 : Math.min(SMALLEST_COLUMN, COLUMN_SHARE * width);
    this.place({ beside, width: stageSize(width, height, data.width / data.height, options) }, width, false, least);
  }

  /**
   * The stage gets a width, and stands beside something or alone. Two pictures share it, each showing a part; on the page
   * Sizes (`each`) both are so wide.
   * @param {{ beside: boolean, width: number }} stage
   */
  place(stage, width = stage.width, each = false, least = 0) {
    const { data } = this.state;
    const { parts, weight } = this.painter;
    const aspect = data.width / data.height;
    const gaps = (this.count - 1) * CELL_GAP;
    const one = each || this.count === 1 ? stage.width : halfOf(stage.width);
    this.state.resize([one, Math.round(stage.width / aspect)], stage.width);
    this.beside = stage.beside;
    this.width = each ? this.count * one + gaps : stage.width;
    for (const { element } of this.stages) {
      element.style.width = `${this.state.size[0]}px`;
      element.style.height = `${this.state.size[1]}px`;
    }
    // For a class, small pictures stand in one line: it looks at the large one.
    this.column = Math.max(this.width, least);
    this.film.layOut(
      stage.beside ? this.column : width,
      aspect,
      weight > 1 ? THUMB - 20 : !stage.beside && this.state.channels > 1 ? THUMB + 4 : THUMB - 8,
    ); // three values need their width
    parts.find(".looking").style.width = stage.beside ? `${this.column}px` : "";
    parts.find(".stages").style.width = `${this.width}px`;
  }

  // --- painting ---------------------------------------------------------------------------------

  /** The colors of all pictures, and the small ones. */
  paintBitmaps() {
    const { state, bitmaps } = this;
    const { height: H, width: W, panels } = state.data;
    this.frames.clear();
    for (const panel of panels.filter(({ image }) => image)) {
      const painted = bitmap(H, W, this.colors.colorsOf(state.imageOf(panel), panel), bitmaps.get(panel));
      bitmaps.set(panel, painted);
      this.film.draw(panel, painted);
    }
    this.film.nameFrame();
  }

  /**
   * A single frame, in colors.
   * @param {number} i
   */
  bitmapOf(i) {
    const { state, frames } = this;
    const { height: H, width: W } = state.data;
    const found = frames.get(i) ?? bitmap(H, W, this.colors.colorsOf(state.frameValues(i), state.framePanel));
    frames.set(i, found);
    return found;
  }

  /** The button that plays the frames, and which one is seen. */
  writeRoll() {
    const { state: { frames, rolling, roller, data }, calm } = this; // prettier-ignore
    this.rollBar.hidden = frames < 2;
    const [sign, name] = roller ? ["❚❚", "Stop"] : calm.matches ? ["▶|", "Next frame"] : ["▶", "Play the frames"];
    this.rollButton.textContent = sign;
    this.rollButton.title = `${name} (v)`;
    this.rollButton.setAttribute("aria-label", name);
    const moved = rolling !== null && rolling > 0 && data.shifts ? `, moved by ${offset(data.shifts[rolling])} px` : "";
    this.rollName.textContent = rolling === null ? "" : `Frame ${rolling}${moved}`;
  }

  paint() {
    const { state, film } = this;
    const { compare, flicker, rolling, mode } = state;
    const [shown, other] = flicker ? [state.otherPanel, state.shownPanel] : [state.shownPanel, state.otherPanel];
    for (const stage of this.stages) {
      const here = stage.role === "shown" ? shown : other;
      stage.element.hidden = stage.role === "other" && compare !== "pair";
      if (stage.element.hidden) continue;
      const context = prepare(stage.picture, state.size[0], state.size[1]);
      const rolls = stage.role === "shown" && rolling !== null && mode !== "stack";
      if (mode === "stack") this.drawStack(context);
      else this.drawPanel(context, rolls ? state.framePanel : here, rolls ? this.bitmapOf(rolling) : undefined);
      const wiped = stage.role === "shown" && state.isWiped && !flicker;
      if (wiped) this.wipe.draw(context, () => this.drawPanel(context, other));
      stage.left.element.hidden = compare === "pair" ? stage.role === "shown" : !wiped;
      stage.right.element.hidden = stage.role === "other" || rolls;
      for (const { label, panel } of [
        { label: stage.left, panel: other },
        { label: stage.right, panel: shown },
      ]) {
        label.select.value = panel.name;
        const starred = panel === state.star && !state.variantOf(panel);
        label.score.textContent = film.scoreOf(panel) + (starred ? " ★" : "");
        label.element.title = film.aboutOf(panel);
      }
    }
    film.paint();
    this.writeRoll();
    this.wipe.place();
    this.painter.parts.root.classList.toggle("flickering", flicker);
    this.painter.parts.root.classList.toggle("paired", compare === "pair");
    this.painter.parts.root.classList.toggle("stacking", mode === "stack");
  }

  /** Where the shown picture differs most from what errors are taken against; none where no errors are shown. */
  get peaks() {
    const { state, colors } = this;
    const { mode, shownPanel, otherPanel, reference, data: { height: H, width: W, white_level: white } } = state; // prettier-ignore
    if (mode !== "signed" && mode !== "absolute") return [];
    const panel = shownPanel === reference ? otherPanel : shownPanel;
    const [image, other] = [state.imageOf(panel), state.imageOf(reference)];
    const { image: a, other: b, linear, peaks } = this.compared ?? {};
    if (peaks && a === image && b === other && linear === state.linear) return peaks;
    const map = panel === reference ? [] : differences(image, other, H * W, (value) => colors.transfer(value / white));
    this.compared = { image, other, linear: state.linear, peaks: peaksOf(map, map.length ? H : 0, W) };
    return this.compared.peaks;
  }

  /** @param {Context} context */
  drawStack(context) {
    const { state, state: { view, data, scale, size, rolling, frame }, painter: { ink } } = this; // prettier-ignore
    const draw = (/** @type {number} */ i) =>
      context.drawImage(this.bitmapOf(i), -view.x * scale, -view.y * scale, data.width * scale, data.height * scale);
    context.fillStyle = ink.paper;
    context.fillRect(0, 0, size[0], size[1]);
    drawSheets(context, state.stack, size, { ink, chosen: rolling ?? frame, draw });
  }

  /**
   * @param {Context} context
   * @param {Panel} panel
   */
  drawPanel(context, panel, painted = this.bitmaps.get(panel)) {
    const { state, painter } = this;
    const { view, data, mode, kernelMethods, scale } = state;
    const method = kernelMethods.find((one) => data.panels[one.panel] === panel);
    context.clearRect(0, 0, state.size[0], state.size[1]); // of two pictures the one below is not to be seen through it
    if (painted) context.drawImage(painted, -view.x * scale, -view.y * scale, data.width * scale, data.height * scale);
    if (mode === "kernels" && method) drawCarpet(context, state.size, state, method, painter.palette, painter.ink);
    else if (state.isMap && method) painter.maps.draw(context, method);
    else if (scale >= SMALLEST_NUMBERED_PIXEL) this.drawNumbers(context, panel);
  }

  /**
   * @param {Context} context
   * @param {Panel} panel
   */
  drawNumbers(context, panel) {
    const { state, state: { channels, data: { height: H, width: W }, size: [w, h], view: { y: top, x: left }, scale } } = this; // prettier-ignore
    context.font = `${clamp(scale / 4, channels > 1 ? 9 : 10, 14)}px ${getComputedStyle(this.painter.parts.root).fontFamily}`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    for (let y = Math.max(0, Math.floor(top)); y < Math.min(top + h / scale, H); y++)
      for (let x = Math.max(0, Math.floor(left)); x < Math.min(left + w / scale, W); x++) {
        const values = state.valuesOf(panel, y, x);
        if (values.some(Number.isNaN)) continue;
        values.forEach((value, c) => {
          const text = signed(value, 3);
          const line = (c - (channels - 1) / 2) / (channels + 0.5); // R, G and B under each other
          const [px, py] = [(x + 0.5 - left) * scale, (y + 0.5 + line - top) * scale];
          context.strokeStyle = "rgba(0, 0, 0, 0.6)";
          context.lineWidth = 2.5;
          context.strokeText(text, px, py);
          context.fillStyle = "#fff";
          context.fillText(text, px, py);
        });
      }
  }

  /** What changes with the pixel: marks on the stage, values on the film. */
  paintCursor() {
    for (const stage of this.stages) if (!stage.element.hidden) this.marks.paint(stage);
    this.film.paintCursor();
  }
}
