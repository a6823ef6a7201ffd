// The one kernel there is: some phases of a program, run by a grid that stays
// resident from the first to the last, so that a step is one launch.
#include "attention.cuh"
#include "head.cuh"
#include "update.cuh"

// arrive and await are a barrier in two halves: await holds every block until
// all have arrived, and makes what each wrote before it visible to the others.
// Between the two is what needs nothing of the others. arrivals only grows: a
// launch of n blocks adds n at each barrier, so the count that ends one is the next
// multiple of n. The thread that counts is the first.
static __device__ u64 arrive(u64 *arrivals) {
  __syncthreads();
  if (threadIdx.x) return 0;
  fence();
  return atomicAdd(arrivals, 1ull);
}

static __device__ void await(u64 *arrivals, u64 before) {
  if (threadIdx.x == 0) {
    u64 blocks = gridDim.x, all = (before / blocks + 1) * blocks;
    while (*(volatile u64 *)arrivals < all) SPIN();
    fence();
  }
  __syncthreads();
}

// owner is the index of the operation that has a tile of a phase; none if the
// phase has no such tile.
static __device__ inline int owner(const Phase *phases, const Phase &phase, int tile) {
  return tile < phase.tiles ? ((const int *)phases)[phase.owner + tile] : -1;
}

// prepare makes an operation the block's, and begins to fetch what a tile of it
// needs of the weights. It reads nothing that changes before the last phase, so it
// may run before the phase begins.
static __device__ void prepare(Shared &sh, const Op *ops, int op, int tile) {
  if (op < 0) return;
  __syncthreads(); // the tile before is done with shared memory
  for (int w = threadIdx.x; w < OP_WORDS; w += THREADS) ((int *)&sh.op)[w] = ((const int *)&ops[op])[w];
  __syncthreads();
  switch (sh.op.kind) {
  case PRODUCT: productWeights(sh, sh.run, tile - sh.op.first); break;
  case POOL:
  case POOLBACK: poolWeights(sh, sh.run); break;
  }
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
  if (threadIdx.x == 0) {
    sh.run = {{0, weights, states, plan, input, output}, m, v, grad, tables};
    sh.header = *(const Header *)input;
  }
  __syncthreads();
  // The program comes to the second-level cache as a whole, now: after the update
  // of the step before little else is there.
  int thread = blockIdx.x * THREADS + threadIdx.x, threads = gridDim.x * THREADS;
  const Phase end = phases[last - 1];
  warm(ops, (end.op + end.ops) * OP_WORDS, thread, threads);
  warm(phases, end.owner + end.tiles, thread, threads);
  warm(plan, sh.header.plan, thread, threads);

  // What comes after a tile is looked up before the tile is computed, and waited
  // for only then.
  int tile = blockIdx.x;
  Phase phase = phases[first], next = phases[first + 1 < last ? first + 1 : first];
  prepare(sh, ops, owner(phases, phase, tile), tile);
  for (long long i = first;;) {
    int after = tile + gridDim.x;
    bool more = after < phase.tiles;
    if (!more) after = blockIdx.x;
    int op = owner(phases, more ? phase : next, after);
    const Phase later = phases[i + 2 < last ? i + 2 : first];
    if (tile < phase.tiles) execute(sh, sh.run, tile - sh.op.first);
    tile = after;
    if (more) {
      prepare(sh, ops, op, tile);
      continue;
    }
    if (++i == last) return;
    u64 before = arrive(arrivals);
    prepare(sh, ops, op, tile);
    await(arrivals, before);
    phase = next, next = later;
  }
}
