package screenings

import (
	"strings"
	"testing"

	"polyid-trainer/jobs"
)

// The webhook of a screening is held to what that of a job is: an address without
// credentials, which would be stored and shown, and events that there are.
func TestWebhookProblems(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		webhook jobs.Webhook
		pointer string // of the problem; "" for none
	}{
		{jobs.Webhook{URL: "https://example.org/hook", Events: []jobs.EventType{Events[0]}}, ""},
		{jobs.Webhook{URL: "https://ann:secret@example.org"}, "/webhook/url"},
		{jobs.Webhook{URL: "http://"}, "/webhook/url"},
		{jobs.Webhook{URL: "ftp://example.org"}, "/webhook/url"},
		{jobs.Webhook{URL: "https://example.org/" + strings.Repeat("x", 2000)}, "/webhook/url"},
		{jobs.Webhook{URL: "https://example.org", Events: []jobs.EventType{"training_job.succeeded"}}, "/webhook/events/0"},
	} {
		s := Spec{Input: Input{Dataset: "ds_x"}, Format: Formats[0], Webhook: &c.webhook}
		found := s.Problems(func(string) error { return nil }, true)
		if c.pointer == "" && len(found) > 0 || c.pointer != "" && (len(found) != 1 || found[0].Pointer != c.pointer) {
			t.Errorf("%+v: %+v, want a problem at %q", c.webhook, found, c.pointer)
		}
	}
}
