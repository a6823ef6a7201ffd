package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"polyid-trainer/featurize/structure"
)

// chainsFlag is a job's chains as JSON.
type chainsFlag struct{ structure.Chains }

// UnmarshalText reads the JSON of a job's chains.
func (c *chainsFlag) UnmarshalText(text []byte) error {
	dec := json.NewDecoder(strings.NewReader(string(text)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&c.Chains); err != nil {
		return fmt.Errorf(`want JSON such as {"dp": 3} or {"periodic": true}: %w`, err)
	}
	c.Chains = c.WithDefaults()
	return c.Validate()
}

// into sets the chains of a job, given as JSON; a flag that was not given leaves
// the job as it is.
func (c *chainsFlag) into(job []byte) ([]byte, error) {
	if c.Chains == (structure.Chains{}) {
		return job, nil
	}
	return withField(job, "--chains", "chains", c.Chains)
}

// withField sets a field of a job, given as JSON, as a flag says.
func withField(job []byte, flag, name string, value any) ([]byte, error) {
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(job, &fields); err != nil {
		return nil, fmt.Errorf("%s: the job is not a JSON object: %w", flag, err)
	}
	text, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	fields[name] = text
	return json.Marshal(fields)
}
