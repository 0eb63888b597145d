package interaction

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/fapi-operator/fapi-operator/authserver/authorizationdetails"
	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/authserver/store"
	"github.com/fapi-operator/fapi-operator/authserver/store/sqlite"
)

const (
	testClientID = "shop.web"
	testCallback = "https://shop.example.com/callback"
	alice        = "alice"
	bob          = "bob"
	testPassword = "correct horse battery staple"
)

var testOwner = registration.Owner{Installation: "test", Namespace: "shop", Name: "web"}

// testHash is computed once, at the least cost that a users' file may have.
var testHash = sync.OnceValue(func() string {
	hash := passwordHash{memoryKiB: minHashMemoryKiB, passes: 5, threads: 1, salt: []byte("sixteen byte sal")}
	hash.tag = hash.compute(testPassword, hashTagBytes)
	return hash.String()
})

type fakeClock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// storedClients admits what the store keeps, as the server does.
type storedClients struct{ store store.Clients }

func (c storedClients) Client(ctx context.Context, clientID string) (*fapi.Client, error) {
	record, err := c.store.Client(ctx, clientID)
	if err != nil {
		return nil, err
	}
	client, violations := fapi.AdmitClient(record.Metadata, fapi.Limits{})
	if len(violations) > 0 {
		return nil, fmt.Errorf("client %s is not admitted: %+v", clientID, violations)
	}
	return client, nil
}

// site is the pages behind a real TLS listener, over a real store, with an
// authorization endpoint that begins whatever request is set.
type site struct {
	t      *testing.T
	server *httptest.Server
	store  store.Store
	pages  *Pages
	clock  *fakeClock

	generation int64

	mu      sync.Mutex
	request store.AuthorizationRequest
	outcome []Outcome
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t, clock: &fakeClock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}}
	database, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := database.Close(); err != nil {
			t.Error(err)
		}
	})
	s.store = database
	s.register(registration.Metadata{ClientName: "The Shop"})
	s.request = store.AuthorizationRequest{
		ClientID: testClientID, RedirectURI: testCallback, CodeChallenge: "challenge", Scope: []string{"openid", "accounts"},
	}
	s.pages = &Pages{
		Interactions: database, Sessions: database, Clients: storedClients{database},
		Users: testUsers(t), Throttle: NewThrottle(), Finish: s.finish, Record: func(*http.Request, *oauth.Error) {},
		Now: s.clock.Now, Log: slog.New(slog.DiscardHandler),
		PathPrefix: "/interaction", ServiceName: "Example Bank", SessionLifetime: testSessionLifetime,
		DetailsTypes:      testDetailsTypes(t),
		ScopeDescriptions: map[string]string{"accounts": "See your accounts"},
	}
	mux := http.NewServeMux()
	mux.Handle("/interaction/", s.pages.Handler())
	mux.HandleFunc("GET /authorize", s.authorize)
	s.server = httptest.NewTLSServer(mux)
	t.Cleanup(s.server.Close)
	return s
}

// testSessionLifetime is longer than every other lifetime here.
const testSessionLifetime = time.Hour

func testUsers(t *testing.T) *Users {
	t.Helper()
	users, err := ParseUsers(fmt.Appendf(nil, `
users:
- username: alice
  passwordHash: %[1]s
  claims: {name: Alice Example}
- username: bob
  passwordHash: %[1]s
`, testHash()))
	if err != nil {
		t.Fatal(err)
	}
	return users
}

