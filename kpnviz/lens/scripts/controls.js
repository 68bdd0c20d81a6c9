// What the controls, color scales and labels say.

/** @import { Painter } from "./painter.js" */

import { carpetText } from "./carpet.js";
import { make } from "./elements.js";
import { KIND_COUNTS } from "./kinds_of.js";
import { legendEntry, PIN, RING, SQUARE } from "./legend.js";
import { SEQUENTIAL } from "./palette.js";
import { FLOOR } from "./response_view.js";
import { MARKS } from "./terms.js";
import { factorText, offset, plus, signed, tickDigits } from "./text.js";

const MAX_TICK_DIGITS = 3; // after the point, where a color scale has five ticks
const NARROW = 416; // CSS pixels of a lens without room for long words, as in lens.css
const PIN_TITLE = "Pin this pixel: it is shown again whenever the mouse leaves the picture (click the picture, Enter)";

/**
 * What the stacked frames show.
 * @param {Painter["state"]} state
 */
function stackText({ chosenMethod, shifts }) {
  const kernels = chosenMethod
    ? `The pixel's kernels of ${chosenMethod.title} on all frames`
    : "The pixel on all frames";
  return `${kernels}${shifts ? "; ring: where its scene went" : ""}. Zoom in for larger ones.`;
}

export class Controls {
  /** @param {Painter} painter */
  constructor(painter) {
    this.painter = painter;
    this.state = painter.state;
    this.parts = painter.parts;
    this.touches = matchMedia("(hover: none)");
  }

  write() {
    const { state, parts } = this;
    const { mode, against, compare, stops, contrast, window, view: { zoom } } = state; // prettier-ignore
    for (const [name, value] of Object.entries({ mode, against, compare, stops, contrast, window }))
      parts.input(name).value = `${value}`;
    parts.input("linear").checked = !state.linear;
    parts.input("each").checked = state.each;
    parts.input("same").checked = state.sameScale;
    parts.input("marks").checked = state.marks;
    parts.input("hold").checked = state.heldMax !== null;
    parts.input("decibel").checked = state.decibel;
    for (const box of parts.root.querySelectorAll("[name=keep]"))
      if (box instanceof HTMLInputElement) box.checked = state.byHand.keepShare;
    this.writeChanges();
    parts.find(".play").textContent = state.player ? "Stop" : "Play";
    const factor = 2 ** stops;
    parts.find("[name=gain]").textContent = `×${factor >= 1 ? Math.round(factor * 10) / 10 : factor.toFixed(2)}`;
    const reset = parts.find(".reset");
    reset.textContent = `zoom ${zoom.toFixed(1)}×`;
    reset.hidden = state.isWhole;
    for (const name of ["kernels", "stack"]) parts.find(`option[value=${name}]`).hidden = !state.modes.includes(name);
    parts.find("[name=mode] optgroup").hidden = !state.modes.includes("kernels");
    parts.find(".carpet").hidden = mode !== "kernels" && mode !== "stack";
    if (mode === "kernels") parts.find(".carpet p").textContent = carpetText(state);
    if (mode === "stack") parts.find(".carpet p").textContent = stackText(state);
    parts.find(".of-channel").hidden = !state.channelMatters;
    parts.input("channel").value = `${state.channel}`;
    this.writeErrors();
    this.writeAssumed();
    this.writeSeries();
  }

  /** What is changed by hand, and the choices of the views Region and Kinds. */
  writeChanges() {
    const { state: { byHand, anew, region, kindCount, frames, look, mode, chosenMethod }, parts } = this; // prettier-ignore
    const network = parts.find(".of-network");
    network.hidden = look !== "kinds" || !chosenMethod;
    network.textContent = `of ${chosenMethod?.title}`;
    parts.find(".map-kinds").hidden = network.hidden || mode === "kinds";
    parts.input("region").value = `${region}`;
    parts.input("kinds").value = `${kindCount}`;
    parts.input("nonnegative").checked = byHand.nonnegative;
    parts.find(".of-moved").hidden = frames < 2;
    parts.find(".of-anew").hidden = !anew.offered;
    parts.input("anew").checked = anew.asked;
    parts.find("[name=anew-status]").textContent = anew.status;
    const { frame, shift } = byHand.moved;
    parts.input("moved").value = `${frame}`;
    for (const [axis, name] of ["dy", "dx"].entries()) {
      const input = parts.input(name);
      if (Number(input.value) !== shift[axis]) input.value = `${shift[axis]}`; // what is being typed stays
    }
    parts.find(".undo").hidden = !byHand.isChanged && !Object.keys(byHand.offSizes).length;
  }

  /** Whether the lens fills the window. */
  writeFull(/** @type {boolean} */ full) {
    const button = this.parts.find(".fill");
    button.setAttribute("aria-pressed", `${full}`);
    button.title = full ? "Back into the page (b, Esc)" : "Fill the window, with the kernels beside the picture (b)";
  }

