// Operations on rows: gathers, segment sums, column sums. A tile of the first
// three is ROWS rows; threads go along the columns.
#pragma once
#include "run.cuh"

enum { ROWS = 2 };

// each runs f(r, c) for the elements of one tile of an m×n matrix.
template <typename F>
static __device__ inline void each(const Op &op, int tile, F f) {
  for (int i = 0; i < ROWS; i++) {
    int r = tile * ROWS + i;
    if (r >= op.m) return;
    for (int c = threadIdx.x; c < op.n; c += THREADS) f(r, c);
  }
}

// EMBED: out[r, c] = w[0][index[0][r], c]
static __device__ void embed(Shared &sh, const Run &run, int tile) {
  const Op &op = sh.op;
  const float *w = at(run, op.w[0]);
  const int *token = ints(run, op.index[0]);
  float *out = at(run, op.out);
  each(op, tile, [&](int r, int c) { out[r * op.n + c] = w[token[r] * op.n + c]; });
}

// GATHER: out[r, c] = relu(bias[c] + Σ_i x[i][index[i][r], c])
static __device__ void gather(Shared &sh, const Run &run, int tile) {
  const Op &op = sh.op;
  const float *bias = at(run, op.bias);
  float *out = at(run, op.out);
  each(op, tile, [&](int r, int c) {
    float s = bias[c];
    for (int i = 0; i < op.sources; i++) s += at(run, op.x[i])[ints(run, op.index[i])[r] * op.n + c];
    out[r * op.n + c] = s > 0 ? s : s != s ? s : 0;
  });
}

// segment is Σ_e weight[e]·x[row[e], c] over the entries e of list r, in their
// order. No rows: entry e is row e. No weights: each is 1.
static __device__ inline float segment(const Run &run, const Op &op, const float *x, int r, int c) {
  const int *off = ints(run, op.off);
  float s = 0;
  for (int e = off[r], end = off[r + 1]; e < end; e++) {
    int from = op.row ? ints(run, op.row)[e] : e;
    float v = x[from * op.n + c];
    s += op.weight ? at(run, op.weight)[e] * v : v;
  }
  return s;
}

// SEGMENTS: out[r, c] = segment of x[0], where mask[r, c] > 0 if there is a mask
static __device__ void segments(Shared &sh, const Run &run, int tile) {
  const Op &op = sh.op;
  const float *x = at(run, op.x[0]);
  float *out = at(run, op.out);
  each(op, tile, [&](int r, int c) {
    int i = r * op.n + c;
    out[i] = op.mask && !(at(run, op.mask)[i] > 0) ? 0 : segment(run, op, x, r, c);
  });
}

// column is Σ_r w[r]·(x[r, c] − mean[c])·mask[r, c] over the k rows of x[0] and the
// k2 rows of x[1], for the TILE columns from c0 on; the thread of column c with
// threadIdx.x < TILE gets the sum. No mean: nothing is subtracted. No weights, no
// mask: each is 1. The rows are dealt to PARTS threads, whose sums are added in
// order.
static __device__ float column(Shared &sh, const Run &run, int c0, bool masked) {
  const Op &op = sh.op;
  int lane = threadIdx.x % TILE, part = threadIdx.x / TILE, c = c0 + lane;
  float s = 0, less = op.mean && c < op.n ? at(run, op.mean)[c] : 0;
  for (int i = 0; i < op.sources; i++) {
    int rows = i == 0 ? op.k : op.k2;
    const float *x = at(run, op.x[i]), *w = op.w[i] ? at(run, op.w[i]) : 0;
    const float *mask = masked ? at(run, op.mask) : 0;
    for (int r = part; r < rows && c < op.n; r += PARTS) {
      float v = x[r * op.n + c] - less;
      if (w) v *= w[r];
      if (mask) v *= mask[r * op.n + c];
      s += v;
    }
  }
  __syncthreads();
  sh.part[lane][part] = s;
  __syncthreads();
  s = 0;
  if (part == 0)
    for (int i = 0; i < PARTS; i++) s += sh.part[lane][i];
  return s;
}

// SUM: out[c] = Σ_r w[r]·x[r, c], times the mask if the run has dropout
static __device__ void sum(Shared &sh, const Run &run, int tile) {
  const Op &op = sh.op;
  int c = tile * TILE + threadIdx.x;
  float s = column(sh, run, tile * TILE, op.mask && header(run).flags & DROPS);
  if (threadIdx.x < TILE && c < op.n) at(run, op.out)[c] = s;
}
