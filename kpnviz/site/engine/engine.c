// The networks' arithmetic for WebAssembly: one thread, float32, 128-bit SIMD, no library. kpnviz/site/compiling.py compiles it.
//
// JavaScript (scripts/network.js) allocates memory and calls these functions in the order of kpnviz/models/. Two layouts:
//
//   planes  [C][stride]   a map of h x w numbers a channel, row after row; stride >= h * w
//   panel   [C][BLOCK]    the same BLOCK pixels of every channel, side by side: what products of matrices read
//
// A stride is a multiple of 16 and leaves room for whole panels (engine.js), so that no loop needs a shorter last step.

#include <stdint.h>
#include <wasm_simd128.h>

#include "constants.h"

#define EXPORT(name) __attribute__((export_name(#name)))
#define INLINE static inline __attribute__((always_inline))
#define LOAD(p) wasm_v128_load(p)
#define STORE(p, x) wasm_v128_store(p, x)
#define SPLAT(x) wasm_f32x4_splat(x)
#define ADD(a, b) wasm_f32x4_add(a, b)
#define SUB(a, b) wasm_f32x4_sub(a, b)
#define MUL(a, b) wasm_f32x4_mul(a, b)
#define MIN(a, b) wasm_f32x4_pmin(a, b)
#define MAX(a, b) wasm_f32x4_pmax(a, b)
#ifdef RELAXED // a * b + c, rounded once where the processor can
#define MADD(a, b, c) wasm_f32x4_relaxed_madd(a, b, c)
#else
#define MADD(a, b, c) ADD(MUL(a, b), c)
#endif

enum { BLOCK = 64, MOST_FRAMES = 64 };
#define LEAST_MASS 0.2f // _inverse in matched.py

typedef float f;
typedef v128_t v;

INLINE f larger(f a, f b) { return a > b ? a : b; }
INLINE f smaller(f a, f b) { return a < b ? a : b; }
INLINE int least(int a, int b) { return a < b ? a : b; }
INLINE v leaky(v x, v leak) { return MADD(leak, MIN(x, SPLAT(0)), MAX(x, SPLAT(0))); }
INLINE v even(v a, v b) { return wasm_i32x4_shuffle(a, b, 0, 2, 4, 6); }
INLINE v odd(v a, v b) { return wasm_i32x4_shuffle(a, b, 1, 3, 5, 7); }
INLINE v low(v a, v b) { return wasm_i32x4_shuffle(a, b, 0, 4, 1, 5); } // of two rows their first halves, in turn
INLINE v high(v a, v b) { return wasm_i32x4_shuffle(a, b, 2, 6, 3, 7); }

union bits {
  f value;
  int32_t word;
};

// e^x, its relative error about 1e-7; x is taken to be at least -87 and at most 87. (Cephes' expf; loops of it use SIMD.)
INLINE f exponential(f x) {
  x = smaller(larger(x, -87), 87);
  f k = __builtin_rintf(x * 1.44269504f), r = x - k * 0.693359375f;
  r -= k * -2.12194440e-4f;
  f p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  union bits power = {.word = ((int32_t)k + 127) << 23};
  return (p * r * r + r + 1) * power.value;
}

// log x for x >= 1, absolute error about 1e-7 (Cephes' logf).
INLINE f logarithm(f x) {
  union bits u = {.value = x};
  int32_t k = ((u.word - 0x3f3504f3) >> 23); // x = 2^k m with m in [sqrt(1/2), sqrt(2))
  u.word -= k << 23;
  f m = u.value - 1, z = m * m, p = 7.0376836292e-2f;
  p = p * m - 1.1514610310e-1f;
  p = p * m + 1.1676998740e-1f;
  p = p * m - 1.2420140846e-1f;
  p = p * m + 1.4249322787e-1f;
  p = p * m - 1.6668057665e-1f;
  p = p * m + 2.0000714765e-1f;
  p = p * m - 2.4999993993e-1f;
  p = p * m + 3.3333331174e-1f;
  f e = (f)k;
  return m + (p * m * z + e * -2.12194440e-4f - 0.5f * z) + e * 0.693359375f;
}

// --- Frames -------------------------------------------------------------------------------------------------------------

// kpnviz.noise.stabilize: frames in units of their noise.
EXPORT(stabilize) void stabilize(const f* in, int n, f read_std, f shot_gain, f* out) {
  f square = read_std * read_std;
  for (int i = 0; i < n; i++)
    out[i] = 2 * in[i] / (__builtin_sqrtf(shot_gain * larger(in[i], 0) + square) + read_std);
}

// kpnviz.noise.noise_std: the noise map of eq. 8.
EXPORT(noise_map) void noise_map(const f* in, int n, f read_std, f shot_gain, f* out) {
  for (int i = 0; i < n; i++) out[i] = __builtin_sqrtf(read_std * read_std + shot_gain * larger(in[i], 0));
}

EXPORT(add) void add(f* to, const f* from, int n) {
  for (int i = 0; i < n; i += 4) STORE(to + i, ADD(LOAD(to + i), LOAD(from + i)));
}

EXPORT(scale) void scale(f* x, int n, f by) {
  for (int i = 0; i < n; i += 4) STORE(x + i, MUL(LOAD(x + i), SPLAT(by)));
}

