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
static __device__ inline void update(const Run &run, int i, float g) {
  const Header &h = header(run);
  if (h.flags & ADDS) g += run.grad[i];
  if (!(h.flags & APPLIES)) {
    run.grad[i] = g;
    return;
  }
  float w = run.space[WEIGHTS][i], m = run.m[i], v = run.v[i];
  w -= w * h.decay * h.rate;
  m += (g - m) * h.mean;
  v += (g * g - v) * h.square;
  run.space[WEIGHTS][i] = w - m * h.alpha / (sqrtf(v) + h.epsilon);
  run.m[i] = m;
  run.v[i] = v;
}

// GRADIENT: out[r, c] gets Σ_i a[0][i, r]·w[0][i, c], the sum over k rows; m×n in
// tiles as in product.cuh. out is among the weights.
static __device__ void gradient(Shared &sh, const Run &run, int tile) {
  const Op &op = sh.op;
  const float *x = at(run, op.a[0]), *dy = at(run, op.w[0]);
  int r0 = tile / op.columns * TILE, c0 = tile % op.columns * TILE;
  int lane = threadIdx.x % TILE, part = threadIdx.x / TILE;
  Tile t = {};
  for (int k0 = 0; k0 < op.k; k0 += TILE) {
    __syncthreads();
#pragma unroll
    for (int i = part; i < TILE; i += PARTS) {
      int k = k0 + i;
      sh.a[i][lane] = k < op.k && r0 + lane < op.m ? x[k * op.m + r0 + lane] : 0;
      sh.w[i][lane] = k < op.k && c0 + lane < op.n ? dy[k * op.n + c0 + lane] : 0;
    }
    __syncthreads();
    addTile(sh, t);
  }
  for (int i = 0; i < 2; i++)
    for (int j = 0; j < 4; j++) {
      int r = r0 + tileRow() + i, c = c0 + tileColumn() + j;
      if (r < op.m && c < op.n) update(run, (op.out & OFFSET) + r * op.n + c, t.s[i][j]);
    }
}

// VECTOR: out[c] gets the column sum that rows.cuh describes.
static __device__ void vector(Shared &sh, const Run &run, int tile) {
  const Op &op = sh.op;
  int c = tile * TILE + threadIdx.x;
  float s = column(sh, run, tile * TILE, false);
  if (threadIdx.x < TILE && c < op.n) update(run, (op.out & OFFSET) + c, s);
}

// CLASSES: out[t, c] gets Σ x[0][r, c] over the k rows r with index[0][r] = t, for m
// classes: an embedding's gradient, dense. A tile is one class.
static __device__ void classes(Shared &sh, const Run &run, int tile) {
  const Op &op = sh.op;
  const float *x = at(run, op.x[0]);
  const int *token = ints(run, op.index[0]);
  for (int c = threadIdx.x; c < op.n; c += THREADS) {
    float s = 0;
    for (int r = 0; r < op.k; r++)
      if (token[r] == tile) s += x[r * op.n + c];
    update(run, (op.out & OFFSET) + tile * op.n + c, s);
  }
}
