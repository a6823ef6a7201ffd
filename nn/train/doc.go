// Package train fits one fold: seeded epochs over the training rows, one Adam
// step a batch, a validation pass after each epoch, the weights of the best one
// kept in memory.
//
// A training is a function of its configuration, its rows and its kernels. The
// order of an epoch is keyed by (seed, fold, epoch) and dropout by (seed, fold,
// epoch, row), so no generator has a state to save: a Snapshot taken between
// any two steps, and resumed from, gives the same bits as a training that was
// never stopped.
//
// Everything that follows from the past epochs (the best one, early stopping,
// a reduced learning rate) is computed from Progress.History and stored nowhere
// else, so a resumed training cannot disagree with itself.
//
// # What the numbers are
//
// loss is the mean over an epoch's rows of the loss that was descended, dropout
// on and weights changing underneath, as Keras prints it. val_loss is the mean
// over the validation rows of each row's masked mean absolute error in scaled
// units, which is Keras' val_loss at batch size 1. Rows without any finite
// target are left out of both, as PolyID leaves them out of its table. Per-target
// validation errors are means over that target's finite values.
package train
