// The window of the guided scene: its elements, how large they are, and what is written into them.

/** @import { Ink } from "../scripts/types" */
/** @import { Step } from "./steps.js" */
/** @import { Way } from "./texts.js" */

import { make, makeButton } from "../scripts/elements.js";
import { clamp } from "../scripts/layout.js";
import { INKS, PALETTES } from "../scripts/palette.js";
import { factorText } from "../scripts/text.js";
import OVERVIEW from "./overview.svg";
import { SCENE, TEXT } from "./texts.js";

const NARROW = 899; // CSS pixels up to which the text stands under the pictures, but in a low window: scene.css
const PHONE = 600;
const LOW = 500; // CSS pixels of the height of a telephone on its side, at most
const CELL_GAP = 6; // CSS pixels between small pictures

export class ScenePage {
  /**
   * @param {HTMLDialogElement} dialog
   * @param {string} of  whose pages the last step names
   * @param {(page: string) => string} addressOf  of a page
   */
  constructor(dialog, of, addressOf) {
    this.dialog = dialog;
    this.of = of;
    this.addressOf = addressOf;
    this.size = 300; // CSS pixels of a picture
    this.cell = 60; // and of one in the strip
    this.font = "sans-serif";
    this.palette = PALETTES.light;
    /** @type {Ink} */
    this.ink = { ...INKS.light, text: "", paper: "", shift: "", weight: 1.5 };
    this.canvases = {
      left: this.find("figure.left canvas", HTMLCanvasElement),
      right: this.find("figure.right canvas", HTMLCanvasElement),
    };
    this.bars = /** @type {HTMLCanvasElement[]} */ ([...dialog.querySelectorAll(".bars canvas")]);
    this.range = this.find(".slider input", HTMLInputElement);
    this.auto = this.find(".auto input", HTMLInputElement);
    this.dots = TEXT.map(({ title }, i) => {
      const dot = makeButton("", title);
      dot.setAttribute("aria-label", `Step ${i + 1}: ${title}`);
      return dot;
    });
    this.find(".dots").append(...this.dots);
    /** @type {{ button: HTMLButtonElement, canvas: HTMLCanvasElement, label: HTMLElement }[]} */
    this.cells = SCENE.burst.shifts.map((/** @type {number[]} */ _, /** @type {number} */ i) => {
      const [canvas, label] = [make("canvas", ""), make("span", "")];
      return { button: makeButton("", `Frame ${i}`, canvas, label), canvas, label };
    });
    this.find(".strip").append(...this.cells.map(({ button }) => button));
    this.find(".name b").textContent = SCENE.name;
    // A narrow window shows what comes before the colon alone.
    this.find(".name").append(
      ...SCENE.sentence.split(/(?=: )/).map((/** @type {string} */ part) => make("span", "", part)),
    );
    // Its own colors are those of a page of its own.
    this.find(".overview").innerHTML = OVERVIEW.replace(/^.*svg \{ color: .*$/gm, "");
  }

  /**
   * @template {HTMLElement} T
   * @param {string} selector
   * @param {{ new (): T }} [kind]
   * @returns {T}
   */
  find(selector, kind = /** @type {any} */ (HTMLElement)) {
    const found = this.dialog.querySelector(selector);
    if (!(found instanceof kind)) throw new Error(`the scene has no ${selector}`);
    return found;
  }

  /** Colors of the page around, and of numbers. */
  setTheme() {
    const style = getComputedStyle(this.dialog);
    const [r, g, b] = (style.color.match(/[\d.]+/g) ?? ["0", "0", "0"]).map(Number);
    const theme = r + g + b > 384 ? "dark" : "light"; // light text
    this.dialog.classList.toggle("dark", theme === "dark");
    const shift = getComputedStyle(this.dialog).getPropertyValue("--shift").trim();
    this.font = style.fontFamily;
    this.palette = PALETTES[theme];
    this.ink = { ...INKS[theme], text: style.color, paper: style.backgroundColor, shift, weight: 1.5 };
  }

  /** How large pictures are: as large as the window allows, and the same in every step. */
  layOut() {
    const { clientWidth: across, clientHeight: down } = this.dialog;
    const phone = innerWidth <= PHONE;
    const low = !phone && innerHeight <= LOW;
    const narrow = innerWidth <= NARROW && !low;
    const gap = phone ? 8 : 16;
    const sides = phone ? 24 : narrow || low ? 32 : 48;
    const beside = narrow ? 0 : clamp(0.29 * across, 288, 400) + clamp(0.03 * across, 24, 56);
    const least = phone || low ? 120 : 200;
    const room = phone ? down - 490 : narrow ? Math.max(down - 520, 200) : (down - (low ? 148 : 218)) / 1.25;
    this.size = Math.floor(clamp((across - sides - beside - gap) / 2, least, Math.max(least, room)));
    const count = this.cells.length;
    this.cell = Math.floor((2 * this.size + gap - (count - 1) * CELL_GAP) / count);
    for (const [name, length] of Object.entries({ picture: this.size, gap, cell: this.cell }))
      this.dialog.style.setProperty(`--${name}`, `${length}px`);
  }

  /**
   * All that stays as it is while a step is shown.
   * @param {number} index
   * @param {Step} step
   */
  writeStep(index, step) {
    const { dialog } = this;
    const { name, title, text, paper, ways = [] } = TEXT[index];
    const last = index === TEXT.length - 1;
    dialog.dataset.step = name;
    this.find(".number").textContent = `${index + 1} of ${TEXT.length}`;
    this.find("h2").textContent = title;
    this.find(".sentence").textContent = text;
    this.find(".ways").replaceChildren(...ways.filter(({ of }) => !of || of === this.of).map((way) => this.wayOf(way)));
    this.find(".facts").textContent = "";
    const { authors, title: source, venue, year, url } = SCENE.papers[paper];
    const link = make("a", "", source);
    Object.assign(link, { href: url, target: "_blank", rel: "noopener" });
    this.find(".paper").replaceChildren(`${authors}: `, link, `, ${venue} ${year}`);
    this.find(".next").textContent = last ? "Explore" : "Next";
    /** @type {HTMLButtonElement} */ (this.find(".back")).disabled = index === 0;
    this.dots.forEach((dot, i) =>
      i === index ? dot.setAttribute("aria-current", "step") : dot.removeAttribute("aria-current"),
    );
    dialog.classList.toggle("steerable", Boolean(step.steered));
    for (const part of dialog.querySelectorAll("figure")) part.classList.toggle("empty", last);
    for (const part of [".left", ".right", ".strip", ".bars", ".controls"])
      this.find(part).style.visibility = last ? "hidden" : "";
    this.find(".overview").hidden = !last;
    this.find(".strip").hidden = step.plays === "together";
    this.find(".bars").hidden = step.plays !== "together";
    const plays = step.plays ?? "frames";
    const range = { frames: [0, this.cells.length - 1, 1], noise: [-2, 2, 0.01], together: [0, 1, 0.01] }[plays];
    [this.range.min, this.range.max, this.range.step] = range.map(String);
    this.find(".slider span").textContent = { frames: "Frame", noise: "Assumed noise", together: "Fuse" }[plays];
  }

  /**
   * What to go on with: a page by a link, what is on the next page by its name.
   * @param {Way} way
   */
  wayOf({ title, what, page }) {
    const name = page ? make("a", "", title) : make("b", "", title);
    if (page && name instanceof HTMLAnchorElement)
      Object.assign(name, { href: this.addressOf(page) }).dataset.page = page;
    return make("li", "", name, `: ${what}`);
  }

  /**
   * The slider's value, in the words of what it sets.
   * @param {Step["plays"]} plays
   * @param {number} value
   */
  writeValue(plays, value) {
    this.range.valueAsNumber = value;
    this.find("output", HTMLOutputElement).textContent =
      plays === "frames"
        ? `${value} (0 to ${this.cells.length - 1})`
        : plays === "noise"
          ? factorText(Number(value.toFixed(1)))
          : "";
    this.range.setAttribute("aria-valuetext", this.find("output").textContent || `${Math.round(100 * value)} %`);
  }

  /**
   * Names of the two pictures, each with a note.
   * @param {number} index  of the step
   * @param {number} frame
   * @param {string} left
   * @param {string} right
   */
  writeCaptions(index, frame, left, right) {
    const texts = TEXT[index];
    for (const [side, note] of /** @type {["left" | "right", string][]} */ ([
      ["left", left],
      ["right", right],
    ])) {
      const name = texts[side]
        .replace("{frames}", frame ? `${frame + 1} frames` : "1 frame")
        .replace("{frame}", String(frame));
      this.find(`.${side} figcaption`).replaceChildren(name, make("small", "", note));
      this.canvases[side].setAttribute("aria-label", name);
      this.canvases[side].setAttribute("role", "img");
    }
  }

  /** @param {string[]} sentences */
  facts(...sentences) {
    const text = sentences.join("").replaceAll(" %", "\u00a0%");
    const place = this.find(".facts");
    if (place.textContent !== text) place.textContent = text;
  }

  /**
   * The small pictures, one a frame.
   * @param {number} chosen
   * @param {(canvas: HTMLCanvasElement, size: number, i: number) => void} draw
   * @param {(i: number) => string} label
   * @param {(i: number) => boolean} notYet
   */
  strip(chosen, draw, label, notYet) {
    this.cells.forEach(({ button, canvas, label: text }, i) => {
      draw(canvas, this.cell, i);
      text.textContent = label(i);
      button.setAttribute("aria-pressed", String(i === chosen));
      button.classList.toggle("not-yet", notYet(i));
    });
  }
}
