package fapitest

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/fapi-operator/fapi-operator/authserver/listen/testca"
	"github.com/fapi-operator/fapi-operator/authserver/mtls"
)

// ProxySAN is the name of the proxy that a server admits before its mtls listener.
const ProxySAN = "spiffe://cluster.local/ns/gateways/sa/edge"

// proxyCAFile holds the authority that issues the proxy's certificate.
const proxyCAFile = "proxy-ca.crt"

// StartServerBehindProxy starts a server whose mtls listener takes clients'
// certificates in the header from the proxies of proxies, and from nobody else.
func StartServerBehindProxy(t testing.TB, header string, proxies *testca.Authority) *Server {
	t.Helper()
	s := Prepare(t)
	testca.WriteFile(t, s.settings.Directory, proxyCAFile, proxies.PEM())
	s.settings.ProxyHeader = header
	s.configure(t, "behind-proxy.yaml")
	s.Start(t)
	t.Cleanup(s.Stop)
	return s
}

// Proxy is a reverse proxy that ends clients' TLS before a server's mtls listener,
// and tells which certificate they have presented.
type Proxy struct {
	// Header is in which header it tells that.
	Header string
	// Certificate is what it presents to the server; nil presents none.
	Certificate *tls.Certificate
	// NewConnections makes one for each request, by resuming the session of the first.
	NewConnections bool
	// Change changes what it sends to the server, last of all; nil changes nothing.
	Change func(http.Header)

	server               *Server
	address              string
	connections, resumed atomic.Int64
}

// StartProxy starts the proxy before the server's mtls listener; it ends with the test.
func (s *Server) StartProxy(t testing.TB, p *Proxy) *Proxy {
	t.Helper()
	p.server = s
	transport := p.transport()
	target := &url.URL{Scheme: "https", Host: s.Listeners().MTLS}
	front := httptest.NewUnstartedServer(&httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host
			p.tell(r.In.TLS, r.Out.Header)
			apply(p.Change, r.Out.Header)
		},
	})
	front.EnableHTTP2 = true
	front.TLS = &tls.Config{
		Certificates: []tls.Certificate{s.Authority.Server(t).TLS(t)}, ClientAuth: tls.RequestClientCert, Time: s.Clock.Now,
	}
	front.StartTLS()
	t.Cleanup(func() {
		front.Close()
		transport.CloseIdleConnections()
	})
	p.address = front.Listener.Addr().String()
	return p
}

// Via is the same client, whose connections to the mtls listener come to the proxy.
func (p *Proxy) Via(client *Client) *Client {
	there := client.With(client.Misbehave)
	reached := p.server.mtlsAddress()
	there.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if address == reached {
			address = p.address
		}
		return new(net.Dialer).DialContext(ctx, network, address)
	}
	return there
}

// URL is where the proxy is.
func (p *Proxy) URL() string {
	_, port, _ := net.SplitHostPort(p.address)
	return "https://localhost:" + port
}

// Connections is how many the proxy has made to the server, and how many of them
// resumed a session.
func (p *Proxy) Connections() (made, resumed int64) {
	return p.connections.Load(), p.resumed.Load()
}

// transport is the proxy's side towards the server: one HTTP/2 connection for all
// clients.
func (p *Proxy) transport() *http.Transport {
	settings := &tls.Config{
		RootCAs: p.server.Authority.Pool(), Time: p.server.Clock.Now, MinVersion: tls.VersionTLS12,
		ClientSessionCache: tls.NewLRUClientSessionCache(1),
		VerifyConnection: func(state tls.ConnectionState) error {
			if state.DidResume {
				p.resumed.Add(1)
			}
			return nil
		},
	}
	if p.Certificate != nil {
		settings.Certificates = []tls.Certificate{*p.Certificate}
	}
	return &http.Transport{
		TLSClientConfig: settings, ForceAttemptHTTP2: true, DisableKeepAlives: p.NewConnections,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			p.connections.Add(1)
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}
}

// tell replaces whatever the client has sent (RFC 9440, 2.4).
func (p *Proxy) tell(client *tls.ConnectionState, header http.Header) {
	for _, name := range []string{mtls.HeaderClientCert, "Client-Cert-Chain", mtls.HeaderForwardedClientCert} {
		header.Del(name)
	}
	if len(client.PeerCertificates) > 0 {
		header.Set(p.Header, ForwardedCertificate(p.Header, client.PeerCertificates[0].Raw))
	}
}

// ForwardedCertificate is a certificate in DER as a proxy tells it in the header:
// RFC 9440, 2.2, or as Envoy does.
func ForwardedCertificate(header string, der []byte) string {
	if header == mtls.HeaderClientCert {
		return ":" + base64.StdEncoding.EncodeToString(der) + ":"
	}
	digest := sha256.Sum256(der)
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return "By=" + ProxySAN + ";Hash=" + hex.EncodeToString(digest[:]) + `;Cert="` + url.PathEscape(string(text)) + `";Subject="";URI=`
}

// mtlsAddress is where clients look for the mtls listener.
func (s *Server) mtlsAddress() string {
	base, err := url.Parse(s.MTLSBaseURL)
	if err != nil {
		return ""
	}
	return base.Host
}
