// What a person sets in Explore, and how a link writes it: kpnviz/ui/parameters.py and link_formats.py. The same link shows the
// same in app and site.

/** @import { Shift } from "./types" */
/** @import { Display } from "../../lens/scripts/types" */

/**
 * @typedef {object} State
 * @property {string} photo
 * @property {boolean} color
 * @property {number} crop
 * @property {number} top
 * @property {number} left
 * @property {number} frames
 * @property {number} gain
 * @property {string} shake
 * @property {Shift[]} shifts
 * @property {boolean} moving
 * @property {number} seed
 * @property {import("./types").Camera} camera  beside its shake
 * @property {string[]} methods
 * @property {[number, number] | null} pixel
 * @property {Partial<Display>} display  what is not as at first
 * @property {Partial<Display>} noise  the same of the page Noise
 * @property {Partial<Display> & { other: string, shown: string, frame: number }} sizes  what the page Sizes compares, the frame of its kernels, and how
 * @property {Record<string, string>} results  what the page Results shows, by the names of `Offer.results`
 * @property {number} lesson  counted from 0
 * @property {boolean} teach  in front of a class: large type
 * @property {Record<string, string>} others  what means something in the app alone, as the link has it
 */

/**
 * What the controls offer: kpnviz/site/building.py writes it into the page.
 * @typedef {object} Offer
 * @property {string[]} photos
 * @property {{ name: string, title: string, config: import("./types").Config }[]} models
 * @property {string[]} methods  that are shown at first
 * @property {number} most_methods
 * @property {number[]} crops
 * @property {number} most_gain
 * @property {number} most_seed
 * @property {number} most_frames
 * @property {number} most_shift
 * @property {number} reduction
 * @property {number} reduced  pixels a side of a photo, reduced
 * @property {Record<string, import("./types").MovingObject>} moving  of each photo; center and diameter in sides of the crop
 * @property {Record<string, import("./types").Misalignment>} shakes  by their names in a link
 * @property {Record<string, string>} shake_titles
 * @property {import("./types").Camera} camera  the most of each
 * @property {Record<keyof import("./types").Camera, [string, string]>} camera_titles  and what it means
 * @property {Record<string, { start: string, options: string[] }>} results  what the page Results shows at first, and may show
 * @property {Record<string, string>} helps  what controls mean, by the keys of the state
 * @property {Display} display
 * @property {Record<string, string[]>} display_choices
 * @property {string[]} kernel_views  of the app's page Kernels, by their names in a link
 * @property {string} version  of links
 * @property {string[]} sized  networks that the page Sizes compares
 * @property {number} lessons  how many there are
 * @property {Record<string, Record<string, string>>} texts  of the pages, HTML: kpnviz.lens.texts.pages
 * @property {number} far  dB beyond which a size is written at the end of the axis
 * @property {{ gains: number[], crop: number }} matrix  of true and assumed noise; crop: pixels a side of its bursts
 * @property {import("./examples.js").Example[]} examples
 * @property {import("./examples.js").Measured[]} numbers  that texts state
 * @property {boolean} scene  whether the guided scene's networks and photos are on the site
 * @property {string} installation  address of how the app is installed
 * @property {string} kernel_keys  those of a file of kernels, explained
 */

const CHANNELS = ["R", "G", "B"];

/** The photo that a visitor brought: it stays in the page, so that no link names it. */
export const OWN = "your photo";

/** Camera shake that is a table of shifts. */
export const BY_HAND = "hand";

/** Camera shake whose camera turns as the seed says. */
export const HANDHELD = "handheld";

const CAMERA = /** @type {const} */ (["rotation", "tilt", "shutter", "parallax"]);

const SCENES = ["explore", "kernels", "noise", "sizes"];
const WITH_METHODS = ["explore", "kernels", "noise"];

/**
 * Whether links to a page hold a parameter: `pages` of kpnviz/ui/parameters.py.
 * @param {string} name
 * @param {string} page
 */
