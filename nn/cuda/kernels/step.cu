// The one kernel there is: some phases of a program, run by a grid that stays
// resident from the first to the last, so that a step is one launch.
#include "attention.cuh"
#include "head.cuh"
#include "update.cuh"

// meet holds every block until all have arrived, and makes what each wrote
// visible to the others. arrivals only grows: a launch of n blocks adds n at
// each barrier, so the count that ends one is the next multiple of n.
static __device__ void meet(u64 *arrivals) {
  __syncthreads();
  if (threadIdx.x == 0) {
    __threadfence();
    u64 blocks = gridDim.x;
    u64 all = (atomicAdd(arrivals, 1ull) / blocks + 1) * blocks;
    while (*(volatile u64 *)arrivals < all) SPIN();
    __threadfence();
  }
  __syncthreads();
}

// find is the operation of a phase that has tile t.
static __device__ int find(const Op *ops, Phase p, int t) {
  int lo = 0, hi = p.ops - 1;
  while (lo < hi) {
    int mid = (lo + hi + 1) / 2;
    if (ops[p.op + mid].first <= t)
      lo = mid;
    else
      hi = mid - 1;
  }
  return p.op + lo;
}

static __device__ void execute(Shared &sh, const Run &run, int tile) {
  switch (sh.op.kind) {
  case EMBED: embed(sh, run, tile); break;
  case GATHER: gather(sh, run, tile); break;
  case SEGMENTS: segments(sh, run, tile); break;
  case SUM: sum(sh, run, tile); break;
  case PRODUCT: product(sh, run, tile); break;
  case LOGITS: logits(sh, run, tile); break;
  case POOL: pool(sh, run, tile); break;
  case POOLBACK: poolBack(sh, run, tile); break;
  case DROPOUT: dropout(sh, run, tile); break;
  case HEAD: head(sh, run, tile); break;
  case HEADBACK: headBack(sh, run, tile); break;
  case GRADIENT: gradient(sh, run, tile); break;
  case VECTOR: vector(sh, run, tile); break;
  case CLASSES: classes(sh, run, tile); break;
  }
}

// step runs the phases first to last−1. All blocks must be resident at once
// (a cooperative launch sees to it), THREADS threads each. Nothing is declared
// restrict: what is read was written in the same launch, by other blocks.
extern "C" __global__ void __launch_bounds__(THREADS) step(
    const Op *ops, const Phase *phases, long long first, long long last,
    float *weights, float *m, float *v, float *grad,
    float *states, float *plan, float *input, float *output,
    const int *tables, u64 *arrivals) {
  SHARED(Shared, sh);
  if (threadIdx.x == 0) sh.run = {{0, weights, states, plan, input, output}, m, v, grad, tables};
  __syncthreads();
  for (long long i = first; i < last; i++) {
    if (i > first) meet(arrivals);
    Phase phase = phases[i];
    for (int tile = blockIdx.x; tile < phase.tiles; tile += gridDim.x) {
      int found = find(ops, phase, tile);
      __syncthreads();
      for (int w = threadIdx.x; w < OP_WORDS; w += THREADS) ((int *)&sh.op)[w] = ((const int *)&ops[found])[w];
      __syncthreads();
      execute(sh, sh.run, tile - sh.op.first);
    }
  }
}