// --- Products of matrices -----------------------------------------------------------------------------------------------

// acc[2 o + x] += sum over inputs i of w[i][o] in[i][4 x ..], of 4 outputs o and 8 columns.
INLINE void multiply(v acc[8], const f* w, const f* in, int inputs, int stride) {
  v a0 = acc[0], a1 = acc[1], b0 = acc[2], b1 = acc[3], c0 = acc[4], c1 = acc[5], d0 = acc[6], d1 = acc[7];
  for (int i = 0; i < inputs; i++, w += 4, in += stride) {
    v x0 = LOAD(in), x1 = LOAD(in + 4), s = wasm_v128_load32_splat(w);
    a0 = MADD(s, x0, a0), a1 = MADD(s, x1, a1), s = wasm_v128_load32_splat(w + 1);
    b0 = MADD(s, x0, b0), b1 = MADD(s, x1, b1), s = wasm_v128_load32_splat(w + 2);
    c0 = MADD(s, x0, c0), c1 = MADD(s, x1, c1), s = wasm_v128_load32_splat(w + 3);
    d0 = MADD(s, x0, d0), d1 = MADD(s, x1, d1);
  }
  acc[0] = a0, acc[1] = a1, acc[2] = b0, acc[3] = b1, acc[4] = c0, acc[5] = c1, acc[6] = d0, acc[7] = d1;
}

// A panel of some pixels of planes, from pixel `first` on.
EXPORT(gather) void gather(const f* in, int channels, int stride, int first, f* out) {
  for (int c = 0; c < channels; c++)
    for (int x = 0; x < BLOCK; x += 4) STORE(out + c * BLOCK + x, LOAD(in + c * stride + first + x));
}

// The same of costs as encoders see them.
EXPORT(gather_costs) void gather_costs(const f* in, int channels, int stride, int first, f* out) {
  for (int c = 0; c < channels; c++)
    for (int x = 0; x < BLOCK; x += 4)
      STORE(out + c * BLOCK + x, MUL(MIN(LOAD(in + c * stride + first + x), SPLAT(8)), SPLAT(0.5f)));
}

// out = leaky(bias + start + W in): a 1x1 convolution. in: a panel; start: a panel, or 0; out: rows `stride` apart.
// W is packed [outputs / 4][inputs][4]; outputs are a multiple of 4 (the last ones may be empty).
EXPORT(product)
void product(const f* in, int inputs, const f* w, const f* bias, const f* start, int outputs, f* out, int stride, f leak) {
  for (int o = 0; o < outputs; o += 4)
    for (int x = 0; x < BLOCK; x += 8) {
      v acc[8];
      for (int k = 0; k < 8; k++) {
        acc[k] = SPLAT(bias[o + k / 2]);
        if (start) acc[k] = ADD(acc[k], LOAD(start + (o + k / 2) * BLOCK + x + 4 * (k & 1)));
      }
      multiply(acc, w + o * inputs, in + x, inputs, BLOCK);
      for (int k = 0; k < 8; k++)
        STORE(out + (o + k / 2) * stride + x + 4 * (k & 1), leak == 1 ? acc[k] : leaky(acc[k], SPLAT(leak)));
    }
}

// --- The trunk: maps of h x w ---------------------------------------------------------------------------------------------

// Winograd's F(2x2, 3x3): a tile of 2x2 outputs needs 4x4 inputs, which are transformed so that 16 products stand for 36.
// Lavin, Gray: Fast Algorithms for Convolutional Neural Networks, 2016.

// Weights [outputs][inputs][3][3] -> G g G^T, packed [16][outputs / 4][inputs][4].
EXPORT(transform_weights) void transform_weights(const f* in, int outputs, int inputs, f* out) {
  const int rounded = (outputs + 3) & ~3;
  for (int o = 0; o < outputs; o++)
    for (int i = 0; i < inputs; i++) {
      const f* g = in + (o * inputs + i) * 9;
      f rows[4][3];
      for (int k = 0; k < 3; k++) {
        rows[0][k] = g[k], rows[3][k] = g[6 + k];
        rows[1][k] = (g[k] + g[3 + k] + g[6 + k]) / 2, rows[2][k] = (g[k] - g[3 + k] + g[6 + k]) / 2;
      }
      for (int a = 0; a < 4; a++) {
        const f* r = rows[a];
        f turned[4] = {r[0], (r[0] + r[1] + r[2]) / 2, (r[0] - r[1] + r[2]) / 2, r[2]};
        for (int b = 0; b < 4; b++)
          out[((a * 4 + b) * rounded * inputs) + ((o >> 2) * inputs + i) * 4 + (o & 3)] = turned[b];
      }
    }
}

INLINE void transform(v out[4], const v in[4]) { // B^T x
  out[0] = SUB(in[0], in[2]), out[1] = ADD(in[1], in[2]), out[2] = SUB(in[2], in[1]), out[3] = SUB(in[1], in[3]);
}

