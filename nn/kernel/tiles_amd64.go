//go:build amd64 && !purego

package kernel

import "unsafe"

// panelWidth is two vectors.
func (v vector) panelWidth() int {
	if v.wide {
		return 32
	}
	return 16
}

// tileRows is the height of the tallest tile.
func (v vector) tileRows() int {
	if v.wide {
		return tallest
	}
	return 6
}

const (
	widest  = 32 // panel width of the widest path
	tallest = 12 // tile rows of the tallest
)

// column is one call of the tile kernel: rows of one panel.
type column struct {
	c, init  []float32 // init: nil for zeros; may be c
	a, b     []float32
	ldc, ldi int // between rows of c and of init
	rs, cs   int // in a: between rows, and between summed elements
	k        int // summed elements
	rows     int
	floor    float32
	ahead    ahead
}

// ahead is memory to prefetch while a column is computed: chunks of rows of a
// panel, their beginnings stride elements apart. It may end anywhere, as
// prefetches do not fault.
type ahead struct {
	p            uintptr
	rows, stride int // of a chunk
	chunks       int
}

func address(s []float32) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(s))) }

// split cuts rows into tiles of nearly equal height, tallest at most: h for count of them, then
// h−1 for rest.
func (v vector) split(rows, tallest int) (h, count, rest int) {
	n := (rows + tallest - 1) / tallest
	h, count = rows/n, rows%n
	if count == 0 {
		return h, n, 0
	}
	return h + 1, count, n - count
}

func (v vector) run(x *column) {
	h, count, rest := v.split(x.rows, v.tileRows())
	// In turns of four rows, as the loop over the summed index does them.
	chunk := (x.ahead.rows + 3) / 4
	fetch := min(x.k/4, (chunk*x.ahead.chunks+count+rest-1)/(count+rest))
	hop := 4 * (x.ahead.stride - 4*chunk*v.panelWidth())
	if v.wide {
		tileAVX512(first(x.c), first(x.init), first(x.a), first(x.b), 4*x.ldc, 4*x.ldi, 4*x.rs, 4*x.cs,
			x.k-4*fetch, h, count, rest, x.floor, fetch, x.ahead.p, chunk, chunk, hop)
	} else {
		tileAVX2(first(x.c), first(x.init), first(x.a), first(x.b), 4*x.ldc, 4*x.ldi, 4*x.rs, 4*x.cs,
			x.k-4*fetch, h, count, rest, x.floor, fetch, x.ahead.p, chunk, chunk, hop)
	}
}

// runEdge is run for a panel of which only width columns exist in c and init: it
// computes whole tiles in a buffer and copies what exists.
func (v vector) runEdge(x *column, width int) {
	var buf [tallest * widest]float32
	nr := v.panelWidth()
	for r := 0; r < x.rows; r += v.tileRows() {
		t := *x
		t.rows = min(v.tileRows(), x.rows-r)
		t.a = x.a[r*x.rs:]
		t.c, t.ldc = buf[:], nr
		if x.init != nil {
			for i := range t.rows {
				copy(buf[i*nr:][:width], x.init[(r+i)*x.ldi:])
			}
			t.init, t.ldi = buf[:], nr
		}
		v.run(&t)
		x.ahead = ahead{} // fetched
		for i := range t.rows {
			copy(x.c[(r+i)*x.ldc:][:width], buf[i*nr:])
		}
	}
}

func (v vector) gemm(c, a View[float32], w Panels[float32], mode Mode[float32]) {
	nr := v.panelWidth()
	for j := 0; j < w.N; j += nr {
		panel := w.Data[j*w.K:]
		x := column{c: c.Data[j:], ldc: c.Stride, rs: a.Stride, cs: 1, rows: c.Rows, floor: floor(false)}
		switch {
		case mode.Add:
			x.init, x.ldi = x.c, x.ldc
		case mode.Bias != nil:
			x.init = mode.Bias[j:]
		}
		for k := 0; ; k += depth {
			x.k = min(depth, w.K-k)
			x.a, x.b = a.Data[min(k, len(a.Data)):], panel[k*nr:]
			if k+x.k == w.K {
				x.floor = floor(mode.ReLU)
			}
			// What follows in the panels is what the next call reads.
			x.ahead = ahead{address(x.b) + uintptr(4*nr*x.k), x.k, 0, 1}
			if j+nr <= w.N {
				v.run(&x)
			} else {
				v.runEdge(&x, w.N-j)
			}
			if k+x.k == w.K {
				break
			}
			x.init, x.ldi = x.c, x.ldc
		}
	}
}

// gemmT turns the weights of one block of nr columns of dx at a time, which are
// nr rows of w, into a panel of the transposed matrix.
func (v vector) gemmT(dx, dy View[float32], w Panels[float32], add bool, scratch []float32) {
	nr := v.panelWidth()
	for k := 0; k < w.K; k += nr {
		x := column{c: dx.Data[k:], ldc: dx.Stride, rs: dy.Stride, cs: 1, rows: dx.Rows, floor: floor(false)}
		if add {
			x.init, x.ldi = x.c, x.ldc
		}
		for j := 0; ; j += depth {
			x.k = min(depth, w.N-j)
			v.turn(scratch, w, k, j, x.k)
			x.a, x.b = dy.Data[min(j, len(dy.Data)):], scratch
			x.ahead = v.nextBlock(w, k, j, x.k)
			if k+nr <= w.K {
				v.run(&x)
			} else {
				v.runEdge(&x, w.K-k)
			}
			if j+x.k == w.N {
				break
			}
			x.init, x.ldi = x.c, x.ldc
		}
	}
}

