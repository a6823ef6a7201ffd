package records

import (
	"context"
	"slices"
	"testing"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/access"
	"polyid-trainer/storage/file"
)

// Who asks in a context sees their own jobs and those shared with them; what is
// another's is not there, in lists neither.
func TestAccess(t *testing.T) {
	t.Parallel()
	b, err := file.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := New(b)
	ids := map[string]string{}
	for owner, shared := range map[string][]string{"alice": nil, "bob": {"alice"}, "dave": {access.Everyone}, "": nil} {
		j, err := jobs.New(time.Now(), owner, jobs.DefaultSpec())
		if err != nil {
			t.Fatal(err)
		}
		j.SharedWith = shared
		ids[owner] = j.ID
		if err := s.Create(t.Context(), j); err != nil {
			t.Fatal(err)
		}
	}
	as := func(name string, role access.Role) context.Context {
		return access.With(t.Context(), access.Identity{Name: name, Role: role})
	}
	for _, c := range []struct {
		who            context.Context
		reads, changes []string // owners
	}{
		{as("alice", access.Member), []string{"alice", "bob", "dave"}, []string{"alice"}},
		{as("bob", access.Member), []string{"bob", "dave"}, []string{"bob"}},
		{as("carol", access.Reader), []string{"dave"}, nil},
		{as("root", access.Admin), []string{"", "alice", "bob", "dave"}, []string{"", "alice", "bob", "dave"}},
		{as("", ""), nil, nil},
		{t.Context(), []string{"", "alice", "bob", "dave"}, []string{"", "alice", "bob", "dave"}},
	} {
		who, _ := access.From(c.who)
		page, err := s.Jobs(c.who, jobs.Filter{})
		if err != nil || page.More {
			t.Fatalf("%v: %+v, %v", who, page, err)
		}
		var listed []string
		for _, j := range page.Jobs {
			listed = append(listed, j.Owner)
		}
		if slices.Sort(listed); !slices.Equal(listed, c.reads) {
			t.Errorf("%v: the list has the jobs of %q, want %q", who, listed, c.reads)
		}
		for owner, id := range ids {
			_, err := s.Job(c.who, id)
			if want := slices.Contains(c.reads, owner); (err == nil) != want || err != nil && jobs.ErrorCode(err) != jobs.NotFound {
				t.Errorf("%v reads the job of %q: %v", who, owner, err)
			}
			_, err = s.UpdateJob(c.who, id, func(j *jobs.Job) error { j.Notes += "x"; return nil })
			deleted := s.DeleteJob(c.who, id) // a conflict for those who may: it is active
			want, may := jobs.NotFound, slices.Contains(c.changes, owner)
			if slices.Contains(c.reads, owner) {
				want = jobs.Forbidden
			}
			if may && (err != nil || jobs.ErrorCode(deleted) != jobs.Conflict) || !may && (jobs.ErrorCode(err) != want || jobs.ErrorCode(deleted) != want) {
				t.Errorf("%v changes the job of %q: %v, deletes it: %v", who, owner, err, deleted)
			}
		}
	}
}
