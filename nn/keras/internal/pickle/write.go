package pickle

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// protocol is that of written pickles: the first with bytes, so every Python 3
// reads it.
const protocol = 3

// maxDepth bounds the nesting of written values, which a cycle exceeds.
const maxDepth = 200

// Write writes a value, of the kinds that Read gives, as a pickle. A Python that
// loads it calls the class of each Object with its arguments, and gives the
// result its state. A value that occurs twice is written twice. The bytes depend
// on the value alone.
func Write(v any) ([]byte, error) {
	w := writer{b: []byte{opProto, protocol}}
	if err := w.value(v, maxDepth); err != nil {
		return nil, fmt.Errorf("pickle: %w", err)
	}
	return append(w.b, opStop), nil
}

// writer appends the program that makes a value on the stack.
type writer struct{ b []byte }

func (w *writer) value(v any, depth int) error {
	if depth == 0 {
		return fmt.Errorf("values are nested deeper than %d", maxDepth)
	}
	depth--
	switch v := v.(type) {
	case nil:
		w.b = append(w.b, opNone)
	case bool:
		if v {
			w.b = append(w.b, opNewTrue)
		} else {
			w.b = append(w.b, opNewFalse)
		}
	case int64:
		w.integer(v)
	case float64:
		w.b = binary.BigEndian.AppendUint64(append(w.b, opBinFloat), math.Float64bits(v))
	case string:
		if !utf8.ValidString(v) {
			return errors.New("a string is not UTF-8")
		}
		return w.counted(opBinUnicode, v)
	case []byte:
		return w.counted(opBinBytes, string(v))
	case Class:
		return w.class(v)
	case *List:
		w.b = append(w.b, opEmptyList)
		return w.items(opAppends, v.Items, depth)
	case *Tuple:
		return w.tuple(v, depth)
	case *Dict:
		w.b = append(w.b, opEmptyDict)
		items := make([]any, 0, 2*len(v.Entries))
		for _, e := range v.Entries {
			items = append(items, e.Key, e.Value)
		}
		return w.items(opSetItems, items, depth)
	case *Object:
		return w.object(v, depth)
	default:
		return fmt.Errorf("a %T is no value of a pickle", v)
	}
	return nil
}

func (w *writer) integer(v int64) {
	if v == int64(int32(v)) {
		w.b = binary.LittleEndian.AppendUint32(append(w.b, opBinInt), uint32(v))
		return
	}
	w.b = binary.LittleEndian.AppendUint64(append(w.b, opLong1, 8), uint64(v))
}

// counted appends an opcode of a string or of bytes after their number.
func (w *writer) counted(op byte, s string) error {
	if len(s) > math.MaxInt32 {
		return fmt.Errorf("a string of %d bytes", len(s))
	}
	w.b = binary.LittleEndian.AppendUint32(append(w.b, op), uint32(len(s)))
	w.b = append(w.b, s...)
	return nil
}

func (w *writer) class(c Class) error {
	if c.Module == "" || c.Name == "" || strings.Contains(c.Module+c.Name, "\n") {
		return fmt.Errorf("%q is no class", c)
	}
	w.b = append(w.b, opGlobal)
	w.b = append(w.b, c.Module+"\n"+c.Name+"\n"...)
	return nil
}

// items appends values after a mark, and the opcode that adds them to what lies
// below it.
func (w *writer) items(op byte, items []any, depth int) error {
	if len(items) == 0 {
		return nil
	}
	w.b = append(w.b, opMark)
	for _, item := range items {
		if err := w.value(item, depth); err != nil {
			return err
		}
	}
	w.b = append(w.b, op)
	return nil
}

func (w *writer) tuple(t *Tuple, depth int) error {
	if len(t.Items) == 0 {
		w.b = append(w.b, opEmptyTuple)
		return nil
	}
	return w.items(opTuple, t.Items, depth)
}

func (w *writer) object(o *Object, depth int) error {
	if len(o.Items) > 0 {
		// Read does not say whether they were appended or set.
		return fmt.Errorf("a %s with items is not written", o.Class)
	}
	if err := w.class(o.Class); err != nil {
		return err
	}
	args := o.Args
	if args == nil {
		args = &Tuple{}
	}
	if err := w.tuple(args, depth); err != nil {
		return err
	}
	w.b = append(w.b, opReduce)
	if o.State == nil {
		return nil
	}
	if err := w.value(o.State, depth); err != nil {
		return err
	}
	w.b = append(w.b, opBuild)
	return nil
}
