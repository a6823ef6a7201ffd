package hubserver

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
)

// maxLine bounds a line of a commit without its content, in bytes.
const maxLine = 1 << 20

// operation is a line of a commit.
type operation struct {
	Key   string
	Value struct {
		Summary, Description, ParentCommit string // of the header
		Path, Encoding, Algo, OID          string // of a file
		Size                               int64
	}
}

// lines reads a commit line by line. The content of a file, which may be
// larger than memory should hold, is not kept but handed over as it arrives.
type lines struct {
	r *bufio.Reader
	// content consumes the decoded content of the line being read.
	content func(io.Reader) error
}

// next reads a line; io.EOF after the last one.
func (l *lines) next() (*operation, error) {
	var rest bytes.Buffer // the line with its content cut out
	key := ""             // the last string, which is a key if ':' follows
	isKey := false        // a ':' was last
	for {
		b, err := l.r.ReadByte()
		if err != nil && (!errors.Is(err, io.EOF) || len(bytes.TrimSpace(rest.Bytes())) == 0) {
			return nil, err
		}
		if err != nil || b == '\n' {
			if len(bytes.TrimSpace(rest.Bytes())) == 0 {
				continue
			}
			break
		}
		if rest.Len() >= maxLine {
			return nil, badRequest("a line of the commit is too long")
		}
		rest.WriteByte(b)
		switch {
		case b == '"' && isKey && key == "content":
			if err := l.decode(); err != nil {
				return nil, err
			}
			rest.WriteByte('"')
			isKey = false
		case b == '"':
			if key, err = l.string(&rest); err != nil {
				return nil, err
			}
			isKey = false
		case b == ':':
			isKey = true
		case b != ' ' && b != '\t':
			isKey, key = false, ""
		}
	}
	op := new(operation)
	if err := json.Unmarshal(rest.Bytes(), op); err != nil {
		return nil, badRequest("a line of the commit is not the JSON expected")
	}
	return op, nil
}

// string copies a string, whose opening quote is read, up to its closing one.
func (l *lines) string(rest *bytes.Buffer) (string, error) {
	from := rest.Len()
	for escaped := false; ; {
		b, err := l.r.ReadByte()
		if err != nil {
			return "", badRequest("the commit breaks off")
		}
		if rest.Len() >= maxLine {
			return "", badRequest("a line of the commit is too long")
		}
		rest.WriteByte(b)
		switch {
		case escaped:
			escaped = false
		case b == '\\':
			escaped = true
		case b == '"':
			return string(rest.Bytes()[from : rest.Len()-1]), nil
		}
	}
}

// decode hands over the content of a string, whose opening quote is read.
func (l *lines) decode() error {
	raw := &stringBody{r: l.r}
	err := l.content(base64.NewDecoder(base64.StdEncoding, raw))
	var corrupt base64.CorruptInputError
	switch {
	case raw.err != nil:
		return badRequest("the commit breaks off")
	case errors.As(err, &corrupt), errors.Is(err, io.ErrUnexpectedEOF):
		return badRequest("the content is not base64")
	case err != nil:
		return err
	}
	if !raw.done { // base64 ended before the string did
		return badRequest("the content is not base64")
	}
	return nil
}

// stringBody reads a JSON string of base64 up to its closing quote. The one
// escape that base64 may have in JSON is that of the slash.
type stringBody struct {
	r    *bufio.Reader
	done bool
	err  error // of the connection
}

func (s *stringBody) Read(p []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	n := 0
	for n < len(p) && !s.done {
		if n > 0 && s.r.Buffered() == 0 {
			break
		}
		if _, err := s.r.Peek(1); err != nil {
			s.err = err
			if errors.Is(err, io.EOF) {
				s.err = io.ErrUnexpectedEOF
			}
			return n, s.err
		}
		buffered, _ := s.r.Peek(min(s.r.Buffered(), len(p)-n)) // no more than there is
		if i := bytes.IndexAny(buffered, `"\`); i >= 0 {
			s.done = buffered[i] == '"'
			n += copy(p[n:], buffered[:i])
			s.r.Discard(i + 1)
			continue
		}
		n += copy(p[n:], buffered)
		s.r.Discard(len(buffered))
	}
	if s.done && n == 0 {
		return 0, io.EOF
	}
	return n, nil
}
