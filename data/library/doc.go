// Package library keeps tables that are larger than memory: a header, and rows
// in segments of some megabytes on object storage, with an index of them. A
// library is written in one stream, and read by ranges of rows, each of which
// costs the segments that hold it.
//
//	<prefix>index.json        what is known of the library, and its segments
//	<prefix>segments/<n>      rows, packed
//
// The index is written last: a library without one is none. Rows that cannot be
// told apart into cells keep their place, with the reason.
//
// A [Grid] is a library that is computed: every combination of some monomers.
package library
