// Products of small matrices, in square tiles. At the shapes here, a hundred
// rows by 128 or 256 columns, and one phase waiting for the other, what counts is
// how long a tile takes, not how many a device does at once. So tiles are small,
// all that a tile needs is under way before any of it is used, and the threads of
// a block share its summed index too: slices of it are summed side by side, then
// added in order.
#pragma once
#include "rows.cuh"

// Lie is how an operand of a tile lies in memory and in shared memory: ALONG the
// summed index, [index][k], or ACROSS it, [k][index].
enum Lie { ALONG, ACROSS };

// Tile is the part of a tile of SIDE rows and columns that one thread sums: four
// rows and four columns, in a slice of the summed index.
template <int SIDE>
struct Tile {
  enum {
    GROUPS = SIDE / 4,
    SLICES = THREADS / (GROUPS * GROUPS),
    DEEP = SMALL * DEPTH / SIDE,     // what the operands' memory holds of the summed index
    OUTPUTS = SIDE * SIDE / THREADS, // of a thread, once the slices are added up
  };
  float s[4][4];
};

// place is where a group's index i of four is among the SIDE: such that a vector
// load finds the four of one group side by side, or those of all groups in
// different banks.
template <int SIDE, Lie LIE>
static __device__ inline int place(int group, int i) {
  return LIE == ALONG ? group + i * (SIDE / 4) : 4 * group + i;
}

// deep is how much of a summed index of k, from k0 on, is multiplied at once:
// what is left, or what there is memory for, in whole vectors for each slice.
template <int SIDE>
static __device__ inline int deep(int k, int k0) {
  enum { UNIT = 4 * Tile<SIDE>::SLICES };
  int left = (k - k0 + UNIT - 1) / UNIT * UNIT;
  return left < Tile<SIDE>::DEEP ? left : (int)Tile<SIDE>::DEEP;
}

// fetch begins to bring an operand into shared memory: SIDE of its n indices,
// from i0 on, and deep of the k summed, from k0 on; 0 where there are none.
template <int SIDE, Lie LIE>
static __device__ inline void fetch(float *to, const float *from, int i0, int n, int k0, int k) {
  int end = deep<SIDE>(k, k0);
  if (LIE == ALONG && (k | (int)((size_t)from / 4)) % 4 == 0) { // states; weights where no odd bias is before them
    for (int i = threadIdx.x / WARP; i < SIDE; i += WARPS)
#pragma unroll COPIES
      for (int d = threadIdx.x % WARP * 4; d < end; d += WARP * 4)
        copyQuad(to + i * LINE + d, from + (i0 + i) * k + k0 + d, i0 + i < n && k0 + d < k);
  } else if (LIE == ALONG) {
    for (int i = threadIdx.x / WARP; i < SIDE; i += WARPS)
#pragma unroll COPIES
      for (int d = threadIdx.x % WARP; d < end; d += WARP)
        copy(to + i * LINE + d, from + (i0 + i) * k + k0 + d, i0 + i < n && k0 + d < k);
  } else {
    int i = threadIdx.x % SIDE;
#pragma unroll COPIES
    for (int d = threadIdx.x / SIDE; d < end; d += THREADS / SIDE)
      copy(to + d * SIDE + i, from + (k0 + d) * n + i0 + i, k0 + d < k && i0 + i < n);
  }
}

// quad is four indices of a group at four of the summed from k on.
template <int SIDE, Lie LIE>
static __device__ inline void quad(const float *from, int group, int k, float (&to)[4][4]) {
#pragma unroll
  for (int i = 0; i < 4; i++) {
    if (LIE == ALONG) {
      float4 v = *(const float4 *)&from[place<SIDE, LIE>(group, i) * LINE + k];
      to[i][0] = v.x, to[i][1] = v.y, to[i][2] = v.z, to[i][3] = v.w;
    } else {
      float4 v = *(const float4 *)&from[(k + i) * SIDE + place<SIDE, LIE>(group, 0)];
      to[0][i] = v.x, to[1][i] = v.y, to[2][i] = v.z, to[3][i] = v.w;
    }
  }
}

