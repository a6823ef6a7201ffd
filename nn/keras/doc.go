// Package keras reads ensembles that PolyID saved, so that a model trained in
// Python can be served and continued here, and writes ensembles that PolyID
// loads, so that a model trained here can be used in Python. Models of this
// project are kept in safetensors and never read by it.
//
// PolyID's folder holds parameters.pk and, for every fold, model_i/model_i.h5
// (Keras' HDF5) and model_i/model_i_data.pk (a pickle of the tokenizers, the
// scaler and the target names). Both formats have strict little readers and
// writers in internal: pickles are data, naming every class they may hold, so
// that reading runs no code.
//
// # Versions
//
// What is written is for PolyID 0.1.2.3 on TensorFlow 2.14 with Keras 2.14,
// scikit-learn 1.3, and any numpy and pandas: arrays and tables are pickled as
// calls of numpy.array and pandas.DataFrame with plain lists, not in the forms
// that those pickle themselves, which change. Facts about the formats are from
// files that PolyID saved, from Keras 2.14's saving/legacy/hdf5_format, and from
// tests that ask PolyID (testdata/predict.py).
package keras
