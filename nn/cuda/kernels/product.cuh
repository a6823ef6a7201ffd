// Products of small matrices: 32×32 tiles, each of a block, each output summed
// by one thread in ascending order of the summed index. At the shapes here, a
// hundred rows by 128 or 256 columns, a phase has some twenty to a hundred
// tiles: larger ones would leave most of a device idle.
#pragma once
#include "rows.cuh"

enum { LOADS = TILE * TILE / THREADS };

// Tile is the part of a 32×32 tile that one thread has: two rows, four columns.
struct Tile {
  float s[2][4];
};

static __device__ inline int tileRow() { return threadIdx.x / 8 * 2; }
static __device__ inline int tileColumn() { return threadIdx.x % 8 * 4; }

// addTile is t += aᵀ·w of the tiles in shared memory. Each tile is summed on its
// own first: a chain of 32 roundings and one of a tile each, not one of all.
static __device__ inline void addTile(const Shared &sh, Tile &t) {
  int row = tileRow(), col = tileColumn();
  Tile p = {};
#pragma unroll 8
  for (int k = 0; k < TILE; k++) {
    float2 a = *(const float2 *)&sh.a[k][row];
    float4 w = *(const float4 *)&sh.w[k][col];
    p.s[0][0] += a.x * w.x;
    p.s[0][1] += a.x * w.y;
    p.s[0][2] += a.x * w.z;
    p.s[0][3] += a.x * w.w;
    p.s[1][0] += a.y * w.x;
    p.s[1][1] += a.y * w.y;
    p.s[1][2] += a.y * w.z;
    p.s[1][3] += a.y * w.w;
  }
#pragma unroll
  for (int i = 0; i < 2; i++)
#pragma unroll
    for (int j = 0; j < 4; j++) t.s[i][j] += p.s[i][j];
}

// rowDots is, for the TILE rows from r0 on of x[m, n],
//
//   sh.row[r] = Σ_c (x[r0+r, c] − less[c])·y[c]
//
// with nothing subtracted if less is null. It uses sh.a, sh.line and sh.part.
static __device__ void rowDots(Shared &sh, const float *x, const float *less, const float *y, int r0, int m, int n) {
  int lane = threadIdx.x % TILE, part = threadIdx.x / TILE;
  int row = threadIdx.x / PARTS, from = threadIdx.x % PARTS * (TILE / PARTS);
  float s = 0;
  for (int c0 = 0; c0 < n; c0 += TILE) {
    int c = c0 + lane;
    __syncthreads();
    for (int r = part; r < TILE; r += PARTS)
      sh.a[r][lane] = r0 + r < m && c < n ? x[(r0 + r) * n + c] - (less ? less[c] : 0) : 0;
    if (part == 0) sh.line[lane] = c < n ? y[c] : 0;
    __syncthreads();
    for (int i = from; i < from + TILE / PARTS; i++) s += sh.a[row][i] * sh.line[i];
  }
  sh.part[row][threadIdx.x % PARTS] = s;
  __syncthreads();
  if (threadIdx.x < TILE) {
    s = 0;
    for (int i = 0; i < PARTS; i++) s += sh.part[threadIdx.x][i];
    sh.row[threadIdx.x] = s;
  }
  __syncthreads();
}

// loadSource fetches this thread's share of the tiles of one source at k0 into
// registers: they arrive while the tiles before are multiplied.
static __device__ inline void loadSource(const Op &op, const float *a, const float *w, int r0, int c0, int k0,
                                         float (&fa)[LOADS], float (&fw)[LOADS]) {
  int lane = threadIdx.x % TILE, part = threadIdx.x / TILE;
#pragma unroll
  for (int i = 0; i < LOADS; i++) {
    int other = part + i * PARTS, k = k0 + lane;
    fa[i] = r0 + other < op.m && k < op.k ? a[(r0 + other) * op.k + k] : 0;
    if (op.flags & TRANSPOSED)
      fw[i] = c0 + other < op.n && k < op.k ? w[(c0 + other) * op.k + k] : 0;
    else
      fw[i] = k0 + other < op.k && c0 + lane < op.n ? w[(k0 + other) * op.n + c0 + lane] : 0;
  }
}

static __device__ inline void storeSource(Shared &sh, const float (&fa)[LOADS], const float (&fw)[LOADS]) {
  int lane = threadIdx.x % TILE, part = threadIdx.x / TILE;
#pragma unroll
  for (int i = 0; i < LOADS; i++) {
    int other = part + i * PARTS;
    sh.a[lane][other] = fa[i];
    if (sh.op.flags & TRANSPOSED)
      sh.w[lane][other] = fw[i];
    else
      sh.w[other][lane] = fw[i];
  }
}

// PRODUCT, with all that may be added to one, each if it is there:
//
//   s = Σ_i Σ_k a[i][r, k]·w[i][k, c]          w[i][c, k] if TRANSPOSED; i < sources
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
// kept for the gradient of the query.
static __device__ void product(Shared &sh, const Run &run, int tile) {
  const Op &op = sh.op;
  int r0 = tile / op.columns * TILE, c0 = tile % op.columns * TILE;
  Tile t = {};
  float fa[LOADS], fw[LOADS];
  if (op.sources) loadSource(op, at(run, op.a[0]), at(run, op.w[0]), r0, c0, 0, fa, fw);
  for (int i = 0, k0 = 0; i < op.sources;) {
    __syncthreads();
    storeSource(sh, fa, fw);
    __syncthreads();
    k0 += TILE;
    if (k0 >= op.k) k0 = 0, i++;
    if (i < op.sources) loadSource(op, at(run, op.a[i]), at(run, op.w[i]), r0, c0, k0, fa, fw);
    addTile(sh, t);
  }
  if (op.p) rowDots(sh, at(run, op.out2), at(run, op.mean), at(run, op.dMean), r0, op.m, op.n);
  float *out = at(run, op.out);
  for (int i = 0; i < 2; i++) {
    int r = r0 + tileRow() + i;
    if (r >= op.m) break;
    float p = 0, dLogit = 0;
    if (op.p) {
      p = at(run, op.p)[r];
      dLogit = p * sh.row[r - r0];
      if (c0 == 0 && tileColumn() == 0) at(run, op.dLogit)[r] = dLogit;
    }
    for (int j = 0; j < 4; j++) {
      int c = c0 + tileColumn() + j, e = r * op.n + c;
      if (c >= op.n) break;
      float s = t.s[i][j];
      if (op.bias) s += at(run, op.bias)[c];
      for (int x = 0; x < 2; x++)
        if (op.x[x]) s += at(run, op.x[x])[(op.index[x] ? ints(run, op.index[x])[r] : r) * op.n + c];
      if (op.outerRow) s += at(run, op.outerRow)[r] * at(run, op.outerCol)[c];
      if (op.off) s += segment(run, op, at(run, op.x[2]), r, c);
      if (op.p) s += p * at(run, op.dMean)[c] + dLogit * at(run, op.query)[c];
      if (op.flags & RELU) s = s > 0 ? s : s != s ? s : 0;
      if (op.mask && !(at(run, op.mask)[e] > 0)) s = 0;
      out[e] = s;
    }
  }
}
