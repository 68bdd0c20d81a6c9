// Colors and drawing: numbers in, pixels on a canvas out.

// Diverging, color-blind safe (ColorBrewer RdBu), as in figures/style.py. On a dark page zero is dark, so that calm stays
// calm, and both ends keep their hue.
const STOPS = {
  light: ["#053061", "#2166ac", "#4393c3", "#92c5de", "#f7f7f7", "#f4a582", "#d6604d", "#b2182b", "#67001f"],
  dark: ["#6ab7fe", "#2397f1", "#1575be", "#185383", "#1b1f26", "#7d3829", "#b44d36", "#e56549", "#fd8e74"],
};
const STEPS = 255;

// A palette: packed ABGR colors of -1..1, and the same as a CSS gradient.
function makePalette(stops) {
  const rgb = stops.map((hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16)));
  const colors = Uint32Array.from({ length: 2 * STEPS + 1 }, (_, i) => {
    const position = (i / (2 * STEPS)) * (stops.length - 1);
    const low = Math.min(Math.floor(position), stops.length - 2);
    const [r, g, b] = rgb[low].map((c, k) => Math.round(c + (rgb[low + 1][k] - c) * (position - low)));
    return (0xff000000 | (b << 16) | (g << 8) | r) >>> 0;
  });
  return { colors, css: stops, at: (t) => colors[Math.round((Math.min(Math.max(t, -1), 1) + 1) * STEPS)] };
}

// Lines over and around kernels. Marks have a casing of `faint`: on any color of the palette one of both is seen.
const INKS = {
  light: { line: "rgba(0, 0, 0, 0.3)", faint: "rgba(255, 255, 255, 0.9)" },
  dark: { line: "rgba(255, 255, 255, 0.28)", faint: "rgba(0, 0, 0, 0.9)" },
};

const PALETTES = { light: makePalette(STOPS.light), dark: makePalette(STOPS.dark) };

// The sRGB transfer (IEC 61966-2-1) of a linear value, clipped to 0..1.
function encode(linear) {
  const x = Math.min(Math.max(linear, 0), 1);
  return x <= 0.0031308 ? 12.92 * x : 1.055 * x ** (1 / 2.4) - 0.055;
}

// A bitmap [H, W] of one color per value, on a canvas that is then drawn, enlarged, on others.
function bitmap(H, W, colorOf, canvas = new OffscreenCanvas(W, H)) {
  if (canvas.width !== W || canvas.height !== H) Object.assign(canvas, { width: W, height: H });
  const context = canvas.getContext("2d");
  const image = context.createImageData(W, H);
  const pixels = new Uint32Array(image.data.buffer);
  for (let i = 0; i < pixels.length; i++) pixels[i] = colorOf(i);
  context.putImageData(image, 0, 0);
  return canvas;
}

const gray = (value) => (0xff000000 | (Math.round(255 * value) * 0x010101)) >>> 0;

// Give a canvas the device pixels of its CSS size; returns a context that counts in CSS pixels, cleared.
function prepare(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const [w, h] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== w || canvas.height !== h) Object.assign(canvas, { width: w, height: h });
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.imageSmoothingEnabled = false;
  return context;
}

// A line that is seen on any ground: a casing under it, wider by `more`.
function cased(context, color, width, path, casing = "rgba(0, 0, 0, 0.55)", more = 2) {
  for (const [style, lineWidth] of [
    [casing, width + more],
    [color, width],
  ]) {
    context.strokeStyle = style;
    context.lineWidth = lineWidth;
    context.beginPath();
    path();
    context.stroke();
  }
}

// What matching costs: bright where the scene is alike, as in the figures of Python (Viridis).
const COSTS = makePalette(["#fde725", "#b5de2b", "#6ece58", "#35b779", "#1f9e89", "#26828e", "#31688e", "#3e4989", "#482878", "#440154"]);

// CSS pixels that the casing of a mark is wider than the mark, where a weight is `unit` wide: small weights stay in sight.
const casingOf = (unit) => (unit < 5 ? 1 : 2);

const cellBitmap = new OffscreenCanvas(1, 1);

// Weights are colored by their signed square root: the reference's kernel is often ten times as strong as
// the others, and both are to be seen. The color bar's ticks say so.
const signedRoot = (t) => Math.sign(t) * Math.sqrt(Math.abs(t));

// A square of side x side values in a box of `size` CSS pixels, filled, or where `boxSize` is larger than the side, as
// much of it as side / boxSize. Returns the context, the square's left and top edge, and CSS pixels a value.
function drawSquare(canvas, size, side, boxSize, colorOf, line) {
  const context = prepare(canvas, size, size);
  const unit = (size - 2) / boxSize;
  const left = (size - unit * side) / 2;
  bitmap(side, side, colorOf, cellBitmap);
  context.drawImage(cellBitmap, left, left, unit * side, unit * side);
  context.lineWidth = 1;
  context.strokeStyle = line;
  context.strokeRect(left - 0.5, left - 0.5, unit * side + 1, unit * side + 1);
  return { context, left, unit };
}

