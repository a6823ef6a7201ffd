package tokens

import (
	"fmt"
	"strings"

	"polyid-trainer/jobs/access"
)

// Stated is a token that the configuration states, with its secret.
type Stated struct {
	Name, Secret string
	Role         access.Role // "" is access.Admin
}

const minSecret = 8 // characters; shorter ones can be guessed in an afternoon

// Parse reads the setting API_TOKENS: entries name:token or name:token:role,
// separated by commas. Only a final :admin, :member or :reader is a role; other
// colons belong to the token. An entry without a role is an admin's.
func Parse(setting string) ([]Stated, error) {
	var all []Stated
	seen := map[string]bool{}
	for i, entry := range strings.Split(setting, ",") {
		if entry = strings.TrimSpace(entry); entry == "" {
			continue
		}
		name, secret, _ := strings.Cut(entry, ":")
		role := access.Admin
		if at := strings.LastIndexByte(secret, ':'); at >= 0 && access.Role(secret[at+1:]).Valid() {
			secret, role = secret[:at], access.Role(secret[at+1:])
		}
		switch {
		case name == "" || secret == "":
			return nil, fmt.Errorf("API_TOKENS: entry %d is not of the form name:token or name:token:role", i+1)
		case len(secret) < minSecret:
			return nil, fmt.Errorf("API_TOKENS: the token of %q has fewer than %d characters: make one with `openssl rand -hex 32`", name, minSecret)
		case strings.ContainsFunc(secret, func(r rune) bool { return r <= ' ' || r > '~' }):
			return nil, fmt.Errorf("API_TOKENS: the token of %q holds a character that no HTTP header can carry", name)
		case name == access.Everyone:
			return nil, fmt.Errorf("API_TOKENS: %q stands for every token and cannot be the name of one", name)
		case seen[name]:
			return nil, fmt.Errorf("API_TOKENS: %q stands there twice", name)
		}
		seen[name] = true
		all = append(all, Stated{name, secret, role})
	}
	return all, nil
}