  /** The legend of what is drawn on the picture, where its place is not taken by a scale or a sentence. */
  writeMarks() {
    const { state, parts } = this;
    const { mode, outlined, shifts, frame, rolling, framePanel, pinned } = state;
    const place = parts.find(".on-picture");
    place.hidden = mode !== "picture";
    const sizes = [...new Set(outlined.map(({ kernels: { K } }) => K))].sort((a, b) => a - b);
    const many =
      sizes.length > 2
        ? `${sizes[0]}×${sizes[0]} to ${sizes.at(-1)}×${sizes.at(-1)}`
        : sizes.map((K) => `${K}×${K}`).join(", ");
    const from = rolling ?? ([state.shownPanel, state.otherPanel].includes(framePanel) ? frame : 0);
    const ring = from && shifts ? `its scene in frame ${from}` : "";
    const identity = `${many} ${ring} ${pinned}`;
    if (place.dataset.of === identity) return;
    place.dataset.of = identity;
    place.replaceChildren(
      ...(sizes.length ? [legendEntry("reach", SQUARE, `kernels: ${many} px`, MARKS.reach)] : []),
      ...(ring ? [legendEntry("shift", RING, ring, MARKS.shift)] : []),
      ...(pinned ? [legendEntry("pinned", PIN, "pinned")] : []),
      make("small", "unit", `values${this.state.channels > 1 ? " R G B" : ""}: linear intensity`),
    );
  }

  /**
   * The choice of the frame whose kernels are shown, where a view or page is about one.
   * @param {boolean} some  a view, which may show all of them, too
   */
  buildFrames(some) {
    const { state: { data: { shifts, sizes }, frames }, parts } = this; // prettier-ignore
    parts.find(".of-frame").hidden = !sizes && !(some && frames > 1);
    const moved = (/** @type {number} */ i) =>
      !sizes ? "" : i === 0 ? ", the reference" : shifts ? `, moved by ${offset(shifts[i])} px` : "";
    const options = Array.from({ length: frames }, (_, i) => new Option(`${i}${moved(i)}`, `${i}`));
    parts
      .find("[name=moved]")
      .replaceChildren(...Array.from({ length: Math.max(0, frames - 1) }, (_, i) => new Option(`${i + 1}`)));
    parts.find("[name=kinds]").replaceChildren(...KIND_COUNTS.map((count) => new Option(`${count} kinds`, `${count}`)));
    this.writeChanges();
    parts.find("[name=frame]").replaceChildren(...options, ...(some ? [new Option("all", "all")] : []));
    this.writeFrame();
  }

  writeFrame() {
    const { state, painter: { rows } } = this; // prettier-ignore
    this.parts.input("frame").value = rows.view.ofFrame && state.allFrames ? "all" : `${state.frame}`;
  }

  /** The scrubber of a series. */
  writeSeries() {
    const { state: { data, series }, parts } = this; // prettier-ignore
    parts.find(".series").hidden = !data.series;
    if (!data.series) return;
    const { name, numbers } = data.series;
    const slider = parts.input("step");
    Object.assign(slider, { max: `${series.length - 1}`, value: `${series.applied}` });
    const text = `${numbers[series.applied]}`;
    slider.setAttribute("aria-label", name);
    slider.setAttribute("aria-valuetext", text);
    parts.find(".series b").textContent = name;
    parts.find("[name=series-number]").textContent = text;
  }

  /** The scale of errors, where they are shown. */
  writeErrors() {
    const { mode } = this.state;
    const error = mode === "signed" || mode === "absolute";
    this.parts.find(".error").hidden = !error;
    if (!error) return;
    const { palette: { css }, pictures: { colors: { errorRange: range } } } = this.painter; // prettier-ignore
    this.parts.find(".errors").title =
      `difference of the values shown${this.state.channels > 1 ? ", mean of R, G and B" : ""}`;
    this.paintRamp(".errors", mode === "signed" ? css : css.slice((css.length - 1) / 2));
    this.writeScale(".errors", mode === "signed" ? [-range, 0, range] : [0, range / 2, range]);
    this.writePeak();
  }

  /** The button that pins where the picture differs most from what it is compared with: one place after the other. */
  writePeak() {
    const { state, painter: { pictures: { peaks } } } = this; // prettier-ignore
    const button = /** @type {HTMLButtonElement} */ (this.parts.find(".peak"));
    const at = peaks.findIndex((peak) => peak.at.every((c, axis) => c === state.pinnedAt?.[axis]));
    button.disabled = !peaks.length;
    button.textContent = at < 0 ? "largest ▸" : `${at + 1} of ${peaks.length}: ${peaks[at].value.toFixed(3)} ▸`;
    button.title =
      "Pin the pixel where they differ most; then the next one. The numbers on the picture are these places";
  }

