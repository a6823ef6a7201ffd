package pickle

import (
	"fmt"
	"slices"
)

// execStack runs an opcode that works on the stack alone.
func (m *machine) execStack(op byte) error {
	switch op {
	case opMark:
		m.push(mark{})
	case opNone:
		m.push(nil)
	case opNewTrue:
		m.push(true)
	case opNewFalse:
		m.push(false)
	case opEmptyTuple:
		m.push(&Tuple{})
		return m.make(node)
	case opEmptyList:
		m.push(&List{})
		return m.make(node)
	case opEmptyDict:
		m.push(&Dict{})
		return m.make(node)
	case opPop:
		_, err := m.pop()
		return err
	case opPopMark:
		_, err := m.popMark()
		return err
	case opDup:
		v, err := m.top()
		if err != nil {
			return err
		}
		m.push(v)
	case opTuple1, opTuple2, opTuple3:
		return m.tuple(int(op-opTuple1) + 1)
	case opTuple, opList, opDict:
		items, err := m.popMark()
		if err != nil {
			return err
		}
		return m.collection(op, items)
	case opAppend:
		v, err := m.pop()
		if err != nil {
			return err
		}
		return m.appendTo([]any{v})
	case opAppends:
		items, err := m.popMark()
		if err != nil {
			return err
		}
		return m.appendTo(items)
	case opSetItem:
		v, err := m.pop()
		if err != nil {
			return err
		}
		k, err := m.pop()
		if err != nil {
			return err
		}
		return m.setOn([]any{k, v})
	case opSetItems:
		items, err := m.popMark()
		if err != nil {
			return err
		}
		return m.setOn(items)
	case opStackGlobal:
		return m.stackGlobal()
	case opReduce, opNewObj:
		return m.object(false)
	case opNewObjEx:
		return m.object(true)
	case opBuild:
		return m.build()
	default:
		return fmt.Errorf("opcode %#02x is not read", op)
	}
	return nil
}

func (m *machine) tuple(n int) error {
	items := make([]any, n)
	for i := n - 1; i >= 0; i-- {
		v, err := m.pop()
		if err != nil {
			return err
		}
		items[i] = v
	}
	m.push(&Tuple{items})
	return m.make(node + slot*n)
}

func (m *machine) collection(op byte, items []any) error {
	items = slices.Clone(items)
	if err := m.make(node + slot*len(items)); err != nil {
		return err
	}
	switch op {
	case opTuple:
		m.push(&Tuple{items})
	case opList:
		m.push(&List{items})
	default:
		m.push(&Dict{})
		return m.setOn(items)
	}
	return nil
}

// appendTo appends items to the list, or list-like object, on the stack.
func (m *machine) appendTo(items []any) error {
	v, err := m.top()
	if err != nil {
		return err
	}
	if err := m.make(slot * len(items)); err != nil {
		return err
	}
	switch v := v.(type) {
	case *List:
		v.Items = append(v.Items, items...)
	case *Object:
		v.Items = append(v.Items, items...)
	default:
		return errType
	}
	return nil
}

// setOn sets keys and values, in turn, on the dict or dict-like object on the
// stack.
func (m *machine) setOn(items []any) error {
	v, err := m.top()
	if err != nil {
		return err
	}
	if len(items)%2 != 0 {
		return errType
	}
	if err := m.make(slot * len(items)); err != nil {
		return err
	}
	switch v := v.(type) {
	case *Dict:
		for i := 0; i < len(items); i += 2 {
			v.Entries = append(v.Entries, Entry{items[i], items[i+1]})
		}
	case *Object:
		v.Items = append(v.Items, items...)
	default:
		return errType
	}
	return nil
}

func (m *machine) stackGlobal() error {
	name, err := m.pop()
	if err != nil {
		return err
	}
	module, err := m.pop()
	if err != nil {
		return err
	}
	var c Class
	var ok1, ok2 bool
	c.Module, ok1 = module.(string)
	c.Name, ok2 = name.(string)
	if !ok1 || !ok2 {
		return errType
	}
	if c, err = m.class(c); err != nil {
		return err
	}
	m.push(c)
	return nil
}

// object takes a class and its arguments off the stack; keywords say that a
// dict of named ones, which is dropped, lies above them.
func (m *machine) object(keywords bool) error {
	if keywords {
		if _, err := m.pop(); err != nil {
			return err
		}
	}
	args, err := m.pop()
	if err != nil {
		return err
	}
	class, err := m.pop()
	if err != nil {
		return err
	}
	o := &Object{}
	var ok1, ok2 bool
	o.Class, ok1 = class.(Class)
	o.Args, ok2 = args.(*Tuple)
	if !ok1 || !ok2 {
		return errType
	}
	m.push(o)
	return m.make(2 * node)
}

// build gives the object on the stack its state.
func (m *machine) build() error {
	state, err := m.pop()
	if err != nil {
		return err
	}
	v, err := m.top()
	if err != nil {
		return err
	}
	o, ok := v.(*Object)
	if !ok {
		return errType
	}
	o.State = state
	return nil
}
