// Package schedules keeps training jobs that are to be made again and again, at the
// times that a cron expression names, and makes them: once each, whatever happens
// to the process.
//
// A schedule is a record, schedules/<id>.json. When it is due, the id of the job is
// drawn and written into the record first; then the job is made under that id,
// which changes nothing when it is done again; then the record goes on to the next
// time. So a process that is killed anywhere between, and two that run at once, make
// one job. Times that passed while no process ran are made up for by one job.
package schedules

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/robfig/cron/v3"

	"polyid-trainer/jobs"
)

// Prefix begins the ids of schedules.
const Prefix = "sd_"

// Schedule is a training job that is made again and again.
type Schedule struct {
	ID    string `json:"id"`
	Owner string `json:"owner,omitempty"` // name of the token that made it, in whose name its jobs are made
	Role  string `json:"role,omitempty"`  // of that token

	Cron    string          `json:"cron"`
	Job     json.RawMessage `json:"job"`     // the body of a training job, without dataset
	Dataset string          `json:"dataset"` // an id, or a name of which the newest upload counts

	CreatedAt time.Time `json:"created_at"`
	NextAt    time.Time `json:"next_at"`
	Due       *Due      `json:"due,omitempty"` // what is being made
	Last      *Made     `json:"last,omitempty"`
}

// Due is a job that is being made.
type Due struct {
	At  time.Time `json:"due_at"`
	Job string    `json:"training_job"` // its id, drawn before
}

// Made is what became of a time of the schedule.
type Made struct {
	Due
	Error string `json:"error,omitempty"` // why there is no job
}

// least is how far apart two times of a schedule are at least.
const least = time.Minute

// Parse reads a cron expression: five fields, such as "0 3 1 */3 *", or a
// descriptor, such as "@monthly"; in UTC unless it begins with CRON_TZ=.
func Parse(expression string) (cron.Schedule, error) {
	s, err := cron.ParseStandard(expression)
	if err != nil {
		return nil, fmt.Errorf("%q is not a cron expression, such as \"0 3 1 */3 *\" for three o'clock (UTC) on the first day of every quarter, or @monthly: %w", expression, err)
	}
	first := s.Next(time.Now().UTC())
	if first.IsZero() {
		return nil, fmt.Errorf("%q names a time that never comes", expression)
	}
	if s.Next(first).Sub(first) < least && !s.Next(first).IsZero() {
		return nil, errors.New("the times are less than a minute apart: name fewer")
	}
	return s, nil
}

// New is a schedule that was just asked for.
func New(now time.Time, owner, role, expression string, job json.RawMessage, dataset string) (*Schedule, error) {
	times, err := Parse(expression)
	if err != nil {
		return nil, &jobs.Error{Code: jobs.Invalid, Detail: "the schedule has invalid settings", Problems: []jobs.Problem{{Pointer: "/cron", Detail: err.Error()}}}
	}
	return &Schedule{
		ID: jobs.NewID(Prefix), Owner: owner, Role: role, Cron: expression, Job: job, Dataset: dataset,
		CreatedAt: now.UTC(), NextAt: times.Next(now.UTC()).UTC(),
	}, nil
}

// begin draws the id of the job that is due, and reports whether one is.
func (s *Schedule) begin(now time.Time) bool {
	if s.Due == nil && now.Before(s.NextAt) {
		return false
	}
	if s.Due == nil {
		s.Due = &Due{At: s.NextAt, Job: jobs.NewID(jobs.TrainingJobPrefix)}
	}
	return true
}

// end notes what became of what was due, and goes on to the next time that is still
// to come.
func (s *Schedule) end(now time.Time, due Due, problem string) error {
	if s.Due == nil || *s.Due != due {
		return nil // another process has
	}
	times, err := Parse(s.Cron)
	if err != nil {
		return err
	}
	s.Last, s.Due = &Made{due, problem}, nil
	s.NextAt = times.Next(now.UTC()).UTC()
	return nil
}