export function isNamedIn(name, page) {
  if (name === "v" || name === "teach") return true;
  if (name === "methods") return WITH_METHODS.includes(page);
  if (name === "lesson") return page === "learn";
  if (name === "sizes") return page === "sizes";
  if (IN_APP.includes(name)) return page === "kernels";
  if (name.startsWith("noise_")) return page === "noise";
  if (name.startsWith("sizes_")) return page === "sizes";
  if (name.startsWith("results_")) return page === "results";
  if (name in DISPLAY_LIMITS) return page === "explore";
  return SCENES.includes(page);
}

/** One parameter of each part of the state that has a name of its own. */
const PART_OF = {
  display: "frame",
  noise: "noise_frame",
  results: "results_motion",
  camera: "rotation",
  others: "kernels_view",
};

/**
 * A state that a link to a page stands for, with what such a link does not hold as it was before.
 * @param {State} state
 * @param {State} before
 * @param {string} page
 * @returns {State}
 */
export function withOthersOf(state, before, page) {
  const others = Object.entries(before).filter(
    ([key]) => !isNamedIn(PART_OF[/** @type {keyof typeof PART_OF} */ (key)] ?? key, page),
  );
  return { ...state, ...Object.fromEntries(others) };
}

/**
 * What the page Sizes compares at first: the smallest size and the largest, or the only one and MKPN.
 * @param {Offer} offer
 */
export function firstSizes({ models, sized }) {
  const here = sized.flatMap((name) => models.filter((model) => model.name === name)); // the smallest first
  const of = (/** @type {boolean} */ single) =>
    here.filter(({ config }) => (config.sizes.length === 1) === single).map(({ name }) => name);
  const single = of(true);
  const two = single.length > 1 ? [single[0], single[single.length - 1]] : [...single, ...of(false)];
  return { other: two.length > 1 ? two[0] : "frame", shown: two[two.length > 1 ? 1 : 0] ?? "", frame: 0 };
}

/**
 * Where a crop lies in the middle of a photo, in pixels of the photo reduced.
 * @param {{ H: number, W: number }} photo
 * @param {number} crop
 * @param {number} reduction
 */
export function middleOf({ H, W }, crop, reduction) {
  const [height, width] = [H, W].map((length) => Math.floor(length / reduction));
  const side = Math.min(crop, height, width);
  return { top: (height - side) >> 1, left: (width - side) >> 1 };
}

/**
 * Whether a person may set how the camera turns: objects move where it only shifts.
 * @param {State} state
 */
export function mayTurn({ moving, shake }) {
  return !moving && shake !== HANDHELD;
}

/**
 * @param {Offer} offer
 * @returns {State}
 */
export function defaults(offer) {
  const { photos, methods } = offer;
  const photo = photos.includes("dog") ? "dog" : photos[0];
  return {
    ...{
      photo,
      color: true,
      crop: 128,
      top: 64,
      left: 64,
      frames: 8,
      gain: 4,
      shake: "paper",
      shifts: [],
      moving: false,
      seed: 0,
    },
    ...{ camera: { rotation: 0, tilt: 0, shutter: 0, parallax: 0 }, methods: [...methods], pixel: null, display: {} },
    ...{ noise: {}, sizes: firstSizes(offer), lesson: 0, teach: false, others: {} },
    results: Object.fromEntries(Object.entries(offer.results).map(([name, { start }]) => [name, start])),
  };
}

/**
 * The query of a state, without "?".
 * @param {State} state
 * @param {Offer} offer
 * @param {string} [page]  what links to it hold; without one, all
 */
