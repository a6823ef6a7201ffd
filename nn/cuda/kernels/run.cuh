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

// fence orders what this thread has seen and written before all that comes
// after it, for the whole device. __threadfence would also put it into one order
// with all other fences, which takes longer and which nothing here needs.
static __device__ inline void fence() { asm volatile("fence.acq_rel.gpu;" ::: "memory"); }

// copy begins to bring one word into shared memory, 0 unless it is there;
// arrived waits for all that this thread has begun. Before sm_80 there is no
// copying behind a thread's back: it loads and stores, and a loop of copies has
// to take several at once for their loads to overlap.
#if __CUDA_ARCH__ >= 800
enum { COPIES = 1 };
#else
enum { COPIES = 8 };
#endif

static __device__ inline void copy(float *to, const float *from, bool there) {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"((unsigned)__cvta_generic_to_shared(to)), "l"(from), "r"(there ? 4 : 0));
#else
  *to = there ? *from : 0;
#endif
}

// copyQuad is copy of four words, both addresses multiples of 16.
static __device__ inline void copyQuad(float *to, const float *from, bool there) {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"((unsigned)__cvta_generic_to_shared(to)), "l"(from), "r"(there ? 16 : 0));
#else
  *(float4 *)to = there ? *(const float4 *)from : float4{0, 0, 0, 0};
#endif
}

static __device__ inline void arrived() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_all;" ::: "memory");
#endif
}

// touch brings the line of an address into the second-level cache.
static __device__ inline void touch(const float *p) { asm volatile("prefetch.global.L2 [%0];" ::"l"(p)); }
#endif

struct Run {
  float *space[SPACES];
  float *m, *v, *grad;  // as long as the weights
  const int *tables;    // dropout's; see head.cuh
};

// Memory for the operands of a tile of a product; see product.cuh.
enum {
  DEPTH = 256,      // of the summed index at once, where a tile has SMALL rows and columns
  LINE = DEPTH + 4, // words apart: vector loads are aligned, and neighbours in different banks
  OPERAND = SMALL * LINE,
  LEFT = 0, RIGHT = OPERAND, // where each begins
};

// Shared is a block's memory.
struct Shared {
  Op op;
  Run run;
  Header header;
  alignas(16) float operands[2 * OPERAND];
  float part[THREADS * 16]; // sums of a part of the summed index
  float line[THREADS];
  float row[SMALL];
};

static __device__ inline float *at(const Run &run, Ref r) {
  return run.space[(unsigned)r >> SPACE_SHIFT] + (r & OFFSET);
}

static __device__ inline const int *ints(const Run &run, Ref r) {
  return (const int *)at(run, r);
}

// warm begins to bring n words into the second-level cache; a thread does every
// threads-th line.
static __device__ inline void warm(const void *p, int n, int thread, int threads) {
  enum { APART = 32 }; // words of a line
  for (long long i = (long long)thread * APART; i < n; i += (long long)threads * APART) touch((const float *)p + i);
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
