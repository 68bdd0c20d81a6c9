// Curves as inline SVG: values against something, with standard errors, a legend, and each value's own words under the mouse.

/**
 * kpnviz.lens.texts.verdicts.Curves, and more.
 * @typedef {object} Curves
 * @property {number[]} x
 * @property {string[]} [ticks]  one for each x; without them the axis has round numbers
 * @property {string} x_title
 * @property {string} y_title
 * @property {{ name: string, y: (number | null)[], errors?: (number | null)[], mark?: number }[]} lines  mark: an x that is dotted in the color of the line
 * @property {boolean} [zero]  whether 0 is drawn
 * @property {boolean} [log2]  whether x grows by doubling
 * @property {boolean} [log10]  whether y grows by tens
 * @property {string[]} [level]  names of lines that are drawn dashed, without dots
 * @property {boolean} [narrow]  whether it stands beside others
 * @property {boolean} [low]  whether it stands above others, with which it is to be in sight
 * @property {number} [near]  the axis shows values up to so far from 0; those beyond are written at its end (kpnviz.figures.near)
 */

// Paul Tol's "bright", and some more, as in kpnviz/figures/style.py.
const COLORS = [
  "#4477aa",
  "#ee6677",
  "#228833",
  "#ccbb44",
  "#66ccee",
  "#aa3377",
  "#999999",
  "#ee7733",
  "#009988",
  "#994f00",
];
const [WIDE, NARROW, LOW] = [
  [460, 270],
  [330, 220],
  [460, 182],
];
export const SMALL = 900; // CSS pixels of a window up to which figures are drawn smaller, so that their letters are not
const [LEFT, RIGHT, TOP, BOTTOM] = [66, 10, 10, 42];
const SPACE = "http://www.w3.org/2000/svg";

/**
 * @param {string} tag
 * @param {Record<string, string | number>} values
 * @param {(Node | string)[]} contents
 */
export function shape(tag, values, ...contents) {
  const element = document.createElementNS(SPACE, tag);
  for (const [name, value] of Object.entries(values)) element.setAttribute(name, String(value));
  element.append(...contents);
  return element;
}

/**
 * Round numbers from low to high, about so many.
 * @param {number} low
 * @param {number} high
 * @param {number} count
 */
export function roundNumbers(low, high, count) {
  const raw = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((one) => one >= raw * 0.999) ?? raw;
  const numbers = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + 1e-9 * step; k++)
    numbers.push(Number((k * step).toPrecision(12)));
  return numbers;
}

/** @param {number} value */
const text = (value) => String(Number(value.toPrecision(3))).replace("-", "−");

/**
 * A figure of curves.
 * @param {Curves} curves
 */
