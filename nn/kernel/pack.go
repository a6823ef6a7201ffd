package kernel

func packedLen(k, n, nr int) int { return (n + nr - 1) / nr * nr * k }

// PackedLen is the number of elements a k×n weight matrix takes in panels:
// k times n rounded up to the path's panel width.
func (ks *Kernels[T]) PackedLen(k, n int) int {
	return packedLen(k, n, ks.PanelWidth())
}

// Pack writes the matrix src into panels and their padding with zeros:
//
//	dst[r, c] = src[r, c]
func (ks *Kernels[T]) Pack(dst Panels[T], src View[T]) {
	nr := ks.PanelWidth()
	dst.check(nr)
	src.check()
	if src.Rows != dst.K || src.Cols != dst.N {
		panic(badShape)
	}
	for j := 0; j < dst.N; j += nr {
		panel := dst.Data[j*dst.K:][:nr*dst.K]
		w := min(nr, dst.N-j)
		for r := range dst.K {
			row := panel[r*nr:][:nr]
			copy(row, src.Row(r)[j:j+w])
			clear(row[w:])
		}
	}
}

// Unpack is Pack's inverse: dst[r, c] = src[r, c].
func (ks *Kernels[T]) Unpack(dst View[T], src Panels[T]) {
	nr := ks.PanelWidth()
	src.check(nr)
	dst.check()
	if dst.Rows != src.K || dst.Cols != src.N {
		panic(badShape)
	}
	for j := 0; j < src.N; j += nr {
		panel := src.Data[j*src.K:][:nr*src.K]
		w := min(nr, src.N-j)
		for r := range src.K {
			copy(dst.Row(r)[j:j+w], panel[r*nr:][:w])
		}
	}
}
