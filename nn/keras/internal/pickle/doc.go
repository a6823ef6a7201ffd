// Package pickle reads Python pickles as data: dictionaries, lists, strings,
// numbers, and objects as the name of their class with the state they carry.
// No class is looked up and nothing is called, so loading runs no code; a class
// that the caller does not list is refused by name.
//
// It reads what Python 3's pickle writes, protocols 2 to 5, save for references
// to persistent ids, extension codes, out-of-band buffers and sets.
//
// The ready-made readers do not fit: gopickle v0.2.0 allocates any length that
// a pickle claims before reading it, and panics on opcode 0xff; og-rek v1.3.0
// has no BUILD.
package pickle
