package httpapi

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"polyid-trainer/data"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/idempotency"
	"polyid-trainer/jobs/predictions"
	"polyid-trainer/storage"
	"polyid-trainer/worker/predict"
)

// Predictor is what predicts.
type Predictor interface {
	// Answer predicts at once, keeping nothing.
	Answer(ctx context.Context, q *predict.Request) (*predict.Response, error)
	// HandleNow predicts, while ctx lasts, what is stored nowhere yet, and stores it
	// at its end. An error leaves asked to be stored for the queue.
	HandleNow(ctx context.Context, asked *predictions.Prediction, request io.Reader) error
}

// Serving is which models are there to predict with.
type Serving interface {
	// Ready is nil once the configured model is loaded.
	Ready() error
	// Use loads a revision, if need be; the caller calls done.
	Use(ctx context.Context, ref jobs.Revision) (m *predict.Model, done func(), err error)
	Status() []predict.Status
	// Moved says that something was published.
	Moved()
}

// Predictions serves /v1/predictions.
type Predictions struct {
	Predictor Predictor
	Models    Serving
	Default   jobs.Revision // what predicts unless a request says otherwise
	Store     *predictions.Store
	Queue     Queue
	Keys      *idempotency.Keys // nil ignores idempotency keys
	TempDir   string            // for tables while they are received; "" is the system's

	Poll func(time.Duration) <-chan time.Time // nil is time.After
}

const (
	// maxWait bounds Prefer: wait, in seconds.
	maxWait = 60
	// loadWithin is how long a request waits for the configured model to be loaded.
	loadWithin = 10 * time.Second
	// pollEvery is how often a prediction is looked at that another works on.
	pollEvery = 100 * time.Millisecond
)

type (
	createPrediction struct {
		Exchange
		Key      string `header:"Idempotency-Key" doc:"Of the client's choice; its own for every prediction wanted. Kept for 24 hours."`
		Prefer   string `header:"Prefer" doc:"wait=N: if the result is ready in N seconds, at most 60, answer with it."`
		Repo     string `query:"repo" maxLength:"200" doc:"Of the model, for a text/csv body; the configured one if left out."`
		Revision string `query:"revision" maxLength:"200" doc:"Of the model, for a text/csv body."`
	}
	getPrediction struct {
		Exchange
		ID      string `path:"id" maxLength:"100"`
		Results bool   `query:"results" default:"true" doc:"false: only how it stands, however many results there are."`
	}
)

func (a *Predictions) Routes(s *Server) {
	if a.Poll == nil {
		a.Poll = time.After
	}
	schemas := s.api.OpenAPI().Components.Schemas
	shown := map[string]*huma.MediaType{
		"application/json": {Schema: schemas.Schema(reflect.TypeFor[predict.Response](), true, "")},
		"text/csv":         {Schema: &huma.Schema{Type: huma.TypeString, Description: "The input's columns and the predictions behind them."}},
	}
	tags := []string{"predictions"}
	location := map[string]*huma.Param{"Location": {Schema: &huma.Schema{Type: huma.TypeString}}}
	route(s, huma.Operation{
		OperationID: "create-prediction", Method: http.MethodPost, Path: "/v1/predictions", Tags: tags,
		Summary:     "Predict properties of polymers",
		Description: "Up to 1,000 polymers as JSON, or a table of them as CSV. One bad polymer never fails the others. 503 model_not_loaded while there is no model to predict with.",
		Responses: map[string]*huma.Response{
			"200": {Description: "The result, if Prefer: wait=N asked for it and it was ready.", Content: shown, Headers: location},
			"202": {Description: "Accepted: look at Location.", Content: map[string]*huma.MediaType{"application/json": shown["application/json"]}, Headers: location},
		},
	}, func(ctx context.Context, in *createPrediction) (*huma.StreamResponse, error) {
		return a.create(ctx, s, in)
	})
	s.documentBody("/v1/predictions", &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"application/json": {Schema: schemas.Schema(reflect.TypeFor[predict.Request](), true, "")},
		"text/csv":         {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary", Description: "A header line and a polymer a row: smiles_polymer, smiles_repeat_unit, or smiles_monomer with mechanism and the like."}},
	}})
	route(s, huma.Operation{
		OperationID: "get-prediction", Method: http.MethodGet, Path: "/v1/predictions/{id}", Tags: tags,
		Summary:     "A prediction, with its results once there",
		Description: "JSON, or CSV where Accept asks for it: 409 before the results are there. Kept for 7 days.",
		Responses:   map[string]*huma.Response{"200": {Description: "The prediction.", Content: shown}},
	}, func(ctx context.Context, in *getPrediction) (*huma.StreamResponse, error) {
		p, err := a.Store.Prediction(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		format := predictions.JSON
		switch {
		case !in.Results:
			return &huma.StreamResponse{Body: func(c huma.Context) {
				c.SetHeader("Content-Type", string(format))
				if err := predict.WriteResponse(c.BodyWriter(), p, nil); err != nil {
					logOf(c.Context()).Warn("answering with a prediction", "prediction", p.ID, "error", err)
				}
			}}, nil
		case in.wants("text/csv"):
			format = predictions.CSV
		}
		return a.show(ctx, p, format, http.StatusOK)
	})
}

