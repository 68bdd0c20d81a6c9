// Where things stand: arithmetic alone, in CSS pixels.

const SMALLEST_KERNEL = 72;
const LARGEST_KERNEL = 176;
const SMALLEST_STAGE = 420;
const LARGEST_STAGE = 760;
const SMALLEST_ABOVE = 230; // where kernels stand under it: both are to be seen at once
const SMALLEST_FULL = 160; // where the lens fills the window
const [CLASS_LEAST, CLASS_MOST] = [0.33, 0.42]; // of the width, for a picture where letters are large: a class is to see the kernels
const FULL_CLASS_SHARE = 0.45; // the same where the lens fills the window
export const STRIP_KERNEL = 38; // the smallest where the lens fills the window; in a strip, of eight frames in one line of a telephone
export const COLUMN_SHARE = 0.45; // of the lens' width, for pictures in a low window
const SMALLEST_DOCKED = 150; // the stage of a telephone, if only so all kernels are in sight under it
export const LABELED_KERNEL = 30; // in a strip, smaller ones have no numbers under them
const [WORDY_LEAST, WORDY_MOST] = [40, 64]; // in a strip, of views whose long numbers take a line of their own
const SMALLEST_STRIP_KERNEL = 14;
const [STRIP_GAP, STRIP_NAME, STRIP_TEXT, BARE_TEXT, STRIP_ROW_GAP] = [3, 20, 21, 9, 4]; // between and under kernels of a strip
const MAX_LARGER = 1.25; // kernels grow with large letters, up to this
export const DESK_GAP = 20; // between pictures and kernels
const NARROW = 700; // below, kernels stand under the pictures
const LOW_NARROW = 440; // the same in a window that is too low for that
export const CELL_GAP = 6;
const CELL_TEXT = 24; // under a kernel: its share, and the gap to the next line
const ROW_GAP = 8; // between methods
export const NAME_WIDTH = 118; // of a method's name and numbers, where they stand beside its kernels
const [NAME_HEIGHT, NAME_LINE] = [44, 26]; // where they stand above: in two lines, or in one
const ONE_LINE = 480; // for which a name and its numbers need so much width
const FOUR_KERNELS = 4 * (SMALLEST_KERNEL + CELL_GAP);
const EIGHT_KERNELS = 2 * FOUR_KERNELS; // in one line

/**
 * @param {number} value
 * @param {number} low
 * @param {number} high
 */
export function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}

/**
 * Whether kernels stand beside the pictures in a lens `width` wide. One that fills a window of `height` has them below where
 * the window is higher than wide.
 * @param {number} width
 * @param {number | null} height
 * @param {boolean} low
 */
export function standsBeside(width, height = null, low = false) {
  return width >= (low ? LOW_NARROW : NARROW) && (height === null || width > height);
}

/**
 * The width of the stage, on which pictures of `aspect` = width / height are shown, in a lens `width` wide that has `height`
 * for it: the same whatever is shown there. `type` is how large letters are: 1 is usual.
 * @param {number} width
 * @param {number} height
 * @param {number} aspect
 * @param {{ type?: number, beside?: boolean, full?: boolean, most?: number }} options  full: the lens fills the window; most: what
 *   is left for it where the window is low: it may then be smaller than usual
 */
export function stageSize(
  width,
  height,
  aspect,
  { type = 1, beside = true, full = false, most: left = Infinity } = {},
) {
  const named = width - DESK_GAP - FOUR_KERNELS - NAME_WIDTH * type;
  const low = beside && Number.isFinite(left);
  const room = !beside
    ? width
    : low
      ? COLUMN_SHARE * width
      : named >= SMALLEST_STAGE
        ? named
        : width - DESK_GAP - FOUR_KERNELS;
  const most =
    beside && type > 1
      ? full
        ? FULL_CLASS_SHARE * width
        : clamp(width - DESK_GAP - EIGHT_KERNELS, CLASS_LEAST * width, CLASS_MOST * width)
      : room;
  const [least, highest] = full
    ? [SMALLEST_FULL, Infinity]
    : [beside ? SMALLEST_STAGE / clamp(type, 1, 1.3) : SMALLEST_ABOVE / clamp(type, 1, 1.3), LARGEST_STAGE];
  const smallest = Math.min(least, Math.max(left, SMALLEST_DOCKED));
  return Math.floor(Math.min(room, most, clamp(height, smallest, highest) * aspect));
}

