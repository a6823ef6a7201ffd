package cuda

import "fmt"

// What the device reads: the structures of kernels/op.cuh, word for word. The
// tests run the kernels on programs made here, so neither can change alone.

// Sizes of blocks and tiles, in kernels/op.cuh and head.cuh.
const (
	threads   = 128 // of a block
	smallTile = 16  // rows and columns of a tile of a product
	largeTile = 32  // rows and columns of a tile of a gradient
	strip     = 8   // columns of a tile of a column sum that others wait for
	broad     = 32  // and of one for an update, of which there are many
	elements  = 256 // of a tile of an operation on rows
	segment   = 8   // dropout's draws of one thread
)

// kind says what an operation does; see the loops above the device's functions.
type kind int32

const (
	opEmbed kind = iota
	opGather
	opSegments
	opSum
	opProduct
	opLogits
	opPool
	opPoolBack
	opDropout
	opHead
	opHeadBack
	opGradient
	opVector
	opClasses
)

// ref names 32-bit words of one of a run's spaces; 0 is none.
type ref int32

const (
	inWeights = 1 + iota
	inStates
	inPlan
	inInput
	inOutput

	spaceShift = 28
	spaceWords = 1 << spaceShift // that a space can have: 1 GiB
)

func weightRef(i int) ref { return inWeights<<spaceShift | ref(i) }
func stateRef(i int) ref  { return inStates<<spaceShift | ref(i) }
func planRef(i int) ref   { return inPlan<<spaceShift | ref(i) }
func inputRef(i int) ref  { return inInput<<spaceShift | ref(i) }
func outputRef(i int) ref { return inOutput<<spaceShift | ref(i) }

// op is one operation.
type op struct {
	Kind         kind
	First, Tiles int32
	Columns      int32

	M, N, K, K2 int32
	Out, Out2   ref

	A, W    [3]ref
	Sources int32
	Flags   int32

	Bias             ref
	X, Index         [3]ref
	Off, Row, Weight ref
	Mask             ref
	OuterRow         ref
	OuterCol         ref

	P, Mean, DMean, Query, DLogit ref
	_                             [3]int32
}

// Flags of an operation.
const (
	transposed = 1 << iota
	relu
)

// phase is some operations that may run in any order. Owner is the word, counted
// from the first phase's first, from which on is written which operation has each
// tile.
type phase struct{ Op, Ops, Tiles, Owner int32 }

const phaseWords = 4

// header begins a run's input.
type header struct {
	Flags                                              int32
	Scale                                              float32
	Rate, Decay, Mean, Square, Alpha, Epsilon          float32
	StreamHiLow, StreamHiTop, StreamLoLow, StreamLoTop uint32
	Plan                                               int32 // words of it
	_                                                  [3]int32
}

const headerWords = 16

// Flags of a run.
const (
	drops = 1 << iota
	adds
	applies
)

// tiles sets how many tiles o has.
func (o *op) tiles() {
	in := func(n, size int32) int32 { return (n + size - 1) / size }
	switch o.Kind {
	case opEmbed, opGather, opSegments, opHeadBack:
		o.Tiles = in(o.M*o.N, elements)
	case opSum:
		o.Tiles = in(o.N, strip)
	case opVector:
		o.Tiles = in(o.N, broad)
	case opProduct:
		o.Columns = in(o.N, smallTile)
		o.Tiles = o.Columns * in(o.M, smallTile)
	case opGradient:
		o.Columns = in(o.N, largeTile)
		o.Tiles = o.Columns * in(o.M, largeTile)
	case opLogits:
		o.Tiles = in(o.M, smallTile)
	case opPool, opPoolBack, opHead:
		o.Tiles = 1
	case opDropout:
		o.Tiles = in(o.N*o.M*in(o.K, segment), threads)
	case opClasses:
		o.Tiles = o.M
	default:
		panic(fmt.Sprintf("cuda: operation of kind %d", o.Kind))
	}
}
