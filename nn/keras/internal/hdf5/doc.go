// Package hdf5 reads and writes as much of the HDF5 file format as Keras' saved
// models use: groups of the old style, attributes that are strings, and
// contiguous or compact datasets of little-endian float32. Everything else is
// refused by name.
//
// Written from "HDF5 File Format Specification Version 3.0" (The HDF Group);
// section numbers in comments are of that document. A library does not serve:
// the bindings need cgo and the C library, the Go module proxy has no pure-Go
// one, and github.com/scigolib/hdf5 v0.14.0, which is on GitHub, writes files on
// a disk only and cannot give the root group an attribute, where Keras looks
// for a model's configuration.
//
// A file is parsed in memory. Every offset and length it states is checked
// against its bytes, strings and datasets are views of those bytes, and the
// steps it may cause are counted, so that a hostile file costs no more than an
// honest one of its size.
package hdf5