export function writeLink(state, offer, page) {
  const query = new URLSearchParams({ v: offer.version });
  const put = (/** @type {string} */ name, /** @type {unknown} */ value) => query.set(name, String(value));
  for (const name of /** @type {const} */ (["photo", "color", "crop", "top", "left", "frames", "gain", "shake"]))
    if (state.photo !== OWN || !["photo", "top", "left"].includes(name))
      put(name, typeof state[name] === "boolean" ? Number(state[name]) : state[name]);
  if (state.shake === BY_HAND)
    put(
      "shifts",
      shiftsFor(state.shifts, state.frames)
        .map((shift) => shift.join("~"))
        .join("_"),
    );
  if (state.shake !== HANDHELD) put("moving", Number(state.moving)); // nothing moves by itself where the camera turns
  put("seed", state.seed);
  for (const name of CAMERA)
    if (mayTurn(state) && state.camera[name]) put(name, Number(state.camera[name].toPrecision(12)));
  put("methods", state.methods.join("~"));
  if (state.pixel) put("pixel", state.pixel.join("~"));
  const putDisplay = (/** @type {Partial<Display>} */ display, prefix = "", names = Object.keys(DISPLAY_LIMITS)) => {
    for (const [option, value] of Object.entries(display)) {
      const start =
        names === OF_SIZES && option === "look"
          ? LOOKS_OF_SIZES[0]
          : offer.display[/** @type {keyof Display} */ (option)];
      if (!names.includes(option) || JSON.stringify(value) === JSON.stringify(start)) continue;
      const name = prefix + option;
      if (option === "channel") put(name, CHANNELS[Number(value)]);
      else if (option === "off")
        put(
          name,
          Object.entries(value ?? {})
            .sort()
            .map(([method, sizes]) => [method, ...sizes].join("."))
            .join("~"),
        );
      else if (option === "region") put(name, value || "all");
      else
        put(
          name,
          Array.isArray(value)
            ? value.map((number) => Number(number.toPrecision(6))).join("~")
            : typeof value === "boolean"
              ? Number(value)
              : value,
        );
    }
  };
  putDisplay(state.display);
  putDisplay(state.noise, "noise_");
  putDisplay(state.sizes, "sizes_", OF_SIZES);
  const { other, shown, frame } = state.sizes;
  const sizes = (/** @type {{ other: string, shown: string, frame: number }} */ of) =>
    `${of.other}~${of.shown}~${Math.min(of.frame, state.frames - 1)}`;
  if (sizes({ other, shown, frame }) !== sizes(firstSizes(offer))) put("sizes", sizes(state.sizes));
  for (const [name, { start }] of Object.entries(offer.results))
    if (state.results[name] !== start) put(`results_${name}`, state.results[name]);
  if (state.lesson) put("lesson", state.lesson + 1);
  if (state.teach) put("teach", 1);
  for (const [name, value] of Object.entries(state.others)) put(name, value);
  if (page !== undefined) for (const name of [...query.keys()]) if (!isNamedIn(name, page)) query.delete(name);
  return query.toString().replaceAll("%7E", "~");
}

/** Pictures beside those of networks. */
export const PANELS = ["frame", "mean", "truth"];

const MOST_PROBLEMS = 5; // of a link that are said
const REGIONS = ["9", "17", "33", "65", "all"];
const MOST_MOVED = 16; // pixels that a frame is moved by hand
const LEAST_ZOOM = 0.4; // beside each other, two pictures show a half each

/** @type {Record<string, [number, number] | "flag" | "choice" | "panel" | "view" | "frame" | "channel" | "region" | "off" | "frames" | "moved">} */
const DISPLAY_LIMITS = {
  ...{
    frame: "frame",
    mode: "choice",
    against: "panel",
    stops: [-2, 4],
    linear: "flag",
    view: "view",
    compare: "choice",
  },
  ...{ shown: "panel", other: "panel", look: "choice", assumed: [-2, 2], channel: "channel" },
  ...{
    all: "flag",
    region: "region",
    kinds: [2, 8],
    off: "off",
    keep: "flag",
    dropped: "frames",
    nonnegative: "flag",
    moved: "moved",
    anew: "flag",
  },
};