// The tiles of rows first .. first + rows - 1 of one plane, transformed: out[q][tile], q = 0 .. 15, `apart` numbers apart.
static void tiles_of(const f* in, int h, int w, int first, int rows, int across, f* out, int apart, f* lines) {
  const int length = 2 * across + 8;
  for (int r = 0; r < rows; r++, out += across) {
    for (int k = 0; k < 4; k++) { // the rows that it needs, with a zero at either end
      f* line = lines + k * length;
      const int y = 2 * (first + r) - 1 + k;
      for (int x = 0; x < length; x += 4) STORE(line + x, SPLAT(0));
      if (y >= 0 && y < h)
        for (int x = 0; x < w; x++) line[1 + x] = in[y * w + x];
    }
    for (int t = 0; t < across; t += 4) {
      v columns[4][4], turned[4][4];
      for (int k = 0; k < 4; k++) {
        const f* p = lines + k * length + 2 * t;
        v a = LOAD(p), b = LOAD(p + 4), c = LOAD(p + 2), d = LOAD(p + 6);
        columns[0][k] = even(a, b), columns[1][k] = odd(a, b), columns[2][k] = even(c, d), columns[3][k] = odd(c, d);
      }
      for (int j = 0; j < 4; j++) transform(turned[j], columns[j]);
      for (int k = 0; k < 4; k++) {
        v row[4] = {turned[0][k], turned[1][k], turned[2][k], turned[3][k]}, done[4];
        transform(done, row);
        for (int j = 0; j < 4; j++) STORE(out + (4 * k + j) * apart + t, done[j]);
      }
    }
  }
}

INLINE void store_part(f* out, v a, v b, int n) { // the first n of 8 numbers
  if (n >= 8) {
    STORE(out, a);
    STORE(out + 4, b);
    return;
  }
  f both[8];
  STORE(both, a);
  STORE(both + 4, b);
  for (int k = 0; k < n; k++) out[k] = both[k];
}

// out = leaky(bias + 3x3 convolution), zero beyond the edge. w: transformed weights; scratch: see conv_scratch in engine.js.
EXPORT(conv3x3)
void conv3x3(const f* in, int inputs, int in_stride, int h, int w, const f* weights, const f* bias, int outputs, f* out,
             int out_stride, f leak, f* scratch) {
  const int down = (h + 1) / 2, across = (((w + 1) / 2) + 3) & ~3, rounded = (outputs + 3) & ~3;
  const int group = least(down, across < 32 ? 32 / across : 1); // rows of tiles that are done at once
  const int most = (group * across + 7) & ~7;
  f *turned = scratch, *products = turned + 16 * inputs * most, *lines = products + 16 * rounded * most;
  for (int first = 0; first < down; first += group) {
    const int rows = least(group, down - first), tiles = (rows * across + 7) & ~7;
    for (int i = 0; i < inputs; i++)
      tiles_of(in + i * in_stride, h, w, first, rows, across, turned + i * tiles, inputs * tiles, lines);
    for (int q = 0; q < 16; q++)
      for (int o = 0; o < rounded; o += 4)
        for (int t = 0; t < tiles; t += 8) {
          v acc[8];
          for (int k = 0; k < 8; k++) acc[k] = SPLAT(0);
          multiply(acc, weights + (q * rounded + o) * inputs, turned + q * inputs * tiles + t, inputs, tiles);
          for (int k = 0; k < 8; k++) STORE(products + (q * rounded + o + k / 2) * tiles + t + 4 * (k & 1), acc[k]);
        }
    for (int o = 0; o < outputs; o++)
      for (int r = 0; r < rows; r++) {
        const int y = 2 * (first + r);
        f* upper = out + o * out_stride + y * w;
        for (int t = 0; t < across && 2 * t < w; t += 4) {
          const f* m = products + o * tiles + r * across + t;
          v sums[4], differences[4];
          for (int j = 0; j < 4; j++) { // A^T m A
            v x[4];
            for (int k = 0; k < 4; k++) x[k] = LOAD(m + (4 * k + j) * rounded * tiles);
            sums[j] = ADD(ADD(x[0], x[1]), x[2]), differences[j] = SUB(SUB(x[1], x[2]), x[3]);
          }
          v b = SPLAT(bias[o]), l = SPLAT(leak);
          v p = leaky(ADD(ADD(ADD(sums[0], sums[1]), sums[2]), b), l);
          v q = leaky(ADD(SUB(SUB(sums[1], sums[2]), sums[3]), b), l);
          store_part(upper + 2 * t, low(p, q), high(p, q), w - 2 * t);
          if (y + 1 >= h) continue;
          p = leaky(ADD(ADD(ADD(differences[0], differences[1]), differences[2]), b), l);
          q = leaky(ADD(SUB(SUB(differences[1], differences[2]), differences[3]), b), l);
          store_part(upper + w + 2 * t, low(p, q), high(p, q), w - 2 * t);
        }
      }
  }
}

// 2x2 mean pooling of h x w, both even.
EXPORT(pool) void pool(const f* in, int channels, int in_stride, int h, int w, f* out, int out_stride) {
  for (int c = 0; c < channels; c++)
    for (int y = 0; y < h / 2; y++) {
      const f *a = in + c * in_stride + 2 * y * w, *b = a + w;
      f* o = out + c * out_stride + y * (w / 2);
      for (int x = 0; x < w / 2; x++) o[x] = (a[2 * x] + a[2 * x + 1] + b[2 * x] + b[2 * x + 1]) * 0.25f;
    }
}

