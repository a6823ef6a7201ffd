package datasets

import (
	"context"
	"fmt"

	"polyid-trainer/data"
	"polyid-trainer/jobs"
)

// Newest is the id of the dataset that a name stands for now: an id or the name of
// a shipped one as it is, and otherwise the newest upload of that name.
func (l *Library) Newest(ctx context.Context, name string) (string, error) {
	if _, shipped := data.Shipped(name); shipped || jobs.ValidID(jobs.DatasetPrefix, name) {
		return name, nil
	}
	for after := ""; ; {
		page, err := l.List(ctx, after, perPage)
		if err != nil {
			return "", err
		}
		for _, d := range page.Datasets {
			if d.Name == name {
				return d.ID, nil
			}
			after = d.ID
		}
		if !page.More {
			return "", &jobs.Error{Code: jobs.Invalid, Detail: "the dataset cannot be opened", Problems: []jobs.Problem{
				{Pointer: "/dataset", Detail: fmt.Sprintf("no dataset that you may use has the id or the name %q%s", name, likeShipped(name))},
			}}
		}
	}
}
