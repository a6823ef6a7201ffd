// Package revision is a published ensemble as files: what a training leaves
// behind, what a Hub holds, what the inference side loads.
//
//	README.md                         model card, see Card
//	config.json                       Config: what was trained, on what, how
//	metrics.json                      Metrics: what it scored
//	predictions.csv                   the predictions those scores are of
//	folds.json                        the split, in PolyID's form, by row of predictions.csv
//	history.csv                       losses by fold and epoch, where they were kept
//	plots/                            predicted against measured values by target, losses by epoch
//	calibration.json                  residuals that intervals come from
//	stack.json, stack.safetensors     what predicts beside the network, where a job asked for it
//	domain_of_validity.json           the training set's Morgan hashes
//	model_fold_i/model.safetensors    weights, tokenizers and scaler of fold i
//
// Python's files stand beside these; whoever writes them hands them to Write. A
// revision made of Python's files alone, as PolyID saves them, is what Import
// reads.
//
// Open takes no more than it needs to predict (see Wanted), runs no code, and
// refuses a revision that is not whole or whose parts do not belong together.
package revision