// The coarse rows between which row y of the doubled map lies: .75 of the first and .25 of the second.
INLINE int beside(int y, int h) {
  int other = (y >> 1) + ((y & 1) ? 1 : -1);
  return other < 0 ? 0 : other > h - 1 ? h - 1 : other;
}

// `n` columns of row y of the doubled map, from the even column x0 on. mid: n / 2 + 2 numbers and 8 to spare.
INLINE void doubled_row(const f* in, int h, int w, int y, int x0, int n, f* mid, f* out) {
  const f *a = in + (y >> 1) * w, *b = in + beside(y, h) * w;
  const int first = x0 / 2, count = least(n / 2, w - first);
  for (int k = 0; k < count; k++) mid[1 + k] = 0.75f * a[first + k] + 0.25f * b[first + k];
  const int left = first ? first - 1 : 0, right = least(first + count, w - 1);
  mid[0] = 0.75f * a[left] + 0.25f * b[left];
  mid[1 + count] = 0.75f * a[right] + 0.25f * b[right];
  for (int k = 0; k < n / 2; k += 4) {
    v here = MUL(SPLAT(0.75f), LOAD(mid + 1 + k));
    v e = MADD(SPLAT(0.25f), LOAD(mid + k), here), o = MADD(SPLAT(0.25f), LOAD(mid + 2 + k), here);
    STORE(out + 2 * k, low(e, o));
    STORE(out + 2 * k + 4, high(e, o));
  }
}

// Bilinear upsampling by 2, pixel centers aligned: [h][w] -> [2h][2w]. scratch: 3 w + 64 numbers
EXPORT(upsample) void upsample(const f* in, int channels, int in_stride, int h, int w, f* out, int out_stride, f* scratch) {
  f *mid = scratch, *row = scratch + ((w + 16) & ~3);
  for (int c = 0; c < channels; c++)
    for (int y = 0; y < 2 * h; y++) {
      doubled_row(in + c * in_stride, h, w, y, 0, (2 * w + 7) & ~7, mid, row);
      f* o = out + c * out_stride + y * 2 * w;
      for (int x = 0; x < 2 * w; x++) o[x] = row[x];
    }
}

// --- Matching: kpnviz/matching --------------------------------------------------------------------------------------------

// Frames [N][H][W] in units of their noise -> the means of 2x2 that are compared, with nothing around:
// [N][H + 2 reach][W + 2 reach + 8]. Scaled so that a cell's mean of 4 squares over 2 is their plain sum.
EXPORT(smooth) void smooth(const f* in, int N, int H, int W, int reach, f* out) {
  const int wide = W + 2 * reach + 8;
  const f scaling = 0.5f * 0.353553391f; // sqrt(1/8)
  for (int i = 0; i < N; i++)
    for (int y = 0; y < H; y++) {
      const f *a = in + (i * H + y) * W, *b = y + 1 < H ? a + W : H > 1 ? a - W : a; // beyond the edge: its reflection
      f* o = out + (i * (H + 2 * reach) + y + reach) * wide + reach;
      for (int x = 0; x < W - 1; x++) o[x] = (a[x] + a[x + 1] + b[x] + b[x + 1]) * scaling;
      const int x = W - 1, next = W > 1 ? W - 2 : 0;
      o[x] = (a[x] + a[next] + b[x] + b[next]) * scaling;
    }
}

// Whether both pixels of cell k lie in the picture, there and displaced by d; n pixels.
INLINE int within(int k, int d, int n) {
  return d == 0 || (2 * k + d >= 0 && 2 * k + 1 < n - 1 && 2 * k + 1 + d < n - 1);
}

INLINE int count_within(int k, int half, int d, int n) {
  int count = 0;
  for (int t = k > half ? k - half : 0; t <= k + half && t < n / 2; t++) count += within(t, d, n);
  return count;
}

// Four pixels of four displacements each: rows[l] is then displacement l of the four pixels.
INLINE void transpose(v x[4]) {
  v a = low(x[0], x[1]), b = high(x[0], x[1]), c = low(x[2], x[3]), d = high(x[2], x[3]);
  x[0] = wasm_i64x2_shuffle(a, c, 0, 2), x[1] = wasm_i64x2_shuffle(a, c, 1, 3);
  x[2] = wasm_i64x2_shuffle(b, d, 0, 2), x[3] = wasm_i64x2_shuffle(b, d, 1, 3);
}

