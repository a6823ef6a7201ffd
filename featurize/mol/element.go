package mol

// Element is an atomic number; 0 is the dummy atom *.
type Element uint8
