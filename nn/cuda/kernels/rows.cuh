// Operations on rows: gathers, segment sums, column sums. A tile of the first
// three is ELEMENTS elements, whatever their rows.
#pragma once
#include "run.cuh"

// each sets the elements of one tile of an m×n matrix to f(r, c). All of a
// thread's are computed before any is stored, so that their loads overlap.
template <typename F>
static __device__ inline void each(const Op &op, int tile, float *out, F f) {
  enum { MINE = ELEMENTS / THREADS };
  int first = tile * ELEMENTS + threadIdx.x, all = op.m * op.n;
  float v[MINE];
#pragma unroll
  for (int i = 0; i < MINE; i++) {
    int e = first + i * THREADS;
    if (e < all) v[i] = f(e / op.n, e % op.n);
  }
#pragma unroll
  for (int i = 0; i < MINE; i++) {
    int e = first + i * THREADS;
    if (e < all) out[e] = v[i];
  }
}

// EMBED: out[r, c] = w[0][index[0][r], c]
static __device__ void embed(Shared &sh, const Run &run, int tile) {
  const Op &op = sh.op;
  const float *w = at(run, op.w[0]);
  const int *token = ints(run, op.index[0]);
  each(op, tile, at(run, op.out), [&](int r, int c) { return w[token[r] * op.n + c]; });
}

// GATHER: out[r, c] = relu(bias[c] + Σ_i x[i][index[i][r], c]), i < 3
static __device__ void gather(Shared &sh, const Run &run, int tile) {
  const Op &op = sh.op;
  const float *bias = at(run, op.bias);
  each(op, tile, at(run, op.out), [&](int r, int c) {
    float s = bias[c];
#pragma unroll
    for (int i = 0; i < 3; i++) s += at(run, op.x[i])[ints(run, op.index[i])[r] * op.n + c];
    return s > 0 ? s : s != s ? s : 0;
  });
}

// segment is Σ_e weight[e]·x[row[e], c] over the entries e of list r, in their
// order. No rows: entry e is row e. No weights: each is 1. The rows of some
// entries are looked up side by side, because each has to be there before its
// element can be asked for.
static __device__ inline float segment(const Run &run, const Op &op, const float *x, int r, int c) {
  enum { ABREAST = 4 };
  const int *off = ints(run, op.off), *row = op.row ? ints(run, op.row) : 0;
  const float *weight = op.weight ? at(run, op.weight) : 0;
  float s = 0;
  for (int e = off[r], end = off[r + 1]; e < end; e += ABREAST) {
    int from[ABREAST];
    float v[ABREAST], w[ABREAST];
#pragma unroll
    for (int i = 0; i < ABREAST; i++) {
      from[i] = e + i, w[i] = 1;
      if (row && e + i < end) from[i] = row[e + i];
      if (weight && e + i < end) w[i] = weight[e + i];
    }
#pragma unroll
    for (int i = 0; i < ABREAST; i++) v[i] = e + i < end ? x[from[i] * op.n + c] : 0;
#pragma unroll
    for (int i = 0; i < ABREAST; i++)
      if (e + i < end) s += w[i] * v[i];
  }
  return s;
}

// SEGMENTS: out[r, c] = segment of x[0], where mask[r, c] > 0 if there is a mask
static __device__ void segments(Shared &sh, const Run &run, int tile) {
  const Op &op = sh.op;
  const float *x = at(run, op.x[0]), *mask = op.mask ? at(run, op.mask) : 0;
  each(op, tile, at(run, op.out), [&](int r, int c) {
    bool keep = !mask || mask[r * op.n + c] > 0;
    float s = segment(run, op, x, r, c);
    return keep ? s : 0;
  });
}

// column is Σ_r w[r]·(x[r, c] − mean[c])·mask[r, c] over the k rows of x[0] and the
// k2 rows of x[1], for the WIDTH columns from c0 on; the thread of column c with
// threadIdx.x < WIDTH gets the sum. No mean: nothing is subtracted. No weights, no
// mask: each is 1. The rows are dealt to SHARES threads, whose sums are added in
// order.
template <int WIDTH>
static __device__ float column(Shared &sh, const Run &run, int c0, bool masked) {
  enum { SHARES = THREADS / WIDTH };
  const Op &op = sh.op;
  int lane = threadIdx.x % WIDTH, part = threadIdx.x / WIDTH, c = c0 + lane;
  float s = 0, less = op.mean && c < op.n ? at(run, op.mean)[c] : 0;
  for (int i = 0; i < op.sources; i++) {
    int rows = i == 0 ? op.k : op.k2;
    const float *x = at(run, op.x[i]), *w = op.w[i] ? at(run, op.w[i]) : 0;
    const float *mask = masked ? at(run, op.mask) : 0;
    if (c < op.n) {
#pragma unroll 4
      for (int r = part; r < rows; r += SHARES) {
        float v = x[r * op.n + c] - less;
        if (w) v *= w[r];
        if (mask) v *= mask[r * op.n + c];
        s += v;
      }
    }
  }
  sh.line[threadIdx.x] = s;
  __syncthreads();
  s = 0;
  if (part == 0)
    for (int i = 0; i < SHARES; i++) s += sh.line[i * WIDTH + lane];
  return s;
}

// SUM: out[c] = Σ_r w[r]·x[r, c], times the mask if the run has dropout
static __device__ void sum(Shared &sh, const Run &run, int tile) {
  const Op &op = sh.op;
  int c = tile * STRIP + threadIdx.x;
  float s = column<STRIP>(sh, run, tile * STRIP, op.mask && sh.header.flags & DROPS);
  if (threadIdx.x < STRIP && c < op.n) at(run, op.out)[c] = s;
}
