// The page Sizes: beside the picture a map of which size is best where. (The kernels of all sizes: sizes_view.js.)

/** @import { SizeClasses } from "./types" */
/** @import { Painter } from "./painter.js" */

import { make } from "./elements.js";
import { CELL_GAP, DESK_GAP, NAME_WIDTH, sizesDesk } from "./layout.js";
import { bitmap, prepare } from "./paint.js";
import { rgb } from "./palette.js";
import { percent, shortTitle } from "./text.js";

const CLASS_COLORS = ["#f5d547", "#1fa79a", "#9155c9"]; // small, middle, large; ordered by lightness, color-blind safe
const NO_CLASS = "#8a8f98";
const ASIDE = 210; // CSS pixels: with so much room at the right of the map, its legend stands there
const LARGEST_PART = 110; // CSS pixels of a kernel in the view Sizes
const LEAST_DOCKED = 150; // CSS pixels of a picture in a window that is very low
const NOTE_GAP = 15; // CSS pixels above the note
const LUMINANCE_WEIGHTS = [0.2126, 0.7152, 0.0722]; // of R, G, B: kpnviz.color
const HEAVY = 0.6; // of the map's color over the picture

/**
 * What is best at one place: `local` has the PSNR in dB of each method there, `classes` the class of each (null: it has
 * several sizes, and is not compared). The method that leads, the one that is best of another class, and the lead in dB.
 * @param {number[]} local
 * @param {(number | null)[]} classes
 */
export function leadAt(local, classes) {
  /** @type {Map<number, number>} */
  const best = new Map();
  classes.forEach((number, m) => {
    if (number === null) return;
    if (!best.has(number) || local[m] > local[best.get(number) ?? m]) best.set(number, m);
  });
  const [first, second] = [...best.values()].sort((a, b) => local[b] - local[a]);
  return { first, second, lead: local[first] - local[second] };
}

/**
 * How many pixels each class leads on, as shares; the last one is of those on which none does. `index` is 0 there.
 * @param {ArrayLike<number>} index
 * @param {number} count
 */
export function sharesOf(index, count) {
  /** @type {number[]} */
  const counts = new Array(count + 1).fill(0);
  for (let i = 0; i < index.length; i++) counts[(index[i] + count) % (count + 1)] += 1;
  return counts.map((those) => those / index.length);
}

/**
 * A share that is not 0 is not written as 0.
 * @param {number} share
 */
const shareText = (share) => (share > 0 && share < 0.005 ? "< 1 %" : percent(share));

/**
 * "L1, L3" or "L5–L9": of methods in the order of their sizes.
 * @param {string[]} titles
 */
const span = (titles) => (titles.length > 2 ? `${titles[0]}–${titles.at(-1)}` : titles.join(", "));

export class Sizes {
  /** @param {Painter} painter */
  constructor(painter) {
    this.painter = painter;
    this.state = painter.state;
    this.picture = make("canvas", "picture");
    this.marks = make("canvas", "marks");
    this.stage = { role: "map", marks: this.marks, element: make("div", "stage map", this.picture, this.marks) };
    this.aside = false; // whether the legend stands beside the map
    this.size = [0, 0];
    const { parts } = painter;
    parts.find(".map-of-sizes .stages").append(this.stage.element);
    this.same = /** @type {HTMLElement} */ (parts.input("same").closest("label"));
    this.menu = /** @type {HTMLElement} */ (this.same.parentElement);
  }

  /** @returns {SizeClasses | null} */
  get data() {
    return this.state.data?.sizes ?? null;
  }

  get hasMap() {
    return Boolean(this.data?.index);
  }

  /** Once per payload: what is on the page here only. */
  build() {
    const { state, data, painter: { parts } } = this; // prettier-ignore
    parts.root.classList.toggle("sizes", Boolean(data));
    parts.find(".map-of-sizes").hidden = !this.hasMap;
    // How large a pixel is drawn matters more here: its switch stands in the bar.
    if (!data) return this.menu.append(this.same);
    parts.find(".of-frame").after(this.same);
    // One weight of 1x1 is as strong as the sum of all of 25x25: on one scale of colors the large ones would be blank.
    if (!this.began) this.began = state.each = true;
    if (!data.index) return;
    parts.find(".rule").textContent = this.rule;
    this.buildLegend(data, data.index);
  }

  /**
   * The classes that are compared, and how much of the picture each leads on.
   * @param {SizeClasses} data
   * @param {Uint8Array} index
   */
  buildLegend({ titles, classes, tie }, index) {
    const shares = sharesOf(index, titles.length);
    const entry = (
      /** @type {Record<"color" | "name" | "members" | "tip", string>} */ { color, name, members, tip },
      share = 0,
    ) => {
      const swatch = make("i", "swatch");
      swatch.style.background = color;
      const item = make("span", "entry", swatch, make("b", "", name), members, ` ${shareText(share)}`);
      item.title = tip;
      item.style.setProperty("--share", `${share}`);
      item.style.setProperty("--color", color);
      return item;
    };
    const entries = titles.flatMap((name, number) => {
      if (!classes.includes(number)) return [];
      const tip = `${name} kernels lead by ${tie} dB or more on ${shareText(shares[number])} of the pixels`;
      return [entry({ color: CLASS_COLORS[number], name, members: this.membersOf(number), tip }, shares[number])];
    });
    const tip = `No class leads by ${tie} dB: the picture is left gray`;
    const none = entry({ color: NO_CLASS, name: "tie", members: "", tip }, shares.at(-1));
    this.painter.parts.find(".map-of-sizes .shares").replaceChildren(...entries, none);
  }

