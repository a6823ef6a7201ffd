package kernel

// Float is what a kernel computes in: float32 on all paths, float64 on the
// reference path only (for tests that need exact gradients).
type Float interface{ float32 | float64 }

// View is a row-major Rows×Cols window of a larger buffer: element (i, j) is
// Data[i*Stride+j]. It may be a column slice of wider rows.
type View[T Float] struct {
	Data               []T
	Rows, Cols, Stride int
}

// Dense is the View of a rows×cols matrix without gaps.
func Dense[T Float](data []T, rows, cols int) View[T] {
	return View[T]{data, rows, cols, cols}
}

// Row is row i of v.
func (v View[T]) Row(i int) []T {
	return v.Data[i*v.Stride:][:v.Cols:v.Cols]
}

// Slice is the window of v that holds cols columns from column j on.
func (v View[T]) Slice(j, cols int) View[T] {
	if j < 0 || cols < 0 || j+cols > v.Cols {
		panic(badView)
	}
	if v.Rows == 0 {
		return View[T]{nil, 0, cols, v.Stride}
	}
	return View[T]{v.Data[j:], v.Rows, cols, v.Stride}
}

// Panels is a K×N weight matrix, or its gradient or Adam moments, in the column
// panels of one path (see the package comment). Panels of equal K that follow
// each other in one buffer are also the panels of their matrices side by side,
// as long as all but the last have N a multiple of the path's PanelWidth.
type Panels[T Float] struct {
	Data []T // PackedLen(K, N) elements
	K, N int
}

// Rows is the operand of AddRows: row r of it is X's row Idx[r], or row r when
// Idx is nil.
type Rows[T Float] struct {
	X   View[T]
	Idx []int32
}

const (
	badView    = "kernel: view does not fit its buffer"
	badShape   = "kernel: shapes disagree"
	badPanels  = "kernel: packed buffer has the wrong length"
	badScratch = "kernel: scratch too short"
	badLength  = "kernel: slices differ in length"
	badCount   = "kernel: AddRows takes 1 to 4 operands, bias included"
	badMode    = "kernel: Add and Bias exclude each other"
)

func (v View[T]) check() {
	if v.Rows < 0 || v.Cols < 0 || v.Stride < v.Cols {
		panic(badView)
	}
	if v.Rows > 0 && (v.Rows-1)*v.Stride+v.Cols > len(v.Data) {
		panic(badView)
	}
}

func (w Panels[T]) check(nr int) {
	if w.K < 0 || w.N < 0 || len(w.Data) != packedLen(w.K, w.N, nr) {
		panic(badPanels)
	}
}