  /** The slider of the assumed noise: shown as soon as results are being fetched, and moved once all have come. */
  writeAssumed() {
    const { assumed } = this.state;
    const { ready, applied, power } = assumed;
    const slider = this.parts.input("assumed");
    this.parts.find(".assumed").hidden = !assumed.offered;
    slider.disabled = !ready;
    slider.value = `${applied}`;
    const wanted = power === 0 ? "others are" : `${factorText(power)} is`;
    this.parts.find("[name=assumed-factor]").textContent = ready
      ? factorText(power)
      : assumed.tooLarge
        ? "×1; others are too large: choose a smaller crop"
        : this.painter.weight > 1 || this.parts.root.clientWidth < NARROW // there is little room
          ? "computing …"
          : `×1; ${wanted} being computed …`;
  }

  /** The scale of the kernels' weights. */
  writeWeights() {
    const { heldMax, autoMax, contrast, kernelMethods, look, each } = this.state;
    const end = (heldMax ?? autoMax) / 2 ** contrast || 1;
    this.parts.find(".weights").hidden = !kernelMethods.length || look === "sum" || look === "frequencies";
    this.writeFrequencies(look === "frequencies");
    if (each) return this.writeScale(".weights", ["−", "each its own", "+"]);
    // Even steps of the square root. Weights of many digits leave room for the ends alone.
    const between = tickDigits(end) > MAX_TICK_DIGITS ? [0] : [-end / 4, 0, end / 4];
    this.writeScale(".weights", [-end, ...between, end]);
  }

  /**
   * The scale of what passes of a frequency.
   * @param {boolean} shown
   */
  writeFrequencies(shown) {
    this.parts.find(".passing").hidden = !shown;
    if (!shown) return;
    this.paintRamp(".passing", SEQUENTIAL.css);
    this.writeScale(
      ".passing",
      this.state.decibel ? [FLOOR, FLOOR / 2, 0].map((value) => `${signed(value, 0)} dB`) : ["0", "0.5", "1"],
    );
  }

  /**
   * Numbers (or texts) under a color bar, evenly spaced.
   * @param {string} selector
   * @param {(number | string)[]} values
   */
  writeScale(selector, values) {
    const digits = tickDigits(Number(values.at(-1)));
    const ticks = this.parts.find(`${selector} .ticks`);
    while (ticks.children.length < values.length) ticks.append(make("span", ""));
    while (ticks.children.length > values.length) ticks.lastChild?.remove();
    values.forEach((value, i) => {
      const tick = /** @type {HTMLElement} */ (ticks.children[i]);
      tick.textContent = typeof value === "string" ? value : plus(value, value === 0 ? 0 : digits);
      tick.style.left = `${(100 * i) / (values.length - 1)}%`;
    });
  }

  /**
   * @param {string} selector
   * @param {string[]} colors
   */
  paintRamp(selector, colors) {
    const ramp = this.parts.find(`${selector} .ramp`);
    ramp.style.background = `linear-gradient(to right, ${colors})`;
    ramp.dataset.colors = colors.join(" ");
  }

  /** The pixel, and whether it is pinned. */
  writePixel() {
    const { cursor: [y, x], pinnedAt, isWhole } = this.state; // prettier-ignore
    this.writeMarks();
    this.parts.find(".pixel").textContent = `y ${y}, x ${x}`;
    const button = this.parts.find(".pin");
    button.textContent = pinnedAt ? "Pinned" : "Pin";
    button.title = pinnedAt
      ? `Let go of the pinned pixel, y ${pinnedAt[0]}, x ${pinnedAt[1]} (click it again, Esc)`
      : PIN_TITLE;
    button.setAttribute("aria-pressed", `${Boolean(pinnedAt)}`);
    const hint = this.touches.matches ? "tap to look, hold to pin" : "move to look, click to pin";
    this.parts.find(".hint").textContent = pinnedAt || !isWhole ? "" : hint;
  }

  /** For screen readers: after a key or a pin, not for every mouse move. */
  announce() {
    const { state } = this;
    const [y, x] = state.cursor;
    const methods = state.kernelsAt(y, x).map(({ cells, pictures, covered }, m) => {
      if (!covered) return `${state.kernelMethods[m].title} no kernel here`;
      const heaviest = cells.reduce((best, cell, i) => (cell.share > cells[best].share ? i : best), 0);
      const share = Math.round(100 * cells[heaviest].share);
      return `${state.kernelMethods[m].title} ${pictures.map((value) => signed(value, 3)).join(" ")}, most weight on frame ${heaviest}, ${share} percent`;
    });
    this.parts.find(".live").textContent =
      `Pixel y ${y}, x ${x}${state.pinned ? ", pinned" : ""}. ${methods.join(". ")}.`;
  }
}
