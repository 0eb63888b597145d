package listen

import (
	"crypto/x509"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/config"
	"github.com/fapi-operator/fapi-operator/authserver/listen/testca"
)

const edgeURI = "spiffe://cluster.local/ns/gateways/sa/edge"

func newProxies(t *testing.T, authority *testca.Authority, clock *clock, log *slog.Logger) (*Proxies, string) {
	t.Helper()
	file := testca.WriteFile(t, t.TempDir(), "ca.crt", authority.PEM())
	proxies, err := NewProxies(config.Proxy{ClientCAFile: file, SANs: []string{"edge.gateways.svc", edgeURI}}, clock.now, log)
	if err != nil {
		t.Fatal(err)
	}
	return proxies, file
}

func presented(t *testing.T, pair testca.Pair) []*x509.Certificate {
	t.Helper()
	return []*x509.Certificate{pair.TLS(t).Leaf}
}

func TestAProxyIsKnownByItsCertificate(t *testing.T) {
	t.Parallel()
	authority, foreign, clock, log := testca.New(t, "CA", start), testca.New(t, "CA", start), newClock(), &logged{}
	proxies, _ := newProxies(t, authority, clock, slog.New(slog.NewTextHandler(log, nil)))
	for name, test := range map[string]struct {
		pair testca.Pair
		want bool
	}{
		"listed DNS name":          {authority.Issue(t, testca.Leaf{DNS: []string{"Edge.gateways.svc"}}), true},
		"listed URI":               {authority.Issue(t, testca.Leaf{URIs: []string{edgeURI}}), true},
		"another name":             {authority.Issue(t, testca.Leaf{URIs: []string{edgeURI + "2"}}), false},
		"no name":                  {authority.Issue(t, testca.Leaf{}), false},
		"listed name, foreign CA":  {foreign.Issue(t, testca.Leaf{URIs: []string{edgeURI}}), false},
		"listed name, but expired": {authority.Issue(t, testca.Leaf{URIs: []string{edgeURI}, Lifetime: -time.Minute}), false},
	} {
		if got := proxies.Own(presented(t, test.pair)); got != test.want {
			t.Errorf("%s: a proxy's is %v, want %v", name, got, test.want)
		}
	}
	if proxies.Own(nil) {
		t.Error("who presents no certificate is a proxy")
	}
	if lines := log.count("counts as a client"); lines != 2 {
		t.Errorf("%d certificates with a proxy's name were logged as not believed, want 2", lines)
	}
}

func TestAProxyDoesNotOutliveItsCertificateOrItsAuthority(t *testing.T) {
	t.Parallel()
	authority, renewed, clock := testca.New(t, "CA", start), testca.New(t, "new CA", start), newClock()
	proxies, file := newProxies(t, authority, clock, discard())
	short := presented(t, authority.Issue(t, testca.Leaf{URIs: []string{edgeURI}, Lifetime: time.Hour}))
	long := presented(t, authority.Issue(t, testca.Leaf{URIs: []string{edgeURI}}))
	if !proxies.Own(short) || !proxies.Own(long) {
		t.Fatal("the proxy is not known at first")
	}
	clock.advance(time.Hour + time.Second)
	if proxies.Own(short) {
		t.Error("the certificate has expired, and is still a proxy's")
	}
	testca.WriteFile(t, filepath.Dir(file), "ca.crt", renewed.PEM())
	clock.advance(reloadInterval)
	if proxies.Own(long) {
		t.Error("the CA was replaced, and its certificate is still a proxy's")
	}
	if !proxies.Own(presented(t, renewed.Issue(t, testca.Leaf{URIs: []string{edgeURI}}))) {
		t.Error("the new CA's certificate is not a proxy's")
	}
}

func TestAnUnusableProxysFileIsNamed(t *testing.T) {
	t.Parallel()
	garbage := testca.WriteFile(t, t.TempDir(), "garbage", []byte("garbage"))
	for _, file := range []string{"/nowhere", garbage} {
		if _, err := NewProxies(config.Proxy{ClientCAFile: file}, newClock().now, discard()); err == nil || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: got %v, want an error that names the file", file, err)
		}
	}
}

func BenchmarkProxyIsKnown(b *testing.B) {
	authority, clock := testca.New(b, "CA", start), newClock()
	file := testca.WriteFile(b, b.TempDir(), "ca.crt", authority.PEM())
	proxies, err := NewProxies(config.Proxy{ClientCAFile: file, SANs: []string{edgeURI}}, clock.now, discard())
	if err != nil {
		b.Fatal(err)
	}
	certificates := []*x509.Certificate{authority.Issue(b, testca.Leaf{URIs: []string{edgeURI}}).TLS(b).Leaf}
	for b.Loop() {
		if !proxies.Own(certificates) {
			b.Fatal("the proxy is not known")
		}
	}
}
