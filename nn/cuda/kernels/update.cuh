// Gradients of weights, and what becomes of them.
#pragma once
#include "product.cuh"

// update takes the gradient g of weight i. With several examples in a batch it
// is added up in memory first; with one it never gets there. Adam as Keras
// computes it, with decoupled decay:
//
//   w -= w·decay·rate
//   m += (g − m)·mean
//   v += (g² − v)·square
//   w -= m·alpha / (√v + epsilon)
//
// What an update needs is recalled before the gradient is summed.
struct Recalled {
  float w, m, v, g;
};

static __device__ inline Recalled recall(const Header &h, const Run &run, int i) {
  Recalled o = {};
  if (h.flags & ADDS) o.g = run.grad[i];
  if (h.flags & APPLIES) o.w = run.space[WEIGHTS][i], o.m = run.m[i], o.v = run.v[i];
  return o;
}

static __device__ inline void update(const Header &h, const Run &run, int i, Recalled o, float g) {
  g += o.g;
  if (!(h.flags & APPLIES)) {
    run.grad[i] = g;
    return;
  }
  o.w -= o.w * h.decay * h.rate;
  o.m += (g - o.m) * h.mean;
  o.v += (g * g - o.v) * h.square;
  run.space[WEIGHTS][i] = o.w - o.m * h.alpha / (sqrtf(o.v) + h.epsilon);
  run.m[i] = o.m;
  run.v[i] = o.v;
}

// GRADIENT: out[r, c] gets Σ_i a[0][i, r]·w[0][i, c], the sum over k rows; m×n in
// tiles of LARGE rows and columns: there are enough of them to fill any device,
// and larger ones read less. out is among the weights.
static __device__ void gradient(Shared &sh, const Run &run, int tile) {
  enum { OUTPUTS = Tile<LARGE>::OUTPUTS };
  const Op &op = sh.op;
  const float *x = at(run, op.a[0]), *dy = at(run, op.w[0]);
  int r0 = tile / op.columns * LARGE, c0 = tile % op.columns * LARGE;
  Tile<LARGE> t = {};
  Recalled old[OUTPUTS];
  for (int k0 = 0; k0 < op.k; k0 += Tile<LARGE>::DEEP) {
    if (k0 > 0) __syncthreads();
    fetch<LARGE, ACROSS>(sh.operands + LEFT, x, r0, op.m, k0, op.k);
    fetch<LARGE, ACROSS>(sh.operands + RIGHT, dy, c0, op.n, k0, op.k);
    if (k0 == 0)
#pragma unroll
      for (int o = 0; o < OUTPUTS; o++) {
        int e = threadIdx.x + o * THREADS, r = r0 + e / LARGE, c = c0 + e % LARGE;
        if (r < op.m && c < op.n) old[o] = recall(sh.header, run, (op.out & OFFSET) + r * op.n + c);
      }
    arrived();
    __syncthreads();
    multiply<LARGE, ACROSS, ACROSS>(sh, deep<LARGE>(op.k, k0), t);
  }
  share<LARGE, ACROSS, ACROSS>(sh, t);
#pragma unroll
  for (int o = 0; o < OUTPUTS; o++) {
    int e = threadIdx.x + o * THREADS, r = r0 + e / LARGE, c = c0 + e % LARGE;
    if (r < op.m && c < op.n) update(sh.header, run, (op.out & OFFSET) + r * op.n + c, old[o], whole<LARGE>(sh, e));
  }
}

// VECTOR: out[c] gets the column sum that rows.cuh describes.
static __device__ void vector(Shared &sh, const Run &run, int tile) {
  const Op &op = sh.op;
  int c = tile * BROAD + threadIdx.x, i = (op.out & OFFSET) + c;
  bool mine = threadIdx.x < BROAD && c < op.n;
  Recalled old = {};
  if (mine) old = recall(sh.header, run, i);
  float s = column<BROAD>(sh, run, tile * BROAD, false);
  if (mine) update(sh.header, run, i, old, s);
}

// CLASSES: out[t, c] gets Σ x[0][r, c] over the k rows r with index[0][r] = t, for m
// classes: an embedding's gradient, dense. A tile is one class.
static __device__ void classes(Shared &sh, const Run &run, int tile) {
  const Op &op = sh.op;
  const float *x = at(run, op.x[0]);
  const int *token = ints(run, op.index[0]);
  for (int c = threadIdx.x; c < op.n; c += THREADS) {
    int to = (op.out & OFFSET) + tile * op.n + c;
    Recalled old = recall(sh.header, run, to);
    float s = 0;
    for (int r = 0; r < op.k; r++)
      if (token[r] == tile) s += x[r * op.n + c];
    update(sh.header, run, to, old, s);
  }
}
