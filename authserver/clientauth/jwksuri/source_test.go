package jwksuri

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// publisher is a client's web server that serves its jwks_uri over TLS.
type publisher struct {
	*httptest.Server
	requests atomic.Int64
	respond  atomic.Pointer[http.HandlerFunc]
}

func newPublisher(t *testing.T) *publisher {
	t.Helper()
	p := &publisher{}
	p.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.requests.Add(1)
		(*p.respond.Load())(w, r)
	}))
	t.Cleanup(p.Close)
	return p
}

func (p *publisher) serve(handler http.HandlerFunc) { p.respond.Store(&handler) }

func (p *publisher) publish(t *testing.T, keys ...*jose.SigningKey) {
	t.Helper()
	public := make([]jose.PublicKey, len(keys))
	for i, key := range keys {
		public[i] = key.Public()
	}
	document, err := json.Marshal(jose.NewKeySet(public...))
	if err != nil {
		t.Fatal(err)
	}
	p.serve(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(document) })
}

func (p *publisher) roots() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(p.Certificate())
	return pool
}

// clock is moved by hand.
type clock struct{ nanoseconds atomic.Int64 }

func (c *clock) now() time.Time { return time.Unix(1780315200, c.nanoseconds.Load()) }

func (c *clock) pass(d time.Duration) { c.nanoseconds.Add(int64(d)) }

