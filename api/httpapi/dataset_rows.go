package httpapi

import (
	"context"
	"encoding/csv"
	"fmt"
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"polyid-trainer/api/datasets"
	"polyid-trainer/data"
	"polyid-trainer/jobs"
)

// contentRoutes serve what is in a dataset and what was found in it.
func (a *Datasets) contentRoutes(s *Server, tags []string) {
	route(s, huma.Operation{
		OperationID: "get-dataset-report", Method: http.MethodGet, Path: "/v1/datasets/{id}/report", Tags: tags,
		Summary: "What was found in a dataset when it came", Description: "Rows with defects, and what a chemist should look at. Nothing is changed silently.",
	}, func(ctx context.Context, in *named) (*reported, error) {
		r, err := a.Library.Report(ctx, in.ID)
		return &reported{r}, err
	})
	route(s, huma.Operation{
		OperationID: "get-dataset-rows", Method: http.MethodGet, Path: "/v1/datasets/{id}/rows", Tags: tags,
		Summary:     "The rows of a dataset, as they were read",
		Description: "JSON by pages, or all of them as text/csv if asked for.",
		Responses: map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{
			"application/json": {Schema: s.api.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[rowList](), true, "")},
			"text/csv":         {Schema: &huma.Schema{Type: huma.TypeString}},
		}}},
	}, func(ctx context.Context, in *rowsOf) (*huma.StreamResponse, error) {
		after, err := in.after()
		if err != nil {
			return nil, err
		}
		sheet, err := a.Library.Sheet(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		return &huma.StreamResponse{Body: func(huma.Context) { in.write(sheet, after) }}, nil
	})
}

type (
	reported struct{ Body *datasets.Report }
	rowsOf   struct {
		Exchange
		ID    string `path:"id" maxLength:"100"`
		Limit int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"At most so many rows."`
		After string `query:"after" maxLength:"20" doc:"The number of the row after which to go on: next_after of the page before."`
	}
	rowList struct {
		Object    string   `json:"object" enum:"list"`
		Columns   []string `json:"columns" nullable:"false"`
		Data      []oneRow `json:"data" nullable:"false"`
		HasMore   bool     `json:"has_more"`
		NextAfter *string  `json:"next_after" doc:"What to ask for after= to go on; null at the end."`
	}
	oneRow struct {
		Row   int      `json:"row" doc:"As a spreadsheet numbers it, the header being row 1."`
		Cells []string `json:"cells" nullable:"false" doc:"In the order of columns."`
	}
)

// after is the number of the last row that was seen.
func (in *rowsOf) after() (int, error) {
	if in.After == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(in.After)
	if err != nil || n < 0 {
		return 0, &jobs.Error{Code: jobs.Invalid, Detail: "`after` is not a cursor of this list",
			Problems: []jobs.Problem{{Pointer: "query.after", Detail: fmt.Sprintf("%.20q is not the number of a row; take next_after of the page before", in.After)}}}
	}
	return n, nil
}

// write answers with rows. Once the status is written nobody is left to tell of
// errors.
func (in *rowsOf) write(sheet *data.Sheet, after int) {
	w := in.echo.Response()
	if in.wants("text/csv") {
		w.Header().Set("Content-Type", "text/csv; charset=utf-8")
		c := csv.NewWriter(w)
		_ = c.Write(sheet.Header)
		var cells []string
		for _, l := range sheet.Rows {
			cells = l.AppendCells(cells[:0])
			_ = c.Write(cells)
		}
		c.Flush()
		return
	}
	page := rowList{Object: "list", Columns: sheet.Header, Data: []oneRow{}}
	for _, l := range sheet.Rows {
		if l.Row <= after {
			continue
		}
		if len(page.Data) == in.Limit {
			next := strconv.Itoa(page.Data[in.Limit-1].Row)
			page.HasMore, page.NextAfter = true, &next
			break
		}
		page.Data = append(page.Data, oneRow{l.Row, l.AppendCells([]string{})})
	}
	_ = in.echo.JSON(http.StatusOK, page)
}
