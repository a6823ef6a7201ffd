package mol

// Element is an atomic number; 0 is the dummy atom *.
type Element uint8

// The elements that rules name.
const (
	dummy      Element = 0
	hydrogen   Element = 1
	carbon     Element = 6
	nitrogen   Element = 7
	oxygen     Element = 8
	phosphorus Element = 15
	sulfur     Element = 16
	chlorine   Element = 17
	arsenic    Element = 33
	selenium   Element = 34
	bromine    Element = 35
	tellurium  Element = 52
	iodine     Element = 53
)

// MaxElement is the last element there is.
const MaxElement Element = 118

// Symbol is the element's symbol, * for the dummy.
func (e Element) Symbol() string { return elements[e].symbol }

// Valences lists the valences RDKit allows, ascending; the first is the default
// one. A last -1 allows any above, and a lone -1 any at all, without a default.
// The slice is shared, not a copy.
func (e Element) Valences() []int8 { return elements[e].valences }

// CommonIsotope is the mass number of the most common isotope.
func (e Element) CommonIsotope() int { return int(elements[e].isotope) }

// ElementOf is the element with that symbol, spelled as in the periodic table.
func ElementOf(symbol string) (Element, bool) {
	switch len(symbol) {
	case 1:
		e := bySymbol[symbol[0]][0]
		return e, e != 0
	case 2:
		if second := symbol[1] - 'a'; second < 26 {
			e := bySymbol[symbol[0]][1+second]
			return e, e != 0
		}
	}
	return 0, false
}

// bySymbol is the inverse of the table of elements: by first letter, then 0 or
// 1 + the second letter.
var bySymbol = func() (index [256][27]Element) {
	for e := hydrogen; e <= MaxElement; e++ {
		s, second := elements[e].symbol, byte(0)
		if len(s) == 2 {
			second = s[1] - 'a' + 1
		}
		index[s[0]][second] = e
	}
	return index
}()

// defaultValence is the valence hydrogens fill up to, -1 if there is none.
func (e Element) defaultValence() int { return int(elements[e].valences[0]) }

// maxValence is the highest valence allowed, -1 if any is.
func (e Element) maxValence() int {
	v := elements[e].valences
	return int(v[len(v)-1])
}

// anyValence reports whether nothing at all is known about the valence.
func (e Element) anyValence() bool { return elements[e].valences[0] == -1 }

// outerElectrons is the number of electrons in the outer shell.
func (e Element) outerElectrons() int { return int(elements[e].outer) }

// metal reports whether the element counts as a metal.
func (e Element) metal() bool {
	switch {
	case e <= 2, e >= 5 && e <= 10, e >= 14 && e <= 18, e >= 33 && e <= 36, e >= 52 && e <= 54, e == 85, e == 86:
		return false
	}
	return true
}

// early reports whether the element stands left of carbon's diagonal, where a
// positive charge takes a bond away instead of allowing one more.
func (e Element) early() bool {
	switch {
	case e >= 3 && e <= 5, e >= 11 && e <= 13, e >= 19 && e <= 22, e >= 30 && e <= 32,
		e >= 37 && e <= 41, e >= 48 && e <= 51, e >= 55 && e <= 61, e == 72, e == 73,
		e >= 80 && e <= 83, e >= 87 && e <= 93, e >= 104:
		return true
	}
	return false
}

// moreElectronegative reports whether e attracts electrons more than f, by
// RDKit's rule: more outer electrons, and of as many the lighter.
func (e Element) moreElectronegative(f Element) bool {
	if a, b := elements[e].outer, elements[f].outer; a != b {
		return a > b
	}
	return e < f
}

