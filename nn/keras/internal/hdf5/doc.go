// Package hdf5 reads as much of the HDF5 file format as Keras' saved models
// use: groups of the old style, attributes that are strings, and contiguous or
// compact datasets of little-endian float32. Everything else is refused by
// name.
//
// Written from "HDF5 File Format Specification Version 3.0" (The HDF Group);
// section numbers in comments are of that document. There is no pure-Go reader
// on the module proxy, and the bindings need cgo and the C library.
//
// A file is parsed in memory. Every offset and length it states is checked
// against its bytes, strings and datasets are views of those bytes, and the
// steps it may cause are counted, so that a hostile file costs no more than an
// honest one of its size.
package hdf5
