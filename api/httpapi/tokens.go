package httpapi

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"polyid-trainer/jobs/access"
	"polyid-trainer/jobs/tokens"
)

// IssuedToken is a token that an admin issued, without its secret.
type IssuedToken struct {
	Object    string      `json:"object" enum:"token"`
	ID        string      `json:"id"`
	Name      string      `json:"name" doc:"Whose what is made with it is; a new token of the same name goes on with it."`
	Role      access.Role `json:"role" enum:"admin,member,reader"`
	CreatedAt time.Time   `json:"created_at"`
	CreatedBy string      `json:"created_by"`
	ExpiresAt *time.Time  `json:"expires_at" doc:"null is never."`
}

func newIssuedToken(t tokens.Token) IssuedToken {
	v := IssuedToken{Object: "token", ID: t.ID, Name: t.Name, Role: t.Role, CreatedAt: t.CreatedAt, CreatedBy: t.CreatedBy}
	if !t.ExpiresAt.IsZero() {
		v.ExpiresAt = &t.ExpiresAt
	}
	return v
}

// NewToken is a token that was just issued.
type NewToken struct {
	IssuedToken
	Secret string `json:"secret" doc:"What goes into Authorization: Bearer …. It is shown this once and kept nowhere."`
}

// WantedToken asks for a token.
type WantedToken struct {
	Name    string      `json:"name" minLength:"1" maxLength:"64" doc:"Letters, digits and . _ @ -."`
	Role    access.Role `json:"role,omitempty" enum:"admin,member,reader" default:"member"`
	Expires *time.Time  `json:"expires_at,omitempty" doc:"When it is no longer good; never if left out."`
}

// tokens serves /v1/tokens.
func (s *Server) tokens() {
	if s.Tokens == nil {
		return
	}
	tags := []string{"tokens"}
	type request struct{ Body WantedToken }
	type answer struct{ Body NewToken }
	route(s, huma.Operation{
		OperationID: "create-token", Method: http.MethodPost, Path: "/v1/tokens", Tags: tags, DefaultStatus: http.StatusCreated,
		Summary: "Issue a token", Description: "It is good at once here, and within seconds at other replicas. The secret is in this answer and nowhere else.",
	}, func(ctx context.Context, in *request) (*answer, error) {
		r := tokens.Request{Name: in.Body.Name, Role: in.Body.Role, By: Principal(ctx)}
		if e := in.Body.Expires; e != nil {
			r.Expires = e.UTC()
		}
		t, secret, err := s.Tokens.Issue(ctx, r)
		if err != nil {
			return nil, err
		}
		logOf(ctx).Info("token issued", "name", t.Name, "role", t.Role, "by", t.CreatedBy)
		return &answer{NewToken{newIssuedToken(t), secret}}, nil
	})
	type listed struct{ Body List[IssuedToken] }
	route(s, huma.Operation{
		OperationID: "list-tokens", Method: http.MethodGet, Path: "/v1/tokens", Tags: tags,
		Summary: "List the issued tokens, newest first", Description: "Those of API_TOKENS are not among them.",
	}, func(ctx context.Context, _ *struct{}) (*listed, error) {
		all, err := s.Tokens.Issued(ctx)
		if err != nil {
			return nil, err
		}
		var shown []IssuedToken
		for _, t := range all {
			shown = append(shown, newIssuedToken(t))
		}
		return &listed{newList(shown, false, nil)}, nil
	})
	route(s, huma.Operation{
		OperationID: "delete-token", Method: http.MethodDelete, Path: "/v1/tokens/{id}", Tags: tags,
		Summary: "Revoke a token, by its id or name", Description: "Its sessions and streams end at once here, and within seconds at other replicas. What was made with it stays.",
	}, func(ctx context.Context, in *named) (*struct{}, error) {
		t, err := s.Tokens.Revoke(ctx, in.ID)
		if err == nil {
			logOf(ctx).Info("token revoked", "name", t.Name, "by", Principal(ctx))
		}
		return nil, err
	})
}
