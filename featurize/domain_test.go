package featurize_test

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"

	"polyid-trainer/featurize"
)

func TestDomain(t *testing.T) {
	t.Parallel()
	var d featurize.Domain
	d.Add(read(t, "CCCCCCCC"))
	d.Add(read(t, "CCO"))

	if got := d.Unseen(read(t, "CCCCCCCCC")); len(got) != 0 {
		t.Errorf("a longer alkane has unseen environments %v", got)
	}
	// Every hash is either known or reported, once and in order.
	m := read(t, "CCCCCCN")
	unseen := d.Unseen(m)
	known := maps.Clone(featurize.Morgan(m))
	for i, u := range unseen {
		if i > 0 && u.Hash <= unseen[i-1].Hash {
			t.Errorf("hash %d after %d", u.Hash, unseen[i-1].Hash)
		}
		if known[u.Hash] == 0 {
			t.Errorf("hash %d is not the molecule's, or given twice", u.Hash)
		}
		delete(known, u.Hash)
	}
	var trained featurize.Domain
	trained.Add(read(t, "CCCCCCCC"))
	trained.Add(read(t, "CCO"))
	trained.Add(m)
	if rest := d.Len() + len(unseen); rest != trained.Len() {
		t.Errorf("%d hashes and %d unseen, but %d after adding the molecule", d.Len(), len(unseen), trained.Len())
	}

	// The nitrogen (atom 6) is new by itself and with what is within one bond of
	// it, and so are the environments of carbons that reach it. What is within two
	// bonds of it is the same bonds as within one of its carbon.
	var covers [][]int32
	for _, u := range unseen {
		covers = append(covers, u.Atoms)
	}
	slices.SortFunc(covers, slices.Compare)
	want := [][]int32{{2, 3, 4, 5, 6}, {3, 4, 5, 6}, {4, 5, 6}, {5, 6}, {6}}
	for _, c := range covers {
		if !slices.Contains(c, 6) {
			t.Errorf("an unseen environment covers %v, without the nitrogen", c)
		}
	}
	if !slices.EqualFunc(covers, want, slices.Equal) {
		t.Errorf("unseen environments cover %v, want %v", covers, want)
	}
}

// Occurrences of one unseen hash are covered together.
func TestDomainJoinsOccurrences(t *testing.T) {
	t.Parallel()
	var d featurize.Domain
	d.Add(read(t, "CCCCCCCC"))
	for _, u := range d.Unseen(read(t, "FCCCCCCF")) {
		if u.Atoms[0] == 0 && u.Atoms[len(u.Atoms)-1] == 7 {
			return
		}
	}
	t.Error("no unseen environment covers both ends")
}

func TestDomainJSON(t *testing.T) {
	t.Parallel()
	var d featurize.Domain
	d.Add(read(t, "CCO"))
	b, err := json.Marshal(&d)
	if err != nil {
		t.Fatal(err)
	}
	var back featurize.Domain
	if err := json.Unmarshal(b, &back); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(&back)
	if err != nil {
		t.Fatal(err)
	}
	if string(again) != string(b) || back.Len() != d.Len() || d.Len() == 0 {
		t.Errorf("%s became %s", b, again)
	}
	for _, bad := range []string{
		`{}`, `[]`, `{"fingerprint":"morgan_unhashed_32","radius":3,"hashes":[]}`, `{"fingerprint":"ecfp","radius":2,"hashes":[]}`,
		`{"fingerprint":"morgan_unhashed_32","radius":2,"hashes":[2,1]}`, `{"fingerprint":"morgan_unhashed_32","radius":2,"hashes":[1,1]}`,
		`{"fingerprint":"morgan_unhashed_32","radius":2,"hashes":[-1]}`, `{"fingerprint":"morgan_unhashed_32","radius":2,"hashes":[4294967296]}`,
	} {
		if err := json.Unmarshal([]byte(bad), new(featurize.Domain)); err == nil {
			t.Errorf("accepts %s", bad)
		}
	}
}

// What a property has not been measured of is unseen to it, though not to all.
func TestDomainByProperty(t *testing.T) {
	t.Parallel()
	var d featurize.Domain
	properties := []string{"Tg", "Density"}
	only := func(name string) func(string) bool { return func(p string) bool { return p == name } }
	d.AddMeasured(read(t, "CCCCCCCC"), only("Tg"), properties)
	d.AddMeasured(read(t, "CCO"), only("Density"), properties)
	d.AddMeasured(read(t, "CCCCCCCC"), only("Tg"), properties)
	body, err := json.Marshal(&d)
	if err != nil {
		t.Fatal(err)
	}
	var again featurize.Domain
	if err := json.Unmarshal(body, &again); err != nil {
		t.Fatal(err)
	}
	for name, domain := range map[string]*featurize.Domain{"made": &d, "read back": &again} {
		octane := domain.UnseenBy(read(t, "CCCCCCCCC"), properties)
		if len(domain.Unseen(read(t, "CCCCCCCCC"))) != 0 || len(octane[0]) != 0 || len(octane[1]) == 0 {
			t.Errorf("%s: an alkane is unseen by %v", name, octane)
		}
		amine := domain.UnseenBy(read(t, "CCN"), append(properties, "Tm"))
		if all := len(domain.Unseen(read(t, "CCN"))); all == 0 || len(amine[0]) < all || len(amine[2]) != all {
			t.Errorf("%s: an amine is unseen by %v, %d in all", name, amine, all)
		}
	}
}