/** Options of the lens that the page Sizes has, beside those that it always sets. */
const OF_SIZES = ["look", "compare", "mode", "against", "stops", "linear", "view", "channel", "all", "off", "keep"];
const LOOKS_OF_SIZES = ["sizes", "parts"]; // the first one at first

/**
 * The options of the page Sizes that a link holds.
 * @param {Display} display
 * @returns {State["sizes"]}
 */
export function ofSizes(display) {
  const { other, shown, frame } = display;
  return {
    other,
    shown,
    frame,
    ...Object.fromEntries(OF_SIZES.map((name) => [name, display[/** @type {keyof Display} */ (name)]])),
  };
}

// What the app's page Kernels shows, and what its What if was once called.
const WHAT_IF = [
  "if_method",
  "if_dropped",
  "if_sizes",
  "if_nonnegative",
  "if_renormalize",
  "if_frame",
  "if_dy",
  "if_dx",
  "if_anew",
];
const IN_APP = ["kernels_view", ...WHAT_IF, ...Object.keys(DISPLAY_LIMITS).map((name) => `in_${name}`)];

/**
 * Shifts of so many frames; those that are missing do not move.
 * @param {Shift[]} shifts
 * @param {number} frames
 * @returns {Shift[]}
 */
export function shiftsFor(shifts, frames) {
  return Array.from({ length: frames }, (_, i) => shifts[i] ?? [0, 0]);
}

/**
 * The state that a query stands for, or the nearest one that there is, and a sentence on what was wrong ("" if nothing).
 * @param {string} search
 * @param {Offer} offer
 * @returns {[State, string]}
 */
