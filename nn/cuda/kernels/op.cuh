// What the host hands the device: a program is a list of operations in phases,
// and a run of it is a header, pointers and that list. The Go side has the same
// structures in op.go, word for word.
#pragma once

enum {
  THREADS = 128,  // of a block
  WARP = 32,      // threads that run in step
  WARPS = THREADS / WARP,
  SMALL = 16,     // rows and columns of a tile of a product
  LARGE = 32,     // rows and columns of a tile of a gradient
  STRIP = 8,      // columns of a tile of a column sum that others wait for
  BROAD = 32,     // and of one for an update, of which there are many
  ELEMENTS = 256, // of a tile of an operation on rows
};

// Kind says what an operation does; each is the loop above its function.
enum Kind {
  EMBED,    // rows.cuh
  GATHER,   // rows.cuh
  SEGMENTS, // rows.cuh
  SUM,      // rows.cuh
  PRODUCT,  // product.cuh
  LOGITS,   // attention.cuh
  POOL,     // attention.cuh
  POOLBACK, // attention.cuh
  DROPOUT,  // head.cuh
  HEAD,     // head.cuh
  HEADBACK, // head.cuh
  GRADIENT, // update.cuh
  VECTOR,   // update.cuh
  CLASSES,  // update.cuh
};

// Ref names 32-bit words: the space they are in, in the upper bits, and the
// index of the first of them. 0 is none. A program has no pointers, so that all
// folds on a device run the same one, each in memory of its own.
typedef int Ref;
enum Space { NONE, WEIGHTS, STATES, PLAN, INPUT, OUTPUT, SPACES };
enum { SPACE_SHIFT = 28, OFFSET = (1 << SPACE_SHIFT) - 1 };

// Op is one operation. Its tiles are what blocks share out among themselves;
// which block computes which tile changes no bit of the result. Matrices are
// row-major without gaps. What a field means is said where its kind is.
struct Op {
  int kind;
  int first, tiles; // of the phase's tiles, this operation's
  int columns;      // tiles side by side

  int m, n, k, k2;
  Ref out, out2;

  Ref a[3], w[3];
  int sources;
  int flags;

  Ref bias;
  Ref x[3], index[3];
  Ref off, row, weight;
  Ref mask;
  Ref outerRow, outerCol;

  Ref p, mean, dMean, query, dLogit;
  int spare[3];
};
enum { OP_WORDS = sizeof(Op) / sizeof(int) };

// Flags of an operation.
enum { TRANSPOSED = 1, RELU = 2 };

// Phase is what may be computed in any order: some operations, one after the
// other in the program. A barrier of all blocks separates phases. Which operation
// has each of the phase's tiles is written down behind the phases, from the word
// owner on, counted from the first phase's first.
struct Phase {
  int op, ops, tiles;
  int owner;
};

// Header begins a run's input; tokens and targets follow.
struct Header {
  int flags;
  float scale;                                    // 1 / measured targets of the batch
  float rate, decay, mean, square, alpha, epsilon; // Adam; see update
  unsigned stream[4];                             // dropout's generator: upper half, lower half, each low word first
  int plan;                                       // words of it
  int spare[3];
};
enum { HEADER_WORDS = sizeof(Header) / sizeof(int) };

// Flags of a run.
enum {
  DROPS = 1, // heads have dropout
  ADDS = 2,  // gradients are added to those of the batch's earlier examples
  APPLIES = 4, // Adam spends the gradient; else it is kept
};
