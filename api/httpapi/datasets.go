package httpapi

import (
	"context"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"path"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"polyid-trainer/api/datasets"
	"polyid-trainer/data"
	"polyid-trainer/jobs"
)

// Datasets serves /v1/datasets.
type Datasets struct{ Library *datasets.Library }

// fileTypes are the media types of a body that is a table.
var fileTypes = []string{
	"text/csv", "application/csv", "text/plain", "application/gzip", "application/x-gzip", "application/octet-stream",
	"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}

func (a *Datasets) Routes(s *Server) {
	tags := []string{"datasets"}
	file := &huma.Schema{Type: huma.TypeString, Format: "binary"}
	upload := &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"multipart/form-data": {Schema: &huma.Schema{Type: huma.TypeObject, Required: []string{"file"}, Properties: map[string]*huma.Schema{
			"file": {Type: huma.TypeString, Format: "binary", Description: ".csv, .csv.gz or .xlsx"},
			"name": {Type: huma.TypeString},
		}}},
	}}
	for _, t := range fileTypes {
		upload.Content[t] = &huma.MediaType{Schema: file}
	}
	route(s, huma.Operation{
		OperationID: "create-dataset", Method: http.MethodPost, Path: "/v1/datasets", Tags: tags, DefaultStatus: http.StatusCreated,
		Summary:     "Upload a table",
		Description: "CSV, gzipped CSV or the first sheet of an .xlsx. It is checked down to every SMILES; what no job could train on is refused with every defect, or as on_defect says: its rows are dropped or kept, and the report tells which. The same content under the same name is one dataset.",
	}, func(ctx context.Context, in *createDataset) (*createdDataset, error) {
		in.limit(s.Limits.Dataset + 1<<20) // the file itself is bounded by the library; this is for what is around it
		file, name, err := in.file()
		if err != nil {
			return nil, err
		}
		d, err := a.Library.Add(ctx, file, name, in.OnDefect)
		if err != nil {
			return nil, err
		}
		return &createdDataset{Location: "/v1/datasets/" + d.ID, Body: d}, nil
	})
	s.documentBody("/v1/datasets", upload)
	route(s, huma.Operation{
		OperationID: "list-datasets", Method: http.MethodGet, Path: "/v1/datasets", Tags: tags,
		Summary: "List datasets, the shipped ones last",
	}, func(ctx context.Context, in *Paging) (*listedDatasets, error) {
		if err := a.checkAfter(in.After); err != nil {
			return nil, err
		}
		page, err := a.Library.List(ctx, in.After, in.Limit)
		if err != nil {
			return nil, err
		}
		l := newList(page.Datasets, page.More, func(d *datasets.Dataset) string { return d.ID })
		l.Damaged = page.Damaged
		return &listedDatasets{l}, nil
	})
	route(s, huma.Operation{
		OperationID: "get-dataset", Method: http.MethodGet, Path: "/v1/datasets/{id}", Tags: tags,
		Summary: "Describe a dataset, by id or shipped name",
	}, func(ctx context.Context, in *named) (*oneDataset, error) {
		d, err := a.Library.Get(ctx, in.ID)
		return &oneDataset{d}, err
	})
	a.contentRoutes(s, tags)
	detailsRoute(s, "describe-dataset", "/v1/datasets/{id}", tags, func(ctx context.Context, id string, p jobs.DetailsPatch) (*oneDataset, error) {
		d, err := a.Library.Change(ctx, id, p)
		return &oneDataset{d}, err
	})
	a.uploadRoutes(s, tags)
	route(s, huma.Operation{
		OperationID: "delete-dataset", Method: http.MethodDelete, Path: "/v1/datasets/{id}", Tags: tags,
		Summary: "Delete an uploaded dataset", Description: "Jobs that were made of it have a copy.",
	}, func(ctx context.Context, in *named) (*struct{}, error) {
		return nil, a.Library.Delete(ctx, in.ID)
	})
}

type (
	named struct {
		ID string `path:"id" maxLength:"100"`
	}
	createDataset struct {
		Exchange
		Name     string            `query:"name" maxLength:"200" doc:"Shown with the dataset; the file's name if empty."`
		OnDefect datasets.OnDefect `query:"on_defect" enum:"refuse,drop,keep" doc:"What becomes of rows with defects. Without it a table to train on is refused, and one without targets kept."`
	}
	createdDataset struct {
		Location string `header:"Location"`
		Body     *datasets.Dataset
	}
	listedDatasets struct{ Body List[*datasets.Dataset] }
	oneDataset     struct{ Body *datasets.Dataset }
)

// checkAfter refuses what is neither an id nor the name of a shipped dataset.
func (a *Datasets) checkAfter(after string) error {
	if _, ok := data.Shipped(after); ok {
		return nil
	}
	return checkAfter(jobs.DatasetPrefix, after)
}

// file is the uploaded file and its name, however it came.
func (in *createDataset) file() (io.Reader, string, error) {
	r := in.echo.Request()
	kind := in.mediaType()
	for _, t := range fileTypes {
		if kind == t {
			return r.Body, in.Name, nil
		}
	}
	if kind != "multipart/form-data" {
		return nil, "", newProblem(http.StatusUnsupportedMediaType, MediaType, "a dataset is a text/csv body, or multipart/form-data with a file")
	}
	malformed := func(detail string) error { return newProblem(http.StatusBadRequest, Malformed, detail) }
	form, err := r.MultipartReader()
	if err != nil {
		return nil, "", malformed("the form has no boundary")
	}
	name := in.Name
	for {
		part, err := form.NextPart()
		var tooLarge *http.MaxBytesError
		switch {
		case errors.As(err, &tooLarge):
			return nil, "", err
		case errors.Is(err, io.EOF):
			return nil, "", malformed(`the form has no part called "file"`)
		case err != nil:
			return nil, "", malformed("the form is broken")
		}
		switch part.FormName() {
		case "name":
			text, err := io.ReadAll(io.LimitReader(part, 1<<10))
			if err != nil {
				return nil, "", malformed("the form is broken")
			}
			if name == "" {
				name = string(text)
			}
		case "file":
			if name == "" {
				name = stem(part.FileName())
			}
			return &onlyFile{part, form}, name, nil
		}
	}
}

// onlyFile is the file of a form that may hold no other.
type onlyFile struct {
	io.Reader
	form *multipart.Reader
}

// Read implements io.Reader. At the end of the file it looks at what follows.
func (f *onlyFile) Read(p []byte) (int, error) {
	n, err := f.Reader.Read(p)
	if errors.Is(err, io.ErrUnexpectedEOF) { // of the form: a body that is cut off says so itself
		err = newProblem(http.StatusBadRequest, Malformed, "the form ends before its last boundary")
	}
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	for {
		part, next := f.form.NextPart()
		switch {
		case errors.Is(next, io.EOF):
			return n, err
		case next != nil:
			return n, newProblem(http.StatusBadRequest, Malformed, "the form is broken: "+next.Error())
		case part.FormName() == "file":
			return n, newProblem(http.StatusBadRequest, Malformed, `the form has two parts called "file": send each file in a request of its own`)
		}
	}
}

// stem is a file's name without folders and without endings that tables have.
func stem(name string) string {
	name = path.Base(strings.ReplaceAll(name, `\`, "/"))
	for _, ending := range []string{".gz", ".csv", ".xlsx"} {
		name = strings.TrimSuffix(name, ending)
	}
	if name == "." || name == "/" {
		return ""
	}
	return name
}