// The costs of one frame: [windows][rows][stride]; H and W multiples of 8.
//
// A vector holds one cell's costs of four displacements, side by side along x: the frame's pixels for these are side by
// side, too. Sums over windows are kept running, first down the columns, then along the rows, and cost four additions a
// cell, whatever the window's size. They are sums of integers, exact: cells count in units of 2^-17 (of 2^-14 with four
// windows), so that CAP in every cell of the largest window fits.
EXPORT(match)
void match(const f* frames, int frame, int H, int W, int reach, int windows, int marginal, f* out, int stride, v* scratch) {
  const int h = H / 2, w = W / 2, K = 2 * reach + 1, rows = marginal ? 2 * K : K * K, wide = W + 2 * reach + 8;
  const f unit = windows > 3 ? 0x1p-14f : 0x1p-17f, shift = 12582912 * unit; // adding it leaves the integer in the low bits
  const v offset = wasm_i32x4_splat(((union bits){.value = shift}).word);
  const f* reference = frames + reach * wide + reach;
  const f* other = reference + frame * (H + 2 * reach) * wide;
  int border = 1; // of a row of column sums: as many zeros at either end as the largest window reaches
  for (int j = 0; j < windows; j++) border *= 3;
  border = border / 2 + 1;
  v *cells = scratch, *mask = cells + h * w, *column = mask + w, *inverse = column + w + 2 * border;
  v *lacking = inverse + windows * w, *none = lacking + windows * w, *lowest = none + w;
  for (int x = 0; x < w + 2 * border; x++) column[x] = wasm_i32x4_splat(0);
  for (int dx = -reach; dx <= reach; dx += 4) {
    const int lanes = least(4, reach - dx + 1);
    for (int x = 0; x < w; x++) {
      int32_t valid[4];
      f missing[4];
      for (int l = 0; l < 4; l++) valid[l] = l < lanes && within(x, dx + l, W) ? -1 : 0, missing[l] = l < lanes ? CAP : 1e30f;
      mask[x] = LOAD(valid), none[x] = LOAD(missing);
      for (int j = 0, half = 1; j < windows; j++, half = 3 * half + 1) {
        f per[4], miss[4];
        for (int l = 0; l < 4; l++) {
          int n = l < lanes ? count_within(x, half, dx + l, W) : 0;
          per[l] = n ? unit / n : 0, miss[l] = n ? 0 : missing[l];
        }
        inverse[j * w + x] = LOAD(per), lacking[j * w + x] = LOAD(miss);
      }
    }
    for (int dy = -reach; dy <= reach; dy++) {
      for (int y = 0; y < h; y++) {
        v* cell = cells + y * w;
        if (!within(y, dy, H)) {
          for (int x = 0; x < w; x++) cell[x] = wasm_i32x4_splat(0);
          continue;
        }
        const f *p = other + (2 * y + dy) * wide + dx, *q = reference + 2 * y * wide;
        for (int x = 0; x < w; x++, p += 2, q += 2) {
          v a = SUB(LOAD(p), wasm_v128_load32_splat(q)), b = SUB(LOAD(p + 1), wasm_v128_load32_splat(q + 1));
          v c = SUB(LOAD(p + wide), wasm_v128_load32_splat(q + wide));
          v d = SUB(LOAD(p + wide + 1), wasm_v128_load32_splat(q + wide + 1));
          v sum = MADD(d, d, MADD(c, c, MADD(b, b, MUL(a, a))));
          v cost = MIN(SUB(sum, SPLAT(1)), SPLAT(CAP));
          cell[x] = wasm_v128_and(wasm_i32x4_sub(ADD(cost, SPLAT(shift)), offset), mask[x]);
        }
      }
      v keep = wasm_i32x4_splat(-1); // the reference's cost where it is compared with itself is 0
      if (frame == 0 && dy == 0 && dx <= 0 && dx + 4 > 0) {
        int32_t all[4] = {-1, -1, -1, -1};
        all[-dx] = 0;
        keep = LOAD(all);
      }
      for (int j = 0, half = 1; j < windows; j++, half = 3 * half + 1) {
        v* sums = column + border;
        for (int x = 0; x < w; x++) sums[x] = wasm_i32x4_splat(0);
        for (int y = 0; y < least(half, h); y++)
          for (int x = 0; x < w; x++) sums[x] = wasm_i32x4_add(sums[x], cells[y * w + x]);
        for (int y = 0; y < h; y++) {
          const v *next = cells + (y + half) * w, *last = cells + (y - half - 1) * w;
          if (y + half < h && y > half)
            for (int x = 0; x < w; x++) sums[x] = wasm_i32x4_add(sums[x], wasm_i32x4_sub(next[x], last[x]));
          else if (y + half < h)
            for (int x = 0; x < w; x++) sums[x] = wasm_i32x4_add(sums[x], next[x]);
          else if (y > half)
            for (int x = 0; x < w; x++) sums[x] = wasm_i32x4_sub(sums[x], last[x]);
          const int n = count_within(y, half, dy, H);
          const v per_row = SPLAT(n ? 1.0f / n : 0), *per = inverse + j * w, *missing = n ? lacking + j * w : none;
          v running = wasm_i32x4_splat(0);
          for (int x = -half; x < half; x++) running = wasm_i32x4_add(running, sums[x]);
          f* place = out + j * rows * stride + y * w;
          for (int x = 0; x < w; x += 4) {
            v found[4];
            for (int k = 0; k < 4; k++) {
              const int at = x + k;
              running = wasm_i32x4_add(running, sums[at + half]);
              v mean = MUL(MUL(wasm_f32x4_convert_i32x4(running), per[at]), per_row);
              found[k] = wasm_v128_and(ADD(mean, missing[at]), keep);
              running = wasm_i32x4_sub(running, sums[at - half]);
              if (marginal) {
                v* here = lowest + (j * h + y) * w + at;
                *here = dy == -reach ? found[k] : MIN(*here, found[k]);
              }
            }
            transpose(found);
            if (marginal) {
              f* to = place + (dy + reach) * stride + x;
              v lowest_of_four = MIN(MIN(found[0], found[1]), MIN(found[2], found[3]));
              STORE(to, dx == -reach ? lowest_of_four : MIN(LOAD(to), lowest_of_four));
            } else
              for (int l = 0; l < lanes; l++) STORE(place + ((dy + reach) * K + dx + reach + l) * stride + x, found[l]);
          }
        }
      }
    }
    if (marginal)
      for (int j = 0; j < windows; j++)
        for (int p = 0; p < h * w; p += 4) {
          v found[4];
          for (int k = 0; k < 4; k++) found[k] = lowest[j * h * w + p + k];
          transpose(found);
          for (int l = 0; l < lanes; l++) STORE(out + (j * rows + K + dx + reach + l) * stride + p, found[l]);
        }
  }
}

