// Colors and drawing: numbers in, pixels on a canvas out.

// Diverging, color-blind safe (ColorBrewer RdBu). On a dark page zero is dark, so that calm stays calm.
const STOPS = {
  light: ["#053061", "#2166ac", "#4393c3", "#92c5de", "#f7f7f7", "#f4a582", "#d6604d", "#b2182b", "#67001f"],
  dark: ["#d9efff", "#8ecbf5", "#3f93cf", "#1f5a8a", "#1b1f26", "#8f3a26", "#d9623f", "#f7a988", "#ffe9dd"],
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

// A line that is seen on any ground: a dark casing under it.
function cased(context, color, width, path, casing = "rgba(0, 0, 0, 0.55)") {
  for (const [style, lineWidth] of [
    [casing, width + 2],
    [color, width],
  ]) {
    context.strokeStyle = style;
    context.lineWidth = lineWidth;
    context.beginPath();
    path();
    context.stroke();
  }
}

const kernelBitmap = new OffscreenCanvas(1, 1);

// Weights are colored by their signed square root: the reference's kernel is often ten times as strong as
// the others, and both are to be seen. The color bar's ticks say so.
const signedRoot = (t) => Math.sign(t) * Math.sqrt(Math.abs(t));

// One kernel in a box of `boxSize` weights a side; marks: centroid and true shift, (dy, dx) in pixels.
function drawKernel(canvas, side, { weights, K, max, boxSize, palette, ink, centroid, shift, beyond }) {
  const context = prepare(canvas, side, side);
  const ratio = window.devicePixelRatio || 1;
  // Weights are a whole number of device pixels, else some would be drawn wider than others.
  const unit = Math.max(1, Math.floor(((side - 2) * ratio) / boxSize)) / ratio;
  const left = Math.round(((side - unit * K) / 2) * ratio) / ratio;
  const middle = left + (unit * K) / 2;
  bitmap(K, K, (i) => palette.at(signedRoot(weights[i] / max)), kernelBitmap);
  context.drawImage(kernelBitmap, left, left, unit * K, unit * K);
  context.lineWidth = 1;
  context.strokeStyle = ink.line;
  context.strokeRect(left - 0.5, left - 0.5, unit * K + 1, unit * K + 1);
  const at = ([dy, dx]) => [middle + dx * unit, middle + dy * unit];
  if (shift) drawShift(context, side, at(shift), Math.min(Math.max(3.5, unit * 0.6), 7), beyond, ink);
  if (centroid) {
    const [x, y] = at(centroid);
    cased(
      context,
      ink.text,
      1.5,
      () => {
        context.moveTo(x - 3, y - 3);
        context.lineTo(x + 3, y + 3);
        context.moveTo(x + 3, y - 3);
        context.lineTo(x - 3, y + 3);
      },
      ink.paper,
    );
  }
}

// A ring where the scene went; at the edge of the box an arrow head, if that lies outside.
function drawShift(context, side, [x, y], radius, beyond, ink) {
  const half = side / 2;
  const out = Math.max(Math.abs(x - half), Math.abs(y - half)) / (half - 4);
  if (out <= 1)
    return cased(context, ink.shift, 1.75, () => context.arc(x, y, radius, 0, 2 * Math.PI), ink.paper);
  const [tipX, tipY] = [half + (x - half) / out, half + (y - half) / out];
  const angle = Math.atan2(y - half, x - half);
  const corner = (turn) => [tipX - 12 * Math.cos(angle + turn), tipY - 12 * Math.sin(angle + turn)];
  context.fillStyle = ink.shift;
  context.beginPath();
  context.moveTo(tipX, tipY);
  context.lineTo(...corner(0.45));
  context.lineTo(...corner(-0.45));
  context.fill();
}