export function chart({
  x,
  ticks,
  x_title,
  y_title,
  lines,
  zero = false,
  log2 = false,
  log10 = false,
  level = [],
  near = Infinity,
  narrow = false,
  low: flatter = false,
}) {
  const [width, height] = narrow || innerWidth <= SMALL ? NARROW : flatter ? LOW : WIDE;
  const alongX = (/** @type {number} */ value) => (log2 ? Math.log2(value) : value);
  const alongY = (/** @type {number} */ value) => (log10 ? Math.log10(value) : value);
  const all = lines.flatMap(({ y, errors }) =>
    y.flatMap((value, i) =>
      value === null || !Number.isFinite(alongY(value)) || Math.abs(value) > near
        ? []
        : [value - (errors?.[i] ?? 0), value + (errors?.[i] ?? 0)],
    ),
  );
  if (!all.length) return document.createElement("div");
  let [low, high] = [Math.min(...all, ...(zero ? [0] : [])), Math.max(...all, ...(zero ? [0] : []))].map(alongY);
  const margin = (high - low || 1) * (near < Infinity ? 0.15 : 0.06);
  [low, high] = [low - margin, high + margin];
  const [first, last] = [alongX(x[0]), alongX(x[x.length - 1])];
  const placeX = (/** @type {number} */ value) =>
    LEFT + 8 + ((alongX(value) - first) / (last - first || 1)) * (width - LEFT - RIGHT - 16);
  const placeY = (/** @type {number} */ value) =>
    TOP + ((high - alongY(value)) / (high - low)) * (height - TOP - BOTTOM);
  const svg = shape("svg", {
    viewBox: `0 0 ${width} ${height}`,
    class: "chart",
    role: "img",
    "aria-label": `${y_title} against ${x_title}: ${lines.map(({ name }) => name).join(", ")}`,
  });
  const numbers = log10
    ? roundNumbers(Math.ceil(low), high, 5)
        .filter(Number.isInteger)
        .map((power) => 10 ** power)
    : roundNumbers(low, high, 5);
  for (const number of numbers) {
    const y = placeY(number);
    svg.append(
      shape("line", { class: zero && number === 0 ? "zero" : "grid", x1: LEFT, x2: width - RIGHT, y1: y, y2: y }),
      shape(
        "text",
        { x: LEFT - 6, y: y + 4, "text-anchor": "end" },
        log10
          ? `10${[...String(Math.round(Math.log10(number)))].map((c) => "⁻¹²³⁴⁵⁶⁷⁸⁹⁰"["-1234567890".indexOf(c)]).join("")}`
          : text(number),
      ),
    );
  }
  const along = ticks
    ? x.flatMap((value, i) => (ticks[i] ? [{ value, words: ticks[i] }] : []))
    : roundNumbers(x[0], x[x.length - 1], 5).map((value) => ({ value, words: text(value) }));
  along.forEach(({ value, words }) =>
    svg.append(
      shape("line", {
        class: "grid",
        x1: placeX(value),
        x2: placeX(value),
        y1: height - BOTTOM,
        y2: height - BOTTOM + 4,
      }),
      shape("text", { x: placeX(value), y: height - BOTTOM + 17, "text-anchor": "middle" }, words),
    ),
  );
  const middle = flatter ? height / 2 : (TOP + height - BOTTOM) / 2; // a long title needs all of a low figure's height
  svg.append(
    shape("text", { class: "title", x: (LEFT + width - RIGHT) / 2, y: height - 6, "text-anchor": "middle" }, x_title),
    shape(
      "text",
      { class: "title", x: 12, y: middle, "text-anchor": "middle", transform: `rotate(-90 12 ${middle})` },
      y_title,
    ),
  );
  const legend = document.createElement("p");
  legend.className = "legend";
  lines.forEach(({ name, y, errors, mark: marked }, k) => {
    const color = COLORS[k % COLORS.length];
    if (marked !== undefined)
      svg.append(
        shape("line", {
          x1: placeX(marked),
          x2: placeX(marked),
          y1: TOP,
          y2: height - BOTTOM,
          stroke: color,
          "stroke-width": 1.5,
          "stroke-dasharray": "1.5 3",
        }),
      );
    const flat = level.includes(name);
    const points = y.flatMap((value, i) =>
      value === null || !Number.isFinite(alongY(value)) ? [] : [{ value, i, at: [placeX(x[i]), placeY(value)] }],
    );
    // A window, as what lies beyond the axis is cut off.
    const inside = shape("svg", {
      x: LEFT,
      y: TOP,
      width: width - LEFT - RIGHT,
      height: height - TOP - BOTTOM,
      viewBox: `${LEFT} ${TOP} ${width - LEFT - RIGHT} ${height - TOP - BOTTOM}`,
    });
    svg.append(inside);
    inside.append(
      shape("polyline", {
        points: points.map(({ at }) => at.join()).join(" "),
        fill: "none",
        stroke: color,
        "stroke-width": 2,
        ...(flat ? { "stroke-dasharray": "5 4" } : {}),
      }),
    );
    for (const {
      value,
      i,
      at: [px, py],
    } of points) {
      if (Math.abs(value) > near) {
        const down = value < 0;
        // At an end they would touch the numbers of the axis.
        const [anchor, aside] = i === 0 ? ["start", -5] : i === x.length - 1 ? ["end", 5] : ["middle", 0];
        [down ? "▼" : "▲", text(Number(value.toFixed(1)))].forEach((words, line) =>
          svg.append(
            shape(
              "text",
              {
                x: px + aside,
                y: down ? height - BOTTOM - 18 + 13 * line : TOP + 10 + 13 * line,
                "text-anchor": anchor,
                style: `fill: ${color}`,
              },
              words,
            ),
          ),
        );
        continue;
      }
      const error = errors?.[i];
      if (error)
        svg.append(
          shape("line", {
            x1: px,
            x2: px,
            y1: placeY(value - error),
            y2: placeY(value + error),
            stroke: color,
            "stroke-width": 1.5,
          }),
        );
      if (!flat)
        svg.append(
          shape(
            "circle",
            { cx: px, cy: py, r: 3.5, fill: color },
            shape(
              "title",
              {},
              `${name}, ${x_title} ${ticks?.[i] || text(x[i])}: ${text(value)}${error ? ` ± ${text(error)}` : ""}`,
            ),
          ),
        );
    }
    const mark = shape(
      "svg",
      { viewBox: "0 0 18 10", width: 18, height: 10, "aria-hidden": "true" },
      shape("line", {
        x1: 0,
        x2: 18,
        y1: 5,
        y2: 5,
        stroke: color,
        "stroke-width": 2.5,
        ...(flat ? { "stroke-dasharray": "5 4" } : {}),
      }),
    );
    const entry = document.createElement("span");
    entry.append(mark, ` ${name}`);
    legend.append(entry, " ");
  });
  const figure = document.createElement("figure");
  figure.className = "curves";
  figure.append(svg);
  if (lines.length > 1) figure.append(legend);
  return figure;
}
