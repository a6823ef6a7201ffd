// Package webhook delivers the webhooks that jobs owe.
//
// A delivery is a POST of the body that was frozen when its event happened,
// signed by Standard Webhooks (https://www.standardwebhooks.com), with the same
// webhook-id at every try. It is tried until a receiver answers 2xx, or 410 to
// say that it wants no more, on a schedule that spans three days; every try is
// kept in the job's record. A try may be repeated after a crash, so receivers
// tell deliveries apart by webhook-id.
package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/lease"
)

// Bounds of one try.
const (
	DefaultTimeout = 20 * time.Second // from dialling to the end of the answer
	ending         = 15 * time.Second // to record how it went, for a process that is told to stop
	maxAnswer      = 64 << 10         // bytes read of a body that nobody looks at, and of headers
)

// Store is what delivering needs of jobs/records.
type Store interface {
	Job(ctx context.Context, id string) (*jobs.Job, error)
	UpdateJob(ctx context.Context, id string, change func(*jobs.Job) error) (*jobs.Job, error)
	WebhookBody(ctx context.Context, job, webhook string) ([]byte, error)
}

// Config is what a Notifier needs.
type Config struct {
	Store        Store
	Secret       string // whsec_…, which signs
	Worker       string // "host:pid", as records show it
	AllowPrivate bool   // receivers may have private and loopback addresses
	Log          *slog.Logger
	// Observe hears of every try: "delivered", "gone" (410), "refused" (any other
	// status), "unreachable" (no answer) or "blocked" (an address that is not
	// public); nil for nobody.
	Observe func(outcome string)
	Timeout time.Duration    // of one try; 0 is DefaultTimeout
	Now     func() time.Time // nil is time.Now
}

// Notifier delivers webhooks. It is safe for concurrent use.
type Notifier struct {
	Config
	signer *standardwebhooks.Webhook
	client *http.Client
}

