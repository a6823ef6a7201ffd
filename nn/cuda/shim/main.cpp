// A device as a child process: it reads commands on its standard input and
// answers on its standard output, in the machine's byte order. Each command is
// a letter and 64-bit numbers.
//
//   A bytes             allocate → address, 0 if there is no memory
//   F address           free
//   W address bytes …   write the bytes that follow
//   R address bytes     read → the bytes
//   L blocks order 14×  launch with 14 arguments → 1, or 0 for a deadlock
//
// Fresh memory is NaN, so that what is read before it is written shows.
#include "shim.h"

#include "step.cu"

namespace shim {

Fiber *self;
jmp_buf scheduler;
unsigned threads, blocks;
bool progress;

static void (*body)();
enum { STACK = 64 << 10 };

// enter is a fiber's life: a run of the kernel for each launch.
static void enter() {
  for (;;) {
    body();
    self->done = true;
    progress = true;
    yield();
  }
}

// resume runs a fiber until it yields.
static void resume(Fiber *f) {
  self = f;
  if (_setjmp(scheduler)) return;
  if (f->started) _longjmp(f->at, 1);
  f->started = true;
  setcontext(&f->context);
}

static unsigned nth(Order order, unsigned i) {
  switch (order) {
  case BACKWARDS: return threads - 1 - i;
  case ODD_FIRST: return i < threads / 2 ? 2 * i + 1 : 2 * (i - threads / 2);
  default: return i;
  }
}

// make makes the fibers of a grid, none of them started.
static std::vector<Fiber> make(size_t n) {
  std::vector<Fiber> fibers(n);
  char *stacks = (char *)mmap(0, n * STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (stacks == MAP_FAILED) abort();
  for (size_t i = 0; i < n; i++) {
    Fiber &f = fibers[i];
    getcontext(&f.context);
    f.context.uc_stack.ss_sp = stacks + i * STACK;
    f.context.uc_stack.ss_size = STACK;
    f.context.uc_link = 0;
    makecontext(&f.context, enter, 0);
  }
  return fibers;
}

// The fibers are made by the first launch; a device's grids are all of one size.
bool launch(unsigned grid, unsigned block, size_t shared, Order order, void (*run)()) {
  static std::vector<Fiber> fibers = make((size_t)grid * block);
  if (fibers.size() != (size_t)grid * block) return false;
  body = run, blocks = grid, threads = block;
  std::vector<Block> b(grid);
  std::vector<char> memory(grid * (shared + 64));
  memset(memory.data(), 0xff, memory.size());
  for (unsigned i = 0; i < grid; i++) {
    size_t p = (size_t)memory.data() + i * (shared + 64);
    b[i].shared = (void *)((p + 63) / 64 * 64);
  }
  for (size_t i = 0; i < fibers.size(); i++) {
    Fiber &f = fibers[i];
    f.block = &b[i / block];
    f.blockIndex.x = i / block;
    f.thread.x = i % block;
    f.done = f.waiting = false;
  }
  for (size_t left = fibers.size(); left;) {
    progress = false;
    for (unsigned g = 0; g < grid; g++)
      for (unsigned i = 0; i < block; i++) {
        Fiber *f = &fibers[(size_t)g * block + nth(order, i)];
        if (f->done || (f->waiting && f->generation == f->block->generation)) continue;
        f->waiting = false;
        resume(f);
        left -= f->done;
      }
    if (!progress) return false;
  }
  return true;
}

} // namespace shim

typedef unsigned long long u64;

static u64 number() {
  u64 v;
  if (fread(&v, sizeof v, 1, stdin) != 1) exit(1);
  return v;
}

static void answer(u64 v) { fwrite(&v, sizeof v, 1, stdout); }

static u64 arg[14];

static void body() {
  step((const Op *)arg[0], (const Phase *)arg[1], arg[2], arg[3],
       (float *)arg[4], (float *)arg[5], (float *)arg[6], (float *)arg[7],
       (float *)arg[8], (float *)arg[9], (float *)arg[10], (float *)arg[11],
       (const int *)arg[12], (u64 *)arg[13]);
}

int main() {
  for (int c; (c = getchar()) != EOF;) {
    switch (c) {
    case 'A': {
      size_t n = number();
      void *p = malloc(n);
      if (p) memset(p, 0xff, n);
      answer((u64)p);
      break;
    }
    case 'F':
      free((void *)number());
      break;
    case 'W': {
      u64 p = number(), n = number();
      if (fread((void *)p, 1, n, stdin) != n) return 1;
      continue;
    }
    case 'R': {
      u64 p = number(), n = number();
      fwrite((void *)p, 1, n, stdout);
      break;
    }
    case 'L': {
      u64 blocks = number(), order = number();
      for (u64 &a : arg) a = number();
      answer(shim::launch(blocks, THREADS, sizeof(Shared), (shim::Order)order, body));
      break;
    }
    default:
      return 2;
    }
    fflush(stdout);
  }
}
