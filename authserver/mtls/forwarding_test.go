package mtls

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// forwarded sends a request over a connection that presented the certificates, and
// gives what the endpoint sees (nil when the request does not come to it), the
// refusal, and the ignored headers by reason.
func forwarded(t *testing.T, proxy *Proxy, header http.Header, presented ...*x509.Certificate) (*http.Request, *oauth.Error, map[string]float64) {
	t.Helper()
	var seen *http.Request
	var refused *oauth.Error
	registry := prometheus.NewRegistry()
	forwarding := &Forwarding{
		Proxy: proxy, Ignored: NewIgnored(registry),
		Refuse: func(_ http.ResponseWriter, _ *http.Request, refusal *oauth.Error) { refused = refusal },
	}
	request := httptest.NewRequest(http.MethodPost, "/token", http.NoBody)
	request.Header = header.Clone()
	request.TLS = &tls.ConnectionState{PeerCertificates: presented, VerifiedChains: [][]*x509.Certificate{presented}}
	forwarding.Before(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r })).ServeHTTP(httptest.NewRecorder(), request)
	if diff := cmp.Diff(header, request.Header); diff != "" {
		t.Errorf("the server's own request was changed (-want +got):\n%s", diff)
	}
	return seen, refused, counted(t, registry)
}

func counted(t *testing.T, registry *prometheus.Registry) map[string]float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			counts[metric.GetLabel()[0].GetValue()] = metric.GetCounter().GetValue()
		}
	}
	return counts
}

func isProxys(certificate *x509.Certificate) func([]*x509.Certificate) bool {
	return func(presented []*x509.Certificate) bool {
		return len(presented) > 0 && presented[0].Equal(certificate)
	}
}

func wantPresented(t *testing.T, r *http.Request, want ...*x509.Certificate) {
	t.Helper()
	if r == nil {
		t.Fatal("the request did not come to the endpoint")
	}
	got := PeerCertificates(r)
	if len(got) != len(want) || len(want) == 1 && !got[0].Equal(want[0]) {
		t.Errorf("the endpoint sees the certificates %v, want %v", got, want)
	}
	for _, name := range headers {
		if r.Header.Values(name) != nil {
			t.Errorf("the endpoint sees the header %s", name)
		}
	}
	if r.Header.Get("Accept") != "application/json" {
		t.Error("another header is gone")
	}
}

// everyHeader has a certificate in each of the headers.
func everyHeader(certificate *x509.Certificate) http.Header {
	return http.Header{
		HeaderClientCert:          {byteSequence(certificate.Raw)},
		headerClientCertChain:     {byteSequence(certificate.Raw)},
		HeaderForwardedClientCert: {"Hash=" + hashOf(certificate) + `;Cert="` + escapedPEM(certificate.Raw) + `"`},
		"Accept":                  {"application/json"},
	}
}

func TestAProxysHeaderIsTheClientsCertificate(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "CA", nil)
	client, edge := ca.issue(t, appCertificate()), ca.issue(t, appCertificate())
	for _, name := range []string{HeaderClientCert, HeaderForwardedClientCert} {
		proxy := &Proxy{Header: name, Owns: isProxys(edge)}
		seen, _, ignored := forwarded(t, proxy, everyHeader(client), edge)
		wantPresented(t, seen, client)
		if seen.TLS.VerifiedChains != nil {
			t.Errorf("%s: the chain of the proxy is believed to be the client's", name)
		}
		if count := ignored[reasonOtherHeader]; count != 1 {
			t.Errorf("%s: the other header was counted %v times, want once", name, count)
		}

		header := everyHeader(client)
		header.Del(name)
		seen, _, _ = forwarded(t, proxy, header, edge)
		wantPresented(t, seen)
	}
}

func TestNobodyElsesHeaderIsBelieved(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "CA", nil)
	client, victim, edge := ca.issue(t, appCertificate()), ca.issue(t, appCertificate()), ca.issue(t, appCertificate())
	for _, name := range []string{HeaderClientCert, HeaderForwardedClientCert} {
		for reason, proxy := range map[string]*Proxy{reasonNoProxy: nil, reasonNotAProxy: {Header: name, Owns: isProxys(edge)}} {
			seen, _, ignored := forwarded(t, proxy, everyHeader(victim), client)
			wantPresented(t, seen, client)
			if count := ignored[reason]; count != 2 {
				t.Errorf("%s: counted %v headers, want 2", reason, count)
			}
			seen, _, _ = forwarded(t, proxy, everyHeader(victim))
			wantPresented(t, seen)
			header := everyHeader(victim)
			header[name] = []string{"what is not understood", "and comes twice"}
			seen, _, _ = forwarded(t, proxy, header, client)
			wantPresented(t, seen, client)
			seen, _, ignored = forwarded(t, proxy, http.Header{"Accept": {"application/json"}}, client)
			wantPresented(t, seen, client)
			if len(ignored) != 0 {
				t.Errorf("%s: headers were counted that did not come: %v", reason, ignored)
			}
		}
	}
}

func TestAProxysHeaderThatIsNotUnderstoodIsRefused(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "CA", nil)
	client, edge := ca.issue(t, appCertificate()), ca.issue(t, appCertificate())
	rules := map[string]oauth.RuleID{HeaderClientCert: "RFC9440-2.2", HeaderForwardedClientCert: "LOCAL-XFCC"}
	for name, rule := range rules {
		good := everyHeader(client)[name][0]
		for what, values := range map[string][]string{
			"malformed": {good + "x"}, "empty": {""}, "twice": {good, good}, "twice, the first empty": {"", good},
			"the other header's form": {everyHeader(client)[otherHeader(name)][0]},
		} {
			header := everyHeader(client)
			header[name] = values
			seen, refusal, _ := forwarded(t, &Proxy{Header: name, Owns: isProxys(edge)}, header, edge)
			if seen != nil {
				t.Errorf("%s, %s: came to the endpoint", name, what)
			}
			if refusal == nil || refusal.Code != oauth.InvalidRequest || refusal.Rule != rule || !strings.Contains(refusal.Description, name) {
				t.Errorf("%s, %s: refused with %v", name, what, refusal)
			}
		}
	}
}

func otherHeader(name string) string {
	if name == HeaderClientCert {
		return HeaderForwardedClientCert
	}
	return HeaderClientCert
}
