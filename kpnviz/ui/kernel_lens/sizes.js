// The page Sizes: the kernels of all sizes side by side, and beside the picture a map of which size is best where.

const CLASS_COLORS = ["#f5d547", "#1fa79a", "#9155c9"]; // small, middle, large; ordered by lightness, color-blind safe
const NO_CLASS = "#8a8f98";
const SMALLEST_MARKED = 30; // CSS pixels: marks would cover a smaller kernel
const ASIDE = 210; // CSS pixels: with so much room at the right of the map, its legend stands there
const NOTE_GAP = 15; // CSS pixels above the note
const HEAVY = 0.6; // of the map's color over the picture

// What is best at one place: `local` has the PSNR in dB of each method there, `classes` the class of each (null: it has
// several sizes, and is not compared). The method that leads, the one that is best of another class, and the lead in dB.
function leadAt(local, classes) {
  const best = new Map();
  classes.forEach((number, m) => {
    if (number === null) return;
    if (!best.has(number) || local[m] > local[best.get(number)]) best.set(number, m);
  });
  const [first, second] = [...best.values()].sort((a, b) => local[b] - local[a]);
  return { first, second, lead: local[first] - local[second] };
}

// How many pixels each class leads on, as shares; the last one is of those on which none does. `index` is 0 there.
function sharesOf(index, count) {
  const counts = new Array(count + 1).fill(0);
  for (const number of index) counts[(number + count) % (count + 1)] += 1;
  return counts.map((those) => those / index.length);
}

// A share that is not 0 is not written as 0.
const shareText = (share) => (share > 0 && share < 0.005 ? "< 1 %" : percent(share));

const shortTitle = ({ title }) => title.replace(/^KPN (?=L\d)/, "");

// "L1, L3" or "L5–L9": of methods in the order of their sizes.
const span = (titles) => (titles.length > 2 ? `${titles[0]}–${titles.at(-1)}` : titles.join(", "));

class Sizes {
  constructor(lens) {
    this.lens = lens;
    this.picture = make("canvas", "picture");
    this.marks = make("canvas", "marks");
    this.stage = { role: "map", marks: this.marks, element: make("div", "stage map", this.picture, this.marks) };
    lens.find(".map-of-sizes .stages").append(this.stage.element);
    this.same = lens.find("[name=same]").closest("label");
    this.menu = this.same.parentNode;
  }

  get data() {
    return this.lens.data?.sizes;
  }

  get hasMap() {
    return Boolean(this.data?.index);
  }

  // Once per payload: what is on the page here only.
  build() {
    const { lens, data } = this;
    const { find } = lens;
    lens.root.classList.toggle("sizes", Boolean(data));
    find(".map-of-sizes").hidden = !this.hasMap;
    find(".of-frame").hidden = !data;
    // How large a pixel is drawn matters more here: its switch stands in the bar.
    if (!data) return this.menu.append(this.same);
    find(".of-frame").after(this.same);
    // One weight of 1x1 is as strong as the sum of all of 25x25: on one scale of colors the large ones would be blank.
    if (!this.began) this.began = lens.each = true;
    const moved = (i) => (i === 0 ? ", the reference" : lens.data.shifts ? `, moved by ${offset(lens.data.shifts[i])} px` : "");
    find("[name=frame]").replaceChildren(...Array.from({ length: lens.frames }, (_, i) => new Option(`${i}${moved(i)}`, i)));
    if (!this.hasMap) return;
    find(".rule").textContent = this.rule;
    const shares = sharesOf(data.index, data.titles.length);
    const shown = data.titles
      .map((title, number) => ({ title, number, share: shares[number] }))
      .filter(({ number }) => data.classes.includes(number));
    const entry = (color, name, members, share, tip) => {
      const swatch = make("i", "swatch");
      swatch.style.background = color;
      const item = make("span", "entry", swatch, make("b", "", name), members, ` ${shareText(share)}`);
      item.title = tip;
      item.style.setProperty("--share", share);
      item.style.setProperty("--color", color);
      return item;
    };
    find(".shares").replaceChildren(
      ...shown.map(({ title, number, share }) =>
        entry(CLASS_COLORS[number], title, this.membersOf(number), share, `${title} kernels lead by ${data.tie} dB or more on ${shareText(share)} of the pixels`),
      ),
      entry(NO_CLASS, "tie", "", shares.at(-1), `No class leads by ${data.tie} dB: the picture is left gray`),
    );
  }

