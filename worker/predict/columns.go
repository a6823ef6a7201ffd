package predict

import (
	"encoding/json"

	"polyid-trainer/data"
)

// renamed is a request's body with the fields of its inputs called as Input calls
// them, where its columns say that they are called otherwise. A body that states no
// columns, or cannot be read, is returned as it is.
func renamed(body []byte) []byte {
	var stated struct {
		Columns data.Roles `json:"columns"`
	}
	if json.Unmarshal(body, &stated) != nil || stated.Columns == (data.Roles{}) {
		return body
	}
	var request map[string]json.RawMessage
	var inputs []json.RawMessage
	if json.Unmarshal(body, &request) != nil || json.Unmarshal(request["inputs"], &inputs) != nil {
		return body
	}
	headers := stated.Columns.Headers()
	for i, input := range inputs {
		var fields map[string]json.RawMessage
		if json.Unmarshal(input, &fields) != nil {
			continue // its result says so
		}
		for field, header := range headers {
			value, ok := fields[header]
			if _, there := fields[field]; ok && !there {
				fields[field] = value
				delete(fields, header)
			}
		}
		if text, err := json.Marshal(fields); err == nil {
			inputs[i] = text
		}
	}
	list, err := json.Marshal(inputs)
	if err != nil {
		return body
	}
	request["inputs"] = list
	out, err := json.Marshal(request)
	if err != nil {
		return body
	}
	return out
}