// create takes on a prediction.
func (a *Predictions) create(ctx context.Context, s *Server, in *createPrediction) (*huma.StreamResponse, error) {
	in.limit(s.Limits.Prediction)
	order, err := a.receive(in, s.Limits.Inputs)
	if err != nil {
		return nil, err
	}
	defer order.body.Close()
	if err := a.loaded(ctx, order.model); err != nil {
		return nil, err
	}
	wait := waitOf(in.Prefer)
	if wait == 0 {
		if err := a.Queue.Ready(ctx); err != nil {
			return nil, err
		}
	}
	held, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	p := predictions.New(s.Now(), Principal(ctx), predictions.Model{Repo: order.model.Repo, Revision: order.model.Revision}, order.format, order.total)
	if p, err = a.make(ctx, held, in.Key, p, order); err != nil {
		return nil, err
	}
	if t, ok := predictions.Needed(p); ok {
		// From here on the record sees to it: what the queue does not take now,
		// the reconciler gives it.
		if err := a.Queue.Enqueue(ctx, t); err != nil {
			logOf(ctx).Warn("enqueuing a prediction, the reconciler will", "prediction", p.ID, "error", err)
		}
	}
	if p, err = a.follow(ctx, held, p); err != nil {
		return nil, err
	}
	headers := []header{{"Location", "/v1/predictions/" + p.ID}}
	if !p.Status.Ended() {
		return a.show(ctx, p, predictions.JSON, http.StatusAccepted, headers...)
	}
	format := order.format
	switch {
	case p.Status == predictions.Failed || in.wants("application/json"):
		format = predictions.JSON
	case in.wants("text/csv"):
		format = predictions.CSV
	}
	if wait > 0 {
		headers = append(headers, header{"Preference-Applied", "wait=" + strconv.Itoa(int(wait.Seconds()))})
	}
	return a.show(ctx, p, format, http.StatusOK, headers...)
}

// make makes a new prediction, at once while held lasts or for the queue, and
// returns it as it then stands: with an idempotency key, what the first request
// with that key made.
func (a *Predictions) make(ctx, held context.Context, key string, p *predictions.Prediction, o *order) (*predictions.Prediction, error) {
	if err := checkKey(key); err != nil {
		return nil, err
	}
	made, repeated, err := idempotency.Once(ctx, a.Keys, idempotency.Request{Owner: p.Owner, Route: "POST /v1/predictions", Key: key, Body: o.hash},
		func() (predictions.Prediction, error) { return *p, nil },
		func(made *predictions.Prediction) error {
			now, err := a.begin(ctx, held, made, o)
			if err == nil {
				*made = *now
			}
			return err
		})
	if err != nil {
		return nil, err
	}
	if repeated {
		return a.Store.Prediction(ctx, made.ID)
	}
	return made, nil
}

