package keras

import _ "embed" // the shim

// Shim is Python to run before MultiModel.load_models of PolyID 0.1.2.4, which
// then loads what Write writes, with Keras 2.14 and with Keras 3.15 on
// TensorFlow 2.21. By itself that version looks for .keras files, and fails to
// load those that it wrote.
//
// It stands in for .keras files of our own: those would need a shim like it
// under Keras 3 all the same, and as many bytes again as the .h5 files.
// PolyID 0.1.2.4 asks for scikit-learn 1.3.0, which needs numpy below 2.
//
//go:embed polyid_0_1_2_4.py
var Shim string

// ShimPath is where Write puts Shim, below the folder.
const ShimPath = "polyid_0_1_2_4.py"
