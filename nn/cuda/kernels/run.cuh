// A block's view of a run.
#pragma once
#include "op.cuh"

typedef unsigned long long u64;

// What differs between a device and the host that stands in for one in tests,
// which defines these before.
#ifndef SHARED
#define SHARED(type, name) __shared__ type name
#define SPIN() __nanosleep(32)
#define INFINITY __int_as_float(0x7f800000)
#endif

struct Run {
  float *space[SPACES];
  float *m, *v, *grad;  // as long as the weights
  const int *tables;    // dropout's; see head.cuh
};

// Shared is a block's memory. The strides keep vector loads aligned and spread
// the stores of a transposed tile over the banks.
struct Shared {
  Op op;
  Run run;
  alignas(16) float a[TILE][TILE + 2]; // [summed index, row]
  alignas(16) float w[TILE][TILE + 4]; // [summed index, column]
  float part[TILE][PARTS + 1];
  float row[TILE];
  float line[THREADS];
};

static __device__ inline float *at(const Run &run, Ref r) {
  return run.space[(unsigned)r >> SPACE_SHIFT] + (r & OFFSET);
}

static __device__ inline const int *ints(const Run &run, Ref r) {
  return (const int *)at(run, r);
}

static __device__ inline const Header &header(const Run &run) {
  return *(const Header *)run.space[INPUT];
}

// total adds up line[0:THREADS] in a fixed tree; every thread gets the sum.
static __device__ float total(Shared &sh, float mine) {
  __syncthreads();
  sh.line[threadIdx.x] = mine;
  for (unsigned half = THREADS / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) sh.line[threadIdx.x] += sh.line[threadIdx.x + half];
  }
  __syncthreads();
  return sh.line[0];
}

// largest is total with max.
static __device__ float largest(Shared &sh, float mine) {
  __syncthreads();
  sh.line[threadIdx.x] = mine;
  for (unsigned half = THREADS / 2; half > 0; half /= 2) {
    __syncthreads();
    if (threadIdx.x < half) sh.line[threadIdx.x] = fmaxf(sh.line[threadIdx.x], sh.line[threadIdx.x + half]);
  }
  __syncthreads();
  return sh.line[0];
}
