package server

import (
	"context"
	"net/http"
	"net/url"
	"slices"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/fapi-operator/fapi-operator/authserver/endpoint/admin"
	"github.com/fapi-operator/fapi-operator/authserver/endpoint/authorize"
	"github.com/fapi-operator/fapi-operator/authserver/endpoint/discovery"
	"github.com/fapi-operator/fapi-operator/authserver/endpoint/introspect"
	"github.com/fapi-operator/fapi-operator/authserver/endpoint/par"
	"github.com/fapi-operator/fapi-operator/authserver/endpoint/register"
	"github.com/fapi-operator/fapi-operator/authserver/endpoint/replica"
	"github.com/fapi-operator/fapi-operator/authserver/endpoint/revoke"
	"github.com/fapi-operator/fapi-operator/authserver/endpoint/selftest"
	tokenendpoint "github.com/fapi-operator/fapi-operator/authserver/endpoint/token"
	"github.com/fapi-operator/fapi-operator/authserver/endpoint/userinfo"
	"github.com/fapi-operator/fapi-operator/authserver/interaction"
	"github.com/fapi-operator/fapi-operator/authserver/listen"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/resource"
	"github.com/fapi-operator/fapi-operator/authserver/token"
	"github.com/fapi-operator/fapi-operator/version"
)

const pathInteraction = "/interaction"

// publicRoutes is all that browsers and clients without a certificate call.
func (p *parts) publicRoutes() (http.Handler, error) {
	mux := http.NewServeMux()
	base := path(p.config.Issuer)
	if err := p.routeDiscovery(mux, base); err != nil {
		return nil, err
	}
	pages := p.pages(base)
	mux.Handle("GET "+base+discovery.PathAuthorization, p.authorize(pages))
	mux.Handle(base+pathInteraction+"/", pages.Handler())
	p.routeClientEndpoints(mux, base)
	return withHSTS(p.forwarding(nil, mux).Before(mux)), nil
}

// mtlsRoutes are the mtls_endpoint_aliases (RFC 8705, 5), and the self-test of the
// way that certificates take to them.
func (p *parts) mtlsRoutes() (http.Handler, error) {
	mux := http.NewServeMux()
	base := path(p.config.MTLSBaseURL)
	p.routeClientEndpoints(mux, base)
	mux.Handle(base+selftest.Path, p.responder.Methods(&selftest.Handler{Responder: p.responder}, http.MethodGet))
	proxy, err := openProxy(p.config.Listeners.MTLS, p.now, p.log)
	if err != nil {
		return nil, err
	}
	return withHSTS(p.forwarding(proxy, mux).Before(mux)), nil
}

// privateRoutes is what the operator and administrators call.
func (p *parts) privateRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", p.register())
	mux.Handle(admin.Path, p.admin())
	mux.Handle(replica.Path, p.replica())
	return mux
}

// replica tells of this replica to who may register.
func (p *parts) replica() http.Handler {
	return &replica.Handler{
		Issuer: p.config.Issuer, MTLSBaseURL: p.config.MTLSBaseURL,
		MetadataURL: p.config.Issuer + discovery.PathMetadata, Endpoints: discovery.Endpoints(p.config.Issuer, p.config.MTLSBaseURL),
		Host: p.host, StartedAt: p.startedAt, Version: version.Number(),
		Schema: p.store.Schema(), ClientRevision: p.clients.Revision, Keys: p.keys,
		Callers: p.operators().In, Log: p.log, Count: p.responder.CountRefusal,
	}
}

func (p *parts) operators() listen.Operators { return listen.OperatorsOf(p.config.Listeners.Private) }

func (p *parts) register() http.Handler {
	return &register.Handler{
		Store: p.store, Callers: p.operators().In, Installations: p.operators().Installations,
		Limits: p.config.Limits(), Issuer: p.config.Issuer, Now: p.now, Log: p.log, Count: p.responder.CountRefusal,
	}
}

func (p *parts) admin() http.Handler {
	return &admin.Handler{
		Store: p.store, Keys: p.keys, Callers: listen.Names(p.config.Listeners.Private.AdministratorSANs).In, Now: p.now, Log: p.log,
		Count: p.responder.CountRefusal,
	}
}

func (p *parts) healthRoutes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		if err := p.store.Ping(r.Context()); err != nil {
			http.Error(w, "the store does not answer", http.StatusServiceUnavailable)
			return
		}
		if err := p.keys.Ready(r.Context()); err != nil {
			p.log.Warn("the signing keys cannot be used", "error", err)
			http.Error(w, "what keeps the signing keys does not answer", http.StatusServiceUnavailable)
		}
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(p.registry, promhttp.HandlerOpts{}))
	return mux
}

// routeDiscovery serves one document at both addresses: OpenID Connect
// Discovery, 4 appends its well-known path to the issuer's, RFC 8414, 3 puts its
// own before it.
func (p *parts) routeDiscovery(mux *http.ServeMux, base string) error {
	scopes := append(p.config.ScopeNames(), oauth.ScopeOpenID, oauth.ScopeOfflineAccess)
	slices.Sort(scopes)
	metadata, err := discovery.Metadata(discovery.Server{
		Issuer: p.config.Issuer, MTLSBaseURL: p.config.MTLSBaseURL, Scopes: slices.Compact(scopes),
		AuthorizationDetailsTypes: p.details.Names(),
		PersonalClaims:            interaction.ClaimNames(),
		ACRValues:                 p.config.Authentication.ACR.Values(),
		UILocales:                 interaction.Languages(),
	})
	if err != nil {
		return err
	}
	mux.Handle("GET "+base+discovery.PathMetadata, metadata)
	mux.Handle("GET /.well-known/oauth-authorization-server"+base, metadata)
	mux.Handle("GET "+base+discovery.PathJWKS, discovery.Keys(p.keys.PublicKeys))
	return nil
}