/**
 * The height that `methods` rows of `count` small kernels under a picture should have; `arrangeStrip` does with less.
 * @param {number} width
 * @param {number} methods
 * @param {number} count
 */
export function stripHeight(width, methods, count, type = 1) {
  const fitting = Math.max(1, Math.floor((width + STRIP_GAP) / (STRIP_KERNEL + STRIP_GAP)));
  const lines = Math.min(2, Math.ceil(count / fitting));
  const side = Math.min(STRIP_KERNEL * type, Math.floor((width + STRIP_GAP) / Math.ceil(count / lines)) - STRIP_GAP);
  const text = side < LABELED_KERNEL ? BARE_TEXT : STRIP_TEXT * type;
  return methods * (STRIP_NAME * type + lines * (side + text)) + (methods - 1) * STRIP_ROW_GAP;
}

/**
 * Kernels in a strip, each row under its name: as large as fits a box of width x height, without numbers under them where they
 * are small. `wordy`: numbers are to be read in any case, each in a line of its own, and one scrolls to the last. `fits`: all are
 * in sight, or are to be scrolled to.
 * @param {number[]} counts
 * @param {number} width
 * @param {number} height
 */
export function arrangeStrip(counts, width, height, type = 1, wordy = false) {
  const most = Math.max(1, ...counts);
  if (wordy) {
    const across = Math.max(1, Math.floor((width + STRIP_GAP) / (WORDY_LEAST * type + STRIP_GAP)));
    const columns = Math.ceil(most / Math.ceil(most / across));
    return {
      named: false,
      columns,
      side: Math.min(Math.floor((width + STRIP_GAP) / columns) - STRIP_GAP, WORDY_MOST * type),
      fits: true,
    };
  }
  const down = height - counts.length * STRIP_NAME * type - (counts.length - 1) * STRIP_ROW_GAP;
  const fitting = Math.max(1, Math.floor((width + STRIP_GAP) / (SMALLEST_STRIP_KERNEL + STRIP_GAP)));
  let best = { named: false, columns: Math.min(most, fitting), side: SMALLEST_STRIP_KERNEL, fits: false };
  for (let columns = 1; columns <= Math.min(most, fitting); columns++) {
    const lines = counts.reduce((total, count) => total + Math.ceil(count / columns), 0);
    const across = Math.floor((width + STRIP_GAP) / columns) - STRIP_GAP;
    const labeled = Math.floor(Math.min(across, down / lines - STRIP_TEXT * type, LARGEST_KERNEL * type));
    const side =
      labeled >= LABELED_KERNEL ? labeled : Math.floor(Math.min(across, down / lines - BARE_TEXT, LABELED_KERNEL - 1));
    if (side >= SMALLEST_STRIP_KERNEL && (!best.fits || side > best.side))
      best = { named: false, columns, side, fits: true };
  }
  return best;
}

/**
 * The width of each of two pictures that share a stage.
 * @param {number} width
 */
export const halfOf = (width) => Math.floor((width - CELL_GAP) / 2);

const SMALLEST_PAIR = 280; // pictures that stand beside each other are at least so wide
const [ROOMY, ROOMY_STAGE] = [540, 384]; // where there is width for larger ones, kernels get more of the height
const SIZES_TEXT = 38; // under a kernel of the page Sizes: its true width, its name and two scores

/**
 * The page Sizes: one or two pictures and perhaps a map of `aspect`, beside each other where there is room, and under them
 * `count` kernels in as few lines as they are not below SMALLEST_KERNEL in. In a window that has `height` for pictures and
 * kernels: whether the map stands beside the pictures, the width of each, columns, and the side of a kernel.
 * @param {number} width
 * @param {number} height
 * @param {number} pictures
 * @param {number} maps
 * @param {number} aspect
 * @param {number} count
 */
