// The arithmetic of kpnviz/kernels/ and kpnviz/analysis/kernel_stats.py for one pixel.

// Pixel i of an axis that is upsampled twofold from n samples (bilinear, pixel centers aligned): the two
// samples that it lies between, and the weight of the second. Outside the samples the edge goes on.
function samplesBeside(i, n) {
  const position = Math.min(Math.max((i + 0.5) / 2 - 0.5, 0), n - 1);
  const low = Math.floor(position);
  return { low, high: Math.min(low + 1, n - 1), weight: position - low };
}

// The factors [N, F] at a pixel.
function factorsAt({ factors: { values, shape } }, y, x) {
  const [N, F, h, w] = shape;
  const row = samplesBeside(y, h);
  const column = samplesBeside(x, w);
  const at = new Float64Array(N * F);
  for (let i = 0; i < N * F; i++) {
    const sample = (r, c) => HALF[values[(i * h + r) * w + c]];
    const left = sample(row.low, column.low) * (1 - row.weight) + sample(row.high, column.low) * row.weight;
    const right =
      sample(row.low, column.high) * (1 - row.weight) + sample(row.high, column.high) * row.weight;
    at[i] = left * (1 - column.weight) + right * column.weight;
  }
  return at;
}

// The effective kernels at a pixel, N arrays of K*K weights: outer products, zero-padded to the largest
// size K and averaged over the sizes (eq. 3).
function effectiveKernels(kernels, y, x) {
  const { sizes, separable } = kernels;
  const [N, F] = kernels.factors.shape;
  const K = Math.max(...sizes);
  const factors = factorsAt(kernels, y, x);
  return Array.from({ length: N }, (_, frame) => {
    const weights = new Float64Array(K * K);
    let first = frame * F;
    for (const size of sizes) {
      const margin = (K - size) / 2;
      for (let a = 0; a < size; a++)
        for (let b = 0; b < size; b++)
          weights[(a + margin) * K + b + margin] +=
            (separable ? factors[first + a] * factors[first + size + b] : factors[first + a * size + b]) /
            sizes.length;
      first += separable ? 2 * size : size * size;
    }
    return weights;
  });
}

// An index beyond an axis of n pixels, reflected into it; the edge is not repeated (numpy "reflect").
function reflect(i, n) {
  if (n === 1) return 0;
  const period = 2 * (n - 1);
  const position = ((i % period) + period) % period;
  return Math.min(position, period - position);
}

// What one frame [H, W], starting at `offset` of `values`, gives to the picture at a pixel: its patch times the kernel.
function correlate(values, offset, H, W, weights, K, y, x) {
  const r = (K - 1) / 2;
  let sum = 0;
  for (let a = 0; a < K; a++) {
    const row = offset + reflect(y + a - r, H) * W;
    for (let b = 0; b < K; b++) sum += weights[a * K + b] * values[row + reflect(x + b - r, W)];
  }
  return sum;
}

// Signed sum, and the center of |w| as (dy, dx) from the kernel's middle (null where all weights are 0).
function kernelStats(weights, K) {
  const r = (K - 1) / 2;
  let mass = 0,
    total = 0,
    dy = 0,
    dx = 0;
  weights.forEach((weight, i) => {
    const size = Math.abs(weight);
    mass += weight;
    total += size;
    dy += size * (Math.floor(i / K) - r);
    dx += size * ((i % K) - r);
  });
  return { mass, centroid: total > 0 ? [dy / total, dx / total] : null };
}

// One weight of one frame's effective kernel at a pixel, without the others: row a, column b of K x K.
function weightAt({ sizes, separable, factors: { values, shape } }, K, frame, y, x, a, b) {
  const [, F, h, w] = shape;
  const row = samplesBeside(y, h);
  const column = samplesBeside(x, w);
  const factor = (f) => {
    const start = (frame * F + f) * h;
    const at = (r, c) => HALF[values[(start + r) * w + c]];
    const left = at(row.low, column.low) * (1 - row.weight) + at(row.high, column.low) * row.weight;
    const right = at(row.low, column.high) * (1 - row.weight) + at(row.high, column.high) * row.weight;
    return left * (1 - column.weight) + right * column.weight;
  };
  let [total, first] = [0, 0];
  for (const size of sizes) {
    const margin = (K - size) / 2;
    const [i, j] = [a - margin, b - margin];
    if (i >= 0 && j >= 0 && i < size && j < size)
      total += separable ? factor(first + i) * factor(first + size + j) : factor(first + i * size + j);
    first += separable ? 2 * size : size * size;
  }
  return total / sizes.length;
}

// Which pixels of the picture use one pixel (y, x) of a frame, and how much: [K, K], all weights that the pixel
// (y + a - r, x + b - r) gives it (near the border several do, by reflection). Beyond the picture there is none: 0.
function usesOf(kernels, K, frame, y, x, H, W) {
  const r = (K - 1) / 2;
  // Rows (or columns) of a kernel at `place` that meet `at`.
  const taps = (place, at, n) =>
    Array.from({ length: K }, (_, a) => a).filter((a) => reflect(place + a - r, n) === at);
  const uses = new Float64Array(K * K);
  const columns = Array.from({ length: K }, (_, b) => taps(x + b - r, x, W));
  for (let a = 0; a < K; a++) {
    const row = y + a - r;
    if (row < 0 || row >= H) continue;
    for (const i of taps(row, y, H))
      columns.forEach((those, b) => {
        const column = x + b - r;
        if (column < 0 || column >= W) return;
        for (const j of those) uses[a * K + b] += weightAt(kernels, K, frame, row, column, i, j);
      });
  }
  return uses;
}

// Kernels between two fields, `share` of the way; the picture between their pictures is what these apply.
function mixedKernels(a, b, share) {
  return a.map((weights, frame) => weights.map((weight, i) => weight * (1 - share) + b[frame][i] * share));
}

// A patch of side x side values of one frame around a pixel.
function patchAt(values, offset, H, W, side, y, x) {
  const r = (side - 1) / 2;
  return Float64Array.from({ length: side * side }, (_, i) => {
    const row = reflect(y + Math.floor(i / side) - r, H);
    return values[offset + row * W + reflect(x + (i % side) - r, W)];
  });
}