// elements is the one table of elements, with the values of RDKit 2026.9.1.
var elements = [MaxElement + 1]struct {
	symbol   string
	outer    uint8  // electrons in the outer shell
	isotope  uint16 // the most common one
	valences []int8
}{
	0:   {"*", 0, 0, []int8{-1}},
	1:   {"H", 1, 1, []int8{1}},
	2:   {"He", 2, 4, []int8{0}},
	3:   {"Li", 1, 7, []int8{1, -1}},
	4:   {"Be", 2, 9, []int8{2}},
	5:   {"B", 3, 11, []int8{3}},
	6:   {"C", 4, 12, []int8{4}},
	7:   {"N", 5, 14, []int8{3}},
	8:   {"O", 6, 16, []int8{2}},
	9:   {"F", 7, 19, []int8{1}},
	10:  {"Ne", 8, 20, []int8{0}},
	11:  {"Na", 1, 23, []int8{1, -1}},
	12:  {"Mg", 2, 24, []int8{2, -1}},
	13:  {"Al", 3, 27, []int8{3}},
	14:  {"Si", 4, 28, []int8{4}},
	15:  {"P", 5, 31, []int8{3, 5}},
	16:  {"S", 6, 32, []int8{2, 4, 6}},
	17:  {"Cl", 7, 35, []int8{1}},
	18:  {"Ar", 8, 40, []int8{0}},
	19:  {"K", 1, 39, []int8{1, -1}},
	20:  {"Ca", 2, 40, []int8{2, -1}},
	21:  {"Sc", 3, 45, []int8{-1}},
	22:  {"Ti", 4, 48, []int8{-1}},
	23:  {"V", 5, 51, []int8{-1}},
	24:  {"Cr", 6, 52, []int8{-1}},
	25:  {"Mn", 7, 55, []int8{-1}},
	26:  {"Fe", 8, 56, []int8{-1}},
	27:  {"Co", 9, 59, []int8{-1}},
	28:  {"Ni", 10, 58, []int8{-1}},
	29:  {"Cu", 11, 63, []int8{-1}},
	30:  {"Zn", 2, 64, []int8{-1}},
	31:  {"Ga", 3, 69, []int8{3}},
	32:  {"Ge", 4, 74, []int8{4}},
	33:  {"As", 5, 75, []int8{3, 5}},
	34:  {"Se", 6, 80, []int8{2, 4, 6}},
	35:  {"Br", 7, 79, []int8{1}},
	36:  {"Kr", 8, 84, []int8{0}},
	37:  {"Rb", 1, 85, []int8{1, -1}},
	38:  {"Sr", 2, 88, []int8{2, -1}},
	39:  {"Y", 3, 89, []int8{-1}},
	40:  {"Zr", 4, 90, []int8{-1}},
	41:  {"Nb", 5, 93, []int8{-1}},
	42:  {"Mo", 6, 98, []int8{-1}},
	43:  {"Tc", 7, 97, []int8{-1}},
	44:  {"Ru", 8, 102, []int8{-1}},
	45:  {"Rh", 9, 103, []int8{-1}},
	46:  {"Pd", 10, 106, []int8{-1}},
	47:  {"Ag", 11, 107, []int8{-1}},
	48:  {"Cd", 2, 114, []int8{-1}},
	49:  {"In", 3, 115, []int8{3}},
	50:  {"Sn", 4, 120, []int8{2, 4}},
	51:  {"Sb", 5, 121, []int8{3, 5}},
	52:  {"Te", 6, 130, []int8{2, 4, 6}},
	53:  {"I", 7, 127, []int8{1, 3, 5}},
	54:  {"Xe", 8, 132, []int8{0, 2, 4, 6}},
	55:  {"Cs", 1, 133, []int8{1}},
	56:  {"Ba", 2, 138, []int8{2, -1}},
	57:  {"La", 3, 139, []int8{-1}},
	58:  {"Ce", 4, 140, []int8{-1}},
	59:  {"Pr", 3, 141, []int8{-1}},
	60:  {"Nd", 4, 142, []int8{-1}},
	61:  {"Pm", 5, 145, []int8{-1}},
	62:  {"Sm", 6, 152, []int8{-1}},
	63:  {"Eu", 7, 153, []int8{-1}},
	64:  {"Gd", 8, 158, []int8{-1}},
	65:  {"Tb", 9, 159, []int8{-1}},
	66:  {"Dy", 10, 164, []int8{-1}},
	67:  {"Ho", 11, 165, []int8{-1}},
	68:  {"Er", 12, 166, []int8{-1}},
	69:  {"Tm", 13, 169, []int8{-1}},
	70:  {"Yb", 14, 174, []int8{-1}},
	71:  {"Lu", 15, 175, []int8{-1}},
	72:  {"Hf", 4, 180, []int8{-1}},
	73:  {"Ta", 5, 181, []int8{-1}},
	74:  {"W", 6, 184, []int8{-1}},
	75:  {"Re", 7, 187, []int8{-1}},
	76:  {"Os", 8, 192, []int8{-1}},
	77:  {"Ir", 9, 193, []int8{-1}},
	78:  {"Pt", 10, 195, []int8{-1}},
	79:  {"Au", 11, 197, []int8{-1}},
	80:  {"Hg", 2, 202, []int8{-1}},
	81:  {"Tl", 3, 205, []int8{-1}},
	82:  {"Pb", 4, 208, []int8{2, 4}},
	83:  {"Bi", 5, 209, []int8{3, 5}},
	84:  {"Po", 6, 209, []int8{2, 4, 6}},
	85:  {"At", 7, 210, []int8{1, 3, 5}},
	86:  {"Rn", 8, 222, []int8{0}},
	87:  {"Fr", 1, 223, []int8{1}},
	88:  {"Ra", 2, 226, []int8{2, -1}},
	89:  {"Ac", 3, 227, []int8{-1}},
	90:  {"Th", 4, 232, []int8{-1}},
	91:  {"Pa", 3, 231, []int8{-1}},
	92:  {"U", 4, 238, []int8{-1}},
	93:  {"Np", 5, 236, []int8{-1}},
	94:  {"Pu", 6, 238, []int8{-1}},
	95:  {"Am", 7, 241, []int8{-1}},
	96:  {"Cm", 8, 243, []int8{-1}},
	97:  {"Bk", 9, 247, []int8{-1}},
	98:  {"Cf", 10, 249, []int8{-1}},
	99:  {"Es", 11, 252, []int8{-1}},
	100: {"Fm", 12, 257, []int8{-1}},
	101: {"Md", 13, 258, []int8{-1}},
	102: {"No", 14, 259, []int8{-1}},
	103: {"Lr", 15, 262, []int8{-1}},
	104: {"Rf", 2, 267, []int8{-1}},
	105: {"Db", 2, 268, []int8{-1}},
	106: {"Sg", 2, 271, []int8{-1}},
	107: {"Bh", 2, 270, []int8{-1}},
	108: {"Hs", 2, 269, []int8{-1}},
	109: {"Mt", 2, 278, []int8{-1}},
	110: {"Ds", 2, 281, []int8{-1}},
	111: {"Rg", 2, 281, []int8{-1}},
	112: {"Cn", 2, 285, []int8{-1}},
	113: {"Nh", 2, 284, []int8{-1}},
	114: {"Fl", 2, 289, []int8{-1}},
	115: {"Mc", 2, 288, []int8{-1}},
	116: {"Lv", 2, 293, []int8{-1}},
	117: {"Ts", 2, 292, []int8{-1}},
	118: {"Og", 2, 294, []int8{-1}},
}
