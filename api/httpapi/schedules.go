package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"polyid-trainer/api/training"
	"polyid-trainer/data"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/access"
	"polyid-trainer/jobs/schedules"
)

// Schedules serves /v1/schedules.
type Schedules struct {
	Store   *schedules.Store
	Service *training.Service
}

// Schedule is a schedule as the API shows it.
type Schedule struct {
	ID        string          `json:"id"`
	Object    string          `json:"object" enum:"schedule"`
	Cron      string          `json:"cron"`
	Job       json.RawMessage `json:"job"`
	Dataset   string          `json:"dataset"`
	CreatedAt time.Time       `json:"created_at"`
	NextAt    time.Time       `json:"next_at"`
	Last      *ScheduledJob   `json:"last" doc:"What became of the last time; null before the first."`
}

// ScheduledJob is what became of one time of a schedule.
type ScheduledJob struct {
	DueAt time.Time `json:"due_at"`
	Job   *string   `json:"training_job" doc:"null if it could not be made."`
	Error *string   `json:"error" doc:"Why it could not be made."`
}

// ScheduleRequest asks for a schedule.
type ScheduleRequest struct {
	Cron    string         `json:"cron" maxLength:"200" doc:"A cron expression of five fields, such as \"0 3 1 */3 *\", or @daily, @weekly, @monthly; in UTC unless it begins with CRON_TZ=Europe/Berlin." example:"0 3 1 */3 *"`
	Job     map[string]any `json:"job" doc:"The body of a training job; dataset may be left out."`
	Dataset string         `json:"dataset,omitempty" maxLength:"200" doc:"An id, or a name: of several uploads of that name the newest is trained on each time. Left out, it is that of job."`
}

type (
	newSchedule    struct{ Body ScheduleRequest }
	scheduleAnswer struct {
		Location string `header:"Location"`
		Body     Schedule
	}
	listedSchedules struct{ Body List[Schedule] }
)

// Routes implements Area.
func (a *Schedules) Routes(s *Server) {
	const base = "/v1/schedules"
	tags := []string{"schedules"}
	route(s, huma.Operation{
		OperationID: "create-schedule", Method: http.MethodPost, Path: base, Tags: tags, DefaultStatus: http.StatusCreated, MaxBodyBytes: s.Limits.TrainingJob,
		Summary:     "Train again and again",
		Description: "The job is checked as if it began now. Each time makes one job; times that passed while the service was down are made up for by one.",
	}, func(ctx context.Context, in *newSchedule) (*scheduleAnswer, error) {
		return a.create(ctx, s.Now(), &in.Body)
	})
	route(s, huma.Operation{
		OperationID: "list-schedules", Method: http.MethodGet, Path: base, Tags: tags, Summary: "List schedules, newest first",
	}, func(ctx context.Context, in *Paging) (*listedSchedules, error) {
		if err := checkAfter(schedules.Prefix, in.After); err != nil {
			return nil, err
		}
		page, err := a.Store.List(ctx, in.After, in.Limit)
		if err != nil {
			return nil, err
		}
		shown := make([]Schedule, len(page.Schedules))
		for i, sd := range page.Schedules {
			shown[i] = showSchedule(sd)
		}
		l := newList(shown, page.More, func(sd Schedule) string { return sd.ID })
		l.Damaged = page.Damaged
		return &listedSchedules{l}, nil
	})
	route(s, huma.Operation{
		OperationID: "get-schedule", Method: http.MethodGet, Path: base + "/{id}", Tags: tags, Summary: "Show a schedule",
	}, func(ctx context.Context, in *Named) (*scheduleAnswer, error) {
		sd, err := a.Store.Get(ctx, in.ID)
		if err != nil {
			return nil, err
		}
		return &scheduleAnswer{Body: showSchedule(sd)}, nil
	})
	route(s, huma.Operation{
		OperationID: "delete-schedule", Method: http.MethodDelete, Path: base + "/{id}", Tags: tags,
		Summary: "Delete a schedule; the jobs that it made stay",
	}, func(ctx context.Context, in *Named) (*struct{}, error) {
		return nil, a.Store.Delete(ctx, in.ID)
	})
}

// create checks a schedule and stores it.
func (a *Schedules) create(ctx context.Context, now time.Time, in *ScheduleRequest) (*scheduleAnswer, error) {
	var problems []jobs.Problem
	dataset := in.Dataset
	if named, ok := in.Job["dataset"]; dataset == "" && ok {
		name, one := named.(string)
		if !one {
			problems = append(problems, jobs.Problem{Pointer: "/job/dataset", Detail: "a schedule trains on one dataset: name it in dataset"})
		}
		dataset = name
	}
	delete(in.Job, "dataset")
	job, err := json.Marshal(in.Job)
	if err != nil {
		return nil, err
	}
	id, _ := access.From(ctx)
	sd, err := schedules.New(now, Principal(ctx), string(id.Role), in.Cron, job, dataset)
	var wrong *jobs.Error
	if errors.As(err, &wrong) {
		problems = append(problems, wrong.Problems...)
	} else if err != nil {
		return nil, err
	}
	more, err := a.problems(ctx, job, dataset)
	if err != nil {
		return nil, err
	}
	if problems = append(problems, more...); len(problems) > 0 {
		return nil, &jobs.Error{Code: jobs.Invalid, Detail: "the schedule has invalid settings", Problems: problems}
	}
	if err := a.Store.Create(ctx, sd); err != nil {
		return nil, err
	}
	return &scheduleAnswer{Location: "/v1/schedules/" + sd.ID, Body: showSchedule(sd)}, nil
}

// problems lists what is wrong with the job of a schedule, if it began now.
func (a *Schedules) problems(ctx context.Context, job []byte, dataset string) ([]jobs.Problem, error) {
	if dataset == "" {
		return []jobs.Problem{{Pointer: "/dataset", Detail: "is required: the id or the name of a dataset"}}, nil
	}
	spec, unread, err := readSpec(job)
	if err != nil {
		return nil, err
	}
	newest, err := a.Service.Library.Newest(ctx, dataset)
	var unknown *jobs.Error
	if errors.As(err, &unknown) && unknown.Code == jobs.Invalid {
		return unknown.Problems, nil
	}
	if err != nil {
		return nil, err
	}
	spec.Dataset = data.Names{newest}
	found, err := a.Service.Problems(ctx, training.Request{Owner: Principal(ctx), Spec: spec, Unread: unread})
	if err != nil {
		return nil, err
	}
	for i := range found {
		if found[i].Pointer != "/dataset" {
			found[i].Pointer = fmt.Sprintf("/job%s", found[i].Pointer)
		}
	}
	return found, nil
}

func showSchedule(sd *schedules.Schedule) Schedule {
	v := Schedule{ID: sd.ID, Object: "schedule", Cron: sd.Cron, Job: sd.Job, Dataset: sd.Dataset, CreatedAt: sd.CreatedAt, NextAt: sd.NextAt}
	if l := sd.Last; l != nil {
		v.Last = &ScheduledJob{DueAt: l.At}
		if l.Error != "" {
			v.Last.Error = &l.Error
		} else {
			v.Last.Job = &l.Due.Job
		}
	}
	return v
}