  // How the map is made.
  get rule() {
    const { tie, sigma, classes } = this.data;
    return (
      `In the map, over the truth, a class counts with the best of its sizes in a Gaussian window (σ = ${sigma} px), and a pixel is ` +
      `colored where one class is ${tie} dB or more ahead of all others.` +
      (classes.includes(null) ? " MKPN has several sizes: it is of no class." : "")
    );
  }

  membersOf(number) {
    const { lens, data } = this;
    return span(lens.kernelMethods.filter((_, m) => data.classes[m] === number).map(shortTitle));
  }

  // PSNR in dB around the pixel, of each method.
  localAt(y, x) {
    const { height: H, width: W } = this.lens.data;
    return this.data.classes.map((_, m) => this.data.local[(m * H + y) * W + x]);
  }

  // As Lens.kernelsAt, of the chosen frame alone: the mouse does not wait for 25x25 weights of all the others.
  foundAt(y, x) {
    const { lens } = this;
    return lens.kernelMethods.map(({ kernels }) => {
      const { values, shape: [N, ...rest] } = kernels.factors;
      const frame = Math.min(lens.frame, N - 1);
      const length = rest.reduce((a, b) => a * b);
      const factors = { values: values.subarray(frame * length, (frame + 1) * length), shape: [1, ...rest] };
      const [weights] = effectiveKernels({ ...kernels, factors }, y, x);
      const { mass, centroid } = kernelStats(weights, kernels.K);
      return { K: kernels.K, cells: [{ weights, centroid, share: mass / N }] };
    });
  }

  colorOf(m) {
    const number = this.data.classes[m];
    return number === null ? NO_CLASS : CLASS_COLORS[number];
  }

  // --- layout -----------------------------------------------------------------------------------

  layOut(width, seen, type) {
    const { lens } = this;
    const { find, data } = lens;
    const high = (selector) => find(selector).offsetHeight;
    const around = high(".looking") - high(".looking .stages");
    const maps = this.hasMap ? 1 : 0;
    const pictures = lens.compare === "pair" ? 2 : 1;
    const below = DESK_GAP / 2 + high(".inside") - high(".rows") - high(".note") - NOTE_GAP; // one reads the note later
    const aspect = data.width / data.height;
    const places = sizesDesk(width, seen - around - below, pictures, maps, aspect, lens.kernelMethods.length, type);
    const { beside, stage, side, columns } = places;
    this.size = lens.pictures.place({ beside, width: stage });
    const [w, h] = this.size;
    Object.assign(this.stage.element.style, { width: `${w}px`, height: `${h}px` });
    const room = width - (pictures + maps) * stage - DESK_GAP - (pictures - 1) * CELL_GAP;
    this.aside = this.hasMap && beside && room >= ASIDE * type;
    find(".map-of-sizes").classList.toggle("aside", this.aside);
    find(".note").textContent = VIEWS.sizes.note(lens);
    lens.root.classList.toggle("beside", beside);
    lens.rows.place({ named: true, columns, side });
    find(".rows").style.maxHeight = "";
  }

  // --- painting ---------------------------------------------------------------------------------