export function readLink(search, offer) {
  const query = new URLSearchParams(search);
  const state = defaults(offer);
  /** @type {string[]} */
  const problems = [];
  if (query.get("v") === "1" && !query.has("color")) state.color = false; // all bursts of version 1 were gray
  const version = query.get("v") ?? offer.version;
  if (![offer.version, "1"].includes(version))
    problems.push(`it is of version ${quoted(version)}, and version ${offer.version} is read here`);
  const known = new Set([
    "v",
    "shifts",
    ...CAMERA,
    ...Object.keys(state),
    ...Object.keys(DISPLAY_LIMITS),
    ...Object.keys(DISPLAY_LIMITS).map((name) => `noise_${name}`),
    ...OF_SIZES.map((name) => `sizes_${name}`),
    ...Object.keys(offer.results).map((name) => `results_${name}`),
    ...IN_APP,
  ]);
  for (const name of new Set(query.keys()))
    if (query.getAll(name).length > 1 && known.has(name))
      problems.push(`${name} is there ${query.getAll(name).length} times, the first is taken`);
  for (const name of query.keys())
    if (!known.has(name) || ["display", "noise", "results", "camera", "others"].includes(name))
      problems.push(`${quoted(name)} means nothing here`);
  const wrong = (/** @type {string} */ name, /** @type {string} */ problem) =>
    problems.push(`${name} ${quoted(query.get(name) ?? "")} ${problem}`);
  const within = (
    /** @type {string} */ name,
    /** @type {number} */ start,
    /** @type {number} */ low,
    /** @type {number} */ high,
    whole = true,
  ) => {
    const text = query.get(name);
    if (text === null) return Math.min(Math.max(start, low), high);
    const value = numberIn(text);
    if (Number.isNaN(value)) {
      wrong(name, `is not a number, ${start} is shown`);
      return start;
    }
    const nearest = Math.min(Math.max(value, low), high);
    if (nearest !== value) wrong(name, `lies outside ${low} to ${high}, ${nearest} is the nearest`);
    if (!whole || Number.isInteger(nearest)) return nearest;
    wrong(name, `is not a whole number, ${rounded(nearest)} is shown`);
    return rounded(nearest);
  };
  const flag = (/** @type {string} */ name, /** @type {boolean} */ start) => {
    const text = query.get(name);
    if (text === null || ["0", "1"].includes(text)) return text === null ? start : text === "1";
    wrong(name, `is not 0 (off) or 1 (on), ${Number(start)} is shown`);
    return start;
  };
  const among = (/** @type {string} */ name, /** @type {string} */ start, /** @type {string[]} */ options) => {
    const text = query.get(name);
    if (text === null || options.includes(text)) return text ?? start;
    wrong(name, `is unknown, ${start} is shown`);
    return start;
  };
  state.photo = among("photo", state.photo, offer.photos);
  state.color = flag("color", state.color);
  const crop = within("crop", state.crop, 1, 1e6);
  state.crop = offer.crops.reduce((best, one) => (Math.abs(one - crop) < Math.abs(best - crop) ? one : best));
  if (state.crop !== crop)
    problems.push(`crop ${crop} is not one of ${offer.crops.join(", ")}, ${state.crop} is the nearest`);
  const side = Math.min(state.crop, offer.reduced);
  state.top = within("top", state.top, 0, offer.reduced - side);
  state.left = within("left", state.left, 0, offer.reduced - side);
  state.frames = within("frames", state.frames, 1, offer.most_frames);
  state.gain = Number(within("gain", state.gain, 1, offer.most_gain, false).toFixed(1));
  state.shake = among("shake", state.shake, [...Object.keys(offer.shakes), BY_HAND]);
  if (state.shake === BY_HAND && query.has("shifts")) {
    const limit = /** @type {[number, number]} */ ([-offer.most_shift, offer.most_shift]);
    const shifts = (query.get("shifts") ?? "").split("_").map((text) => numbers(text, [limit, limit]));
    if (shifts.length !== state.frames || shifts.includes(null) || String(shifts[0]) !== "0,0")
      wrong(
        "shifts",
        `are not dy~dx of ${state.frames} frames, the first 0~0 and all within ±${offer.most_shift}, the frames that are missing or wrong do not move`,
      );
    const whole = shifts.map((shift) => /** @type {Shift} */ ((shift ?? [0, 0]).map(rounded)));
    if (shifts.some((shift, i) => shift && String(shift) !== String(whole[i])))
      wrong("shifts", "are not whole, the nearest ones are shown");
    state.shifts = shiftsFor([[0, 0], ...whole.slice(1)], state.frames);
  }
  const alone = (/** @type {string} */ name, /** @type {boolean} */ may, /** @type {string} */ others) =>
    may || Number(query.get(name)) === 0 || wrong(name, `goes only with ${others}, it is left out`);
  if (state.shake !== HANDHELD) state.moving = flag("moving", false);
  else alone("moving", false, "another camera shake than handheld");
  state.seed = within("seed", state.seed, 0, offer.most_seed);
  for (const name of CAMERA) alone(name, mayTurn(state), "moving=0 and another camera shake than handheld");
  for (const name of CAMERA)
    if (mayTurn(state)) state.camera[name] = Number(within(name, 0, 0, offer.camera[name], false).toFixed(1));
  state.methods = readMethods(query, offer, problems) ?? state.methods;
  if (query.has("pixel")) {
    const pixel = numbers(query.get("pixel") ?? "", [
      [-1e6, 1e6],
      [-1e6, 1e6],
    ]);
    if (!pixel) wrong("pixel", "is not y~x, none is pinned");
    else {
      const [y, x] = pixel.map((value) => Math.min(Math.max(rounded(value), 0), side - 1));
      if (pixel.some((value) => value < 0 || value > side - 1))
        wrong("pixel", `lies outside the crop, ${y}~${x} is the nearest`);
      else if (String(pixel) !== String([y, x])) wrong("pixel", `is not whole, ${y}~${x} is the nearest`);
      state.pixel = [y, x];
    }
  }
  const readDisplay = (prefix = "", names = Object.keys(DISPLAY_LIMITS)) => {
    /** @type {Record<string, unknown>} */
    const display = {};
    for (const option of names) {
      const [name, limits] = [prefix + option, DISPLAY_LIMITS[option]];
      if (!query.has(name)) continue;
      const start = /** @type {any} */ (offer.display)[option];
      if (names === OF_SIZES && option === "look") display[option] = among(name, LOOKS_OF_SIZES[0], LOOKS_OF_SIZES);
      else if (limits === "choice") display[option] = among(name, start, offer.display_choices[option]);
      else if (limits === "channel") display[option] = CHANNELS.indexOf(among(name, CHANNELS[start], CHANNELS));
      else if (limits === "panel") {
        const panel = currentName(query.get(name) ?? "", offer);
        const known = panel === start || PANELS.includes(panel) || offer.models.some((model) => model.name === panel);
        if (!known) wrong(name, `is no picture here, ${start || "the last method"} is shown`);
        display[option] = known ? panel : start;
      } else if (limits === "flag") display[option] = flag(name, Boolean(start));
      else if (limits === "frame") display[option] = within(name, start, 0, state.frames - 1);
      else if (limits === "view") {
        display[option] = numbers(query.get(name) ?? "", [
          [0, side],
          [0, side],
          [LEAST_ZOOM, side / 4],
        ]);
        if (!display[option]) wrong(name, "is not top~left~zoom, the whole picture is shown");
      } else if (limits === "region") {
        const side = among(name, `${start}`, REGIONS);
        display[option] = side === "all" ? 0 : Number(side);
      } else if (limits === "off") display[option] = readSizesOff(name, query.get(name) ?? "", offer, problems);
      else if (limits === "frames") {
        const parts = (query.get(name) ?? "").split("~").filter(Boolean);
        const frames = [...new Set(parts.filter((part) => /^\d{1,8}$/.test(part)).map(Number))].filter(
          (frame) => frame < state.frames,
        );
        if (frames.length !== parts.length)
          wrong(name, `are not frames of 0 to ${state.frames - 1} joined by ~, others are left out`);
        display[option] = frames.sort((a, b) => a - b);
      } else if (limits === "moved") {
        const last = state.frames - 1;
        const moved = numbers(query.get(name) ?? "", [
          [1, last],
          [-MOST_MOVED, MOST_MOVED],
          [-MOST_MOVED, MOST_MOVED],
        ]);
        if (!moved)
          wrong(
            name,
            last
              ? `is not frame~dy~dx of a frame of 1 to ${last} and within ±${MOST_MOVED}, none is moved`
              : "moves a frame, and the burst has no other than frame 0, none is moved",
          );
        const whole = moved?.map(rounded) ?? [1, 0, 0];
        display[option] = whole[1] || whole[2] ? whole : null;
      } else display[option] = within(name, start, ...limits, option === "kinds");
    }
    return display;
  };
  state.display = readDisplay();
  state.noise = readDisplay("noise_");
  if (query.has("sizes")) {
    const [other, shown, frame] = [...(query.get("sizes") ?? "").split("~"), "", ""];
    const here = [...offer.sized, ...PANELS];
    if (here.includes(other) && here.includes(shown) && /^\d{1,2}$/.test(frame) && Number(frame) < state.frames)
      state.sizes = { other, shown, frame: Number(frame) };
    else wrong("sizes", "are not two pictures and a frame joined by ~, the smallest and the largest size are shown");
  }
  Object.assign(state.sizes, readDisplay("sizes_", OF_SIZES));
  for (const [name, { start, options }] of Object.entries(offer.results))
    state.results[name] = among(`results_${name}`, start, options);
  state.lesson = within("lesson", 1, 1, offer.lessons) - 1;
  state.teach = flag("teach", false);
  for (const name of IN_APP) if (query.has(name)) state.others[name] = (query.get(name) ?? "").slice(0, 200);
  const [first] = offer.kernel_views;
  if (among("kernels_view", first, offer.kernel_views) === first) delete state.others.kernels_view;
  for (const option of Object.keys(DISPLAY_LIMITS)) {
    const before = problems.length;
    readDisplay("in_", [option]);
    if (problems.length > before) delete state.others[`in_${option}`];
  }
  const more = problems.length - MOST_PROBLEMS;
  return [
    state,
    problems.length
      ? `Not all of this link could be followed: ${problems.slice(0, MOST_PROBLEMS).join("; ")}${more > 0 ? `; and ${more} more` : ""}.`
      : "",
  ];
}