// New makes a Notifier; it fails on a secret that is none.
func New(c Config) (*Notifier, error) {
	signer, err := standardwebhooks.NewWebhook(c.Secret)
	if err != nil || strings.TrimPrefix(c.Secret, "whsec_") == "" {
		return nil, errors.New("the webhook secret is not of the form whsec_ and base64") // without the secret
	}
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Observe == nil {
		c.Observe = func(string) {}
	}
	dialer := &net.Dialer{Timeout: c.Timeout}
	if !c.AllowPrivate {
		dialer.Control = refusePrivate
	}
	return &Notifier{Config: c, signer: signer, client: &http.Client{
		Transport: &http.Transport{ // without a proxy: the address dialled must be the receiver's
			DialContext: dialer.DialContext, TLSHandshakeTimeout: c.Timeout, ForceAttemptHTTP2: true,
			DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: maxAnswer,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// errMoved means that the record does not call for the try, any more or yet.
var errMoved = fmt.Errorf("the delivery has moved on: %w", lease.ErrStop)

// try is one try to deliver a webhook.
type try struct {
	*Notifier
	job          *jobs.Job
	id           string // of the webhook
	event, tries int    // which delivery, and how many tries came before
	holder       *lease.Holder
	log          *slog.Logger

	attempt jobs.Attempt // how it went
	next    verdict
}

// Handle makes the try that a task of jobs.Needed stands for, and records how it
// went. There is nothing to do for a try that the record does not call for, any
// more or yet, and for one that another process makes.
func (n *Notifier) Handle(ctx context.Context, t jobs.Task) error {
	w := &try{Notifier: n, holder: lease.NewHolder(lease.Terms{}, n.Log)}
	w.event, w.tries = jobs.NotifyTask(t)
	if err := w.claim(ctx, t.Job); err != nil || w.job == nil {
		return err
	}
	outcome, err := w.holder.Run(ctx, w.renew, w.make)
	switch outcome {
	case lease.Lost:
		return jobs.ErrLost
	case lease.Stopped:
		return nil
	case lease.Done:
		return w.recordOutcome(ctx)
	}
	return errors.Join(err, w.release(ctx)) // this was no try: another process makes it
}

// claim sets the job, unless there is nothing to do.
func (w *try) claim(ctx context.Context, id string) error {
	// Looking first costs no write for a task that is delivered again.
	j, err := w.Store.Job(ctx, id)
	if err == nil && due(j, w.event, w.tries, w.Now()) != nil && j.Spec.Webhook != nil {
		w.log = w.Log.With("job", id, "try", w.tries+1)
		j, err = w.update(ctx, id, func(d *jobs.Delivery) error {
			w.id = d.WebhookID
			return w.holder.Claim(&d.Lease, w.Now(), w.Worker)
		})
		if err == nil {
			w.job = j
		}
	}
	if errors.Is(err, errMoved) || lease.IsHeld(err) || jobs.ErrorCode(err) == jobs.NotFound {
		return nil
	}
	return err
}

// update changes the delivery, if the try is due.
func (w *try) update(ctx context.Context, id string, change func(*jobs.Delivery) error) (*jobs.Job, error) {
	return w.Store.UpdateJob(ctx, id, func(j *jobs.Job) error {
		d := due(j, w.event, w.tries, w.Now())
		if d == nil {
			return errMoved
		}
		return change(d)
	})
}

func (w *try) renew(ctx context.Context) error {
	_, err := w.update(ctx, w.job.ID, func(d *jobs.Delivery) error { return w.holder.Renew(&d.Lease, w.Now()) })
	return err
}

func (w *try) release(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ending)
	defer cancel()
	_, err := w.update(ctx, w.job.ID, func(d *jobs.Delivery) error { return d.Lease.Release(w.holder.Token) })
	return err
}

// make sends the webhook. Its error says that there was no try.
func (w *try) make(ctx context.Context) error {
	body, err := w.Store.WebhookBody(ctx, w.job.ID, w.id)
	if err != nil && jobs.ErrorCode(err) != jobs.NotFound {
		return err
	}
	w.attempt = jobs.Attempt{Time: w.Now().UTC(), Error: "the body is gone"}
	w.next = ends
	if err == nil {
		w.next = w.send(ctx, w.job.Spec.Webhook.URL, w.id, body, &w.attempt)
	}
	return context.Cause(ctx)
}

// recordOutcome records how the try went, and when the next is due.
func (w *try) recordOutcome(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ending)
	defer cancel()
	_, err := w.update(ctx, w.job.ID, func(d *jobs.Delivery) error {
		if err := d.Lease.Succeed(w.holder.Token); err != nil {
			return err
		}
		d.Attempts = append(d.Attempts, w.attempt)
		d.Delivered, d.NextAttemptAt = w.next == arrived, nil
		if pause, again := Wait(len(d.Attempts)); w.next == retry && again {
			at := w.attempt.Time.Add(pause)
			d.NextAttemptAt = &at
		}
		return nil
	})
	if errors.Is(err, errMoved) || jobs.ErrorCode(err) == jobs.NotFound {
		return nil
	}
	if err != nil {
		return fmt.Errorf("recording a webhook's delivery: %w", err)
	}
	if w.next == arrived {
		w.log.Info("webhook delivered", "status", w.attempt.Status)
	} else {
		w.log.Warn("webhook not delivered", "status", w.attempt.Status, "error", w.attempt.Error)
	}
	return nil
}

// due is the delivery of an event if so many tries were made and the next is
// due; nil otherwise.
func due(j *jobs.Job, event, tries int, now time.Time) *jobs.Delivery {
	i := slices.IndexFunc(j.Deliveries, func(d jobs.Delivery) bool { return d.Event == event })
	if i < 0 {
		return nil
	}
	d := &j.Deliveries[i]
	if len(d.Attempts) != tries || d.NextAttemptAt == nil || now.Before(*d.NextAttemptAt) {
		return nil
	}
	return d
}

// send makes one try, notes in a how it went, and says what follows.
func (n *Notifier) send(ctx context.Context, to, id string, body []byte, a *jobs.Attempt) verdict {
	ctx, cancel := context.WithTimeout(ctx, n.Timeout)
	defer cancel()
	a.Error = ""
	signature, err := n.signer.Sign(id, a.Time, body)
	if err != nil {
		a.Error = err.Error()
		return retry
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		a.Error = "webhook.url is not a valid URL"
		return ends
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "polyid-trainer")
	r.Header.Set(standardwebhooks.HeaderWebhookID, id)
	r.Header.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(a.Time.Unix(), 10))
	r.Header.Set(standardwebhooks.HeaderWebhookSignature, signature)
	resp, err := n.client.Do(r)
	if err != nil {
		a.Error = reason(err)
		if errors.Is(err, errPrivate) {
			n.Observe("blocked")
		} else {
			n.Observe("unreachable")
		}
		return retry
	}
	io.CopyN(io.Discard, resp.Body, maxAnswer) // so that the receiver sees its answer taken
	resp.Body.Close()
	a.Status = resp.StatusCode
	next, outcome := judge(resp.StatusCode)
	n.Observe(outcome)
	if next != arrived {
		a.Error = fmt.Sprintf("the receiver answered %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	}
	return next
}

// reason is an error without the address, which may hold a secret.
func reason(err error) string {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "the receiver did not answer in time"
	}
	return err.Error()
}
