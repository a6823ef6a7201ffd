// A grid on the host: enough of CUDA to compile the kernels with an ordinary
// C++ compiler and to run a launch, for tests on machines without a GPU.
//
// Each thread of each block is a fiber. A fiber runs until it meets a barrier
// or ends, so what lacks a barrier is found by running the threads of a block
// in another order: forwards, backwards, or odd before even.
#pragma once
#include <map>
#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <vector>

struct alignas(8) float2 { float x, y; };
struct alignas(16) float4 { float x, y, z, w; };
struct Index { unsigned x; };

namespace shim {

struct Block {
  unsigned arrived = 0, generation = 0;
  void *shared;
};

struct Fiber {
  jmp_buf at;
  Block *block;
  Index thread, blockIndex;
  bool started = false, done = false, waiting = false;
  unsigned generation;
  ucontext_t context;
};

enum Order { FORWARDS, BACKWARDS, ODD_FIRST, ORDERS };

extern Fiber *self;
extern jmp_buf scheduler;
extern unsigned threads, blocks;
extern bool progress;

// yield lets the others run.
inline void yield() {
  if (!_setjmp(self->at)) _longjmp(scheduler, 1);
}

inline void barrier() {
  Block *b = self->block;
  progress = true;
  if (++b->arrived == threads) {
    b->arrived = 0;
    b->generation++;
    return;
  }
  self->generation = b->generation;
  self->waiting = true;
  yield();
}

// launch runs body in every thread of a grid; false if they wait for one
// another for ever.
bool launch(unsigned grid, unsigned block, size_t shared, Order order, void (*body)());

} // namespace shim

#define __global__
#define __device__
#define __launch_bounds__(n)
#define SHARED(type, name) type &name = *(type *)shim::self->block->shared
#define SPIN() shim::yield()
#define threadIdx (shim::self->thread)
#define blockIdx (shim::self->blockIndex)
#define gridDim (Index{shim::blocks})
#define __syncthreads() shim::barrier()

static inline void fence() {}
static inline void copy(float *to, const float *from, bool there) { *to = there ? *from : 0; }
static inline void copyQuad(float *to, const float *from, bool there) {
  for (int i = 0; i < 4; i++) copy(to + i, from + i, there);
}
enum { COPIES = 1 };
static inline void arrived() {}
static inline void touch(const float *) {}

static inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
  return (unsigned __int128)a * b >> 64;
}

template <typename T>
static inline T atomicAdd(T *p, T v) {
  T old = *p;
  *p += v;
  shim::progress = true;
  return old;
}
