package resource

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/token"
)

// Introspection asks the authorization server whether an access token is still
// good (RFC 7662).
type Introspection struct {
	// ClientID is the resource server's own, registered with
	// fapi_operator_introspection_resources.
	ClientID string
	// SigningKey authenticates it by private_key_jwt; Certificate by mutual TLS.
	// Exactly one of them is set.
	SigningKey  *jose.SigningKey
	Certificate *tls.Certificate
	// Signed asks for signed answers (FAPI 2.0 Message Signing, 5.5.1; RFC 9701).
	Signed bool
	// CacheFor is how long an answer is used again, and so how long a revoked
	// access token may still work here; 0 asks at every request.
	CacheFor time.Duration
}

// maxCachedAnswers bounds the answers that are kept, about 100 bytes each; our own choice.
const maxCachedAnswers = 100_000

// introspector is Introspection at work.
type introspector struct {
	Introspection
	issuer   *issuer
	endpoint string
	client   *http.Client
	answers  *lru.Cache[oauth.Digest, answer]
	now      func() time.Time
}

// answer is what was said of an access token, and when.
type answer struct {
	active bool
	at     time.Time
}

func newIntrospector(settings Introspection, issuer *issuer, config Config) (*introspector, error) {
	if settings.ClientID == "" || (settings.SigningKey == nil) == (settings.Certificate == nil) || settings.CacheFor < 0 {
		return nil, errors.New("introspection needs a ClientID, either a SigningKey or a Certificate, and a CacheFor that is not negative")
	}
	endpoint, tlsSettings := issuer.metadata.IntrospectionEndpoint, &tls.Config{RootCAs: config.Roots}
	if settings.Certificate != nil {
		endpoint, tlsSettings.Certificates = issuer.metadata.Aliases.IntrospectionEndpoint, []tls.Certificate{*settings.Certificate}
	}
	if !strings.HasPrefix(endpoint, "https://") {
		return nil, fmt.Errorf("the metadata of %s has no https introspection_endpoint", config.Issuer)
	}
	answers, err := lru.New[oauth.Digest, answer](maxCachedAnswers)
	if err != nil {
		return nil, fmt.Errorf("make the cache of answers: %w", err)
	}
	return &introspector{
		Introspection: settings, issuer: issuer, endpoint: endpoint, client: newHTTPClient(tlsSettings), answers: answers, now: config.Now,
	}, nil
}

// Active implements Revocation.
func (i *introspector) Active(ctx context.Context, compact string, _ token.AccessToken) (bool, error) {
	digest := sha256.Sum256([]byte(compact))
	now := i.now()
	if known, cached := i.answers.Get(digest); cached && now.Sub(known.at) < i.CacheFor {
		return known.active, nil
	}
	active, err := i.ask(ctx, compact)
	if err != nil {
		return false, unavailable("introspect the access token", err)
	}
	if i.CacheFor > 0 {
		i.answers.Add(digest, answer{active, now})
	}
	return active, nil
}

func (i *introspector) ask(ctx context.Context, compact string) (bool, error) {
	form, err := i.form(compact)
	if err != nil {
		return false, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, i.endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return false, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", "application/json")
	if i.Signed {
		request.Header.Set("Accept", "application/"+oauth.TypeIntrospection)
	}
	body, err := exchange(i.client, request)
	if err != nil {
		return false, err
	}
	return i.read(ctx, body)
}

// assertionLifetime is a minute, as for any client; our own choice.
const assertionLifetime = time.Minute

func (i *introspector) form(compact string) (url.Values, error) {
	form := url.Values{oauth.ParamToken: {compact}, oauth.ParamTokenTypeHint: {"access_token"}, oauth.ParamClientID: {i.ClientID}}
	if i.SigningKey == nil {
		return form, nil
	}
	now := i.now()
	assertion, err := i.SigningKey.Sign("", map[string]any{
		"iss": i.ClientID, "sub": i.ClientID, "aud": i.issuer.metadata.Issuer, "jti": oauth.NewSecret().Reveal(),
		"iat": now.Unix(), "exp": now.Add(assertionLifetime).Unix(),
	})
	form.Set(oauth.ParamClientAssertionType, oauth.ClientAssertionTypeJWT)
	form.Set(oauth.ParamClientAssertion, assertion)
	return form, err
}

// read believes an answer that has active, and a signed one only from the issuer
// and for this resource server (RFC 9701, 5).
func (i *introspector) read(ctx context.Context, body []byte) (bool, error) {
	var told struct {
		Active *bool `json:"active"`
	}
	if !i.Signed {
		if err := json.Unmarshal(body, &told); err != nil {
			return false, fmt.Errorf("the answer is not JSON: %w", err)
		}
	} else if err := i.open(ctx, string(body), &told); err != nil {
		return false, fmt.Errorf("the signed answer: %w", err)
	}
	if told.Active == nil {
		return false, errors.New("the answer has no member active")
	}
	return *told.Active, nil
}

func (i *introspector) open(ctx context.Context, compact string, told any) error {
	unverified, err := jose.ParseSigned(compact, jose.SignatureAlgorithms())
	if err != nil {
		return err
	}
	var verified *jose.VerifiedJWT
	err = i.issuer.withKeys(ctx, func(keys *jose.KeySet) error {
		verified, err = unverified.Verify(keys)
		return err
	})
	if err != nil {
		return err
	}
	return i.judge(verified, told)
}

func (i *introspector) judge(verified *jose.VerifiedJWT, told any) error {
	var claims struct {
		Issuer        string          `json:"iss"`
		Audience      *jose.Audience  `json:"aud"`
		Introspection json.RawMessage `json:"token_introspection"`
	}
	if err := verified.Claims(&claims); err != nil {
		return err
	}
	if !verified.TypeIs(oauth.TypeIntrospection) || claims.Issuer != i.issuer.metadata.Issuer ||
		claims.Audience == nil || !claims.Audience.Contains(i.ClientID) {
		return errors.New("it is no introspection response of the issuer for this resource server")
	}
	return json.Unmarshal(claims.Introspection, told)
}