// multiply adds this thread's slice of what is in shared memory to t. Each 32 of
// the summed index are summed on their own first, so that chains of roundings
// stay short.
template <int SIDE, Lie A, Lie W>
static __device__ inline void multiply(const Shared &sh, int end, Tile<SIDE> &t) {
  enum { GROUPS = Tile<SIDE>::GROUPS };
  int share = end / Tile<SIDE>::SLICES, from = threadIdx.x / (GROUPS * GROUPS) * share;
  int row = threadIdx.x / GROUPS % GROUPS, col = threadIdx.x % GROUPS;
  for (int k0 = 0; k0 < share; k0 += 32) {
    float p[4][4] = {};
    int stop = k0 + 32 < share ? k0 + 32 : share;
#pragma unroll 1
    for (int k = k0; k < stop; k += 4) {
      float a[4][4], w[4][4];
      quad<SIDE, A>(sh.operands + LEFT, row, from + k, a);
      quad<SIDE, W>(sh.operands + RIGHT, col, from + k, w);
#pragma unroll
      for (int q = 0; q < 4; q++)
#pragma unroll
        for (int i = 0; i < 4; i++)
#pragma unroll
          for (int j = 0; j < 4; j++) p[i][j] += a[i][q] * w[j][q];
    }
#pragma unroll
    for (int i = 0; i < 4; i++)
#pragma unroll
      for (int j = 0; j < 4; j++) t.s[i][j] += p[i][j];
  }
}

// share lays the slices' sums out in sh.part, for whole to add up.
template <int SIDE, Lie A, Lie W>
static __device__ inline void share(Shared &sh, const Tile<SIDE> &t) {
  enum { GROUPS = Tile<SIDE>::GROUPS };
  float *part = sh.part + threadIdx.x / (GROUPS * GROUPS) * (SIDE * SIDE);
  int row = threadIdx.x / GROUPS % GROUPS, col = threadIdx.x % GROUPS;
#pragma unroll
  for (int i = 0; i < 4; i++)
#pragma unroll
    for (int j = 0; j < 4; j++) part[place<SIDE, A>(row, i) * SIDE + place<SIDE, W>(col, j)] = t.s[i][j];
  __syncthreads();
}

// whole is the sum of output e of a tile, row-major.
template <int SIDE>
static __device__ inline float whole(const Shared &sh, int e) {
  float s = 0;
#pragma unroll
  for (int i = 0; i < Tile<SIDE>::SLICES; i++) s += sh.part[i * (SIDE * SIDE) + e];
  return s;
}

// rowDots is, for the SMALL rows from r0 on of x[m, n],
//
//   sh.row[r] = Σ_c (x[r0+r, c] − less[c])·y[c]
//
// with nothing subtracted if less is null. Some threads share each row. It uses
// sh.line.
static __device__ void rowDots(Shared &sh, const float *x, const float *less, const float *y, int r0, int m, int n) {
  enum { EACH = THREADS / SMALL };
  int r = r0 + threadIdx.x / EACH;
  float s = 0;
  if (r < m) {
#pragma unroll 8
    for (int c = threadIdx.x % EACH; c < n; c += EACH) s += (x[r * n + c] - (less ? less[c] : 0)) * y[c];
  }
  sh.line[threadIdx.x] = s;
  __syncthreads();
  if (threadIdx.x < SMALL) {
    s = 0;
    for (int i = 0; i < EACH; i++) s += sh.line[threadIdx.x * EACH + i];
    sh.row[threadIdx.x] = s;
  }
  __syncthreads();
}

// PRODUCT, with all that may be added to one, each if it is there:
//
//   s = Σ_k a[0][r, k]·w[0][k, c]              w[0][c, k] if TRANSPOSED
//     + bias[c]
//     + x[0][index[0][r], c] + x[1][…]         no index: row r
//     + outerRow[r]·outerCol[c]
//     + segment of x[2]                        if there is off
//     + p[r]·dMean[c] + dLogit[r]·query[c]     if there is p; see below
//   out[r, c] = relu(s) if RELU; 0 where not mask[r, c] > 0
//
// The last addition undoes a pooling of out2[m, n] with the weights p: with
// dp = out2·dMean, softmax gives dLogit = p·(dp − Σ p·dp), and Σ p·dp is mean·dMean,
// so dLogit[r] = p[r]·((out2[r] − mean)·dMean) needs no sum over all rows. It is
// kept for the gradient of the query. Of its parts, in the order of their use:

