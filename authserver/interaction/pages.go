package interaction

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/authorizationdetails"
	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/store"
)

// The addresses of the pages below the prefix.
const (
	loginPath   = "/login"
	consentPath = "/consent"
)

// Pages serves login and consent. Every field without the word optional is required.
type Pages struct {
	Interactions store.Interactions
	Sessions     store.Sessions
	Clients      Clients
	Users        *Users
	Throttle     *Throttle
	// Finish answers the client: it issues the code or refuses, and redirects
	// with 303. It is called once the person has decided, or at once when the
	// request forbids to ask (prompt=none).
	Finish func(w http.ResponseWriter, r *http.Request, outcome Outcome)
	// Record tells the operator of a refusal, and of what is unforeseen, before
	// its page is shown.
	Record func(r *http.Request, refusal *oauth.Error)
	Now    func() time.Time
	Log    *slog.Logger
	// PathPrefix is where Handler is mounted, for example "/interaction".
	PathPrefix string
	// ServiceName is what people call the service that they log in to, for
	// example the bank's name.
	ServiceName string
	// SessionLifetime is how long one login serves further requests.
	SessionLifetime time.Duration
	// PasswordACR is the acr of a login with a password; optional.
	PasswordACR string
	// ScopeDescriptions says what each scope value lets a client do; optional. A
	// scope that neither it nor OpenID Connect describes is shown as its name.
	ScopeDescriptions map[string]string
	// DetailsTypes says what each type of authorization details and its members are
	// called.
	DetailsTypes *authorizationdetails.Types
	// Source names where a request comes from, for throttling; optional. Without
	// it that is the peer's address, which behind a proxy is the proxy's.
	Source func(r *http.Request) string
}

// Clients gives admitted clients.
type Clients interface {
	Client(ctx context.Context, clientID string) (*fapi.Client, error)
}

// Outcome is how an interaction ended.
type Outcome struct {
	// Interaction is in the store. Its Authentication is set when Approved is.
	Interaction store.Interaction
	Approved    bool
	// Scope is what the person granted; nil unless Approved.
	Scope []string
	// Error is the answer to the client; nil when Approved.
	Error *oauth.Error
}

// Handler serves everything below PathPrefix.
func (p *Pages) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+p.PathPrefix+loginPath, p.showLogin)
	mux.HandleFunc("POST "+p.PathPrefix+loginPath, p.acceptLogin)
	mux.HandleFunc("GET "+p.PathPrefix+consentPath, p.showConsent)
	mux.HandleFunc("POST "+p.PathPrefix+consentPath, p.acceptDecision)
	return mux
}

// redirect sends the browser to one of our own pages. 303 turns a POST into a
// GET, so that a password is never sent on (FAPI 2.0 Security Profile, 5.3.2.2-11).
func (p *Pages) redirect(w http.ResponseWriter, r *http.Request, path string, h handle) {
	setSecurityHeaders(w.Header(), formActionNone)
	http.Redirect(w, r, p.address(path, h), http.StatusSeeOther)
}

// address is built from constants and a handle alone, so no request can make it
// lead elsewhere.
func (p *Pages) address(path string, h handle) string {
	return p.PathPrefix + path + "?" + handleParam + "=" + string(h)
}