/**
 * Before there was matching, all networks stacked their frames; those that do now have a name that says so.
 * @param {string} name
 * @param {Offer} offer
 */
function currentName(name, { models }) {
  const has = (/** @type {string} */ one) => models.some((model) => model.name === one);
  return !has(name) && has(`${name}-stacked`) ? `${name}-stacked` : name;
}

/**
 * Kernel sizes that are switched off: "mkpn.1.3", methods joined by ~.
 * @param {string} option  its name in the link
 * @param {string} text
 * @param {Offer} offer
 * @param {string[]} problems
 */
function readSizesOff(option, text, offer, problems) {
  /** @type {Record<string, number[]>} */
  const found = {};
  for (const part of text ? text.split("~") : []) {
    const [, written, sizes] = /^(.+?)((?:\.\d{1,2})+)$/.exec(part) ?? [];
    const name = currentName(written ?? "", offer);
    const known = offer.models.find((model) => model.name === name)?.config.sizes ?? [];
    const off = sizes ? [...new Set(sizes.slice(1).split(".").map(Number))].sort((a, b) => a - b) : [];
    if (off.length && off.every((size) => known.includes(size)) && !found[name]) found[name] = off;
    else problems.push(`${option} ${quoted(part)} is not a method here and some of its kernel sizes`);
  }
  return found;
}

