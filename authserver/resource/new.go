package resource

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fapi-operator/fapi-operator/authserver/dpop"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/store"
	"github.com/fapi-operator/fapi-operator/authserver/token"
)

// Config is what a resource server knows of itself and of its authorization server.
type Config struct {
	// Issuer is the authorization server's issuer identifier; Resource identifies
	// the resource server: the aud of access tokens for it.
	Issuer   string
	Resource string
	// BaseURLs are all the addresses under which clients reach the resource server,
	// without a trailing slash. A DPoP proof's htu is compared with them and never
	// with the Host header, which a proxy may have changed.
	BaseURLs []string
	// Roots verify the authorization server's certificate; nil means the system's.
	Roots *x509.CertPool
	// Introspection is how revoked access tokens are recognized. It may be nil only
	// with RevocationUnchecked, which goes against FAPI 2.0 Security Profile,
	// 5.3.4-3 and is logged: access tokens then work until they expire.
	Introspection       *Introspection
	RevocationUnchecked bool
	// Replay remembers the DPoP proofs that were accepted, for all replicas of the
	// resource server; nil remembers those of this process.
	Replay store.SingleUse
	Now    func() time.Time
	// Log gets every refusal with its rule, and Metrics counts them
	// (resource_refusals_total, by rule and code); nil counts nothing.
	Log     *slog.Logger
	Metrics prometheus.Registerer
}

// New reads the issuer's metadata and makes a Guard of it. Errors: a Config that
// is not complete; an issuer that does not answer, or is another one.
func New(ctx context.Context, config Config) (*Guard, error) {
	if err := config.check(); err != nil {
		return nil, fmt.Errorf("protect %s: %w", config.Resource, err)
	}
	issuer, err := discover(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("protect %s: %w", config.Resource, err)
	}
	revocation, err := config.revocation(issuer)
	if err != nil {
		return nil, fmt.Errorf("protect %s: %w", config.Resource, err)
	}
	record, err := config.recorder()
	if err != nil {
		return nil, fmt.Errorf("protect %s: %w", config.Resource, err)
	}
	return &Guard{
		Issuer: config.Issuer, Resource: config.Resource, Now: config.Now,
		Verify: issuer.verify, Revocation: revocation, Proof: config.proof(), Record: record,
	}, nil
}

func (c Config) check() error {
	switch {
	case c.Issuer == "" || c.Resource == "" || len(c.BaseURLs) == 0 || c.Now == nil || c.Log == nil:
		return errors.New("the Config lacks one of Issuer, Resource, BaseURLs, Now and Log")
	case c.Introspection == nil && !c.RevocationUnchecked:
		return errors.New("state how revoked access tokens are recognized: Introspection, or RevocationUnchecked to accept them until they expire")
	case c.Introspection != nil && c.RevocationUnchecked:
		return errors.New("Introspection and RevocationUnchecked exclude each other")
	}
	return nil
}

func (c Config) revocation(issuer *issuer) (Revocation, error) {
	if c.RevocationUnchecked {
		c.Log.Warn("revoked access tokens are accepted until they expire: their revocation is not checked (FAPI 2.0 Security Profile, 5.3.4-3)",
			"resource", c.Resource, "issuer", c.Issuer)
		return unchecked{}, nil
	}
	return newIntrospector(*c.Introspection, issuer, c)
}

// recorder logs and counts refusals.
func (c Config) recorder() (func(*http.Request, *oauth.Error), error) {
	refusals := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "resource_refusals_total", Help: "Resource requests refused, by rule and OAuth error code.",
	}, []string{"rule", "code"})
	if c.Metrics != nil {
		if err := c.Metrics.Register(refusals); err != nil {
			return nil, err
		}
	}
	return func(r *http.Request, refusal *oauth.Error) {
		c.Log.InfoContext(r.Context(), "resource request refused", "resource", c.Resource, "path", r.URL.Path,
			"code", refusal.Code, "rule", refusal.Rule, "description", refusal.Description, "cause", refusal.Cause)
		refusals.WithLabelValues(string(cmp.Or(refusal.Rule, oauth.NoRule)), string(refusal.Code)).Inc()
	}, nil
}

// unchecked takes every access token for good.
type unchecked struct{}

func (unchecked) Active(context.Context, string, token.AccessToken) (bool, error) { return true, nil }

// proof verifies proofs that name one of the resource server's own addresses.
func (c Config) proof() func(r *http.Request, accessToken, boundTo string) (string, *oauth.Error) {
	replay := c.Replay
	if replay == nil {
		replay = newRecentProofs(c.Now)
	}
	verifier := &dpop.Verifier{Replay: replay, Now: c.Now}
	return func(r *http.Request, accessToken, boundTo string) (string, *oauth.Error) {
		return verifier.VerifyRequest(r, c.BaseURLs, accessToken, boundTo)
	}
}