// begin predicts at once while held lasts, or else stores the prediction for the
// queue. It may be stored already, for another request with its key.
func (a *Predictions) begin(ctx, held context.Context, p *predictions.Prediction, o *order) (*predictions.Prediction, error) {
	if held.Err() == nil {
		err := a.Predictor.HandleNow(held, p, o.body)
		if err == nil {
			return p, nil
		}
		if held.Err() == nil && !errors.Is(err, storage.ErrConflict) {
			logOf(ctx).Warn("predicting at once, the queue will try again", "prediction", p.ID, "error", err)
		}
		if _, err := o.body.Seek(0, io.SeekStart); err != nil {
			return nil, fmt.Errorf("prediction %s: %w", p.ID, err)
		}
	}
	err := a.Store.Create(ctx, p, o.body, o.size)
	if errors.Is(err, storage.ErrConflict) {
		return a.Store.Prediction(ctx, p.ID)
	}
	return p, err
}

// loaded reports why a model is not there to predict with. One that was published
// this moment, here or by another process, is loaded now.
func (a *Predictions) loaded(ctx context.Context, ref jobs.Revision) error {
	if ref != a.Default {
		_, done, err := a.Models.Use(ctx, ref)
		if err == nil {
			done()
		}
		return err
	}
	if a.Models.Ready() == nil {
		return nil
	}
	within, cancel := context.WithTimeout(ctx, loadWithin)
	defer cancel()
	_, done, err := a.Models.Use(within, ref)
	switch {
	case err == nil:
		done()
	case within.Err() != nil && ctx.Err() == nil:
		return a.Models.Ready() // it says more
	}
	return err
}

