// The pooling of atoms and bonds into the molecule's state.
#pragma once
#include "product.cuh"

// LOGITS: out[r] = Σ_c x[0][r, c]·query[c]
//
// The query's bias shifts all logits alike, which softmax does not see.
static __device__ void logits(Shared &sh, const Run &run, int tile) {
  const Op &op = sh.op;
  int r0 = tile * TILE;
  rowDots(sh, at(run, op.x[0]), 0, at(run, op.query), r0, op.m, op.n);
  int r = r0 + threadIdx.x;
  if (threadIdx.x < TILE && r < op.m) at(run, op.out)[r] = sh.row[threadIdx.x];
}

// project is out[c] = (out[c] or bias[c]) + Σ_k y[k]·w[k, c] for one row y, by
// one block; prior may be null. The summed index is dealt to PARTS threads.
static __device__ void project(Shared &sh, float *out, const float *prior, const float *bias, const float *y,
                               const float *w, int k, int n) {
  int lane = threadIdx.x % TILE, part = threadIdx.x / TILE;
  for (int c0 = 0; c0 < n; c0 += TILE) {
    int c = c0 + lane;
    float s = 0;
    for (int i = part; i < k && c < n; i += PARTS) s += y[i] * w[i * n + c];
    __syncthreads();
    sh.part[lane][part] = s;
    __syncthreads();
    if (part == 0 && c < n) {
      s = bias[c] + (prior ? prior[c] : 0);
      for (int i = 0; i < PARTS; i++) s += sh.part[lane][i];
      out[c] = s;
    }
  }
  __syncthreads();
}

// POOL, by one block: p holds the logits of k atoms and k2 bonds, and becomes
// the weight of each class of weight[r] members,
//
//   p[r] = weight[r]·exp(p[r] − max p) / Σ weight·exp(p − max p)
//   mean[c] = Σ_r p[r]·x[r, c]                  x[0] and x[1], n columns
//   out[i] = x[2][i] + bias[i] + Σ_c mean[c]·w[0][c, i]     m of them; x[2] is the state before
//
// and then what the state adds to hidden rows: for i in a[0:sources], with the
// weights w[1+i][m, 2n] and their biases, which follow them,
//
//   a[i][c] = bias[c] + Σ out·w[1+i]
static __device__ void pool(Shared &sh, const Run &run, int) {
  const Op &op = sh.op;
  int rows = op.k + op.k2;
  float *p = at(run, op.p), *mean = at(run, op.mean);
  const float *count = at(run, op.weight);
  float top = -INFINITY;
  for (int r = threadIdx.x; r < rows; r += THREADS) top = fmaxf(top, p[r]);
  top = largest(sh, top);
  float s = 0;
  for (int r = threadIdx.x; r < rows; r += THREADS) {
    float e = count[r] * expf(p[r] - top);
    p[r] = e;
    s += e;
  }
  s = total(sh, s);
  for (int r = threadIdx.x; r < rows; r += THREADS) p[r] /= s;
  __syncthreads();

  int lane = threadIdx.x % TILE, part = threadIdx.x / TILE;
  const float *atoms = at(run, op.x[0]), *bonds = at(run, op.x[1]);
  for (int c0 = 0; c0 < op.n; c0 += TILE) {
    int c = c0 + lane;
    s = 0;
#pragma unroll 4
    for (int r = part; r < op.k && c < op.n; r += PARTS) s += p[r] * atoms[r * op.n + c];
#pragma unroll 4
    for (int r = part; r < op.k2 && c < op.n; r += PARTS) s += p[op.k + r] * bonds[r * op.n + c];
    __syncthreads();
    sh.part[lane][part] = s;
    __syncthreads();
    if (part == 0 && c < op.n) {
      s = 0;
      for (int i = 0; i < PARTS; i++) s += sh.part[lane][i];
      mean[c] = s;
    }
  }
  __syncthreads();

  float *out = at(run, op.out);
  project(sh, out, op.x[2] ? at(run, op.x[2]) : 0, at(run, op.bias), mean, at(run, op.w[0]), op.n, op.m);
  for (int i = 0; i < op.sources; i++) {
    const float *w = at(run, op.w[1 + i]);
    project(sh, at(run, op.a[i]), 0, w + op.m * 2 * op.n, out, w, op.m, 2 * op.n);
  }
}

// POOLBACK, by one block, undoes the last part of POOL: with d[i] = a[i] the
// gradient of what was added to all hidden rows,
//
//   out[i] = x[2][i] + Σ_j Σ_c w[1+j][i, c]·d[j][c]     m of them; the state's gradient
//   dMean[c] = Σ_i w[0][c, i]·out[i]                    n of them
//
// Four threads share the sum of a row of weights.
static __device__ void poolBack(Shared &sh, const Run &run, int) {
  const Op &op = sh.op;
  float *out = at(run, op.out), *dMean = at(run, op.dMean);
  int row = threadIdx.x / PARTS, part = threadIdx.x % PARTS;
  for (int r0 = 0; r0 < op.m; r0 += TILE) {
    int r = r0 + row;
    float s = 0;
    for (int j = 0; j < op.sources; j++) {
      const float *w = at(run, op.w[1 + j]), *d = at(run, op.a[j]);
      for (int c = part; c < 2 * op.n && r < op.m; c += PARTS) s += w[r * 2 * op.n + c] * d[c];
    }
    __syncthreads();
    sh.part[row][part] = s;
    __syncthreads();
    if (part == 0 && r < op.m) {
      s = op.x[2] ? at(run, op.x[2])[r] : 0;
      for (int i = 0; i < PARTS; i++) s += sh.part[row][i];
      out[r] = s;
    }
  }
  __syncthreads();
  const float *w = at(run, op.w[0]);
  for (int r0 = 0; r0 < op.n; r0 += TILE) {
    int r = r0 + row;
    float s = 0;
    for (int i = part; i < op.m && r < op.n; i += PARTS) s += w[r * op.m + i] * out[i];
    __syncthreads();
    sh.part[row][part] = s;
    __syncthreads();
    if (part == 0 && r < op.n) {
      s = 0;
      for (int i = 0; i < PARTS; i++) s += sh.part[row][i];
      dMean[r] = s;
    }
  }
}