// --- Kernels: kpnviz/models/matched.py ------------------------------------------------------------------------------------

// x [rows][apart] of BLOCK pixels -> factor * softmax over rows of scale * x; factor may be 0, for 1.
static void softmax(f* x, int rows, int apart, f scale, const f* factor) {
  f top[BLOCK], sum[BLOCK];
  for (int p = 0; p < BLOCK; p++) top[p] = scale * x[p], sum[p] = 0;
  for (int r = 1; r < rows; r++)
    for (int p = 0; p < BLOCK; p++) top[p] = larger(top[p], scale * x[r * apart + p]);
  for (int r = 0; r < rows; r++) {
    f* row = x + r * apart;
    for (int p = 0; p < BLOCK; p++) row[p] = exponential(scale * row[p] - top[p]), sum[p] += row[p];
  }
  for (int p = 0; p < BLOCK; p++) sum[p] = (factor ? factor[p] : 1) / sum[p];
  for (int r = 0; r < rows; r++)
    for (int p = 0; p < BLOCK; p++) x[r * apart + p] *= sum[p];
}

static void largest(const f* x, int rows, int apart, f sign, f* out) { // of sign * x over rows
  for (int p = 0; p < BLOCK; p++) out[p] = sign * x[p];
  for (int r = 1; r < rows; r++)
    for (int p = 0; p < BLOCK; p++) out[p] = larger(out[p], sign * x[r * apart + p]);
}

// Kernels by matching alone (_plain_factors) from costs [N][windows][rows][stride]: out [N][rows][stride]; and left [stride],
// the standard deviation of the noise that they leave (_left).
EXPORT(plain_factors)
void plain_factors(const f* costs, int N, int windows, int K, int separable, int stride, int pixels, f* out, f* left) {
  const int rows = separable ? 2 * K : K * K;
  static f share[MOST_FRAMES][BLOCK];
  for (int first = 0; first < pixels; first += BLOCK) {
    f power[BLOCK], v2[BLOCK], h2[BLOCK];
    for (int i = 0; i < N; i++)
      for (int r = 0; r < rows; r++) {
        const f* narrow = costs + (i * windows * rows + r) * stride + first;
        const f* next = narrow + rows * stride;
        f* o = out + (i * rows + r) * stride + first;
        for (int p = 0; p < BLOCK; p++) o[p] = windows > 1 ? narrow[p] + next[p] : narrow[p];
      }
    for (int p = 0; p < BLOCK; p++) power[p] = 0, v2[p] = N;
    if (separable) {
      for (int i = 0; i < N; i++) largest(out + i * rows * stride + first, K, stride, -1, share[i]);
      softmax(share[0], N, BLOCK, PLAIN_SHARPNESS, v2);
      for (int i = 0; i < N; i++) {
        f *vertical = out + i * rows * stride + first, *horizontal = vertical + K * stride;
        softmax(vertical, K, stride, -PLAIN_SHARPNESS_1D, share[i]);
        softmax(horizontal, K, stride, -PLAIN_SHARPNESS_1D, 0);
        for (int p = 0; p < BLOCK; p++) v2[p] = h2[p] = 0;
        for (int r = 0; r < K; r++)
          for (int p = 0; p < BLOCK; p++) {
            f a = vertical[r * stride + p], b = horizontal[r * stride + p];
            v2[p] += a * a, h2[p] += b * b;
          }
        for (int p = 0; p < BLOCK; p++) power[p] += v2[p] * h2[p];
      }
    } else {
      softmax(out + first, N * rows, stride, -PLAIN_SHARPNESS, v2);
      for (int r = 0; r < N * rows; r++)
        for (int p = 0; p < BLOCK; p++) power[p] += out[r * stride + first + p] * out[r * stride + first + p];
    }
    for (int p = 0; p < BLOCK; p++) left[first + p] = __builtin_sqrtf(power[p]) / N;
  }
}

INLINE f squash(f x) { return x / (1 + __builtin_fabsf(x)); }

// Row sums over BASE pixels, the edge repeated, of one row or (apart = W) column.
static void base_sums(const f* in, int n, int apart, f* out) {
  const int half = BASE / 2;
  double sum = 0;
  for (int k = -half; k < half; k++) sum += in[(k < 0 ? 0 : least(k, n - 1)) * apart];
  for (int x = 0; x < n; x++) {
    sum += in[least(x + half, n - 1) * apart];
    out[x * apart] = (f)(sum / BASE);
    sum -= in[(x > half ? x - half : 0) * apart];
  }
}

