// Package keras reads ensembles that PolyID itself saved, so that a model
// trained in Python can be served and continued here. Models of this project
// are read from safetensors and never come near it.
//
// PolyID's folder holds parameters.pk and, for every fold, model_i/model_i.h5
// (Keras' HDF5) and model_i/model_i_data.pk (a pickle of the tokenizers, the
// scaler and the target names). Both formats are read by the strict little
// readers in internal: pickles as data, naming every class they may hold, so
// that reading runs no code.
package keras