// routeClientEndpoints are the endpoints that authenticate a client or a token.
// They are the same on both listeners; only the mtls one has certificates.
func (p *parts) routeClientEndpoints(mux *http.ServeMux, base string) {
	handle := func(path string, handler http.Handler, methods ...string) {
		mux.Handle(base+path, p.responder.Preflight(p.store, p.front.ProvideNonce(p.responder.Methods(handler, methods...))))
	}
	handle(discovery.PathPAR, p.par(), http.MethodPost)
	handle(discovery.PathToken, p.token(), http.MethodPost)
	handle(discovery.PathRevocation, p.revoke(), http.MethodPost)
	handle(discovery.PathIntrospection, p.introspect(), http.MethodPost)
	handle(discovery.PathUserinfo, p.userinfo(), http.MethodGet, http.MethodPost)
}

func (p *parts) par() http.Handler {
	return &par.Handler{
		Front: p.front, Responder: p.responder, Store: p.store, Now: p.now,
		Resources: p.config.Resources(), AuthorizationDetails: p.details,
		HintedSubject: p.verifier.HintedSubject,
		RequestObjects: &par.RequestObjects{
			Issuer: p.config.Issuer, Keys: p.clientKeys, DecryptionKeys: p.keys.DecryptionKeys,
			RefreshedDecryptionKeys: p.keys.RefreshedDecryptionKeys, Now: p.now,
		},
	}
}

func (p *parts) token() http.Handler {
	return &tokenendpoint.Handler{
		Front: p.front, Responder: p.responder, Grants: p.store, Minter: p.minter, Keys: p.clientKeys,
		Issuer: p.config.Issuer, DefaultResource: p.config.DefaultResource, AuthorizationDetails: p.details,
		RefreshTokenLifetime: p.config.RefreshToken.Lifetime, KnowsPerson: p.knowsPerson,
		Claims: p.claims, Now: p.now,
	}
}

func (p *parts) revoke() http.Handler {
	return &revoke.Handler{Front: p.front, Responder: p.responder, Grants: p.store, AccessTokens: p.verifier, Now: p.now}
}

func (p *parts) introspect() http.Handler {
	return &introspect.Handler{
		Front: p.front, Responder: p.responder, Grants: p.store, AccessTokens: p.verifier, ActiveTokens: p.active,
		Minter: p.minter, Keys: p.clientKeys, Now: p.now,
	}
}

func (p *parts) userinfo() http.Handler {
	return &userinfo.Handler{
		Guard: &resource.Guard{
			Issuer: p.config.Issuer, Resource: p.config.Issuer, Revocation: p.active, Proof: p.front.Proof, Now: p.now,
			Verify: func(_ context.Context, compact string) (token.AccessToken, error) { return p.verifier.Verify(compact) },
		},
		Responder: p.responder, Clients: p.clients, Claims: p.claims, Grants: p.store,
		Minter: p.minter, Keys: p.clientKeys,
	}
}

func (p *parts) authorize(pages *interaction.Pages) http.Handler {
	return &authorize.Handler{
		Store: p.store, Clients: p.clients, Responder: p.responder,
		Begin: pages.Begin, ShowError: showError(pages), Now: p.now,
	}
}

func (p *parts) pages(base string) *interaction.Pages {
	pages := &interaction.Pages{
		Interactions: p.store, Sessions: p.store, Clients: p.clients,
		Users: p.users, Throttle: interaction.NewThrottle(), Record: p.responder.Record, Now: p.now, Log: p.log,
		PathPrefix: base + pathInteraction, ServiceName: host(p.config.Issuer), ScopeDescriptions: p.config.ScopeDescriptions(),
		DetailsTypes: p.details, SessionLifetime: p.config.Session.Lifetime, PasswordACR: p.config.Authentication.ACR.Password,
	}
	finisher := &authorize.Finisher{
		Issuer: p.config.Issuer, Store: p.store, Clients: p.clients, Responder: p.responder,
		Keys: p.clientKeys, Minter: p.minter, ShowError: showError(pages),
		GrantLifetime: p.config.RefreshToken.Lifetime, Now: p.now,
	}
	pages.Finish = func(w http.ResponseWriter, r *http.Request, outcome interaction.Outcome) {
		finish(finisher, w, r, outcome)
	}
	return pages
}

func finish(finisher *authorize.Finisher, w http.ResponseWriter, r *http.Request, outcome interaction.Outcome) {
	if outcome.Approved {
		finisher.Approve(w, r, outcome.Interaction, outcome.Scope)
		return
	}
	finisher.Refuse(w, r, outcome.Interaction, outcome.Error)
}

func showError(pages *interaction.Pages) func(http.ResponseWriter, *http.Request, *oauth.Error) {
	return func(w http.ResponseWriter, r *http.Request, refusal *oauth.Error) {
		pages.RenderError(w, r, refusal.Code.Status(), refusal)
	}
}

// withHSTS keeps browsers on TLS for two years, in seconds (FAPI 2.0 Security
// Profile, 5.2.3-1; RFC 6797).
func withHSTS(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Strict-Transport-Security", "max-age=63072000")
		next.ServeHTTP(w, r)
	})
}

// parsed parses a URL that the configuration has validated.
func parsed(validated string) *url.URL {
	u, err := url.Parse(validated)
	if err != nil {
		return &url.URL{}
	}
	return u
}

func path(validated string) string { return parsed(validated).Path }
func host(validated string) string { return parsed(validated).Hostname() }

// origin is the URL without its path: a request's path has the base's in it.
func origin(validated string) string {
	u := parsed(validated)
	return u.Scheme + "://" + u.Host
}
