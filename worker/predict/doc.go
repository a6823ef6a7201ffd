// Package predict answers predictions with published ensembles.
//
// Models keeps revisions loaded: it downloads what predicts and nothing else,
// watches the branches and tags it serves, and replaces a revision that has
// moved when the new one is ready, so that there is always one to answer with.
//
// Predictor turns inputs in any notation into chains, chains into graphs, and
// asks the ensemble once for each: equal chains, within a request or across
// requests that run at the same time, are computed once, and chains with equal
// graphs too. It answers at once, keeping nothing (Answer, AnswerCSV) or the
// prediction with its results (HandleNow), or works off queued predictions
// (Handle).
package predict
