// Package access states who may do what: the roles of tokens, what each role may
// do, and whose a thing is.
//
// # The rules
//
//	role     may
//	admin    everything
//	member   make datasets, jobs, predictions, searches and screenings, and change
//	         what is their own; read what is shared, shipped, or on HUB_REPO
//	reader   predict; read what is shared, shipped, or on HUB_REPO
//
// A thing belongs to the token that made it, by the token's name, so that a new
// token under the same name goes on with it. What may not be seen answers as what
// is not there (404). What may be seen and not changed, and what a role may never
// do, answers 403. Records that have no owner were made before there were owners,
// or while there were no tokens (Local). They belong to the admins, who may share
// them. What ships with the program has no record and belongs to everyone.
//
// # How it is enforced
//
// Whoever lets a request in puts its Identity into the context (With), also that of
// an anonymous one, which may nothing. Every store asks it, so that no route can
// forget to: a store's Get ends in Read, its Update and Delete in Change, its List
// leaves out what fails CanRead. A context without an identity is the program's
// own work, such as a task of the queue, and may everything.
//
// # To add a kind of thing
//
//  1. Its record has the field Owner, which is Name(ctx) of the request that makes
//     it, and jobs.Details. A PATCH reads a jobs.DetailsPatch.
//  2. Its store's Get ends in Read, its Update and Delete call Change, with the
//     error that they return for what is not there; its List asks Visible, or
//     passes over what Get does not find. package records is an example.
//  3. Whatever it makes for its owner later, such as the training jobs of a search,
//     gets the same Owner; work on it that starts from a task has no identity in
//     its context, so what it may use is checked when it is accepted.
//  4. Its routes stand in the table of api/httpapi with an Action each; a route
//     without one is answered to admins alone and fails the isolation test.
package access
