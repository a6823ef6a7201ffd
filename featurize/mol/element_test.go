package mol

import "testing"

// Every symbol must find its element again, and nothing else may be one.
func TestElementOf(t *testing.T) {
	found := 0
	for first := 'A'; first <= 'Z'; first++ {
		for second := 'a' - 1; second <= 'z'; second++ {
			symbol := string(first)
			if second >= 'a' {
				symbol += string(second)
			}
			e, ok := ElementOf(symbol)
			if ok != (e != 0) || ok && e.Symbol() != symbol {
				t.Errorf("ElementOf(%q) = %d (%s), %v", symbol, e, e.Symbol(), ok)
			}
			if ok {
				found++
			}
		}
	}
	if found != int(MaxElement) {
		t.Errorf("%d symbols are elements, want %d", found, MaxElement)
	}
	for _, symbol := range []string{"", "c", "*", "cl", "CL", "Clx", "C ", "1", "é", "R{"} {
		if e, ok := ElementOf(symbol); ok {
			t.Errorf("ElementOf(%q) = %s", symbol, e.Symbol())
		}
	}
}

// The lists of valences must end in their highest, for only the last may be -1.
func TestValences(t *testing.T) {
	for e := range MaxElement + 1 {
		v := e.Valences()
		if len(v) == 0 {
			t.Fatalf("%s has no valences", e.Symbol())
		}
		for k := 1; k < len(v); k++ {
			if v[k] <= v[k-1] && !(v[k] == -1 && k == len(v)-1) {
				t.Errorf("%s has valences %v", e.Symbol(), v)
			}
		}
	}
}
