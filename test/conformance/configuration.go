package main

import "encoding/json"

// configuration is what the suite is told about a plan, in its own members.
type configuration struct {
	Alias       string                     `json:"alias"`
	Description string                     `json:"description"`
	Server      suiteServer                `json:"server"`
	Client      suiteClientKeys            `json:"client"`
	Client2     suiteClientKeys            `json:"client2"`
	MTLS        *suiteCertificate          `json:"mtls,omitempty"`
	MTLS2       *suiteCertificate          `json:"mtls2,omitempty"`
	Resource    suiteResource              `json:"resource"`
	Browser     []visit                    `json:"browser"`
	Override    map[string]browserOverride `json:"override"`
	Options     map[string]bool            `json:"options"`
}

type suiteServer struct {
	DiscoveryURL string `json:"discoveryUrl"`
}

type suiteClientKeys struct {
	ClientID       string          `json:"client_id"`
	Scope          string          `json:"scope"`
	JWKS           json.RawMessage `json:"jwks"`
	DPoPSigningAlg string          `json:"dpop_signing_alg,omitempty"`
}

type suiteCertificate struct {
	Certificate string `json:"cert"`
	Key         string `json:"key"`
	Authority   string `json:"ca"`
}

type suiteResource struct {
	URL     string          `json:"resourceUrl"`
	Details json.RawMessage `json:"richAuthorizationRequest,omitempty"`
}

func (s *server) configuration(plan plan, alias string) (configuration, error) {
	browser := browser{issuer: s.issuer, person: s.person}
	made := configuration{
		Alias: alias, Description: plan.Name,
		Server:   suiteServer{s.issuer + "/.well-known/" + wellKnown(plan.Variant)},
		Resource: suiteResource{URL: s.resourceURL(plan.Variant)},
		Browser:  browser.usual(), Override: browser.special(),
		Options: map[string]bool{"browsercontrol_css_enable": false},
	}
	if plan.Variant.usesDetails() {
		made.Resource.Details = json.RawMessage(authorizationDetails)
	}
	if plan.Variant.usesCertificate() {
		made.MTLS, made.MTLS2 = s.suiteCertificate(s.parties[0]), s.suiteCertificate(s.parties[1])
	}
	var err error
	if made.Client, err = suiteKeys(s.parties[0], plan); err != nil {
		return configuration{}, err
	}
	made.Client2, err = suiteKeys(s.parties[1], plan)
	return made, err
}

// wellKnown is the name of the metadata that the suite reads: OpenID Connect
// Discovery's with OpenID Connect, RFC 8414's without.
func wellKnown(v variant) string {
	if v.usesOpenID() {
		return "openid-configuration"
	}
	return "oauth-authorization-server"
}

func suiteKeys(party party, plan plan) (suiteClientKeys, error) {
	keys, err := party.privateKeys()
	made := suiteClientKeys{ClientID: party.clientID(plan), Scope: plan.Variant.scope(), JWKS: keys}
	if plan.Variant.usesDPoP() {
		made.DPoPSigningAlg = string(clientAlgorithm)
	}
	return made, err
}

func (s *server) suiteCertificate(party party) *suiteCertificate {
	return &suiteCertificate{string(party.certificate.certificate), string(party.certificate.key), string(s.authority.pem())}
}
