package cuda

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Selection is what a worker is asked to train on.
type Selection struct {
	Devices []int // by number; none: the CPU
	All     bool  // every device there is
	CPU     bool  // take the CPU if no device can be used
}

// GPU reports whether any device is asked for.
func (s Selection) GPU() bool { return s.All || len(s.Devices) > 0 }

// ParseSelection reads a worker's DEVICE, a list separated by commas: "cpu",
// "cuda" (all devices), "cuda:0,cuda:1". "cpu" after devices asks for the CPU if
// none of them can be used; without it, that is an error. "" is "cpu".
func ParseSelection(text string) (Selection, error) {
	var s Selection
	if text == "" {
		return s, nil
	}
	names := strings.Split(text, ",")
	for i, name := range names {
		name = strings.TrimSpace(name)
		number, numbered := strings.CutPrefix(name, "cuda:")
		switch {
		case name == "cpu" && i == len(names)-1:
			s.CPU = len(names) > 1
		case name == "cpu":
			return Selection{}, fmt.Errorf("device %q: cpu comes last, as what to fall back to", text)
		case name == "cuda":
			s.All = true
		case numbered:
			n, err := strconv.Atoi(number)
			if err != nil || n < 0 {
				return Selection{}, fmt.Errorf("device %q: %q is not a number of a device", text, number)
			}
			if slices.Contains(s.Devices, n) {
				return Selection{}, fmt.Errorf("device %q: cuda:%d is named twice", text, n)
			}
			s.Devices = append(s.Devices, n)
		default:
			return Selection{}, fmt.Errorf("device %q: %q is none of cpu, cuda, cuda:0, cuda:1, …", text, name)
		}
	}
	if s.All && s.Devices != nil {
		return Selection{}, fmt.Errorf("device %q: cuda is all devices already", text)
	}
	return s, nil
}

// deviceName is how a device is named in DEVICE, errors and metrics.
func deviceName(ordinal int) string { return "cuda:" + strconv.Itoa(ordinal) }
