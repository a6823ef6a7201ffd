// Package checkpoint is the one file a fold is kept in: weights, tokenizers,
// scaler and configuration, and while it trains, everything needed to go on to
// the bit. A published model is the same file without its training state.
//
// # Format
//
// The file is safetensors (package safetensors): the header's length in 8 bytes, the header in JSON,
// the tensors in little-endian float32. Python's safetensors library loads it.
// Tensors have the names of nn.Layout; in a checkpoint those of the best
// weights begin with "best.", of Adam's moments with "adam_m." and "adam_v.".
// The header's metadata holds
//
//	format          "polyid-trainer"
//	schema_version  "1"
//	model           JSON: configuration, features, vocabulary, targets, scaler, origin
//	training        JSON: how it trains and how far it is; only in a checkpoint
//	sha256          of the header, with this entry empty, and the tensors
//
// The bytes depend on the Model alone.
//
// # Reading
//
// Loading runs no code. A file is refused, with a reason, unless it is exactly
// what Write makes: the schema's version, no unknown field, every tensor that
// the configuration asks for in its place and no other, nothing after them, and
// a checksum that matches. Memory grows with the bytes that arrive, not with
// what a header claims.
package checkpoint
