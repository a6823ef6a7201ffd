package pickle

// A value is one of: nil, bool, int64, float64, string, []byte, *List, *Tuple,
// *Dict, Class and *Object.

// List is a Python list.
type List struct{ Items []any }

// Tuple is a Python tuple.
type Tuple struct{ Items []any }

// Dict is a Python dict with its keys in order. A key that comes twice is there
// twice.
type Dict struct{ Entries []Entry }

// Entry is one key of a Dict with its value.
type Entry struct{ Key, Value any }

// Get finds the value of a string key, the last one if it was set more often.
func (d *Dict) Get(key string) (any, bool) {
	for i := len(d.Entries) - 1; i >= 0; i-- {
		if d.Entries[i].Key == key {
			return d.Entries[i].Value, true
		}
	}
	return nil, false
}

// Class names a Python class or function.
type Class struct{ Module, Name string }

func (c Class) String() string { return c.Module + "." + c.Name }

// Object is what Python would make by calling Class with Args, and give State
// to.
type Object struct {
	Class Class
	Args  *Tuple
	State any // nil if it was given none
	// Items are what was appended or set on it afterwards, as subclasses of list
	// and dict do.
	Items []any
}
