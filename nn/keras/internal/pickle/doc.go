// Package pickle reads and writes Python pickles as data: dictionaries, lists,
// strings, numbers, and objects as the name of their class with the state they
// carry. No class is looked up and nothing is called, so loading runs no code; a
// class that the caller does not list is refused by name.
//
// It reads what Python 3's pickle writes, protocols 2 to 5, save for references
// to persistent ids, extension codes, out-of-band buffers and sets. It writes
// protocol 3, and an object as Python wrote them before protocol 2: its class is
// called, and given a state. Opcodes are those of Python's pickletools.
//
// The ready-made libraries do not fit: gopickle v0.2.0 only reads, allocates any
// length that a pickle claims before reading it, and panics on opcode 0xff;
// og-rek v1.3.0 neither reads nor writes BUILD, which gives an object its state.
package pickle
