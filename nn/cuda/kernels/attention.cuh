// The pooling of atoms and bonds into the molecule's state.
#pragma once
#include "product.cuh"

// LOGITS: out[r] = Σ_c x[0][r, c]·query[c]
//
// The query's bias shifts all logits alike, which softmax does not see.
static __device__ void logits(Shared &sh, const Run &run, int tile) {
  const Op &op = sh.op;
  int r0 = tile * SMALL;
  rowDots(sh, at(run, op.x[0]), 0, at(run, op.query), r0, op.m, op.n);
  int r = r0 + threadIdx.x;
  if (threadIdx.x < SMALL && r < op.m) at(run, op.out)[r] = sh.row[threadIdx.x];
}

// across is how many of a block's threads stand side by side along n outputs: a
// power of two, so that the others can share the summed index of each.
static __device__ inline int across(int n) {
  int threads = 1;
  while (threads < n && threads < THREADS) threads *= 2;
  return threads;
}

// project is out[c] = (prior[c] or 0) + bias[c] + Σ_k y[k]·w[k, c] for one row y, by
// one block; prior may be null.
static __device__ void project(Shared &sh, float *out, const float *prior, const float *bias, const float *y,
                               const float *w, int k, int n) {
  int side = across(n), shares = THREADS / side, lane = threadIdx.x % side, part = threadIdx.x / side;
  for (int c0 = 0; c0 < n; c0 += side) {
    int c = c0 + lane;
    float s = 0;
    if (c < n) {
#pragma unroll 8
      for (int i = part; i < k; i += shares) s += y[i] * w[i * n + c];
    }
    if (shares > 1) {
      __syncthreads();
      sh.line[threadIdx.x] = s;
      __syncthreads();
      s = 0;
      if (part == 0)
        for (int i = 0; i < shares; i++) s += sh.line[i * side + lane];
    }
    if (part == 0 && c < n) out[c] = s + (bias[c] + (prior ? prior[c] : 0));
  }
  __syncthreads();
}

// dots is out[r] = (prior[r] or 0) + Σ_j Σ_c w[j][r, c]·y[j][c] for m rows of n columns,
// by one block; prior may be null.
static __device__ void dots(Shared &sh, float *out, const float *prior, const float *const *y, const float *const *w,
                            int sources, int m, int n) {
  int side = across(m), shares = THREADS / side, row = threadIdx.x / shares, part = threadIdx.x % shares;
  for (int r0 = 0; r0 < m; r0 += side) {
    int r = r0 + row;
    float s = 0;
    if (r < m) {
      for (int j = 0; j < sources; j++) {
        const float *wj = w[j] + r * n, *yj = y[j];
#pragma unroll 16
        for (int c = part; c < n; c += shares) s += wj[c] * yj[c];
      }
    }
    if (shares > 1) {
      __syncthreads();
      sh.line[threadIdx.x] = s;
      __syncthreads();
      s = 0;
      if (part == 0)
        for (int i = 0; i < shares; i++) s += sh.line[threadIdx.x + i];
    }
    if (part == 0 && r < m) out[r] = s + (prior ? prior[r] : 0);
  }
  __syncthreads();
}

// poolWeights begins to fetch the weights of POOL or POOLBACK into the operands'
// memory, one after the other, while other blocks are still at the phase before.
// Where there is no room, which takes a molecule's state of more than a dozen
// features, it only warms them.
static __device__ inline bool poolFits(const Op &op) {
  return op.n * op.m + op.sources * (op.m + 1) * 2 * op.n <= 2 * OPERAND;
}

static __device__ void poolWeights(Shared &sh, const Run &run) {
  const Op &op = sh.op;
  float *to = sh.operands;
  for (int i = 0; i <= op.sources; i++) {
    const float *w = at(run, op.w[i]);
    int n = i == 0 ? op.n * op.m : (op.m + 1) * 2 * op.n; // the latter with their bias
    if (poolFits(op)) {
#pragma unroll COPIES
      for (int e = threadIdx.x; e < n; e += THREADS) copy(to + e, w + e, true);
      to += n;
    } else {
      warm(w, n, threadIdx.x, THREADS);
    }
  }
}

// poolWeight is where weights i of a pooling are to be read.
static __device__ inline const float *poolWeight(const Shared &sh, const Run &run, int i) {
  const Op &op = sh.op;
  if (!poolFits(op)) return at(run, op.w[i]);
  return sh.operands + (i == 0 ? 0 : op.n * op.m + (i - 1) * (op.m + 1) * 2 * op.n);
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
  arrived();
  __syncthreads();

  // A warp takes every fourth row, a thread of it every 32nd column.
  enum { MINE = THREADS / WARP };
  int lane = threadIdx.x % WARP, part = threadIdx.x / WARP;
  const float *atoms = at(run, op.x[0]), *bonds = at(run, op.x[1]);
  for (int c0 = 0; c0 < op.n; c0 += THREADS) {
    float sums[MINE] = {};
#pragma unroll 8
    for (int r = part; r < rows; r += WARPS) {
      const float *x = r < op.k ? atoms + r * op.n : bonds + (r - op.k) * op.n;
      float share = p[r];
#pragma unroll
      for (int i = 0; i < MINE; i++) {
        int c = c0 + lane + i * WARP;
        sums[i] += share * (c < op.n ? x[c] : 0);
      }
    }
#pragma unroll
    for (int i = 0; i < MINE; i++) sh.part[part * THREADS + lane + i * WARP] = sums[i];
    __syncthreads();
    int c = c0 + threadIdx.x;
    s = 0;
    for (int i = 0; i < WARPS; i++) s += sh.part[i * THREADS + threadIdx.x];
    if (c < op.n) mean[c] = s;
    __syncthreads();
  }

  float *out = at(run, op.out);
  project(sh, out, op.x[2] ? at(run, op.x[2]) : 0, at(run, op.bias), mean, poolWeight(sh, run, 0), op.n, op.m);
  for (int i = 0; i < op.sources; i++) {
    const float *w = poolWeight(sh, run, 1 + i);
    project(sh, at(run, op.a[i]), 0, w + op.m * 2 * op.n, out, w, op.m, 2 * op.n);
  }
}

// POOLBACK, by one block, undoes the last part of POOL: with d[i] = a[i] the
// gradient of what was added to all hidden rows,
//
//   out[i] = x[2][i] + Σ_j Σ_c w[1+j][i, c]·d[j][c]     m of them; the state's gradient
//   dMean[c] = Σ_i w[0][c, i]·out[i]                    n of them
static __device__ void poolBack(Shared &sh, const Run &run, int) {
  const Op &op = sh.op;
  float *out = at(run, op.out);
  const float *d[2], *w[2];
  for (int j = 0; j < op.sources; j++) d[j] = at(run, op.a[j]), w[j] = poolWeight(sh, run, 1 + j);
  arrived();
  __syncthreads();
  dots(sh, out, op.x[2] ? at(run, op.x[2]) : 0, d, w, op.sources, op.m, 2 * op.n);
  const float *from = out, *value = poolWeight(sh, run, 0);
  dots(sh, at(run, op.dMean), 0, &from, &value, 1, op.n, op.m);
}