  paintBitmaps() {
    if (!this.hasMap) return;
    const { lens, data } = this;
    const { height: H, width: W, white_level: white } = lens.data;
    const { image } = lens.truth;
    const rgb = CLASS_COLORS.map((hex) => [5, 3, 1].map((i) => parseInt(hex.slice(i, i + 2), 16))); // ABGR
    const colorOf = (i) => {
      const value = 255 * lens.pictures.transfer(image[i] / white);
      const color = rgb[data.index[i] - 1];
      if (!color) return gray(value / 255);
      return color.reduce((packed, c) => packed * 256 + Math.round(HEAVY * c + (1 - HEAVY) * value), 255) >>> 0;
    };
    this.bitmap = bitmap(H, W, colorOf, this.bitmap);
  }

  paint() {
    if (!this.hasMap) return;
    const { view, data } = this.lens;
    const { scale } = this.lens;
    const context = prepare(this.picture, ...this.size);
    context.drawImage(this.bitmap, -view.x * scale, -view.y * scale, data.width * scale, data.height * scale);
  }

  paintCursor(shifts) {
    if (!this.data) return;
    this.lens.find("[name=frame]").value = this.lens.frame;
    if (!this.hasMap) return;
    this.lens.pictures.paintMarks(this.stage, shifts);
    this.lens.find(".here").textContent = this.hereText();
  }

  // Which class leads at the cursor, and by how much.
  hereText() {
    const { lens, data } = this;
    const [y, x] = lens.cursor;
    const local = this.localAt(y, x);
    const { first, second, lead } = leadAt(local, data.classes);
    const names = [first, second].map((m) => shortTitle(lens.kernelMethods[m]));
    if (!data.index[y * lens.data.width + x]) return `here none leads: ${names.join(" and ")} are less than ${data.tie} dB apart`;
    return `here ${data.titles[data.classes[first]]}: ${names[0]} is ${lead.toFixed(2)} dB ahead of ${names[1]}`;
  }
}

VIEWS.sizes = {
  title: "Kernels of all sizes",
  available: (lens) => Boolean(lens.data.sizes),
  rows: (lens) => [
    {
      kind: "sizes",
      title: "",
      method: null,
      count: lens.kernelMethods.length,
      panels: lens.kernelMethods.map(({ panel }) => lens.data.panels[panel]),
    },
  ],
  contents(lens) {
    const { sizes, found, frame } = lens;
    const local = sizes.localAt(...lens.cursor);
    const best = local.indexOf(Math.max(...local));
    return {
      cells: found.map(({ K, cells }, m) => {
        const [{ weights, centroid, share }] = cells;
        const marks = lens.marks && (!lens.sameScale || (lens.rows.side * K) / lens.largest >= SMALLEST_MARKED);
        const panel = lens.data.panels[lens.kernelMethods[m].panel];
        return {
          text: panel.scores?.psnr == null ? "" : `${panel.scores.psnr.toFixed(1)} dB`,
          more: `here ${local[m].toFixed(1)} dB`,
          strong: m === best,
          tip:
            `${panel.title}: ${K}×${K} px; frame ${frame} has a share of ${signed(100 * share, 1)} %. PSNR ${lens.pictures.scoreOf(panel)} over the picture, ` +
            `${local[m].toFixed(2)} dB around this pixel. Click: show it at the right; with Shift, at the left`,
          reach: { share: K / lens.largest, color: sizes.colorOf(m) },
          draw: (canvas, size) =>
            drawKernel(canvas, size, {
              ...{ weights, K, boxSize: lens.sameScale ? lens.largest : K, palette: lens.palette, ink: lens.ink, max: lens.endOf(weights) },
              centroid: marks ? centroid : null,
              shift: marks && frame > 0 ? lens.shifts?.[frame] : null,
            }),
        };
      }),
      lines: [],
    };
  },
  note: (lens) =>
    `The bar under a kernel is as wide as the kernel truly is, and full at ${lens.largest} px. PSNR: of the whole picture; here: in a ` +
    `Gaussian window (σ = ${lens.data.sizes.sigma} px) around the pixel, bold where it is highest. ` +
    (lens.sizes.aside ? "" : lens.sizes.hasMap
      ? lens.sizes.rule
      : "All these sizes are of one class, so there is no map of which class is best where."),
};