// The color of a weight (relative to the end of the scale) over a picture: as dense as it is strong.
function dense(weight, { colors }) {
  const color = colors[Math.round((weight < 0 ? 0.28 : 1.72) * STEPS)];
  return ((color & 0xffffff) | (Math.round(210 * Math.min(Math.abs(signedRoot(weight)), 1)) << 24)) >>> 0;
}

// One kernel; marks: centroid and true shift, (dy, dx) in pixels, or null.
function drawKernel(canvas, size, { weights, K, max, boxSize, palette, ink, centroid, shift }) {
  const colorOf = (i) => palette.at(signedRoot(weights[i] / max));
  const { context, unit } = drawSquare(canvas, size, K, boxSize, colorOf, ink.line);
  drawMarks(context, size, unit, { centroid, shift, ink });
}

// The costs of all displacements up to K / 2, from 0 (bright) to max; the least is marked like a centroid.
function drawCosts(canvas, size, { weights, K, max, boxSize, ink, centroid, shift }) {
  const colorOf = (i) => COSTS.at(2 * Math.sqrt(Math.max(weights[i], 0) / max) - 1);
  const { context, unit } = drawSquare(canvas, size, K, boxSize, colorOf, ink.line);
  drawMarks(context, size, unit, { centroid, shift, ink: { ...ink, text: "#fff", faint: "#000" } });
}

// A frame's patch of side x side values, gray, with the kernel over it in colors that are as dense as it is strong.
function drawPatch(canvas, size, { patch, side, shown, weights, K, max, palette, ink, shift }) {
  const { context, unit } = drawSquare(canvas, size, side, side, (i) => gray(shown(patch[i])), ink.line);
  const left = (size - unit * K) / 2;
  bitmap(K, K, (i) => dense(weights[i] / max, palette), cellBitmap);
  context.drawImage(cellBitmap, left, left, unit * K, unit * K);
  cased(context, "#ffb000", ink.weight, () => context.rect(left, left, unit * K, unit * K));
  drawMarks(context, size, unit, { centroid: null, shift, ink });
}

// A frame's patch times its kernel: what each of its pixels gives to the sum.
function drawProduct(canvas, size, { products, K, max, boxSize, palette, ink }) {
  drawSquare(canvas, size, K, boxSize, (i) => palette.at(signedRoot(products[i] / max)), ink.line);
}

// Thin, around a weight or beside its middle: the weights stay in sight.
function drawMarks(context, size, unit, { centroid, shift, ink }) {
  const middle = size / 2;
  if (shift) drawShift(context, size, [middle + shift[1] * unit, middle + shift[0] * unit], clamp(0.62 * unit, 3.5, 0.24 * size), ink, casingOf(unit));
  if (!centroid) return;
  // Where its lines fill whole pixels of the screen: between two, they would be half as strong.
  const whole = (place) => Math.round(place - ink.weight / 2) + ink.weight / 2;
  const [x, y] = [whole(middle + centroid[1] * unit), whole(middle + centroid[0] * unit)];
  const arms = () => {
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      context.moveTo(x + 1.5 * ink.weight * dx, y + 1.5 * ink.weight * dy);
      context.lineTo(x + 4.5 * ink.weight * dx, y + 4.5 * ink.weight * dy);
    }
  };
  cased(context, ink.text, ink.weight, arms, ink.faint, casingOf(unit));
}

// A ring where the scene went; at the edge of the box an arrow head, if that lies outside.
function drawShift(context, size, [x, y], radius, ink, casing) {
  const half = size / 2;
  const out = Math.max(Math.abs(x - half), Math.abs(y - half)) / (half - 2);
  if (out <= 1) return cased(context, ink.shift, 1.25 * ink.weight, () => context.arc(x, y, radius, 0, 2 * Math.PI), ink.faint, casing);
  const [tipX, tipY] = [half + (x - half) / out, half + (y - half) / out];
  const angle = Math.atan2(y - half, x - half);
  const corner = (turn) => [tipX - 9 * Math.cos(angle + turn), tipY - 9 * Math.sin(angle + turn)];
  context.fillStyle = ink.shift;
  context.beginPath();
  context.moveTo(tipX, tipY);
  context.lineTo(...corner(0.45));
  context.lineTo(...corner(-0.45));
  context.closePath();
  context.strokeStyle = ink.faint;
  context.lineWidth = casing;
  context.stroke();
  context.fill();
}

// A pin of some height with its tip at (x, y).
function drawPin(context, x, y, height, color) {
  const radius = 0.32 * height;
  const middle = y - height + radius;
  context.beginPath();
  context.arc(x, middle, radius, 0.85 * Math.PI, 2.15 * Math.PI); // open below
  context.lineTo(x, y);
  context.closePath();
  context.fillStyle = color;
  context.strokeStyle = "rgba(0, 0, 0, 0.75)";
  context.lineWidth = 1.5;
  context.fill();
  context.stroke();
  context.beginPath();
  context.arc(x, middle, 0.4 * radius, 0, 2 * Math.PI);
  context.fillStyle = "#15181d";
  context.fill();
}