// follow looks at a prediction that others work on until it or held is at its end.
func (a *Predictions) follow(ctx, held context.Context, p *predictions.Prediction) (*predictions.Prediction, error) {
	for !p.Status.Ended() && held.Err() == nil {
		select {
		case <-held.Done():
		case <-a.Poll(pollEvery):
		}
		var err error
		if p, err = a.Store.Prediction(ctx, p.ID); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// waitOf is how long a Prefer header asks to wait, as RFC 7240 has it; 0 if it
// does not.
func waitOf(prefer string) time.Duration {
	for _, p := range strings.FieldsFunc(prefer, func(r rune) bool { return r == ',' || r == ';' }) {
		name, value, _ := strings.Cut(strings.TrimSpace(p), "=")
		if !strings.EqualFold(strings.TrimSpace(name), "wait") {
			continue
		}
		if n, err := strconv.Atoi(strings.Trim(strings.TrimSpace(value), `"`)); err == nil && n > 0 {
			return time.Duration(min(n, maxWait)) * time.Second
		}
	}
	return 0
}

type header struct{ name, value string }

// show answers with a prediction in a format: its results, or in JSON how it
// stands.
func (a *Predictions) show(ctx context.Context, p *predictions.Prediction, format predictions.Format, status int, headers ...header) (*huma.StreamResponse, error) {
	var results io.ReadCloser
	switch {
	case p.Status == predictions.Succeeded:
		var err error
		if results, err = a.Store.Result(ctx, p, format); err != nil {
			return nil, err
		}
	case format == predictions.CSV:
		detail := fmt.Sprintf("the prediction is %s: there are no results yet", p.Status)
		if p.Failure != nil {
			detail = "the prediction failed: " + p.Failure.Detail
		}
		return nil, &jobs.Error{Code: jobs.Conflict, Detail: detail}
	}
	return &huma.StreamResponse{Body: func(c huma.Context) {
		if results != nil {
			defer results.Close()
		}
		c.SetHeader("Content-Type", string(format))
		if format == predictions.CSV {
			c.SetHeader("Content-Disposition", `attachment; filename="`+p.ID+`.csv"`)
		}
		for _, h := range headers {
			c.SetHeader(h.name, h.value)
		}
		c.SetStatus(status)
		var err error
		if format == predictions.CSV {
			_, err = io.Copy(c.BodyWriter(), results)
		} else {
			err = predict.WriteResponse(c.BodyWriter(), p, results)
		}
		if err != nil {
			logOf(c.Context()).Warn("answering with a prediction", "prediction", p.ID, "error", err)
		}
	}}, nil
}

// order is a request, received.
type order struct {
	format predictions.Format
	model  jobs.Revision
	body   io.ReadSeekCloser // closing it forgets it
	size   int64             // bytes
	total  int               // polymers
	hash   string            // of everything that the request says
}

// receive reads a request's body whole and refuses what is none.
func (a *Predictions) receive(in *createPrediction, inputs int) (*order, error) {
	o := &order{model: jobs.Revision{Repo: in.Repo, Revision: in.Revision}}
	hash := sha256.New()
	fmt.Fprintf(hash, "%s\x00%s\x00%s\x00", in.mediaType(), in.Repo, in.Revision)
	body := io.TeeReader(in.echo.Request().Body, hash)
	var err error
	switch in.mediaType() {
	case "application/json":
		o.format = predictions.JSON
		err = o.readJSON(body, inputs)
	case "text/csv":
		o.format = predictions.CSV
		err = o.readCSV(body, a.TempDir)
	default:
		return nil, newProblem(http.StatusUnsupportedMediaType, MediaType, "predictions are asked for as application/json or text/csv")
	}
	if err != nil {
		return nil, err
	}
	o.hash = hex.EncodeToString(hash.Sum(nil))
	if o.model.Repo == "" {
		o.model.Repo = a.Default.Repo
	}
	if o.model.Revision == "" {
		o.model.Revision = a.Default.Revision
	}
	return o, nil
}

func (o *order) readJSON(body io.Reader, inputs int) error {
	text, err := io.ReadAll(body)
	if err != nil {
		return cutShort(err)
	}
	if !json.Valid(text) {
		return newProblem(http.StatusBadRequest, Malformed, "the body is no JSON")
	}
	q, err := predict.ReadRequest(bytes.NewReader(text), inputs)
	if err != nil {
		return err
	}
	o.model, o.body, o.size, o.total = q.Model, inMemory{bytes.NewReader(text)}, int64(len(text)), len(q.Inputs)
	return nil
}

// readCSV receives a table into a file, so that memory does not depend on its
// size. What its columns mean is for the predictor to say.
func (o *order) readCSV(body io.Reader, dir string) (err error) {
	f, err := os.CreateTemp(dir, "polyid-inputs-*")
	if err != nil {
		return fmt.Errorf("receive a table: %w", err)
	}
	o.body = &temporary{f}
	defer func() {
		if err != nil {
			o.body.Close()
		}
	}()
	if o.size, err = io.Copy(f, body); err != nil {
		return cutShort(err)
	}
	if _, err = f.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("receive a table: %w", err)
	}
	if o.total, err = countRows(f); err != nil {
		return err
	}
	if _, err = f.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("receive a table: %w", err)
	}
	return nil
}

// countRows counts the rows of a table below its header.
func countRows(r io.Reader) (int, error) {
	n, err := data.CountRows(r)
	switch {
	case errors.Is(err, data.ErrTooLarge):
		return 0, &jobs.Error{Code: jobs.TooLarge, Detail: err.Error(), Err: err}
	case errors.Is(err, data.ErrFormat):
		return 0, newProblem(http.StatusBadRequest, Malformed, "the body is no CSV: "+err.Error())
	case err != nil:
		return 0, fmt.Errorf("receive a table: %w", err)
	case n < 1:
		return 0, &jobs.Error{Code: jobs.Invalid, Detail: "the table has no rows: a header line and a polymer a line are needed"}
	}
	return n, nil
}

// inMemory is a body that needs no closing.
type inMemory struct{ *bytes.Reader }

func (inMemory) Close() error { return nil }

// temporary is a file that is removed when closed.
type temporary struct{ *os.File }

func (t *temporary) Close() error { return errors.Join(t.File.Close(), os.Remove(t.Name())) }

// cutShort is the error of a body that was not received whole: too large, which
// it says itself, or the client went away.
func cutShort(err error) error {
	if errors.As(err, new(*http.MaxBytesError)) {
		return err
	}
	return newProblem(http.StatusBadRequest, Malformed, "the body ended early")
}