// fetchWeights begins to fetch what a tile needs of w. As no phase but the last
// changes weights, productWeights does so for the first of the summed index while
// other blocks are still at the phase before, and product waits for it.
static __device__ inline void fetchWeights(Shared &sh, const Run &run, int c0, int k0) {
  const Op &op = sh.op;
  if (op.flags & TRANSPOSED)
    fetch<SMALL, ALONG>(sh.operands + RIGHT, at(run, op.w[0]), c0, op.n, k0, op.k);
  else
    fetch<SMALL, ACROSS>(sh.operands + RIGHT, at(run, op.w[0]), c0, op.n, k0, op.k);
}

static __device__ void productWeights(Shared &sh, const Run &run, int tile) {
  fetchWeights(sh, run, tile % sh.op.columns * SMALL, 0);
}

// addend is what is added to element r, c of a product.
static __device__ inline float addend(const Shared &sh, const Run &run, int r, int c, int r0, int c0) {
  const Op &op = sh.op;
  float s = 0;
  if (op.bias) s += at(run, op.bias)[c];
  for (int x = 0; x < 2; x++)
    if (op.x[x]) s += at(run, op.x[x])[(op.index[x] ? ints(run, op.index[x])[r] : r) * op.n + c];
  if (op.outerRow) s += at(run, op.outerRow)[r] * at(run, op.outerCol)[c];
  if (op.off) s += segment(run, op, at(run, op.x[2]), r, c);
  if (op.p) {
    float p = at(run, op.p)[r], dLogit = p * sh.row[r - r0];
    if (c == 0) at(run, op.dLogit)[r] = dLogit;
    s += p * at(run, op.dMean)[c] + dLogit * at(run, op.query)[c];
  }
  return s;
}

static __device__ void product(Shared &sh, const Run &run, int tile) {
  enum { OUTPUTS = Tile<SMALL>::OUTPUTS };
  const Op &op = sh.op;
  int r0 = tile / op.columns * SMALL, c0 = tile % op.columns * SMALL;
  const float *a = at(run, op.a[0]);
  if (op.k) fetch<SMALL, ALONG>(sh.operands + LEFT, a, r0, op.m, 0, op.k);

  // What is added comes while the operands are on their way.
  if (op.p) rowDots(sh, at(run, op.out2), at(run, op.mean), at(run, op.dMean), r0, op.m, op.n);
  float add[OUTPUTS];
  bool keep[OUTPUTS];
#pragma unroll
  for (int o = 0; o < OUTPUTS; o++) {
    int e = threadIdx.x + o * THREADS, r = r0 + e / SMALL, c = c0 + e % SMALL;
    keep[o] = true, add[o] = 0;
    if (r >= op.m || c >= op.n) continue;
    if (op.mask) keep[o] = at(run, op.mask)[r * op.n + c] > 0;
    add[o] = addend(sh, run, r, c, r0, c0);
  }

  if (op.k) {
    Tile<SMALL> t = {};
    for (int k0 = 0; k0 < op.k; k0 += Tile<SMALL>::DEEP) {
      if (k0 > 0) {
        __syncthreads();
        fetchWeights(sh, run, c0, k0);
        fetch<SMALL, ALONG>(sh.operands + LEFT, a, r0, op.m, k0, op.k);
      }
      arrived();
      __syncthreads();
      int end = deep<SMALL>(op.k, k0);
      if (op.flags & TRANSPOSED)
        multiply<SMALL, ALONG, ALONG>(sh, end, t);
      else
        multiply<SMALL, ALONG, ACROSS>(sh, end, t);
    }
    if (op.flags & TRANSPOSED)
      share<SMALL, ALONG, ALONG>(sh, t);
    else
      share<SMALL, ALONG, ACROSS>(sh, t);
  }
  float *out = at(run, op.out);
#pragma unroll
  for (int o = 0; o < OUTPUTS; o++) {
    int e = threadIdx.x + o * THREADS, r = r0 + e / SMALL, c = c0 + e % SMALL;
    if (r >= op.m || c >= op.n) continue;
    float s = (op.k ? whole<SMALL>(sh, e) : 0) + add[o];
    if (op.flags & RELU) s = s > 0 ? s : s != s ? s : 0;
    out[r * op.n + c] = keep[o] ? s : 0;
  }
}
