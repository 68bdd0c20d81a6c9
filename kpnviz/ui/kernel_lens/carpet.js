// Kernels all over the picture, on a grid that gets finer as one zooms.

const CARPET_CELL = 26; // CSS pixels, the least that a kernel is wide
const CARPET_PALE = 0.3; // how much of the picture is left under the kernels

// How many pixels apart kernels stand where a pixel is `scale` CSS pixels wide: a power of two, so that zooming in adds
// kernels between those that are there.
const carpetStep = (scale, least = CARPET_CELL) => 2 ** Math.max(0, Math.ceil(Math.log2(least / scale)));

// The middles [y, x] of the cells of that grid that are seen, of a view of rows x columns pixels from (top, left) on.
function carpetPixels(top, left, rows, columns, H, W, step) {
  const middles = (from, length, n) => {
    const found = [];
    for (let cell = Math.floor(Math.max(from, 0) / step); cell * step < Math.min(from + length, n); cell++)
      found.push(Math.min(cell * step + (step >> 1), n - 1));
    return found;
  };
  return middles(top, rows, H).flatMap((y) => middles(left, columns, W).map((x) => [y, x]));
}

// What is seen, a sentence.
function carpetText(lens) {
  const step = carpetStep(lens.scale);
  const apart = step === 1 ? "at every pixel" : `${step} px apart`;
  return `Kernels of frame ${lens.frame}, ${apart}. Zoom in for more; keys 0–9: other frames.`;
}

// Draw a frame's kernels of a method over its picture, which is on the canvas already. Colors are as dense as a weight is
// strong.
function drawCarpet(context, [width, height], lens, method) {
  const { view, scale, data, palette } = lens;
  const step = carpetStep(scale);
  context.fillStyle = lens.ink.paper;
  context.globalAlpha = 1 - CARPET_PALE;
  context.fillRect(0, 0, width, height);
  context.globalAlpha = 1;
  const places = carpetPixels(view.y, view.x, height / scale, width / scale, data.height, data.width, step);
  const { K } = method.kernels;
  if (lens.frame >= method.kernels.factors.shape[0]) return; // it takes fewer frames
  const kernels = places.map(([y, x]) => lens.assumed.kernelsAt(method, y, x)[lens.frame]);
  // Nine of ten kernels are within the scale: a few that are all but a delta would make the others pale.
  const ends = kernels.map(strongest).sort((a, b) => a - b);
  const common = ends[Math.floor(0.9 * (ends.length - 1))];
  const [gap, side] = [step * scale > 20 ? 2 : 1, step * scale];
  kernels.forEach((weights, n) => {
    const max = (lens.each ? strongest(weights) : common) / 2 ** lens.contrast || 1;
    bitmap(K, K, (i) => dense(weights[i] / max, palette), cellBitmap);
    const cell = places[n].map((at, axis) => (Math.floor(at / step) * step - [view.y, view.x][axis]) * scale);
    context.drawImage(cellBitmap, cell[1] + gap / 2, cell[0] + gap / 2, side - gap, side - gap);
    context.strokeStyle = lens.ink.line;
    context.lineWidth = 1;
    context.strokeRect(cell[1] + gap / 2, cell[0] + gap / 2, side - gap, side - gap);
  });
}
