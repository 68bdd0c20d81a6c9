// Differences from one method, a row a method, as inline SVG: kpnviz.figures.forest.

import { roundNumbers, shape, SMALL } from "./chart.js";

/**
 * kpnviz.lens.texts.result_tables.Forest
 * @typedef {object} Forest
 * @property {string} heading
 * @property {string[]} titles
 * @property {number[]} values
 * @property {number[]} errors  standard errors; bars are two of them
 * @property {string} x_title
 * @property {string[]} ties
 * @property {(number | null)[] | null} others  the paper's
 */

const [WIDE, NARROW] = [460, 360];
const [ROW, TOP, BOTTOM, RIGHT] = [24, 8, 44, 16];
const [OURS, THEIRS] = ["#4477aa", "#ee7733"];

/** @param {number} value */
const written = (value) => value.toFixed(2).replace("-", "−").replace("−0.00", "0.00");

/**
 * @param {Forest} forest
 * @param {[string, string]} [legend]  what our values and the others are
 */
export function forestOf({ heading, titles, values, errors, x_title, ties, others }, legend = ["", ""]) {
  const width = innerWidth <= SMALL ? NARROW : WIDE;
  const left = Math.min(Math.max(...titles.map(({ length }) => length)) * 6.4 + 14, 210);
  const height = TOP + ROW * titles.length + BOTTOM;
  const ends = [
    0,
    ...values.flatMap((value, i) => [value - 2 * errors[i], value + 2 * errors[i]]),
    ...(others ?? []).filter((value) => value !== null),
  ].filter(Number.isFinite);
  let [low, high] = [Math.min(...ends), Math.max(...ends)];
  const room = (high - low || 1) * (others ? 0.2 : 0.05); // gaps are written beside the outer values
  [low, high] = [low - room, high + room];
  const at = (/** @type {number} */ value) => left + ((value - low) / (high - low)) * (width - left - RIGHT);
  const svg = shape("svg", {
    viewBox: `0 0 ${width} ${height}`,
    class: "chart",
    role: "img",
    "aria-label": `${x_title}: ${titles.map((title, i) => `${title} ${written(values[i])}`).join(", ")}`,
  });
  const base = TOP + ROW * titles.length;
  for (const number of roundNumbers(low, high, 5))
    svg.append(
      shape("line", { class: number === 0 ? "zero" : "grid", x1: at(number), x2: at(number), y1: TOP, y2: base }),
      shape(
        "text",
        { x: at(number), y: base + 16, "text-anchor": "middle" },
        String(Number(number.toPrecision(3))).replace("-", "−"),
      ),
    );
  svg.append(
    shape("text", { class: "title", x: (left + width - RIGHT) / 2, y: height - 6, "text-anchor": "middle" }, x_title),
  );
  titles.forEach((title, i) => {
    const y = TOP + ROW * (i + 0.5);
    const tie = ties.includes(title);
    const color = tie ? "#999999" : OURS;
    const [value, error, other] = [values[i], errors[i], others?.[i]];
    svg.append(shape("text", { x: left - 8, y: y + 4, "text-anchor": "end", class: "title" }, title));
    if (other != null) {
      const outer = other < value ? -1 : 1;
      svg.append(
        shape("line", { class: "grid", x1: at(value), x2: at(other), y1: y, y2: y, "stroke-width": 3 }),
        shape("path", { d: `M${at(other) - 6} ${y}l6 -6l6 6l-6 6z`, fill: "none", stroke: THEIRS, "stroke-width": 2 }),
        shape(
          "text",
          { x: at(other) + 10 * outer, y: y + 4, "text-anchor": outer < 0 ? "end" : "start" },
          written(value - other),
        ),
      );
    }
    if (Number.isFinite(error))
      svg.append(
        shape("line", {
          x1: at(value - 2 * error),
          x2: at(value + 2 * error),
          y1: y,
          y2: y,
          stroke: "#888888",
          "stroke-width": 1.4,
        }),
      );
    svg.append(
      shape(
        "circle",
        { cx: at(value), cy: y, r: 4.5, fill: tie ? "var(--paper)" : color, stroke: color, "stroke-width": 1.5 },
        shape("title", {}, `${title}: ${written(value)} ± ${written(error)}`),
      ),
    );
  });
  const figure = document.createElement("figure");
  figure.className = "curves";
  const caption = document.createElement("b");
  caption.textContent = heading;
  if (heading) figure.append(caption);
  figure.append(svg);
  if (others) {
    const marks = document.createElement("p");
    marks.className = "legend";
    for (const [mark, color, name] of [
      ["●", OURS, legend[0]],
      ["◇", THEIRS, legend[1]],
    ]) {
      const entry = document.createElement("span");
      const sign = document.createElement("span");
      [sign.textContent, sign.style.color] = [mark, color];
      entry.append(sign, ` ${name}`);
      marks.append(entry);
    }
    figure.append(marks);
  }
  return figure;
}

/**
 * Of all pairs of methods, each as method i less method j for i < j: [mean, standard error, ...].
 * @typedef {{ names: string[], titles: string[], short: string[], first: number, values: (number | null)[] }} Pairs
 */

/**
 * All methods less a chosen one, the best first: those near it, and those further off.
 * @param {Pairs} pairs
 * @param {number} chosen
 * @param {number} near  dB
 * @returns {Forest[]}
 */
export function forestsOf({ titles, short, values }, chosen, near) {
  const n = titles.length;
  const all = titles.flatMap((_, i) => {
    if (i === chosen) return [];
    const [a, b] = i < chosen ? [i, chosen] : [chosen, i];
    const place = 2 * (a * n - (a * (a + 1)) / 2 + b - a - 1);
    const [mean, error] = [values[place] ?? NaN, values[place + 1] ?? NaN];
    return [{ title: short[i], value: i < chosen ? mean : -mean, error }];
  });
  all.sort((a, b) => b.value - a.value);
  const groups = [
    { heading: `Within ${near} dB`, of: all.filter(({ value }) => Math.abs(value) <= near) },
    { heading: "Further off, on an axis of their own", of: all.filter(({ value }) => !(Math.abs(value) <= near)) },
  ];
  return groups
    .filter(({ of }) => of.length)
    .map(({ heading, of }) => ({
      heading,
      titles: of.map(({ title }) => title),
      values: of.map(({ value }) => value),
      errors: of.map(({ error }) => error),
      x_title: `PSNR minus that of ${titles[chosen]}, dB`,
      ties: of.filter(({ value, error }) => !(Math.abs(value) >= 2 * error)).map(({ title }) => title),
      others: null,
    }));
}
