package fapi

import (
	"errors"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

const resource = "https://rs.example"

func goodResourceRequest() ResourceRequest {
	return ResourceRequest{
		Authorizations: 1, Scheme: "DPoP", Issuer: issuer, Resource: resource, Active: true, Now: noon,
		Token: ResourceToken{
			Issuer: issuer, Audience: []string{resource}, ExpiresAt: noon.Add(time.Minute),
			Scope: []string{"accounts", "openid"}, Confirmation: oauth.Confirmation{JKT: "key-1"},
		},
		Proven: ProvenKeys{JKT: "key-1"},
		Scope:  []string{"accounts"},
	}
}

func goodBearerRequest() ResourceRequest {
	request := goodResourceRequest()
	request.Scheme = "Bearer"
	request.Token.Confirmation = oauth.Confirmation{X5TS256: "certificate-1"}
	request.Proven = ProvenKeys{X5TS256: "certificate-1"}
	return request
}

func TestResourceRequestRules(t *testing.T) {
	bearer := func(edit func(*ResourceRequest)) func(*ResourceRequest) {
		return func(r *ResourceRequest) { *r = goodBearerRequest(); edit(r) }
	}
	holdToRules(t, resourceRequestRules, goodResourceRequest, []breach[ResourceRequest]{
		{"FAPI2-SP-FINAL-5.3.4-2", "access_token in the query", func(r *ResourceRequest) { r.TokenInQuery = true }},
		{"LOCAL-TOKEN-IN-HEADER-ALONE", "access_token in the body", func(r *ResourceRequest) { r.TokenInBody = true }},
		{"LOCAL-TOKEN-IN-HEADER-ALONE", "two Authorization headers", func(r *ResourceRequest) { r.Authorizations = 2 }},
		{"FAPI2-SP-FINAL-5.3.4-1", "no Authorization header", func(r *ResourceRequest) { r.Authorizations, r.Scheme = 0, "" }},
		{"FAPI2-SP-FINAL-5.3.4-1", "scheme Basic", func(r *ResourceRequest) { r.Scheme = "Basic" }},
		{"FAPI2-SP-FINAL-5.3.4-3", "bad signature", func(r *ResourceRequest) { r.Fault = errors.New("signature") }},
		{"RFC9068-4-ISS", "another issuer", func(r *ResourceRequest) { r.Token.Issuer = "https://other.example" }},
		{"RFC9068-4-AUD", "another resource", func(r *ResourceRequest) { r.Token.Audience = []string{"https://other.example"} }},
		{"RFC9068-4-AUD", "no audience", func(r *ResourceRequest) { r.Token.Audience = nil }},
		{"RFC9068-4-EXP", "expired this moment", func(r *ResourceRequest) { r.Token.ExpiresAt = noon }},
		{"FAPI2-SP-FINAL-5.3.4-3-REVOCATION", "revoked", func(r *ResourceRequest) { r.Active = false }},
		{"FAPI2-SP-FINAL-5.3.4-5", "bound to nothing", func(r *ResourceRequest) { r.Token.Confirmation = oauth.Confirmation{} }},
		{"RFC9449-7.1", "DPoP token with the scheme Bearer", func(r *ResourceRequest) { r.Scheme = "Bearer" }},
		{"RFC9449-7.1", "certificate-bound token with the scheme DPoP", bearer(func(r *ResourceRequest) { r.Scheme = "DPoP" })},
		{"RFC9449-7.1-PROOF", "no proof", func(r *ResourceRequest) { r.Proven.JKT = "" }},
		{"RFC9449-4.3-12", "another key", func(r *ResourceRequest) { r.Proven.JKT = "key-2" }},
		{"RFC8705-3", "another certificate", bearer(func(r *ResourceRequest) { r.Proven.X5TS256 = "certificate-2" })},
		{"RFC8705-3", "no certificate", bearer(func(r *ResourceRequest) { r.Proven = ProvenKeys{} })},
		{"RFC8705-3", "a DPoP key in place of the certificate", bearer(func(r *ResourceRequest) { r.Proven = ProvenKeys{JKT: "certificate-1"} })},
		{"FAPI2-SP-FINAL-5.3.4-4", "scope missing", func(r *ResourceRequest) { r.Scope = []string{"accounts", "payments"} }},
	})
	obey(t, resourceRequestRules, goodResourceRequest, map[string]func(*ResourceRequest){
		"access-token-type-header-case-sensitivity": func(r *ResourceRequest) { r.Scheme = "dpOp" },
		"certificate-bound":                         bearer(func(*ResourceRequest) {}),
		"certificate-bound, scheme bEARER":          bearer(func(r *ResourceRequest) { r.Scheme = "bEARER" }),
		"DPoP on a connection with a certificate":   func(r *ResourceRequest) { r.Proven.X5TS256 = "certificate-9" },
		"no scope needed":                           func(r *ResourceRequest) { r.Scope, r.Token.Scope = nil, nil },
	})
}

func TestResourceRequestErrorCodes(t *testing.T) {
	codes := map[oauth.ErrorCode]func(*ResourceRequest){
		oauth.InvalidRequest:    func(r *ResourceRequest) { r.TokenInQuery = true },
		oauth.InvalidToken:      func(r *ResourceRequest) { r.Fault = errors.New("unreadable") },
		oauth.InvalidDPoPProof:  func(r *ResourceRequest) { r.Proven.JKT = "" },
		oauth.InsufficientScope: func(r *ResourceRequest) { r.Token.Scope = nil },
	}
	for code, do := range codes {
		request := goodResourceRequest()
		do(&request)
		if refusal := CheckResourceRequest(request); refusal == nil || refusal.Code != code {
			t.Errorf("got %v, want %s", refusal, code)
		}
	}
}
