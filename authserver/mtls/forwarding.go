package mtls

import (
	"crypto/x509"
	"net/http"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// The headers in which proxies tell the certificate that a client has presented
// to them. Only a configured proxy is believed, and only one of them from it.
const (
	HeaderClientCert          = "Client-Cert"             // RFC 9440, 2.2
	headerClientCertChain     = "Client-Cert-Chain"       // RFC 9440, 2.3
	HeaderForwardedClientCert = "X-Forwarded-Client-Cert" // Envoy's
)

var headers = []string{HeaderClientCert, headerClientCertChain, HeaderForwardedClientCert}

// Forwarding stands before everything that asks for a client's certificate. It
// takes the headers above from every request. One that a proxy forwards goes on as
// if the client had come itself: with the certificate of the header, or with none.
type Forwarding struct {
	// Proxy ends clients' TLS; nil where nobody does.
	Proxy *Proxy
	// Ignored counts requests with a header that is not believed, by reason.
	Ignored *prometheus.CounterVec
	// Refuse answers a request whose header cannot be understood.
	Refuse func(w http.ResponseWriter, r *http.Request, refusal *oauth.Error)
}

// Proxy is one that ends clients' TLS, or several that do it alike.
type Proxy struct {
	// Header is HeaderClientCert or HeaderForwardedClientCert.
	Header string
	// Owns tells whether what was presented in the handshake is the proxy's.
	Owns func(presented []*x509.Certificate) bool
}

// Reasons why a header is ignored: a closed set.
const (
	reasonNoProxy     = "no_proxy"     // none is configured for the listener
	reasonNotAProxy   = "not_a_proxy"  // the sender is none of those configured
	reasonOtherHeader = "other_header" // the proxy sends another one than is configured
)

// NewIgnored registers the counter of ignored headers.
func NewIgnored(registry prometheus.Registerer) *prometheus.CounterVec {
	ignored := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "authserver_client_certificate_headers_ignored_total",
		Help: "Requests with a Client-Cert or X-Forwarded-Client-Cert header that was ignored, by reason: no proxy is configured, the sender is not a proxy, or the proxy sends the other header.",
	}, []string{"reason"})
	registry.MustRegister(ignored)
	return ignored
}

// Before puts the forwarding before a handler.
func (f *Forwarding) Before(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proxy := f.sender(r)
		f.countIgnored(proxy, r.Header)
		if proxy == nil {
			next.ServeHTTP(w, withoutHeaders(r))
			return
		}
		certificates, refusal := proxy.forwarded(r.Header)
		if refusal != nil {
			f.Refuse(w, withoutHeaders(r), refusal)
			return
		}
		next.ServeHTTP(w, presenting(withoutHeaders(r), certificates))
	})
}

// sender is the proxy that sends the request; nil for one that a client sends. It
// is asked for every request: a connection outlives the proxy's authority.
func (f *Forwarding) sender(r *http.Request) *Proxy {
	if f.Proxy == nil || !f.Proxy.Owns(PeerCertificates(r)) {
		return nil
	}
	return f.Proxy
}

// countIgnored passes over a chain: it comes with HeaderClientCert, and is of no use.
func (f *Forwarding) countIgnored(proxy *Proxy, header http.Header) {
	for _, name := range []string{HeaderClientCert, HeaderForwardedClientCert} {
		switch {
		case len(header.Values(name)) == 0:
		case f.Proxy == nil:
			f.Ignored.WithLabelValues(reasonNoProxy).Inc()
		case proxy == nil:
			f.Ignored.WithLabelValues(reasonNotAProxy).Inc()
		case name != proxy.Header:
			f.Ignored.WithLabelValues(reasonOtherHeader).Inc()
		}
	}
}

// forwarded is the certificate that the client has presented to the proxy; none
// where the proxy sends no header. A header that is not understood says nothing
// of the client, and is refused: ignored, it would hide that the proxy lets
// clients' own headers through.
func (p *Proxy) forwarded(header http.Header) ([]*x509.Certificate, *oauth.Error) {
	rule, parse := oauth.RuleID("RFC9440-2.2"), parseClientCert
	if p.Header == HeaderForwardedClientCert {
		rule, parse = "LOCAL-XFCC", parseForwardedClientCert
	}
	values := header.Values(p.Header)
	switch len(values) {
	case 0:
		return nil, nil
	case 1:
	default:
		return nil, oauth.Refuse(oauth.InvalidRequest, rule, "the proxy sends %s more than once; it must replace what clients send", p.Header)
	}
	certificate, err := parse(values[0])
	if err != nil {
		return nil, oauth.Refuse(oauth.InvalidRequest, rule, "the proxy sends a %s header that is not understood", p.Header).WithCause(err)
	}
	return []*x509.Certificate{certificate}, nil
}

// withoutHeaders is the request without the headers. (Trailers need no look: Go
// keeps them apart from headers, and nobody reads them. Nor do other spellings:
// Client_Cert is another name, and is not read either.)
func withoutHeaders(r *http.Request) *http.Request {
	if !slices.ContainsFunc(headers, func(name string) bool { return len(r.Header.Values(name)) > 0 }) {
		return r
	}
	stripped := r.WithContext(r.Context())
	stripped.Header = r.Header.Clone()
	for _, name := range headers {
		stripped.Header.Del(name)
	}
	return stripped
}

// presenting is the request as if its sender had presented the certificates. What
// the proxy has presented is nowhere in it.
func presenting(r *http.Request, certificates []*x509.Certificate) *http.Request {
	state := *r.TLS
	state.PeerCertificates, state.VerifiedChains = certificates, nil
	forwarded := r.WithContext(r.Context())
	forwarded.TLS = &state
	return forwarded
}
