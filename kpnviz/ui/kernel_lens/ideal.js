// The arithmetic of kpnviz/analysis/ideal.py: the kernels that would be best around a pixel, where the scene is known.

const IDEAL_WINDOW = 15; // pixels a side

// The kernels [N] of K*K weights that, applied to all pixels of a window around (y, x), have the least expected squared
// error there. frames: noise-free [N, H, W]; truth [H, W]; noise as Python has it.
function idealKernels({ values, shape: [N, H, W] }, truth, { read_std, shot_gain }, K, y, x, window = IDEAL_WINDOW) {
  const [r, half, taps] = [(K - 1) / 2, (window - 1) / 2, K * K];
  const [rows, columns] = [axis(y - half, y + half, H), axis(x - half, x + half, W)];
  const n = rows.length * columns.length;
  const unknowns = N * taps;
  const patches = new Float64Array(n * unknowns); // what each weight sees, of each pixel of the window
  const wanted = new Float64Array(n);
  const variance = new Float64Array(unknowns); // of the noise that each weight brings, summed over the window
  let q = 0;
  for (const row of rows)
    for (const column of columns) {
      wanted[q] = N * truth[row * W + column];
      let u = 0;
      for (let i = 0; i < N; i++)
        for (let a = 0; a < K; a++) {
          const start = (i * H + reflect(row + a - r, H)) * W;
          for (let b = 0; b < K; b++, u++) {
            const value = values[start + reflect(column + b - r, W)];
            patches[q * unknowns + u] = value;
            variance[u] += read_std * read_std + shot_gain * Math.max(value, 0);
          }
        }
      q += 1;
    }
  // w = V^-1 A' (A V^-1 A' + 1)^-1 t: as many equations as pixels, however many weights there are.
  const scaled = new Float64Array(n * unknowns);
  for (let i = 0, u = 0; i < scaled.length; i++, u = u + 1 === unknowns ? 0 : u + 1)
    scaled[i] = patches[i] / Math.max(variance[u], 1e-12);
  const matrix = new Float64Array(n * n);
  for (let p = 0; p < n; p++)
    for (let s = 0; s <= p; s++) {
      let sum = p === s ? 1 : 0;
      for (let u = 0, i = p * unknowns, j = s * unknowns; u < unknowns; u++) sum += patches[i + u] * scaled[j + u];
      matrix[p * n + s] = sum;
    }
  const solved = solvePositive(matrix, wanted, n);
  const weights = Array.from({ length: N }, () => new Float64Array(taps));
  for (let p = 0; p < n; p++)
    for (let u = 0; u < unknowns; u++)
      weights[Math.floor(u / taps)][u % taps] += solved[p] * scaled[p * unknowns + u];
  return weights;
}

// Pixels from first to last that lie on an axis of n.
function axis(first, last, n) {
  const start = Math.max(first, 0);
  return Array.from({ length: Math.min(last, n - 1) - start + 1 }, (_, i) => start + i);
}

// x of A x = b for a symmetric, positive definite A [n, n], of which the lower half is read and overwritten (Cholesky).
function solvePositive(A, b, n) {
  const x = Float64Array.from(b);
  for (let i = 0; i < n; i++)
    for (let j = 0; j <= i; j++) {
      let sum = A[i * n + j];
      for (let k = 0; k < j; k++) sum -= A[i * n + k] * A[j * n + k];
      A[i * n + j] = i === j ? Math.sqrt(sum) : sum / A[j * n + j];
    }
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < i; k++) x[i] -= A[i * n + k] * x[k];
    x[i] /= A[i * n + i];
  }
  for (let i = n - 1; i >= 0; i--) {
    for (let k = i + 1; k < n; k++) x[i] -= A[k * n + i] * x[k];
    x[i] /= A[i * n + i];
  }
  return x;
}

const REST_MS = 70; // the mouse has come to rest
const GRID = 12; // pixels a side of the grid at which PSNR is measured
const BORDER = 8; // pixels that PSNR leaves out, as in kpnviz/analysis/metrics.py
const FEW_WEIGHTS = 2000; // beyond, the grid has half as many a side

// The ideal kernels of the pixel at which the mouse rests, and meanwhile what such kernels reach over the picture.
class Ideal {
  constructor(lens) {
    this.lens = lens;
    this.reset();
  }

  reset() {
    clearTimeout(this.timer);
    this.found = null; // as Lens.applied has it
    this.scores = null; // {ideal, network, done, all}: PSNR in dB
    this.about = "";
    this.measured = null;
  }

  destroy() {
    clearTimeout(this.timer);
  }

  get method() {
    return this.lens.chosenMethod;
  }

  // What ideal kernels are asked for now.
  get wanted() {
    return `${this.lens.data.id} ${this.method.title} ${this.lens.cursor}`;
  }

  // What is measured over the picture.
  get measuring() {
    return `${this.lens.data.id} ${this.method.title} ${this.lens.assumed.applied}`;
  }

  get isStale() {
    return this.about !== this.wanted;
  }

  // At every paint of the view: computes once the mouse rests.
  follow() {
    if (this.measured?.about !== this.measuring) this.begin();
    clearTimeout(this.timer);
    if (this.isStale) this.timer = setTimeout(() => this.solve(), REST_MS);
    else this.timer = setTimeout(() => this.measure(), 20);
  }

  at(y, x) {
    const { lens, method } = this;
    const [count] = method.kernels.factors.shape;
    const { shape, values } = lens.data.clean;
    const frames = { values, shape: [count, shape[1], shape[2]] };
    return idealKernels(frames, lens.truth.image, lens.data.noise, method.kernels.K, y, x);
  }

  solve() {
    const { lens } = this;
    const { cursor } = lens;
    this.found = lens.applied(this.at(...cursor), this.method.kernels.K, ...cursor);
    this.about = this.wanted;
    lens.invalidate("cursor");
  }

  // The pixels of the grid, of this burst and method.
  begin() {
    const { height, width } = this.lens.data;
    const [count] = this.method.kernels.factors.shape;
    const side = count * this.method.kernels.K ** 2 > FEW_WEIGHTS ? GRID / 2 : GRID;
    const place = (i, n) => {
      const border = Math.min(BORDER, (n - 1) >> 1);
      return border + Math.round(((i + 0.5) / side) * (n - 1 - 2 * border));
    };
    const pixels = Array.from({ length: side * side }, (_, i) => [place(Math.floor(i / side), height), place(i % side, width)]);
    // Not row by row: the first few speak for the whole picture.
    const shuffled = pixels.map((_, i) => pixels[(i * 61) % pixels.length]);
    this.measured = { about: this.measuring, pixels: shuffled, done: 0, ideal: 0, network: 0 };
    this.scores = null;
  }

  // The error at another pixel of the grid.
  measure() {
    const { lens, measured } = this;
    if (lens.look !== "ideal" || this.isStale || measured.done === measured.pixels.length) return;
    const [y, x] = measured.pixels[measured.done];
    const { width, white_level: white } = lens.data;
    const at = y * width + x;
    const truth = encode(lens.truth.image[at] / white);
    const { sum } = lens.applied(this.at(y, x), this.method.kernels.K, y, x);
    measured.ideal += (encode(sum / white) - truth) ** 2;
    measured.network += (encode(lens.imageOf(lens.data.panels[this.method.panel])[at] / white) - truth) ** 2;
    measured.done += 1;
    const decibels = (squares) => -10 * Math.log10(squares / measured.done);
    this.scores = {
      ideal: decibels(measured.ideal),
      network: decibels(measured.network),
      done: measured.done,
      all: measured.pixels.length,
    };
    lens.invalidate("cursor");
  }
}
