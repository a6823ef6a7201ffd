package access

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"polyid-trainer/jobs"
)

// Role is what a token is for.
type Role string

// The roles.
const (
	Admin  Role = "admin"
	Member Role = "member"
	Reader Role = "reader"
)

// Roles are all roles, the mightiest first.
func Roles() []Role { return []Role{Admin, Member, Reader} }

// Valid reports whether there is such a role.
func (r Role) Valid() bool { return slices.Contains(Roles(), r) }

// Identity is who makes a request. The zero value is anonymous.
type Identity struct {
	Name string `json:"name"` // of the token
	Role Role   `json:"role"`
}

// Local is the name of who works with a server that has no tokens.
const Local = "local"

// Action is a kind of thing that a request does.
type Action string

// The actions.
const (
	// Open needs no token: the login, probes, and the Hub, which has rules of its
	// own for what is public.
	Open Action = "open"
	// View reads. What a list or an answer holds depends on whose it is.
	View Action = "read"
	// Predict asks for predictions.
	Predict Action = "predict"
	// Create makes datasets, training jobs, searches, screenings, schedules.
	Create Action = "create"
	// Modify changes, controls, publishes or deletes what is one's own.
	Modify Action = "change"
	// Administer is for tokens, the audit log, the queues' dashboard.
	Administer Action = "administer"
)

// table is what each role may do, and how a refusal calls it. It is the only place
// that says so.
var table = map[Action]struct {
	roles []Role
	doing string
}{
	Open:       {[]Role{Admin, Member, Reader, ""}, "this"},
	View:       {[]Role{Admin, Member, Reader}, "reading"},
	Predict:    {[]Role{Admin, Member, Reader}, "predicting"},
	Create:     {[]Role{Admin, Member}, "making datasets, jobs and other work"},
	Modify:     {[]Role{Admin, Member}, "changing things"},
	Administer: {[]Role{Admin}, "administering the service"},
}

// May reports whether the identity may do such things at all, to what it may see.
func (id Identity) May(a Action) bool { return slices.Contains(table[a].roles, id.Role) }

// Check is May as an error for the user, of code jobs.Forbidden.
func (id Identity) Check(a Action) error {
	if id.May(a) {
		return nil
	}
	rule, ok := table[a]
	if !ok {
		rule = table[Administer] // of what nothing is stated, the strictest
	}
	var need []string
	for _, r := range rule.roles {
		need = append(need, string(r))
	}
	return &jobs.Error{Code: jobs.Forbidden, Detail: fmt.Sprintf("%q has the role %s: %s needs the role %s. An admin can issue a token with it", id.Name, id.Role, rule.doing, strings.Join(need, " or "))}
}

// Admin reports whether everything is allowed.
func (id Identity) Admin() bool { return id.Role == Admin }

// Owned says whose a thing is. The zero value belongs to the admins.
type Owned struct {
	Owner      string
	SharedWith []string // names of tokens, or Everyone
}

// Everyone in SharedWith shares a thing with every token.
const Everyone = "*"

// CanRead reports whether the identity may see a thing.
func (id Identity) CanRead(o Owned) bool {
	return id.Admin() || id.owns(o) || id.May(View) && slices.ContainsFunc(o.SharedWith, func(name string) bool { return name == id.Name || name == Everyone })
}

// CanChange reports whether the identity may change, control, share and delete a
// thing. A reader's own predictions, and what it made while it was a member, it may
// only see.
func (id Identity) CanChange(o Owned) bool { return id.Admin() || id.owns(o) && id.May(Modify) }

func (id Identity) owns(o Owned) bool { return o.Owner != "" && o.Owner == id.Name }

type contextKey struct{}

// With returns a context in which id asks.
func With(ctx context.Context, id Identity) context.Context {
	return context.WithValue(ctx, contextKey{}, id)
}

// From is who asks in a context, and whether anybody does: the program's own work
// asks in nobody's name.
func From(ctx context.Context) (id Identity, ok bool) {
	id, ok = ctx.Value(contextKey{}).(Identity)
	return id, ok
}

// Name is the name of who asks; "" if nobody does or it is anonymous. What is made
// in this context belongs to it.
func Name(ctx context.Context) string {
	id, _ := From(ctx)
	return id.Name
}

// Visible reports whether who asks in ctx may see a thing.
func Visible(ctx context.Context, o Owned) bool {
	id, ok := From(ctx)
	return !ok || id.CanRead(o)
}

// Read is missing, the error for what is not there, if who asks in ctx may not see a
// thing.
func Read(ctx context.Context, o Owned, missing error) error {
	if !Visible(ctx, o) {
		return missing
	}
	return nil
}

// Change is an error if who asks in ctx may not change a thing: missing where it may
// not be seen either.
func Change(ctx context.Context, o Owned, missing error) error {
	id, ok := From(ctx)
	switch {
	case !ok || id.CanChange(o):
		return nil
	case !id.CanRead(o):
		return missing
	}
	if err := id.Check(Modify); err != nil {
		return err
	}
	return &jobs.Error{Code: jobs.Forbidden, Detail: fmt.Sprintf("this is shared with %q to be read: only its owner and admins may change it", id.Name)}
}