export function sizesDesk(width, height, pictures, maps, aspect, count, type = 1) {
  const smallest = SMALLEST_KERNEL * clamp(type, 1, MAX_LARGER);
  const fitting = clamp(Math.floor((width + CELL_GAP) / (smallest + CELL_GAP)), 1, count);
  const lines = Math.ceil(count / fitting);
  const columns = Math.ceil(count / lines);
  const across = (width - maps * DESK_GAP - (pictures - 1) * CELL_GAP) / (pictures + maps);
  const beside = across >= SMALLEST_PAIR;
  const each = beside ? across : (width - (pictures - 1) * CELL_GAP) / pictures;
  const least = beside && across > ROOMY ? ROOMY_STAGE : SMALLEST_STAGE;
  const kernels = (height - least) / lines - SIZES_TEXT * type;
  const fit = Math.floor((width + CELL_GAP) / columns) - CELL_GAP;
  const side = Math.floor(clamp(kernels, Math.min(smallest, fit), Math.min(fit, LARGEST_KERNEL * type)));
  const left = beside ? height - lines * (side + SIZES_TEXT * type) : LARGEST_STAGE;
  return {
    beside,
    columns,
    side,
    stage: Math.floor(Math.min(each, clamp(left, SMALLEST_PAIR, LARGEST_STAGE) * aspect)),
  };
}

/**
 * How kernels are laid out in a box of width x height: whether names stand beside them, columns, and the side of a
 * kernel. `counts` has the number of kernels of each row; a row may take several lines. As large as fits, and where the
 * width allows never below `least`: then the box is scrolled. Without a height, as wide as few lines allow.
 * @param {number[]} counts
 * @param {number} width
 * @param {number} height
 */
export function arrange(counts, width, height, type = 1, least = SMALLEST_KERNEL) {
  const beside = least >= SMALLEST_KERNEL && width >= NAME_WIDTH * type + FOUR_KERNELS - CELL_GAP; // not in a strip
  const ways = (/** @type {number} */ smallest) =>
    [beside, false].map((named) => arrangeNamed(named, counts, width, height, type, smallest));
  const [found, above] = ways(least * clamp(type, 1, MAX_LARGER));
  if (found.fits || !beside) return found;
  if (above.fits) return above; // rather all in sight
  // Large letters: kernels that are no larger than usual, if then all are in sight.
  const small = ways(least)
    .filter(({ fits }) => fits)
    .sort((a, b) => b.side - a.side);
  return small[0] ?? found;
}

/**
 * The same with names above the kernels.
 * @param {number[]} counts
 * @param {number} width
 * @param {number} height
 */
export function arrangeAbove(counts, width, height, type = 1, least = SMALLEST_KERNEL) {
  return arrangeNamed(false, counts, width, height, type, least);
}

/**
 * The same with names beside the kernels, or above them; and whether all are in sight.
 * @param {boolean} named
 * @param {number[]} counts
 * @param {number} width
 * @param {number} height
 * @param {number} type
 * @param {number} smallest
 */
function arrangeNamed(named, counts, width, height, type, smallest) {
  const [wide, high] = named
    ? [width - NAME_WIDTH * type, height]
    : [width, height - (width < ONE_LINE * type ? NAME_HEIGHT : NAME_LINE) * type * counts.length];
  const most = Math.max(1, ...counts);
  if (!Number.isFinite(height)) {
    const fitting = clamp(Math.floor((wide + CELL_GAP) / (smallest + CELL_GAP)), 1, most);
    const columns = Math.ceil(most / Math.ceil(most / fitting));
    return {
      named,
      columns,
      side: Math.min(Math.floor((wide + CELL_GAP) / columns) - CELL_GAP, LARGEST_KERNEL),
      fits: true,
    };
  }
  /** @type {{ columns: number, lines: number, side: number } | undefined} */
  let best;
  for (let columns = 1; columns <= most; columns++) {
    const lines = counts.reduce((total, count) => total + Math.ceil(count / columns), 0);
    const across = Math.floor((wide + CELL_GAP) / columns) - CELL_GAP;
    if (best && across < smallest) break;
    const down = Math.floor((high - ROW_GAP * (counts.length - 1)) / lines - CELL_TEXT * type);
    const side = clamp(Math.min(across, down), Math.min(smallest, across), LARGEST_KERNEL * type);
    // The larger; of equals those that take less height.
    if (!best || side > best.side || (side === best.side && lines < best.lines)) best = { columns, lines, side };
  }
  if (!best) throw new Error("there is no column to lay out"); // most is 1 or more
  const fits = best.lines * (best.side + CELL_TEXT * type) + ROW_GAP * (counts.length - 1) <= high;
  return { named, columns: best.columns, side: best.side, fits };
}