// register keeps a client that the rule book admits; what it changes besides is
// up to the caller.
func (s *site) register(metadata registration.Metadata) {
	s.t.Helper()
	metadata.ClientID = testClientID
	metadata.GrantTypes = []string{oauth.GrantAuthorizationCode}
	metadata.RedirectURIs = []string{testCallback}
	metadata.Scope = "openid accounts payments"
	metadata.TokenEndpointAuthMethod = oauth.AuthPrivateKeyJWT
	metadata.JWKSURI = "https://shop.example.com/jwks.json"
	metadata.DPoPBoundAccessTokens = new(true)
	s.generation++
	_, _, err := s.store.PutClient(s.t.Context(), store.ClientWrite{
		Owner: testOwner, Generation: s.generation, Metadata: metadata, Now: s.clock.Now(),
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

// ask sets what the next visits to the authorization endpoint ask for.
func (s *site) ask(change func(request *store.AuthorizationRequest)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.request)
}

// authorize begins an interaction over the request_uri in the query.
func (s *site) authorize(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	request := s.request
	s.mu.Unlock()
	uri := oauth.SecretFrom(r.URL.Query().Get(oauth.ParamRequestURI)).Digest()
	s.pages.Begin(w, r, store.Interaction{RequestURI: uri, Request: request})
}

// finish keeps the outcome in the store, as the authorization endpoint does.
func (s *site) finish(w http.ResponseWriter, r *http.Request, outcome Outcome) {
	s.mu.Lock()
	s.outcome = append(s.outcome, outcome)
	s.mu.Unlock()
	answer, err := s.keep(r.Context(), outcome)
	if err != nil {
		s.t.Errorf("keep the outcome: %v", err)
	}
	http.Redirect(w, r, outcome.Interaction.Request.RedirectURI+"?"+answer, http.StatusSeeOther)
}

// keep gives the answer to the client.
func (s *site) keep(ctx context.Context, outcome Outcome) (answer string, err error) {
	now := s.clock.Now()
	if !outcome.Approved {
		return "error=" + string(outcome.Error.Code), s.store.RefuseAuthorization(ctx, outcome.Interaction.ID, now)
	}
	grant := store.Grant{
		ID: oauth.NewSecret().Reveal(), Request: outcome.Interaction.Request, Authentication: *outcome.Interaction.Authentication,
		Scope: outcome.Scope, CreatedAt: now, ExpiresAt: now.Add(time.Hour),
	}
	code := store.Code{
		Digest: oauth.NewSecret().Digest(), GrantID: grant.ID, ClientID: grant.Request.ClientID, ExpiresAt: now.Add(time.Minute),
	}
	return "code=issued", s.store.CompleteAuthorization(ctx, outcome.Interaction.ID, grant, code, now)
}

// outcomes gives what Finish was called with.
func (s *site) outcomes() []Outcome {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Outcome(nil), s.outcome...)
}

// push keeps a pushed request and gives the address that a client sends people to.
func (s *site) push() string {
	s.t.Helper()
	uri := oauth.NewSecret()
	s.mu.Lock()
	request := s.request
	s.mu.Unlock()
	err := s.store.PushRequest(s.t.Context(), store.PushedRequest{
		URI: uri.Digest(), Request: request, ExpiresAt: s.clock.Now().Add(fapi.RequestURILifetime),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return s.server.URL + "/authorize?request_uri=" + uri.Reveal()
}

// browser follows redirects within the site, keeps cookies and knows no JavaScript.
type browser struct {
	t      *testing.T
	client *http.Client
	site   *site
}

func (s *site) browser() *browser {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	client := *s.server.Client()
	client.Jar = jar
	client.CheckRedirect = func(next *http.Request, _ []*http.Request) error {
		if "https://"+next.URL.Host != s.server.URL {
			return http.ErrUseLastResponse
		}
		return nil
	}
	return &browser{s.t, &client, s}
}

// page is what the browser shows, or the redirect that leaves the site.
type page struct {
	status   int
	url      *url.URL
	header   http.Header
	document *html.Node
	text     string
}

func (b *browser) do(request *http.Request) page {
	b.t.Helper()
	response, err := b.client.Do(request)
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	document, err := html.Parse(response.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return page{response.StatusCode, response.Request.URL, response.Header, document, textOf(document)}
}

func (b *browser) get(address string) page {
	b.t.Helper()
	request, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, address, http.NoBody)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.do(request)
}

// submission is a page's form, filled in, as a request.
func (b *browser) submission(p page, fields map[string]string) *http.Request {
	b.t.Helper()
	form := find(p.document, func(n *html.Node) bool { return n.Data == "form" })
	if form == nil {
		b.t.Fatalf("no form on %s: %s", p.url, p.text)
	}
	values := hiddenFields(form)
	for name, value := range fields {
		values.Set(name, value)
	}
	target, err := p.url.Parse(attribute(form, "action"))
	if err != nil {
		b.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, target.String(), strings.NewReader(values.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Sec-Fetch-Site", "same-origin")
	return request
}

func (b *browser) submit(p page, fields map[string]string) page {
	b.t.Helper()
	return b.do(b.submission(p, fields))
}

func (b *browser) logIn(p page, username, password string) page {
	b.t.Helper()
	return b.submit(p, map[string]string{"username": username, "password": password})
}

func (b *browser) decide(p page, decision string) page {
	b.t.Helper()
	return b.submit(p, map[string]string{"decision": decision})
}

// consentPage visits the authorization endpoint and logs in as alice.
func (b *browser) consentPage() page {
	b.t.Helper()
	consent := b.logIn(b.get(b.site.push()), alice, testPassword)
	consent.requirePath(b.t, "/interaction/consent")
	return consent
}

// cookie gives the value of the first cookie whose name starts with prefix.
func (b *browser) cookie(prefix string) string {
	address, _ := url.Parse(b.site.server.URL)
	for _, cookie := range b.client.Jar.Cookies(address) {
		if strings.HasPrefix(cookie.Name, prefix) {
			return cookie.Value
		}
	}
	return ""
}

func (p page) requirePath(t *testing.T, path string) {
	t.Helper()
	if p.status != http.StatusOK || p.url.Path != path {
		t.Fatalf("the browser shows %s with status %d, not %s: %s", p.url, p.status, path, p.text)
	}
}

// requireAnswer: the browser has been sent back to the client with the answer.
func (p page) requireAnswer(t *testing.T, answer string) {
	t.Helper()
	if want := testCallback + "?" + answer; p.status != http.StatusSeeOther || p.header.Get("Location") != want {
		t.Fatalf("status %d, Location %q, want 303 to %q: %s", p.status, p.header.Get("Location"), want, p.text)
	}
}

// requireMessage: the browser shows an element with the id, and the text in it.
func (p page) requireMessage(t *testing.T, status int, id, text string) {
	t.Helper()
	if p.status != status || p.element(id) == nil || !strings.Contains(textOf(p.element(id)), text) {
		t.Fatalf("status %d, want %d with #%s saying %q: %s", p.status, status, id, text, p.text)
	}
}

// element finds an element by id; nil without one.
func (p page) element(id string) *html.Node {
	return find(p.document, func(n *html.Node) bool { return attribute(n, "id") == id })
}

func find(root *html.Node, wanted func(*html.Node) bool) *html.Node {
	for node := range root.Descendants() {
		if node.Type == html.ElementNode && wanted(node) {
			return node
		}
	}
	return nil
}

func attribute(node *html.Node, name string) string {
	for _, a := range node.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func hiddenFields(form *html.Node) url.Values {
	values := url.Values{}
	for node := range form.Descendants() {
		if node.Data == "input" && attribute(node, "type") == "hidden" {
			values.Set(attribute(node, "name"), attribute(node, "value"))
		}
	}
	return values
}

// textOf is what a person reads: no style sheet.
func textOf(root *html.Node) string {
	var words []string
	for node := range root.Descendants() {
		if node.Type == html.TextNode && node.Parent.Data != "style" {
			words = append(words, strings.Fields(node.Data)...)
		}
	}
	return strings.Join(words, " ")
}

const paymentSchema = `{
  "type": "object",
  "properties": {
    "type": true,
    "instructedAmount": {"title": "Amount", "type": "object", "additionalProperties": false},
    "creditorAccount": {
      "title": "Account", "type": "object", "properties": {"iban": {"title": "IBAN", "type": "string"}}, "additionalProperties": false
    }
  },
  "additionalProperties": false
}`

func testDetailsTypes(t *testing.T) *authorizationdetails.Types {
	t.Helper()
	file := filepath.Join(t.TempDir(), "payment.json")
	if err := os.WriteFile(file, []byte(paymentSchema), 0o600); err != nil {
		t.Fatal(err)
	}
	types, err := authorizationdetails.Load(map[string]authorizationdetails.Declaration{
		"payment_initiation": {Description: "Make this payment from your account", SchemaFile: file},
	})
	if err != nil {
		t.Fatal(err)
	}
	return types
}