// turn writes rows k to k+nr−1 and columns j to j+n−1 of w, transposed, to dst;
// rows that do not exist are zeros. j is a multiple of the panel width.
func (v vector) turn(dst []float32, w Panels[float32], k, j, n int) {
	nr := v.panelWidth()
	if n == 0 {
		return
	}
	src := w.Data[j*w.K+k*nr:]
	if rows := w.K - k; rows < nr {
		for c := range n {
			d := dst[c*nr:][:nr]
			for r := range rows {
				d[r] = src[c/nr*nr*w.K+r*nr+c%nr]
			}
			clear(d[rows:])
		}
		return
	}
	if v.wide {
		transposeAVX512(&dst[0], &src[0], 4*nr*w.K, (n+nr-1)/nr)
	} else {
		transposeAVX2(&dst[0], &src[0], 4*nr*w.K, (n+nr-1)/nr)
	}
}

// nextBlock is what the turn after that of rows k to k+nr−1 and columns j to
// j+n−1 will read.
func (v vector) nextBlock(w Panels[float32], k, j, n int) ahead {
	nr := v.panelWidth()
	if j+n < w.N {
		j += n
		n = min(depth, w.N-j)
	} else {
		k, j, n = k+nr, 0, min(depth, w.N)
	}
	if k >= w.K || n == 0 {
		return ahead{}
	}
	return ahead{address(w.Data[j*w.K+k*nr:]), nr, nr * w.K, (n + nr - 1) / nr}
}

func (v vector) gemmGrad(dw Panels[float32], x, dy View[float32], add bool, scratch []float32) {
	for j := 0; j < dw.N; j += v.panelWidth() {
		v.gradPanel(dw.Data[j*dw.K:], dw.K, x, dy, j, add, scratch)
	}
}

// gradDepth bounds the rows of one pass of a gradient. A tile reads a panel of dy,
// 12 kB at 96 rows, and a line or two of every row of x, so less fits the L1 cache
// than where activations are read along their rows. In pairs of training steps at
// batch 32, 96 took 6 % less than 256; 64, 80, 112 and 128 gained less or nothing.
const gradDepth = 96

// gradPanel is the gradient of the panel of k rows that begins at column j.
func (v vector) gradPanel(panel []float32, k int, x, dy View[float32], j int, add bool, scratch []float32) {
	nr := v.panelWidth()
	for i := 0; ; i += gradDepth {
		rows := min(gradDepth, x.Rows-i)
		c := v.gradColumn(x, dy, i, rows, j, scratch)
		c.c, c.rows = panel, k
		if add || i > 0 {
			c.init, c.ldi = panel, nr
		}
		v.run(&c)
		if i+rows == x.Rows {
			return
		}
	}
}

// gradColumn prepares the gradient over rows i to i+rows−1 of the panel that
// begins at column j: dy's columns go to scratch.
func (v vector) gradColumn(x, dy View[float32], i, rows, j int, scratch []float32) column {
	nr := v.panelWidth()
	if rows == 0 {
		return column{ldc: nr, floor: floor(false)}
	}
	src := dy.Data[i*dy.Stride+j:]
	switch width := dy.Cols - j; {
	case width < nr:
		for r := range rows {
			d := scratch[r*nr:][:nr]
			clear(d[copy(d[:width], src[r*dy.Stride:]):])
		}
	case v.wide:
		stripAVX512(&scratch[0], &src[0], 4*dy.Stride, rows)
	default:
		stripAVX2(&scratch[0], &src[0], 4*dy.Stride, rows)
	}
	return column{a: x.Data[i*x.Stride:], rs: 1, cs: x.Stride, b: scratch, k: rows, ldc: nr, floor: floor(false)}
}

// gradAdam has one call compute a panel's gradient and update the panel; a sum
// over more rows than one pass takes makes the gradient first.
func (v vector) gradAdam(w, m, s Panels[float32], x, dy View[float32], step AdamStep[float32], scratch []float32) {
	nr := v.panelWidth()
	strip, g := scratch[:depth*nr], scratch[depth*nr:]
	coef := v.coefficients(step)
	h, count, rest := v.split(w.K, v.adamRows())
	for j := 0; j < w.N; j += nr {
		lo, hi := j*w.K, (j+nr)*w.K
		if x.Rows == 0 || x.Rows > depth {
			v.gradPanel(g, w.K, x, dy, j, false, strip)
			v.adam(w.Data[lo:hi], m.Data[lo:hi], s.Data[lo:hi], g[:hi-lo], step)
			continue
		}
		c := v.gradColumn(x, dy, 0, x.Rows, j, strip)
		if v.wide {
			gradAdamAVX512(&g[0], &c.a[0], &c.b[0], 4*c.cs, c.k, h, count, rest, &w.Data[lo], &m.Data[lo], &s.Data[lo], &coef[0])
		} else {
			gradAdamAVX2(&g[0], &c.a[0], &c.b[0], 4*c.cs, c.k, h, count, rest, &w.Data[lo], &m.Data[lo], &s.Data[lo], &coef[0])
		}
	}
}

// adamRows is the height of the tallest tile beside which Adam runs.
func (v vector) adamRows() int {
	if v.wide {
		return tallest
	}
	return 5
}

// coefficients is one vector of each.
func (v vector) coefficients(s AdamStep[float32]) (coef [6 * widest / 2]float32) {
	width := v.panelWidth() / 2
	for i, c := range []float32{s.Rate, s.Decay, s.Mean, s.Square, s.Alpha, s.Epsilon} {
		for l := range width {
			coef[i*width+l] = c
		}
	}
	return coef
}
