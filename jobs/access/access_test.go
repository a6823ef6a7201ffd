package access

import (
	"context"
	"errors"
	"strings"
	"testing"

	"polyid-trainer/jobs"
)

var errNone = &jobs.Error{Code: jobs.NotFound, Detail: "there is no such thing"}

// The whole table: role by action.
func TestMay(t *testing.T) {
	t.Parallel()
	for action, want := range map[Action]string{
		Open: "admin member reader anonymous", View: "admin member reader", Predict: "admin member reader",
		Create: "admin member", Modify: "admin member", Administer: "admin", "": "", "paint": "",
	} {
		var may []string
		for _, r := range append(Roles(), "") {
			id := Identity{Name: "x", Role: r}
			if (id.Check(action) == nil) != id.May(action) {
				t.Errorf("%s of %q: May and Check differ", action, r)
			}
			if id.May(action) {
				may = append(may, strings.Replace("!"+string(r), "!", "", 1))
			}
		}
		have := strings.Join(may, " ")
		if action == Open {
			have += "anonymous"
		}
		if have != want {
			t.Errorf("%q: %q may, want %q", action, have, want)
		}
	}
	err := Identity{"carol", Reader}.Check(Create)
	if jobs.ErrorCode(err) != jobs.Forbidden || !strings.Contains(err.Error(), `"carol" has the role reader`) || !strings.Contains(err.Error(), "admin or member") {
		t.Errorf("a reader is told %v", err)
	}
}

// Who may see and change what, and what the others are told.
func TestOwned(t *testing.T) {
	t.Parallel()
	mine, ours, shared, old := Owned{Owner: "alice"}, Owned{"alice", []string{"bob"}}, Owned{"alice", []string{Everyone}}, Owned{}
	alice, bob, carol, admin := Identity{"alice", Member}, Identity{"bob", Member}, Identity{"carol", Reader}, Identity{"root", Admin}
	retired := Identity{"alice", Reader}
	for _, c := range []struct {
		who          Identity
		what         Owned
		read, change string // "" is allowed
	}{
		{alice, mine, "", ""}, {bob, mine, "not_found", "not_found"}, {carol, mine, "not_found", "not_found"}, {admin, mine, "", ""},
		{retired, mine, "", "forbidden"},
		{bob, ours, "", "forbidden"}, {carol, ours, "not_found", "not_found"}, {admin, ours, "", ""},
		{bob, shared, "", "forbidden"}, {carol, shared, "", "forbidden"},
		{alice, old, "not_found", "not_found"}, {carol, old, "not_found", "not_found"}, {admin, old, "", ""},
		{Identity{}, mine, "not_found", "not_found"}, {Identity{}, shared, "not_found", "not_found"}, {Identity{}, old, "not_found", "not_found"},
		{Identity{Role: Member}, old, "not_found", "not_found"}, // a name that is empty owns nothing
	} {
		ctx := With(context.Background(), c.who)
		if have := string(jobs.ErrorCode(Read(ctx, c.what, errNone))); have != c.read {
			t.Errorf("%v reads %v: %q, want %q", c.who, c.what, have, c.read)
		}
		if have := string(jobs.ErrorCode(Change(ctx, c.what, errNone))); have != c.change {
			t.Errorf("%v changes %v: %q, want %q", c.who, c.what, have, c.change)
		}
		if Visible(ctx, c.what) != (c.read == "") {
			t.Errorf("%v sees %v in lists: not as it reads it", c.who, c.what)
		}
		if err := Change(ctx, c.what, errNone); c.change == "not_found" && !errors.Is(err, errNone) {
			t.Errorf("%v changes %v: %v tells that it is there", c.who, c.what, err)
		}
	}
	// The program's own work is nobody's and may everything.
	if Read(context.Background(), mine, errNone) != nil || Change(context.Background(), mine, errNone) != nil || !Visible(context.Background(), mine) {
		t.Error("a task may not see a record")
	}
}