func newKey(t *testing.T) *jose.SigningKey {
	t.Helper()
	key, err := jose.GenerateSigningKey(jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func clientAt(t *testing.T, edit func(*registration.Metadata)) *fapi.Client {
	t.Helper()
	metadata := registration.Metadata{
		ClientID: "team.app", TokenEndpointAuthMethod: oauth.AuthPrivateKeyJWT,
		GrantTypes: []string{oauth.GrantClientCredentials}, Scope: "accounts",
	}
	edit(&metadata)
	client, violations := fapi.AdmitClient(metadata, fapi.Limits{})
	if len(violations) > 0 {
		t.Fatal(violations)
	}
	return client
}

// setUp gives a source that may reach the publisher, and a client of it.
func setUp(t *testing.T) (*publisher, *Source, *fapi.Client, *clock) {
	t.Helper()
	p, c := newPublisher(t), &clock{}
	source := New(Config{AllowedNetworks: loopback, RootCAs: p.roots(), Now: c.now})
	client := clientAt(t, func(m *registration.Metadata) { m.JWKSURI = p.URL + "/jwks" })
	return p, source, client, c
}

func requireKeys(t *testing.T, keys *jose.KeySet, err error, want ...*jose.SigningKey) {
	t.Helper()
	if err != nil || keys.Len() != len(want) {
		t.Fatalf("%d keys, %v; want %d", keys.Len(), err, len(want))
	}
	for i, key := range keys.Keys() {
		if key.Thumbprint() != want[i].Public().Thumbprint() {
			t.Errorf("key %d is another one", i)
		}
	}
}

func TestKeySetIsReadOnceWhileItIsFresh(t *testing.T) {
	t.Parallel()
	p, source, client, clock := setUp(t)
	key := newKey(t)
	p.publish(t, key)
	for range 3 {
		keys, err := source.ClientKeys(context.Background(), client)
		requireKeys(t, keys, err, key)
	}
	if p.requests.Load() != 1 {
		t.Errorf("%d requests, want 1", p.requests.Load())
	}
	clock.pass(freshFor)
	keys, err := source.ClientKeys(context.Background(), client)
	requireKeys(t, keys, err, key)
	if p.requests.Load() != 2 {
		t.Errorf("%d requests, want 2", p.requests.Load())
	}
}

func TestNewKeyIsFoundAtABoundedRate(t *testing.T) {
	t.Parallel()
	p, source, client, clock := setUp(t)
	old, next := newKey(t), newKey(t)
	p.publish(t, old)
	keys, err := source.ClientKeys(context.Background(), client)
	requireKeys(t, keys, err, old)
	p.publish(t, old, next)
	for range 5 {
		keys, err = source.RefreshedClientKeys(context.Background(), client)
		requireKeys(t, keys, err, old)
	}
	clock.pass(minInterval)
	for range 5 {
		keys, err = source.RefreshedClientKeys(context.Background(), client)
		requireKeys(t, keys, err, old, next)
	}
	if p.requests.Load() != 2 {
		t.Errorf("%d requests for 11 questions, want 2", p.requests.Load())
	}
}

func TestStaleKeysServeWhileTheAddressFails(t *testing.T) {
	t.Parallel()
	p, source, client, clock := setUp(t)
	key := newKey(t)
	p.publish(t, key)
	keys, err := source.ClientKeys(context.Background(), client)
	requireKeys(t, keys, err, key)
	p.serve(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	clock.pass(usableFor - time.Second)
	keys, err = source.ClientKeys(context.Background(), client)
	requireKeys(t, keys, err, key)
	clock.pass(minInterval)
	if keys, err := source.ClientKeys(context.Background(), client); err == nil {
		t.Errorf("keys of more than an hour ago still serve: %d", keys.Len())
	}
}

func TestFailureIsNotTriedAgainAtOnce(t *testing.T) {
	t.Parallel()
	p, source, client, clock := setUp(t)
	p.serve(http.NotFound)
	for range 5 {
		if _, err := source.ClientKeys(context.Background(), client); err == nil {
			t.Error("keys out of a 404")
		}
	}
	if p.requests.Load() != 1 {
		t.Errorf("%d requests, want 1", p.requests.Load())
	}
	key := newKey(t)
	p.publish(t, key)
	clock.pass(minInterval)
	keys, err := source.ClientKeys(context.Background(), client)
	requireKeys(t, keys, err, key)
}

func TestConcurrentCallersShareAReading(t *testing.T) {
	t.Parallel()
	p, source, client, _ := setUp(t)
	key := newKey(t)
	p.publish(t, key)
	var group sync.WaitGroup
	for range 16 {
		group.Go(func() {
			if keys, err := source.ClientKeys(context.Background(), client); err != nil || keys.Len() != 1 {
				t.Errorf("%v, %v", keys, err)
			}
		})
	}
	group.Wait()
	if p.requests.Load() != 1 {
		t.Errorf("%d requests, want 1", p.requests.Load())
	}
}

func TestCallerWhoLeavesEndsNobodysReading(t *testing.T) {
	t.Parallel()
	p, source, client, _ := setUp(t)
	key := newKey(t)
	arrived, release := make(chan struct{}), make(chan struct{})
	p.publish(t, key)
	published := *p.respond.Load()
	p.serve(func(w http.ResponseWriter, r *http.Request) {
		close(arrived)
		<-release
		published(w, r)
	})
	ctx, cancel := context.WithCancel(context.Background())
	left := make(chan error)
	go func() { _, err := source.ClientKeys(ctx, client); left <- err }()
	<-arrived
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("left with %v", err)
	}
	stayed := make(chan error)
	go func() { _, err := source.ClientKeys(context.Background(), client); stayed <- err }()
	close(release)
	if err := <-stayed; err != nil {
		t.Error(err)
	}
	if p.requests.Load() != 1 {
		t.Errorf("%d requests, want 1", p.requests.Load())
	}
}

func TestKeysByValueAreNotFetched(t *testing.T) {
	t.Parallel()
	_, source, _, _ := setUp(t)
	jwks, err := json.Marshal(jose.NewKeySet(newKey(t).Public()))
	if err != nil {
		t.Fatal(err)
	}
	client := clientAt(t, func(m *registration.Metadata) { m.JWKS = jwks })
	for _, get := range []func(context.Context, *fapi.Client) (*jose.KeySet, error){source.ClientKeys, source.RefreshedClientKeys} {
		if keys, err := get(context.Background(), client); err != nil || keys.Len() != 1 {
			t.Errorf("%v, %v", keys, err)
		}
	}
}

func TestWhatIsNoKeySetIsRefused(t *testing.T) {
	t.Parallel()
	private := `{"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","d":"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI"}]}`
	answers := map[string]http.HandlerFunc{
		"a page":      func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
		"too large":   func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, jose.MaxKeySetBytes+1)) },
		"private key": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(private)) },
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://169.254.169.254/latest/meta-data", http.StatusFound)
		},
	}
	for name, answer := range answers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, source, client, _ := setUp(t)
			p.serve(answer)
			_, err := source.ClientKeys(context.Background(), client)
			if err == nil || strings.Contains(err.Error(), "jpsQnnGQmL") {
				t.Errorf("got %v, want an error that echoes nothing", err)
			}
			if name == "a redirect" && !errors.Is(err, errRedirect) {
				t.Errorf("the redirect was followed: %v", err)
			}
			if p.requests.Load() != 1 {
				t.Errorf("%d requests, want 1", p.requests.Load())
			}
		})
	}
}

