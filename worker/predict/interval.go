package predict

import (
	"bytes"
	"encoding/json"
	"regexp"

	"polyid-trainer/nn/ensemble"
)

// level is what the model's intervals aim at.
func (m *Model) level() float64 {
	if m.calibration == nil {
		return ensemble.Level
	}
	return m.calibration.Level
}

// percent names the level, in fields and columns.
func (m *Model) percent() string { return ensemble.LevelName(m.level()) }

// interval90 is the field of an interval at the usual level. Of another one the
// level stands in its place.
const interval90 = `"interval90":`

func named90(body []byte, level string) []byte {
	if level == "" || level == "90" {
		return body
	}
	return bytes.Replace(body, []byte(interval90), []byte(`"interval`+level+`":`), 1) // only numbers stand before it
}

// MarshalJSON names the interval by its level.
func (p Property) MarshalJSON() ([]byte, error) {
	type plain Property
	body, err := json.Marshal(plain(p))
	return named90(body, p.level), err
}

// MarshalJSON names the interval by its level.
func (l Linear) MarshalJSON() ([]byte, error) {
	type plain Linear
	body, err := json.Marshal(plain(l))
	return named90(body, l.level), err
}

var intervalField = regexp.MustCompile(`"interval(\d+(?:\.\d+)?)":`)

// unnamed takes the level out of the name of the interval.
func unnamed(body []byte) (plain []byte, level string) {
	at := intervalField.FindSubmatchIndex(body)
	if at == nil {
		return body, ""
	}
	level = string(body[at[2]:at[3]])
	return append(append(bytes.Clone(body[:at[0]]), interval90...), body[at[1]:]...), level
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (p *Property) UnmarshalJSON(text []byte) error {
	type plain Property
	body, level := unnamed(text)
	*p = Property{level: level}
	return json.Unmarshal(body, (*plain)(p))
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (l *Linear) UnmarshalJSON(text []byte) error {
	type plain Linear
	body, level := unnamed(text)
	*l = Linear{level: level}
	return json.Unmarshal(body, (*plain)(l))
}
