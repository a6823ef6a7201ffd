// How a grid is run: one fiber after another, on the caller's thread, and one
// grid at a time.
#pragma once
#include "shim.h"

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

// The fibers of a grid are made by the first launch of its size.
bool launch(unsigned grid, unsigned block, size_t shared, Order order, void (*run)()) {
  static std::map<size_t, std::vector<Fiber>> made;
  std::vector<Fiber> &fibers = made[(size_t)grid * block];
  if (fibers.empty()) fibers = make((size_t)grid * block);
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
