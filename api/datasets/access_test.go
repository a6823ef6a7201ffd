package datasets

import (
	"context"
	"slices"
	"strings"
	"testing"

	"polyid-trainer/data"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/access"
	"polyid-trainer/storage/file"
)

// Equal tables of two owners are two datasets, each seen and changed by its own;
// sharing lets others read and train on it, and nothing else.
func TestAccess(t *testing.T) {
	t.Parallel()
	b, err := file.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	l := New(b, Limits{}, nil)
	as := func(name string, role access.Role) context.Context {
		return access.With(t.Context(), access.Identity{Name: name, Role: role})
	}
	alice, bob, carol, admin := as("alice", access.Member), as("bob", access.Member), as("carol", access.Reader), as("root", access.Admin)
	add := func(ctx context.Context) *Dataset {
		t.Helper()
		d, err := l.Add(ctx, strings.NewReader("smiles_polymer,Tg\nCCO,1\nCCC,2\nCCN,3\n"), "mine", "")
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	mine, his, again := add(alice), add(bob), add(alice)
	if mine.ID == his.ID || mine.ID != again.ID || mine.Owner != "alice" || mine.Bytes == 0 {
		t.Fatalf("%+v, %+v, %+v", mine, his, again)
	}
	listed := func(ctx context.Context) (ids []string) {
		t.Helper()
		page, err := l.List(ctx, "", 100)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range page.Datasets {
			if !d.Shipped {
				ids = append(ids, d.ID)
			}
		}
		slices.Sort(ids)
		return ids
	}
	patch := func(ctx context.Context, id, body string) (*Dataset, jobs.Code) {
		t.Helper()
		p, err := jobs.ReadDetailsPatch(strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		d, err := l.Change(ctx, id, p)
		return d, jobs.ErrorCode(err)
	}
	use := func(ctx context.Context) error {
		_, err := l.Open(ctx, data.Names{mine.ID}, data.Columns{}, Use{MinValues: 1})
		return err
	}
	if have := listed(bob); !slices.Equal(have, []string{his.ID}) {
		t.Errorf("bob sees %v", have)
	}
	if have := listed(admin); len(have) != 2 {
		t.Errorf("the admin sees %v", have)
	}
	if err := use(bob); err == nil || !strings.Contains(err.Error(), "there is no dataset") {
		t.Errorf("bob trains on another's dataset: %v", err)
	}
	if _, code := patch(bob, mine.ID, `{"name": "x"}`); code != jobs.NotFound {
		t.Errorf("bob changes another's dataset: %s", code)
	}
	if _, err := l.Report(bob, mine.ID); jobs.ErrorCode(err) != jobs.NotFound {
		t.Errorf("bob reads another's report: %v", err)
	}
	if _, err := l.Sheet(carol, mine.ID); jobs.ErrorCode(err) != jobs.NotFound {
		t.Errorf("a reader reads another's rows: %v", err)
	}

	d, code := patch(alice, mine.ID, `{"shared_with": ["bob"], "name": "ours", "tags": ["x"]}`)
	if code != "" || d.Name != "ours" || !slices.Equal(d.SharedWith, []string{"bob"}) {
		t.Fatalf("%+v, %s", d, code)
	}
	if err := use(bob); err != nil {
		t.Errorf("what is shared can be trained on: %v", err)
	}
	if len(listed(bob)) != 2 || len(listed(carol)) != 0 {
		t.Errorf("bob sees %v, carol %v", listed(bob), listed(carol))
	}
	if _, code := patch(bob, mine.ID, `{"notes": "x"}`); code != jobs.Forbidden {
		t.Errorf("whom it is shared with changes it: %q", code)
	}
	if err := l.Delete(bob, mine.ID); jobs.ErrorCode(err) != jobs.Forbidden {
		t.Errorf("whom it is shared with deletes it: %v", err)
	}
	// The new name is the one under which the content is found.
	if other := add(alice); other.ID == mine.ID {
		t.Error("the old name still leads to the renamed dataset")
	}
	if _, code := patch(alice, "stereopolymer_input_nopush", `{"name": "x"}`); code != jobs.Conflict {
		t.Errorf("a shipped dataset is renamed: %q", code)
	}
	if _, code := patch(alice, mine.ID, `{"name": " "}`); code != jobs.Invalid {
		t.Errorf("a dataset without a name: %q", code)
	}
	if err := l.Delete(admin, mine.ID); err != nil {
		t.Error(err)
	}
}
