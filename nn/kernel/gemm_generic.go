package kernel

// The sums of the reference are in float64 and rounded once. Products of float32
// are exact there, so that it does not matter whether a compiler fuses them.

// gemm keeps 2×4 sums in registers while it runs down a panel.
func (p generic[T]) gemm(c, a View[T], w Panels[T], mode Mode[T]) {
	for j := 0; j < w.N; j += 4 {
		panel := w.Data[j*w.K:][:4*w.K]
		n := min(4, w.N-j)
		for i := 0; i < c.Rows; i += 2 {
			var sum [2][4]float64
			rows := min(2, c.Rows-i)
			for r := range rows {
				for l := range n {
					switch {
					case mode.Add:
						sum[r][l] = float64(c.Row(i + r)[j+l])
					case mode.Bias != nil:
						sum[r][l] = float64(mode.Bias[j+l])
					}
				}
			}
			if rows == 2 {
				sum[0], sum[1] = tile2x4(sum[0], sum[1], a.Row(i), a.Row(i+1), panel)
			} else {
				sum[0], _ = tile2x4(sum[0], sum[1], a.Row(i), a.Row(i), panel)
			}
			for r := range rows {
				for l, s := range sum[r][:n] {
					c.Row(i + r)[j+l] = relu0(T(s), mode.ReLU)
				}
			}
		}
	}
}

// tile2x4 adds rows x and y times a panel to s and t.
func tile2x4[T Float](s, t [4]float64, x, y, panel []T) (_, _ [4]float64) {
	s0, s1, s2, s3 := s[0], s[1], s[2], s[3]
	t0, t1, t2, t3 := t[0], t[1], t[2], t[3]
	y = y[:len(x)]
	for k := range x {
		a, b := float64(x[k]), float64(y[k])
		w := panel[4*k:][:4:4]
		w0, w1, w2, w3 := float64(w[0]), float64(w[1]), float64(w[2]), float64(w[3])
		s0 += a * w0
		s1 += a * w1
		s2 += a * w2
		s3 += a * w3
		t0 += b * w0
		t1 += b * w1
		t2 += b * w2
		t3 += b * w3
	}
	return [4]float64{s0, s1, s2, s3}, [4]float64{t0, t1, t2, t3}
}

// gemmT takes four rows of weights at a time, which lie side by side in each
// panel: no transposing.
func (generic[T]) gemmT(dx, dy View[T], w Panels[T], add bool, _ []T) {
	for i := range dx.Rows {
		dst, src := dx.Row(i), dy.Row(i)
		for k := 0; k < w.K; k += 4 {
			rows := min(4, w.K-k)
			var sum [4]float64
			if add {
				for r := range rows {
					sum[r] = float64(dst[k+r])
				}
			}
			for j := 0; j < w.N; j += 4 {
				block := w.Data[j*w.K+4*k:][:4*rows]
				for l, d := range src[j:min(j+4, w.N)] {
					d := float64(d)
					if rows == 4 {
						b := block[l:][:13]
						sum[0] += d * float64(b[0])
						sum[1] += d * float64(b[4])
						sum[2] += d * float64(b[8])
						sum[3] += d * float64(b[12])
						continue
					}
					for r := range rows {
						sum[r] += d * float64(block[4*r+l])
					}
				}
			}
			for r := range rows {
				dst[k+r] = T(sum[r])
			}
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
	n := min(4, dy.Cols-j)
	for k := range x.Cols {
		var sum [4]float64
		g := panel[4*k:][:4]
		if add {
			for l := range n {
				sum[l] = float64(g[l])
			}
		}
		if n == 4 {
			sum = outer4(sum, x, k, dy, j)
		} else {
			for i := range x.Rows {
				a := float64(x.Data[i*x.Stride+k])
				for l, d := range dy.Row(i)[j:] {
					sum[l] += a * float64(d)
				}
			}
		}
		for l, s := range sum {
			g[l] = T(s)
		}
	}
}

// outer4 adds column k of x times four columns of dy, from j on, to s.
func outer4[T Float](s [4]float64, x View[T], k int, dy View[T], j int) [4]float64 {
	s0, s1, s2, s3 := s[0], s[1], s[2], s[3]
	for i := range x.Rows {
		a, d := float64(x.Data[i*x.Stride+k]), dy.Data[i*dy.Stride+j:][:4:4]
		s0 += a * float64(d[0])
		s1 += a * float64(d[1])
		s2 += a * float64(d[2])
		s3 += a * float64(d[3])
	}
	return [4]float64{s0, s1, s2, s3}
}

func (p generic[T]) gradAdam(w, m, v Panels[T], x, dy View[T], s AdamStep[T], scratch []T) {
	g := scratch[:4*w.K]
	for j := 0; j < w.N; j += 4 {
		lo, hi := j*w.K, (j+4)*w.K
		p.gradPanel(g, x, dy, j, false)
		p.adam(w.Data[lo:hi], m.Data[lo:hi], v.Data[lo:hi], g, s)
	}
}