/**
 * @param {URLSearchParams} query
 * @param {Offer} offer
 * @param {string[]} problems
 */
function readMethods(query, offer, problems) {
  const { models, most_methods } = offer;
  const text = query.get("methods");
  if (text === null) return null;
  const here = models.map(({ name }) => name);
  const names = [
    ...new Set(
      text
        .split("~")
        .filter(Boolean)
        .map((name) => currentName(name, offer)),
    ),
  ];
  const found = names.filter((name) => here.includes(name));
  for (const name of names)
    if (!here.includes(name)) problems.push(`method ${quoted(name)} is not on this site`);
    else if (found.indexOf(name) >= most_methods)
      problems.push(`method ${quoted(name)} is one too many, ${most_methods} are shown`);
  return found.length || !text ? found.slice(0, most_methods) : null; // nothing written: a person chose none
}

/**
 * The nearest whole number, of two the even one, as in Python: a link shows the same in the app.
 * @param {number} value
 */
function rounded(value) {
  const nearest = Math.round(value);
  return Math.abs(value % 1) === 0.5 && nearest % 2 ? nearest - 1 : nearest;
}

/** A decimal number, NaN if it is none. @param {string} text */
function numberIn(text) {
  return text.trim() === "" || /^\s*0[box]/i.test(text) ? NaN : Number(text);
}

/**
 * Numbers joined by ~, within their limits; null if they are not.
 * @param {string} text
 * @param {[number, number][]} limits
 */
function numbers(text, limits) {
  const values = text.split("~").map(numberIn);
  return values.length === limits.length && values.every((value, i) => value >= limits[i][0] && value <= limits[i][1])
    ? values
    : null;
}

/**
 * What a stranger wrote, short.
 * @param {string} text
 */
function quoted(text) {
  const visible = text.replace(/[\p{C}\p{Z}]/gu, " ");
  return text ? `“${visible.length > 40 ? `${visible.slice(0, 39)}…` : visible}”` : "(nothing)";
}
