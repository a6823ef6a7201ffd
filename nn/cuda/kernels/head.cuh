// The heads: dropout, predictions, the loss's derivative.
#pragma once
#include "rows.cuh"

// Pcg is math/rand/v2's PCG: a 128-bit linear congruential generator with the
// DXSM output (O'Neill 2014). The host draws dropout's factors one after the
// other; a thread here starts anywhere in the same stream.
struct Pcg {
  u64 hi, lo;
};

static __device__ inline Pcg times(Pcg x, Pcg y) {
  return Pcg{__umul64hi(x.lo, y.lo) + x.hi * y.lo + x.lo * y.hi, x.lo * y.lo};
}

static __device__ inline Pcg plus(Pcg x, Pcg y) {
  u64 lo = x.lo + y.lo;
  return Pcg{x.hi + y.hi + (lo < x.lo), lo};
}

static __device__ inline Pcg pcgMul() { return Pcg{2549297995355413924ull, 4865540595714422341ull}; }
static __device__ inline Pcg pcgInc() { return Pcg{6364136223846793005ull, 1442695040888963407ull}; }

// skip advances a generator by n draws in O(log n), Brown 1994: n steps of
// x·mul + inc are one step of another multiplier and increment.
static __device__ Pcg skip(Pcg x, unsigned n) {
  Pcg mul = pcgMul(), inc = pcgInc(), byMul = {0, 1}, byInc = {0, 0};
  for (; n; n >>= 1) {
    if (n & 1) {
      byMul = times(byMul, mul);
      byInc = plus(times(byInc, mul), inc);
    }
    inc = plus(times(inc, mul), inc);
    mul = times(mul, mul);
  }
  return plus(times(byMul, x), byInc);
}

// draw is the next number of a generator.
static __device__ inline u64 draw(Pcg &x) {
  x = plus(times(x, pcgMul()), pcgInc());
  u64 hi = x.hi;
  hi ^= hi >> 32;
  hi *= 0xda942042e4dd58b5ull;
  hi ^= hi >> 48;
  return hi * (x.lo | 1);
}

enum { SEGMENT = 8 }; // draws of a thread

// DROPOUT: mask[h, r, c] for n heads, m classes of weight[r] members and k
// columns, drawn in that order from the run's generator: with u the draw,
//
//   mask = factor[number of limits of the class's size that u reaches]
//
// tables[size] is the index of a table: how many limits there are, then the
// factors, then, from an even index on, the limits, 64 bits each. The last limit
// is never reached. A tile is THREADS segments of a row's draws.
static __device__ void dropout(Shared &sh, const Run &run, int tile) {
  const Op &op = sh.op;
  const Header &h = sh.header;
  if (!(h.flags & DROPS)) return;
  int segments = (op.k + SEGMENT - 1) / SEGMENT;
  int unit = tile * THREADS + threadIdx.x, row = unit / segments, c = unit % segments * SEGMENT;
  if (row >= op.n * op.m) return;
  const int *table = run.tables + run.tables[(int)at(run, op.weight)[row % op.m]];
  int limits = table[0];
  const float *factor = (const float *)(table + 1);
  const u64 *limit = (const u64 *)(table + 1 + limits + (1 + limits) % 2);
  float *mask = at(run, op.out) + row * op.k;
  Pcg x = {(u64)h.stream[1] << 32 | h.stream[0], (u64)h.stream[3] << 32 | h.stream[2]};
  x = skip(x, (unsigned)(row * op.k + c));
  for (int end = c + SEGMENT < op.k ? c + SEGMENT : op.k; c < end; c++) {
    u64 u = draw(x);
    int dropped = 0;
    while (dropped < limits - 1 && u >= limit[dropped]) dropped++;
    mask[c] = factor[dropped];
  }
}

// HEAD, by one block: for each of m heads with the mean bond a[0][h, n], the
// weights w[0][n] and the bias that follows them, and so on from head to head,
//
//   out[h] = bias + Σ_c a[h, c]·w[c]
//   out2[h] = scale·sign(out[h] − target[h])     0 if not measured; weight is the targets
//
// The sum of scale·|out − target| is the loss; the host adds it up from out.
static __device__ void head(Shared &sh, const Run &run, int) {
  const Op &op = sh.op;
  const float *target = at(run, op.weight);
  for (int i = 0; i < op.m; i++) {
    const float *mean = at(run, op.a[0]) + i * op.n, *w = at(run, op.w[0]) + i * (op.n + 1);
    float s = 0;
    for (int c = threadIdx.x; c < op.n; c += THREADS) s += mean[c] * w[c];
    s = total(sh, s) + w[op.n];
    if (threadIdx.x == 0) {
      at(run, op.out)[i] = s;
      float e = s - target[i], d = 0;
      if (target[i] - target[i] == 0) d = e > 0 ? sh.header.scale : e < 0 ? -sh.header.scale : 0;
      at(run, op.out2)[i] = d;
    }
  }
}

// HEADBACK: out[r, c] = Σ_h share[r]·(d[h]·w[h][c])·mask[h, r, c], with d = a[0] of k
// heads, share = weight, and no mask unless the run has dropout. Tiles as in
// rows.cuh.
static __device__ void headBack(Shared &sh, const Run &run, int tile) {
  const Op &op = sh.op;
  bool drops = sh.header.flags & DROPS;
  const float *d = at(run, op.a[0]), *w = at(run, op.w[0]), *share = at(run, op.weight);
  each(op, tile, at(run, op.out), [&](int r, int c) {
    float s = 0;
    for (int h = 0; h < op.k; h++) {
      float v = share[r] * (d[h] * w[h * (op.n + 1) + c]);
      if (drops) v *= at(run, op.mask)[(h * op.m + r) * op.n + c];
      s += v;
    }
    return s;
  });
}