func TestServerIsAuthenticated(t *testing.T) {
	t.Parallel()
	p, _, client, clock := setUp(t)
	p.publish(t, newKey(t))
	source := New(Config{AllowedNetworks: loopback, RootCAs: x509.NewCertPool(), Now: clock.now})
	if _, err := source.ClientKeys(context.Background(), client); err == nil || p.requests.Load() > 0 {
		t.Errorf("%v, %d requests: the server's certificate is not verified", err, p.requests.Load())
	}
}

func TestAddressesThatAreNotPublicAreNotDialled(t *testing.T) {
	t.Parallel()
	p, _, client, clock := setUp(t)
	p.publish(t, newKey(t))
	guarded := New(Config{RootCAs: p.roots(), Now: clock.now})
	if _, err := guarded.ClientKeys(context.Background(), client); err == nil || !strings.Contains(err.Error(), "not public") {
		t.Errorf("got %v", err)
	}
	if p.requests.Load() > 0 {
		t.Error("a private address was reached")
	}
	open := New(Config{AllowedHosts: []string{"127.0.0.1"}, RootCAs: p.roots(), Now: clock.now})
	if _, err := open.ClientKeys(context.Background(), client); err != nil {
		t.Errorf("an allowed host: %v", err)
	}
}

func TestNamesAreJudgedByTheAddressTheyResolveTo(t *testing.T) {
	t.Parallel()
	source := New(Config{Now: (&clock{}).now})
	client := clientAt(t, func(m *registration.Metadata) { m.JWKSURI = "https://localhost:1/jwks" })
	if _, err := source.ClientKeys(context.Background(), client); err == nil || !strings.Contains(err.Error(), "not public") {
		t.Errorf("got %v", err)
	}
}

func TestOnlyHTTPSIsFetched(t *testing.T) {
	t.Parallel()
	source := New(Config{AllowedNetworks: loopback, Now: (&clock{}).now})
	for _, uri := range []string{"http://127.0.0.1/jwks", "file:///etc/passwd", "https://user:pw@127.0.0.1/jwks", "://", ""} {
		if _, err := source.fetch(context.Background(), uri); err == nil || !strings.Contains(err.Error(), "https") {
			t.Errorf("%q: %v", uri, err)
		}
	}
}

func TestPublicAddresses(t *testing.T) {
	t.Parallel()
	for _, public := range []string{"8.8.8.8", "93.184.216.34", "2606:4700::1111", "2a00:1450::1"} {
		if !isPublic(netip.MustParseAddr(public)) {
			t.Errorf("%s is public", public)
		}
	}
	for _, other := range []string{
		"0.0.0.0", "10.1.2.3", "100.64.0.1", "100.100.100.200", "127.0.0.1", "169.254.169.254", "172.16.0.1", "192.168.1.1", "198.18.0.1",
		"224.0.0.1", "240.0.0.1", "255.255.255.255", "::", "::1", "::7f00:1", "fe80::1", "fec0::1", "fd00:ec2::254", "ff02::1",
		"64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2001:0:1::1", "2001:db8::1",
	} {
		if isPublic(netip.MustParseAddr(other)) {
			t.Errorf("%s is not public", other)
		}
	}
	d := newDialer(Config{})
	if err := d.control("tcp6", "[::ffff:127.0.0.1]:443", nil); err == nil {
		t.Error("an IPv4 address in IPv6 clothes is that IPv4 address")
	}
}

func TestCacheIsBounded(t *testing.T) {
	t.Parallel()
	source := New(Config{Now: (&clock{}).now})
	for i := range maxCached + 10 {
		source.keep(strconv.Itoa(i), nil, errors.New("down"))
	}
	if len(source.cached) > maxCached {
		t.Errorf("%d entries are kept", len(source.cached))
	}
}
