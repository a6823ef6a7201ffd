package httpapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/tmaxmax/go-sse"
)

// writeWithin is how long the reader of a stream may take to take what it is sent.
const writeWithin = 30 * time.Second

// eventWriter writes server-sent events to one reader.
type eventWriter struct {
	session *sse.Session
	control *http.ResponseController
}

// eventWriter answers the request with a stream.
func (x *Exchange) eventWriter() (*eventWriter, error) {
	w := x.echo.Response()
	w.Header().Set("X-Accel-Buffering", "no") // proxies pass it on as it comes
	session, err := sse.Upgrade(w, x.echo.Request())
	if err != nil {
		return nil, err
	}
	// The session flushes past echo's writer, which would write the header once more.
	w.Header().Set("Content-Type", eventStream)
	w.WriteHeader(http.StatusOK)
	return &eventWriter{session, http.NewResponseController(w)}, nil
}

// message sends data as JSON.
func (w *eventWriter) message(id, event string, data any) error {
	text, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("event %s: %w", event, err)
	}
	m := &sse.Message{Type: sse.Type(event)}
	if id != "" {
		m.ID = sse.ID(id)
	}
	m.AppendData(string(text))
	return w.send(m)
}

// alive tells a reader for whom there is nothing that the stream lives.
func (w *eventWriter) alive() error {
	m := &sse.Message{}
	m.AppendComment("alive")
	return w.send(m)
}

func (w *eventWriter) send(m *sse.Message) error {
	// A writer without deadlines is one of a test.
	_ = w.control.SetWriteDeadline(time.Now().Add(writeWithin))
	if err := w.session.Send(m); err != nil {
		return err
	}
	return w.session.Flush()
}