  /** How the map is made. */
  get rule() {
    if (!this.data) return "";
    const { tie, sigma, classes } = this.data;
    return (
      `In the map, over the truth in gray, a class counts with the best of its sizes in a Gaussian window (σ = ${sigma} px), and a pixel is ` +
      `colored where one class is ${tie} dB or more ahead of all others.` +
      (classes.includes(null) ? " MKPN has several sizes: it is of no class." : "")
    );
  }

  /** @param {number} number */
  membersOf(number) {
    return span(this.state.kernelMethods.filter((_, m) => this.data?.classes[m] === number).map(shortTitle));
  }

  /**
   * PSNR in dB around a pixel, of each method.
   * @param {number[]} pixel
   */
  localAt([y, x]) {
    const { height: H, width: W } = this.state.data;
    const { classes, local } = /** @type {SizeClasses} */ (this.data);
    return classes.map((_, m) => local[(m * H + y) * W + x]);
  }

  /** @param {number} m */
  colorOf(m) {
    const number = this.data?.classes[m] ?? null;
    return number === null ? NO_CLASS : CLASS_COLORS[number];
  }

  // --- layout -----------------------------------------------------------------------------------

  /**
   * @param {number} width
   * @param {number} seen
   * @param {number} type
   */
  layOut(width, seen, type) {
    const { state, painter: { parts, pictures, rows, desk } } = this; // prettier-ignore
    const high = (/** @type {string} */ selector) => parts.find(selector).offsetHeight;
    const around = high(".looking") - high(".looking .stages");
    const maps = this.hasMap ? 1 : 0;
    const { count } = pictures;
    const below = DESK_GAP / 2 + high(".inside") - high(".rows") - high(".note") - NOTE_GAP; // one reads the note later
    const aspect = state.data.width / state.data.height;
    const places = sizesDesk(width, seen - around - below, count, maps, aspect, state.kernelMethods.length, type);
    const { beside, side, columns } = places;
    // Where all stands below each other, a picture is no higher than a low window.
    const stage = beside
      ? places.stage
      : Math.floor(Math.min(places.stage, Math.max(desk.docked, LEAST_DOCKED) * aspect));
    pictures.place({ beside, width: stage }, stage, true);
    this.size = state.size;
    Object.assign(this.stage.element.style, { width: `${this.size[0]}px`, height: `${this.size[1]}px` });
    const room = width - (count + maps) * stage - DESK_GAP - (count - 1) * CELL_GAP;
    this.aside = this.hasMap && beside && room >= ASIDE * type;
    parts.find(".map-of-sizes").classList.toggle("aside", this.aside);
    rows.writeNote();
    parts.root.classList.toggle("beside", beside);
    if (state.look === "sizes") rows.place({ named: true, columns, side });
    else {
      // One line a method; one reads on under them, and pictures stay as they are.
      const most = Math.max(1, ...rows.rows.map(({ plan }) => plan.count));
      const fit = Math.floor((width - (beside ? NAME_WIDTH * type : 0)) / most) - CELL_GAP;
      rows.place({ named: beside, columns: most, side: Math.min(fit, LARGEST_PART * type) });
    }
    parts.find(".rows").style.maxHeight = "";
  }

  // --- painting ---------------------------------------------------------------------------------

  paintBitmaps() {
    const { index } = this.data ?? {};
    const image = this.state.truth?.image;
    if (!index || !image) return;
    const { height: H, width: W, white_level: white } = this.state.data;
    const { channels: C } = this.state;
    const { transfer } = this.painter.pictures.colors;
    const colors = CLASS_COLORS.map((hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16) / 255));
    const colorOf = (/** @type {number} */ i) => {
      // Gray under the colors: those of the scene would be taken for a class.
      const y =
        C === 1 ? image[i] : LUMINANCE_WEIGHTS.reduce((sum, weight, c) => sum + weight * image[c * H * W + i], 0);
      const value = transfer(y / white);
      const color = colors[index[i] - 1];
      const [r, g, b] = color ? color.map((part) => HEAVY * part + (1 - HEAVY) * value) : [value, value, value];
      return rgb(r, g, b);
    };
    this.bitmap = bitmap(H, W, colorOf, this.bitmap);
  }

  paint() {
    if (!this.hasMap || !this.bitmap) return;
    const { view, data, scale } = this.state;
    const context = prepare(this.picture, this.size[0], this.size[1]);
    context.drawImage(this.bitmap, -view.x * scale, -view.y * scale, data.width * scale, data.height * scale);
  }

  paintCursor() {
    if (!this.data) return;
    const { parts, pictures } = this.painter;
    if (!this.data.index) return;
    pictures.marks.paint(this.stage);
    parts.find(".map-of-sizes .here").textContent = this.hereText(this.data, this.data.index);
  }

  /**
   * Which class leads at the cursor, and by how much.
   * @param {SizeClasses} data
   * @param {Uint8Array} index
   */
  hereText({ titles, classes, tie }, index) {
    const { cursor: [y, x], data, kernelMethods } = this.state; // prettier-ignore
    const { first, second, lead } = leadAt(this.localAt([y, x]), classes);
    const names = [first, second].map((m) => shortTitle(kernelMethods[m]));
    if (!index[y * data.width + x]) return `here none leads: ${names.join(" and ")} are less than ${tie} dB apart`;
    return `here ${titles[classes[first] ?? 0]}: ${names[0]} is ${lead.toFixed(2)} dB ahead of ${names[1]}`;
  }
}
