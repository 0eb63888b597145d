package listen

import (
	"crypto/tls"
	"strings"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/config"
	"github.com/fapi-operator/fapi-operator/authserver/listen/testca"
)

const (
	operatorURI      = "spiffe://cluster.local/ns/fapi-system/sa/fapi-operator"
	retailURI        = "spiffe://retail.example/ns/fapi-system/sa/fapi-operator"
	administratorURI = "spiffe://cluster.local/ns/fapi-system/sa/fapi-administrator"
)

// private is a private listener in operation.
type private struct {
	authority *testca.Authority
	caFile    string
	clock     *clock
	url       string
}

func newPrivate(t *testing.T) private {
	t.Helper()
	p := private{authority: testca.New(t, "CA", start), clock: newClock()}
	p.caFile = testca.WriteFile(t, t.TempDir(), "ca.crt", p.authority.PEM())
	settings, err := Private(config.PrivateListener{
		TLS:               filesOf(t, p.authority.Server(t)),
		ClientCAFile:      p.caFile,
		AllowedClientSANs: []string{"Operator.fapi-system.svc", operatorURI},
		BoundClientSANs:   map[string][]string{retailURI: {"retail"}},
		AdministratorSANs: []string{administratorURI},
	}, p.clock.now, discard())
	if err != nil {
		t.Fatal(err)
	}
	p.url = serve(t, settings)
	return p
}

func (p private) client(certificates ...tls.Certificate) *tls.Config {
	return &tls.Config{RootCAs: p.authority.Pool(), Time: p.clock.now, Certificates: certificates, ClientSessionCache: tls.NewLRUClientSessionCache(4)}
}

func TestOnlyListedCallersReachThePrivateListener(t *testing.T) {
	t.Parallel()
	p := newPrivate(t)
	foreign := testca.New(t, "CA", start)
	for name, test := range map[string]struct {
		pair testca.Pair
		want string
	}{
		"listed DNS name":          {p.authority.Issue(t, testca.Leaf{DNS: []string{"operator.fapi-system.svc"}}), "HTTP/2.0 operator.fapi-system.svc"},
		"listed URI":               {p.authority.Issue(t, testca.Leaf{URIs: []string{operatorURI}}), "HTTP/2.0 " + operatorURI},
		"bound to installations":   {p.authority.Issue(t, testca.Leaf{URIs: []string{retailURI}}), "HTTP/2.0 " + retailURI},
		"listed administrator":     {p.authority.Issue(t, testca.Leaf{URIs: []string{administratorURI}}), "HTTP/2.0 " + administratorURI},
		"name that is not listed":  {p.authority.Issue(t, testca.Leaf{DNS: []string{"tenant.svc"}}), ""},
		"listed name as a suffix":  {p.authority.Issue(t, testca.Leaf{DNS: []string{"x.operator.fapi-system.svc"}}), ""},
		"wildcard over the name":   {p.authority.Issue(t, testca.Leaf{DNS: []string{"*.fapi-system.svc"}}), ""},
		"URI in another case":      {p.authority.Issue(t, testca.Leaf{URIs: []string{strings.Replace(operatorURI, "fapi-system", "FAPI-system", 1)}}), ""},
		"no name":                  {p.authority.Issue(t, testca.Leaf{}), ""},
		"listed name, foreign CA":  {foreign.Issue(t, testca.Leaf{URIs: []string{operatorURI}}), ""},
		"listed name, but expired": {p.authority.Issue(t, testca.Leaf{URIs: []string{operatorURI}, Lifetime: -time.Minute}), ""},
	} {
		answer, err := ask(t, p.url, p.client(test.pair.TLS(t)))
		if answer != test.want || (err == nil) != (test.want != "") {
			t.Errorf("%s: got %q, %v; want %q", name, answer, err, test.want)
		}
	}
	if _, err := ask(t, p.url, p.client()); err == nil {
		t.Error("a caller without certificate was served")
	}
}

func TestAPrivateSessionIsResumedWithItsCaller(t *testing.T) {
	t.Parallel()
	p := newPrivate(t)
	client := p.client(p.authority.Issue(t, testca.Leaf{URIs: []string{operatorURI}}).TLS(t))
	for _, want := range []string{"HTTP/2.0 " + operatorURI, "HTTP/2.0 resumed " + operatorURI} {
		if answer, err := ask(t, p.url, client); err != nil || answer != want {
			t.Errorf("got %q, %v; want %q", answer, err, want)
		}
	}
}

func TestASessionDoesNotOutliveItsAuthority(t *testing.T) {
	t.Parallel()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		p := newPrivate(t)
		client := p.client(p.authority.Issue(t, testca.Leaf{URIs: []string{operatorURI}}).TLS(t))
		client.MinVersion, client.MaxVersion = version, version
		if _, err := ask(t, p.url, client); err != nil {
			t.Fatal(err)
		}
		testca.WriteFile(t, strings.TrimSuffix(p.caFile, "/ca.crt"), "ca.crt", testca.New(t, "new CA", start).PEM())
		p.clock.advance(reloadInterval)
		if answer, err := ask(t, p.url, client); err == nil {
			t.Errorf("%s: the CA was removed, and yet: %q", tls.VersionName(version), answer)
		}
	}
}

func TestASessionDoesNotOutliveItsCertificate(t *testing.T) {
	t.Parallel()
	p := newPrivate(t)
	client := p.client(p.authority.Issue(t, testca.Leaf{URIs: []string{operatorURI}, Lifetime: time.Hour}).TLS(t))
	if _, err := ask(t, p.url, client); err != nil {
		t.Fatal(err)
	}
	p.clock.advance(time.Hour + time.Second)
	if answer, err := ask(t, p.url, client); err == nil {
		t.Errorf("the certificate has expired, and yet: %q", answer)
	}
}

// A resumed session passes the same list of names: here its ticket comes from a
// listener with the same ticket keys that let more callers in.
func TestAResumedSessionPassesTheListOfNames(t *testing.T) {
	t.Parallel()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		authority := testca.New(t, "CA", start)
		clock := newClock()
		listener := config.PrivateListener{
			TLS:               filesOf(t, authority.Server(t)),
			ClientCAFile:      testca.WriteFile(t, t.TempDir(), "ca.crt", authority.PEM()),
			AllowedClientSANs: []string{"tenant.svc"},
		}
		client := &tls.Config{
			RootCAs: authority.Pool(), ServerName: "localhost", Time: clock.now, MinVersion: version, MaxVersion: version,
			Certificates:       []tls.Certificate{authority.Issue(t, testca.Leaf{DNS: []string{"tenant.svc"}}).TLS(t)},
			ClientSessionCache: tls.NewLRUClientSessionCache(4),
		}
		open := privateWithTicketKey(t, listener, clock)
		if _, err := ask(t, serve(t, open), client); err != nil {
			t.Fatal(err)
		}
		if answer, err := ask(t, serve(t, open), client); err != nil || !strings.Contains(answer, "resumed") {
			t.Fatalf("the session was not resumed: %q, %v", answer, err)
		}
		listener.AllowedClientSANs = []string{"operator.svc"}
		if answer, err := ask(t, serve(t, privateWithTicketKey(t, listener, clock)), client); err == nil {
			t.Errorf("%s: a caller that is not listed resumed its session: %q", tls.VersionName(version), answer)
		}
	}
}

func privateWithTicketKey(t *testing.T, listener config.PrivateListener, clock *clock) *tls.Config {
	t.Helper()
	settings, err := Private(listener, clock.now, discard())
	if err != nil {
		t.Fatal(err)
	}
	settings.SetSessionTicketKeys([][32]byte{{1}})
	return settings
}
