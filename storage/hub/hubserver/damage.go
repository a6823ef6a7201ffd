package hubserver

import (
	"cmp"
	"log/slog"
	"maps"
	"slices"
	"sync"
)

// Damage is something of a repository that cannot be read and is left out until
// it is mended. Everything else is served.
type Damage struct {
	Repo    string // namespace/name
	What    string // "settings.json", or a reference such as "refs/heads/main"
	Problem string
}

// damages holds what is damaged at present; the log hears of each once.
type damages struct {
	mu  sync.Mutex
	now map[[2]string]Damage
	log *slog.Logger
}

// note says that something of a repository is damaged, or sound if problem is
// empty.
func (d *damages) note(repo, what, problem string) {
	key := [2]string{repo, what}
	d.mu.Lock()
	defer d.mu.Unlock()
	was, known := d.now[key]
	if problem == "" {
		if known {
			delete(d.now, key)
			d.log.Info("what was damaged on the Hub is sound again", "repo", repo, "what", what)
		}
		return
	}
	if known && was.Problem == problem {
		return
	}
	d.now[key] = Damage{repo, what, problem}
	d.log.Error("the Hub leaves out what is damaged; `api doctor --repair` mends what can be mended", "repo", repo, "what", what, "problem", problem)
}

// forget drops what is noted of a repository that is gone.
func (d *damages) forget(repo string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	maps.DeleteFunc(d.now, func(key [2]string, _ Damage) bool { return key[0] == repo })
}

// Damaged lists what is left out because it is damaged, as far as it was come
// across, by repository.
func (s *Server) Damaged() []Damage {
	s.damages.mu.Lock()
	defer s.damages.mu.Unlock()
	return slices.SortedFunc(maps.Values(s.damages.now), func(a, b Damage) int {
		return cmp.Or(cmp.Compare(a.Repo, b.Repo), cmp.Compare(a.What, b.What))
	})
}