// What the trunk sees (_scene), 4 pixels as channels: reference, matched mean [H][W] and left [h][w] -> [20][stride].
// scratch: 2 H W numbers
EXPORT(scene) void scene(const f* reference, const f* mean, const f* left, int H, int W, f* out, int stride, f* scratch) {
  f *down = scratch, *base = scratch + H * W;
  for (int x = 0; x < W; x++) base_sums(mean + x, H, W, down + x);
  for (int y = 0; y < H; y++) base_sums(down + y * W, W, 1, base + y * W);
  for (int parity = 0; parity < 4; parity++)
    for (int y = 0; y < H / 2; y++)
      for (int x = 0; x < W / 2; x++) {
        const int i = (2 * y + (parity >> 1)) * W + 2 * x + (parity & 1), cell = y * (W / 2) + x;
        f* o = out + parity * stride + cell;
        o[0] = INPUT_GAIN_0 * squash((reference[i] - base[i]) / DIFFERENCE_SCALE);
        o[4 * stride] = INPUT_GAIN_1 * squash((mean[i] - base[i]) / DIFFERENCE_SCALE);
        o[8 * stride] = INPUT_GAIN_2 * squash((mean[i] - base[i]) / WIDE_SCALE);
        o[12 * stride] = NOISE_LEFT_GAIN * left[cell];
        o[16 * stride] = logarithm(1 + larger(mean[i], 0)) / 2 - BRIGHTNESS_OFFSET;
      }
}

// Divides the factors of BLOCK pixels by their mean mass, which is given; rows `stride` apart.
static void normalize(f* out, int rows, int stride, const f* mass, f count) {
  f by[BLOCK];
  for (int p = 0; p < BLOCK; p++) {
    f mean = mass[p] / count, size = larger(mean < 0 ? -mean : mean, LEAST_MASS);
    by[p] = 1 / (mean < 0 ? -size : size);
  }
  for (int r = 0; r < rows; r++)
    for (int p = 0; p < BLOCK; p++) out[r * stride + p] *= by[p];
}

// The last step (_factors, from the heads' outputs on) of the BLOCK pixels from `first` on.
//   outputs [N][apart][BLOCK]: C signed parts, `rows` logits, trust; sharp [windows (+ 1)][BLOCK]: both are overwritten
//   out [N][C][stride]
EXPORT(last_step)
void last_step(f* outputs, int apart, const f* costs, f* sharp, int N, int windows, int K, int C, int separable, int stride,
               int first, const int* sizes, const f* scales, int S, f* out) {
  const int rows = separable ? 2 * K : K * K;
  static f share[MOST_FRAMES][BLOCK];
  f mass[BLOCK], one[BLOCK], two[BLOCK];
  for (int j = 0; j < windows + separable; j++)
    for (int p = 0; p < BLOCK; p++) sharp[j * BLOCK + p] = exponential(2 * smaller(larger(sharp[j * BLOCK + p], -4), 4));
  for (int i = 0; i < N; i++) {
    f* logits = outputs + (i * apart + C) * BLOCK;
    const f* trust = logits + rows * BLOCK;
    for (int r = 0; r < rows; r++)
      for (int p = 0; p < BLOCK; p++) {
        f sum = LOGITS * logits[r * BLOCK + p] + (separable ? 0 : LOGITS * trust[p]);
        for (int j = 0; j < windows; j++)
          sum -= COST_WEIGHT / windows * costs[((i * windows + j) * rows + r) * stride + first + p] * sharp[j * BLOCK + p];
        logits[r * BLOCK + p] = sum;
      }
  }
  for (int p = 0; p < BLOCK; p++) mass[p] = 0, two[p] = N;
  if (!separable) {
    for (int i = 0; i < N; i++)
      for (int r = 0; r < rows; r++)
        for (int p = 0; p < BLOCK; p++)
          out[(i * rows + r) * stride + first + p] = outputs[(i * apart + C + r) * BLOCK + p];
    softmax(out + first, N * rows, stride, 1, two);
    for (int i = 0; i < N; i++)
      for (int r = 0; r < rows; r++)
        for (int p = 0; p < BLOCK; p++)
          mass[p] += out[(i * rows + r) * stride + first + p] += outputs[(i * apart + r) * BLOCK + p];
    normalize(out + first, N * rows, stride, mass, N);
    return;
  }
  const f* found = sharp + windows * BLOCK;
  for (int k = 0, start = 0; k < S; start += 2 * sizes[k], k++) {
    const int size = sizes[k], near = (K - size) / 2;
    for (int i = 0; i < N; i++) {
      const f *logits = outputs + (i * apart + C + near) * BLOCK, *trust = outputs + (i * apart + C + rows) * BLOCK;
      largest(logits, size, BLOCK, 1, one);
      largest(logits + K * BLOCK, size, BLOCK, 1, two);
      for (int p = 0; p < BLOCK; p++)
        share[i][p] = smaller(one[p], two[p]) * FOUND_WEIGHT * found[p] + LOGITS * trust[p];
    }
    for (int p = 0; p < BLOCK; p++) two[p] = N;
    softmax(share[0], N, BLOCK, 1, two);
    for (int i = 0; i < N; i++) {
      const f *logits = outputs + (i * apart + C + near) * BLOCK, *own = outputs + (i * apart + start) * BLOCK;
      f* o = out + (i * C + start) * stride + first;
      for (int axis = 0; axis < 2; axis++, logits += K * BLOCK, own += size * BLOCK, o += size * stride) {
        f* sum = axis ? two : one;
        for (int r = 0; r < size; r++)
          for (int p = 0; p < BLOCK; p++) o[r * stride + p] = logits[r * BLOCK + p];
        softmax(o, size, stride, scales[k], axis ? 0 : share[i]);
        for (int p = 0; p < BLOCK; p++) sum[p] = 0;
        for (int r = 0; r < size; r++)
          for (int p = 0; p < BLOCK; p++) sum[p] += o[r * stride + p] += own[r * BLOCK + p];
      }
      for (int p = 0; p < BLOCK; p++) mass[p] += one[p] * two[p];
    }
  }
  for (int k = 0, start = 0; k < S; start += 2 * sizes[k], k++)
    for (int i = 0; i < N; i++) normalize(out + (i * C + start) * stride + first, sizes[k], stride, mass, N * S);
}

