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
#include "grid.h"

#include "step.cu"

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
