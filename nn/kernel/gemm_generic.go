package kernel

// gemm keeps 2×4 sums in registers while it runs down a panel.
func (p generic[T]) gemm(c, a View[T], w Panels[T], mode Mode[T]) {
	for j := 0; j < w.N; j += 4 {
		panel := w.Data[j*w.K:][:4*w.K]
		n := min(4, w.N-j)
		for i := 0; i < c.Rows; i += 2 {
			var sum [2][4]T
			rows := min(2, c.Rows-i)
			for r := range rows {
				switch {
				case mode.Add:
					copy(sum[r][:n], c.Row(i + r)[j:])
				case mode.Bias != nil:
					copy(sum[r][:n], mode.Bias[j:])
				}
			}
			if rows == 2 {
				sum[0], sum[1] = tile2x4(sum[0], sum[1], a.Row(i), a.Row(i+1), panel)
			} else {
				sum[0], _ = tile2x4(sum[0], sum[1], a.Row(i), a.Row(i), panel)
			}
			for r := range rows {
				for l, s := range sum[r][:n] {
					c.Row(i + r)[j+l] = relu0(s, mode.ReLU)
				}
			}
		}
	}
}

// tile2x4 adds rows x and y times a panel to s and t.
func tile2x4[T Float](s, t [4]T, x, y, panel []T) (_, _ [4]T) {
	s0, s1, s2, s3 := s[0], s[1], s[2], s[3]
	t0, t1, t2, t3 := t[0], t[1], t[2], t[3]
	y = y[:len(x)]
	for k, a := range x {
		b := y[k]
		w := panel[4*k:][:4:4]
		s0 += T(a * w[0])
		s1 += T(a * w[1])
		s2 += T(a * w[2])
		s3 += T(a * w[3])
		t0 += T(b * w[0])
		t1 += T(b * w[1])
		t2 += T(b * w[2])
		t3 += T(b * w[3])
	}
	return [4]T{s0, s1, s2, s3}, [4]T{t0, t1, t2, t3}
}

// gemmT walks each weight row's panels once per row of dy: no transposing.
func (generic[T]) gemmT(dx, dy View[T], w Panels[T], add bool, _ []T) {
	for i := range dx.Rows {
		dst, src := dx.Row(i), dy.Row(i)
		for k := range dst {
			var sum T
			if add {
				sum = dst[k]
			}
			for j := 0; j < w.N; j += 4 {
				for l, s := range w.Data[j*w.K+4*k:][:min(4, w.N-j)] {
					sum += T(src[j+l] * s)
				}
			}
			dst[k] = sum
		}
	}
}

func (p generic[T]) gemmGrad(dw Panels[T], x, dy View[T], add bool, _ []T) {
	for j := 0; j < dw.N; j += 4 {
		p.gradPanel(dw.Data[j*dw.K:][:4*dw.K], x, dy, j, add)
	}
}

// gradPanel is the gradient of the panel that begins at column j.
func (generic[T]) gradPanel(panel []T, x, dy View[T], j int, add bool) {
	if !add {
		clear(panel)
	}
	for i := range x.Rows {
		var d [4]T
		copy(d[:], dy.Row(i)[j:min(j+4, dy.Cols)])
		for k, a := range x.Row(i) {
			g := panel[4*k:][:4:4]
			g[0] += T(a * d[0])
			g[1] += T(a * d[1])
			g[2] += T(a * d[2])
			g[3] += T(a * d[3])
		}
	}
}

func (p generic[T]) gradAdam(w, m, v Panels[T], x, dy View[T], s AdamStep[T], scratch []T) {
	g := scratch[:4*w.K]
	for j := 0; j < w.N; j += 4 {
		lo, hi := j*w.K, (j+4)*w.K
		p.gradPanel(g, x, dy, j, false)
		p.adam(w.Data[lo:hi], m.Data[lo:hi], v.Data[lo:hi], g, s)
	}
}