// --- Applying kernels: kpnviz/local_conv ------------------------------------------------------------------------------------

// frames [N][H + 2 reach][W + 2 reach + 8], padded by reflection; factors [N][C][stride] of h x w, at half resolution;
// out [H][W]: the mean over frames and sizes. scratch: (C + 1) * 80 numbers
EXPORT(local_conv)
void local_conv(const f* frames, int N, int H, int W, int reach, const f* factors, int C, int stride, const int* sizes, int S,
                int separable, f* out, f* scratch) {
  const int h = (H + 1) / 2, w = (W + 1) / 2, wide = W + 2 * reach + 8;
  f *up = scratch, *mid = scratch + C * BLOCK;
  const v by = SPLAT(1.0f / (N * S));
  for (int y = 0; y < H; y++)
    for (int x0 = 0; x0 < W; x0 += BLOCK) {
      v total[BLOCK / 4];
      const int columns = (least(BLOCK, W - x0) + 7) & ~7;
      for (int x = 0; x < BLOCK / 4; x++) total[x] = SPLAT(0);
      for (int i = 0; i < N; i++) {
        for (int c = 0; c < C; c++) doubled_row(factors + (i * C + c) * stride, h, w, y, x0, columns, mid, up + c * BLOCK);
        const f* channel = up;
        for (int k = 0; k < S; k++) {
          const int size = sizes[k], r = size / 2;
          const f* corner = frames + (i * (H + 2 * reach) + y + reach - r) * wide + x0 + reach - r;
          for (int x = 0; x < columns; x += 8) {
            v sum0 = total[x / 4], sum1 = total[x / 4 + 1];
            for (int a = 0; a < size; a++) {
              const f *p = corner + a * wide + x, *weight = channel + (separable ? size : a * size) * BLOCK + x;
              v row0 = SPLAT(0), row1 = SPLAT(0);
              for (int b = 0; b < size; b++, p++, weight += BLOCK) {
                row0 = MADD(LOAD(weight), LOAD(p), row0);
                row1 = MADD(LOAD(weight + 4), LOAD(p + 4), row1);
              }
              const f* u = channel + a * BLOCK + x;
              sum0 = separable ? MADD(LOAD(u), row0, sum0) : ADD(sum0, row0);
              sum1 = separable ? MADD(LOAD(u + 4), row1, sum1) : ADD(sum1, row1);
            }
            total[x / 4] = sum0, total[x / 4 + 1] = sum1;
          }
          channel += (separable ? 2 * size : size * size) * BLOCK;
        }
      }
      for (int x = 0; x < columns; x += 8)
        store_part(out + y * W + x0 + x, MUL(total[x / 4], by), MUL(total[x / 4 + 1], by), W - x0 - x);
    }
}

// Planes that are `wide` wide are left with their first h x w, in place.
EXPORT(crop) void crop(f* planes, int channels, int stride, int wide, int h, int w) {
  for (int c = 0; c < channels; c++)
    for (int y = 0; y < h; y++)
      for (int x = 0; x < w; x++) planes[c * stride + y * w + x] = planes[c * stride + y * wide + x];
}

// Planes of `count` numbers without gaps between them, as float16 (rounded to the nearest even).
EXPORT(halves) void halves(const f* in, int channels, int stride, int count, uint16_t* out) {
  for (int c = 0; c < channels; c++)
    for (int p = 0; p < count; p++, out++) {
      union bits u = {.value = in[c * stride + p]};
      const uint32_t sign = ((uint32_t)u.word >> 16) & 0x8000;
      uint32_t size = (uint32_t)u.word & 0x7fffffff;
      if (size >= 0x47800000) // infinity, or no number
        *out = (uint16_t)(sign | (size > 0x7f800000 ? 0x7e00 : 0x7c00));
      else if (size < 0x38800000) { // below the smallest normal one: adding 0.5 shifts its bits to the end
        union bits small = {.word = (int32_t)size};
        small.value += 0.5f;
        *out = (uint16_t)(sign | ((uint32_t)small.word - 0x3f000000));
      } else {
        size += 0xc8000fff + ((size >> 13) & 1);
        *out = (uint16_t)(sign | (size >> 13));
      }
    }
}
