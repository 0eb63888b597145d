package interaction

import (
	"net/url"
	"slices"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// consentPage is what consent.html shows: what a person needs to know for an
// informed consent (FAPI 2.0 Security Profile, 5.3.2.2-13).
type consentPage struct {
	Action      string
	Token       string
	SwitchURL   string
	ClientName  string
	ClientID    string
	Links       []link
	Destination destination
	Details     []detailText
	Scopes      []scopeText
	Claims      []string
	Resources   []string
	User        User
}

type link struct {
	Text string
	URL  string
}

// destination is where the browser goes after the decision: a host, or an app
// on the device that has claimed a scheme of its own.
type destination struct {
	Host   string
	Scheme string
}

// scopeText is a scope value in words; Text is empty when there are none.
type scopeText struct {
	Name string
	Text string
}

// describeScopes uses the configuration's words where it has some.
func (p *Pages) describeScopes(spoken *words, scope []string) []scopeText {
	texts := make([]scopeText, 0, len(scope))
	for _, name := range scope {
		text, ok := p.ScopeDescriptions[name]
		if !ok {
			text = spoken.Scopes[name]
		}
		texts = append(texts, scopeText{name, text})
	}
	return texts
}

// describeClaims says what the claims parameter asks for one by one (OpenID
// Connect Core, 5.5), in the order of personalClaims. What nobody gives, such as an
// unknown claim, nobody has to be asked for.
func describeClaims(spoken *words, parameter string) ([]string, error) {
	request, err := fapi.ParseClaimsRequest(parameter)
	if err != nil {
		return nil, err
	}
	var texts []string
	for _, name := range personalClaims {
		_, inIDToken := request.IDToken[name]
		_, inUserInfo := request.UserInfo[name]
		if inIDToken || inUserInfo {
			texts = append(texts, spoken.Claims[name])
		}
	}
	return texts, nil
}

// clientLinks are the client's own pages. Only https is linked, and no picture
// is loaded from the client: it would tell the client who looks at the page.
func clientLinks(spoken *words, metadata registration.Metadata) []link {
	links := []link{
		{spoken.Website, metadata.ClientURI},
		{spoken.PrivacyPolicy, metadata.PolicyURI},
		{spoken.Terms, metadata.TOSURI},
	}
	return slices.DeleteFunc(links, func(l link) bool {
		address, err := url.Parse(l.URL)
		return err != nil || address.Scheme != "https" || address.Host == ""
	})
}

func destinationOf(redirectURI string) destination {
	address, err := url.Parse(redirectURI)
	if err != nil {
		return destination{Host: redirectURI}
	}
	if address.Host == "" || address.Scheme != "https" && address.Scheme != "http" {
		return destination{Scheme: address.Scheme}
	}
	return destination{Host: address.Host}
}
