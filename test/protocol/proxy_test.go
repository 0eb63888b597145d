package protocol

import (
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/listen/testca"
	"github.com/fapi-operator/fapi-operator/authserver/mtls"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// edge is a server that believes the proxies of an authority.
type edge struct {
	*fapitest.Server
	header  string
	proxies *testca.Authority
}

// behindProxy runs the test with each of the headers.
func behindProxy(t *testing.T, test func(*testing.T, edge)) {
	t.Helper()
	for _, header := range []string{mtls.HeaderClientCert, mtls.HeaderForwardedClientCert} {
		t.Run(header, func(t *testing.T) {
			t.Parallel()
			proxies := testca.New(t, "proxies", time.Now())
			test(t, edge{fapitest.StartServerBehindProxy(t, header, proxies), header, proxies})
		})
	}
}

// certificate is the proxy's.
func (e edge) certificate(t *testing.T) *tls.Certificate {
	t.Helper()
	certificate := e.proxies.Issue(t, testca.Leaf{URIs: []string{fapitest.ProxySAN}}).TLS(t)
	return &certificate
}

func (e edge) proxy(t *testing.T) *fapitest.Proxy {
	t.Helper()
	return e.StartProxy(t, &fapitest.Proxy{Header: e.header, Certificate: e.certificate(t)})
}

// forging sends the certificate in both headers.
func forging(certificate *tls.Certificate) func(http.Header) {
	return func(header http.Header) {
		for _, name := range []string{mtls.HeaderClientCert, mtls.HeaderForwardedClientCert} {
			header.Set(name, fapitest.ForwardedCertificate(name, certificate.Certificate[0]))
		}
		header.Set("Client-Cert-Chain", fapitest.ForwardedCertificate(mtls.HeaderClientCert, certificate.Certificate[0]))
	}
}

// wantIgnored demands that headers were counted as ignored for the reason.
func wantIgnored(t *testing.T, server *fapitest.Server, reason string) {
	t.Helper()
	metrics, err := server.Metrics()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(metrics, `authserver_client_certificate_headers_ignored_total{reason="`+reason+`"}`) {
		t.Errorf("no header was counted as ignored because of %s", reason)
	}
}

var (
	tlsClient  = fapitest.Profile{AuthMethod: oauth.AuthTLSClient}
	selfSigned = fapitest.Profile{AuthMethod: oauth.AuthSelfSignedTLS}
)

// Behind a proxy clients of each method get tokens that are bound to their own
// certificates, and use, refresh, introspect and revoke them. One that does not
// go through the proxy does the same.
func TestProxiedFlow(t *testing.T) {
	t.Parallel()
	behindProxy(t, func(t *testing.T, e edge) {
		proxy := e.proxy(t)
		for name, profile := range map[string]fapitest.Profile{
			"tls-client-auth": tlsClient, "self-signed": selfSigned, "private-key-jwt": keyAndMTLS,
			"tls-client-auth-dpop": {AuthMethod: oauth.AuthTLSClient, DPoP: true},
		} {
			client := e.Register(t, "bank.app-"+name, profile).Client
			happyFlow(t, e.Server, proxy.Via(client))
			wantIntrospectionThrough(t, e, proxy.Via(client))
			happyFlow(t, e.Server, client)
		}
	})
}

func wantIntrospectionThrough(t *testing.T, e edge, client *fapitest.Client) {
	t.Helper()
	tokens := flow(t, e.Server, client)
	want, err := client.AccessTokenClaims(t.Context(), tokens.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	want["active"], want["token_type"] = true, tokens.TokenType
	wantIntrospection(t, client, tokens.AccessToken, want)
}

// A client that connects itself is who its own certificate says, whatever headers it sends.
func TestForgedHeadersOfADirectClient(t *testing.T) {
	t.Parallel()
	behindProxy(t, func(t *testing.T, e edge) {
		wantForgeryIgnored(t, e.Server, func(client *fapitest.Client) *fapitest.Client { return client })
		wantIgnored(t, e.Server, "not_a_proxy")
	})
	t.Run("without a proxy", func(t *testing.T) {
		t.Parallel()
		server := fapitest.StartServer(t)
		wantForgeryIgnored(t, server, func(client *fapitest.Client) *fapitest.Client { return client })
		wantIgnored(t, server, "no_proxy")
	})
}

// What a client sends through the proxy is replaced there.
func TestForgedHeadersThroughTheProxy(t *testing.T) {
	t.Parallel()
	behindProxy(t, func(t *testing.T, e edge) {
		wantForgeryIgnored(t, e.Server, e.proxy(t).Via)
	})
}

// wantForgeryIgnored lets clients come by way, with the certificate of a victim in the headers.
func wantForgeryIgnored(t *testing.T, server *fapitest.Server, way func(*fapitest.Client) *fapitest.Client) {
	t.Helper()
	for name, profile := range map[string]fapitest.Profile{"issued": tlsClient, "self-signed": selfSigned} {
		victim := server.Register(t, "victim."+name, profile)
		thief := server.Register(t, "thief."+name, profile)
		stolen := flow(t, server, way(victim.Client)).AccessToken
		for what, misbehave := range map[string]fapitest.Misbehave{
			"with a certificate":    {Header: forging(victim.Certificate), Certificate: thief.Certificate},
			"without a certificate": {Header: forging(victim.Certificate), WithoutCertificate: true},
		} {
			forger := way(victim.With(misbehave))
			_, err := forger.ClientCredentials(t.Context(), "accounts")
			if refusal := wantRefusal(t, err, []int{http.StatusUnauthorized}, oauth.InvalidClient); refusal.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("%s: the refusal may be cached", what)
			}
			_, err = forger.UserInfo(t.Context(), stolen)
			wantRefusal(t, err, []int{http.StatusUnauthorized}, oauth.InvalidToken)
		}
		itself := way(thief.With(fapitest.Misbehave{Header: forging(victim.Certificate)}))
		happyFlow(t, server, itself)
	}
}

// Whoever is not the configured proxy is not believed: its header is ignored, and
// what it presents is a client's certificate like any other.
func TestOtherProxiesAreNotBelieved(t *testing.T) {
	t.Parallel()
	behindProxy(t, func(t *testing.T, e edge) {
		client := e.Register(t, "bank.app", tlsClient)
		tokens := flow(t, e.Server, client.Client)
		issue := func(authority *testca.Authority, uri string) *tls.Certificate {
			certificate := authority.Issue(t, testca.Leaf{URIs: []string{uri}}).TLS(t)
			return &certificate
		}
		for name, certificate := range map[string]*tls.Certificate{
			"no certificate":     nil,
			"another name":       issue(e.proxies, fapitest.ProxySAN+"-2"),
			"another authority":  issue(testca.New(t, "proxies", time.Now()), fapitest.ProxySAN),
			"clients' authority": issue(e.Authority, fapitest.ProxySAN),
		} {
			via := e.StartProxy(t, &fapitest.Proxy{Header: e.header, Certificate: certificate}).Via(client.Client)
			_, err := via.ClientCredentials(t.Context(), "accounts")
			if refusal := wantRefusal(t, err, []int{http.StatusUnauthorized}, oauth.InvalidClient); refusal.Description == "" {
				t.Errorf("%s: refused without a description", name)
			}
			_, err = via.UserInfo(t.Context(), tokens.AccessToken)
			wantRefusal(t, err, []int{http.StatusUnauthorized}, oauth.InvalidToken)
		}
		wantIgnored(t, e.Server, "not_a_proxy")
	})
}

// A proxy that says nothing speaks for a client without a certificate. Its own one
// is nobody's: not even of a client that is registered with it.
func TestAProxysOwnCertificateIsNoClients(t *testing.T) {
	t.Parallel()
	behindProxy(t, func(t *testing.T, e edge) {
		certificate := e.certificate(t)
		silent := e.StartProxy(t, &fapitest.Proxy{Header: e.header, Certificate: certificate, Change: func(header http.Header) { header.Del(e.header) }})
		issued := tlsClient
		issued.Change = func(metadata *registration.Metadata) {
			metadata.TLSClientAuthSANURI, metadata.TLSClientAuthTrustAnchors = fapitest.ProxySAN, string(e.proxies.PEM())
		}
		registered := selfSigned
		registered.Change = func(metadata *registration.Metadata) { metadata.JWKS = keySetOf(t, certificate) }
		for name, profile := range map[string]fapitest.Profile{"issued": issued, "self-signed": registered} {
			client := e.Register(t, "proxy."+name, profile)
			for way, there := range map[string]*fapitest.Client{
				"through it": silent.Via(client.Client), "as it": client.With(fapitest.Misbehave{Certificate: certificate}),
			} {
				_, err := there.ClientCredentials(t.Context(), "accounts")
				if refusal := wantRefusal(t, err, []int{http.StatusUnauthorized}, oauth.InvalidClient); !strings.Contains(refusal.Description, "nor a client certificate came") {
					t.Errorf("%s, %s: refused with %q", name, way, refusal.Description)
				}
			}
		}
		bound := e.Register(t, "bank.bound", keyAndMTLS)
		tokens := flow(t, e.Server, bound.Client)
		_, err := silent.Via(bound.Client).UserInfo(t.Context(), tokens.AccessToken)
		wantRefusal(t, err, []int{http.StatusUnauthorized}, oauth.InvalidToken)
		_, err = silent.Via(bound.Client).ClientCredentials(t.Context(), "accounts")
		wantRefusal(t, err, badRequestUnauthorized)
	})
}

// keySetOf is a key set with the certificate, as a client registers it.
func keySetOf(t *testing.T, certificate *tls.Certificate) json.RawMessage {
	t.Helper()
	key, err := jose.PublicKeyOf(certificate.Leaf)
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]any
	if err := json.Unmarshal(key.JSON(), &members); err != nil {
		t.Fatal(err)
	}
	members["x5c"] = []string{base64.StdEncoding.EncodeToString(certificate.Certificate[0])}
	encoded, err := json.Marshal(map[string]any{"keys": []any{members}})
	if err != nil {
		t.Fatal(err)
	}
	return encoded
}

// Clients over one connection of the proxy, at the same time, are kept apart: the
// certificate is the request's. So they are on sessions that are resumed.
func TestClientsOnOneProxyConnection(t *testing.T) {
	t.Parallel()
	behindProxy(t, func(t *testing.T, e edge) {
		for name, newConnections := range map[string]bool{"one-connection": false, "resumed-sessions": true} {
			proxy := e.StartProxy(t, &fapitest.Proxy{Header: e.header, Certificate: e.certificate(t), NewConnections: newConnections})
			one := proxy.Via(e.Register(t, "one."+name, tlsClient).Client)
			two := proxy.Via(e.Register(t, "two."+name, selfSigned).Client)
			nobody := proxy.Via(one.With(fapitest.Misbehave{WithoutCertificate: true}))
			tokensOfOne, tokensOfTwo := flow(t, e.Server, one), flow(t, e.Server, two)
			var asked sync.WaitGroup
			for range 4 {
				for _, ask := range []struct {
					client *fapitest.Client
					token  string
					served bool
				}{
					{one, tokensOfOne.AccessToken, true}, {two, tokensOfTwo.AccessToken, true},
					{one, tokensOfTwo.AccessToken, false}, {two, tokensOfOne.AccessToken, false}, {nobody, tokensOfOne.AccessToken, false},
				} {
					asked.Go(func() {
						_, err := ask.client.UserInfo(t.Context(), ask.token)
						refusal, refused := errors.AsType[*fapitest.ErrorResponse](err)
						if ask.served && err != nil || !ask.served && (!refused || refusal.Code != oauth.InvalidToken) {
							t.Errorf("%s: served should be %v, and is: %v", name, ask.served, err)
						}
					})
				}
			}
			asked.Wait()
			if made, resumed := proxy.Connections(); (made == 1) == newConnections || (resumed > 0) != newConnections {
				t.Errorf("%s: the proxy has made %d connections, of which %d resumed a session", name, made, resumed)
			}
		}
	})
}

// The self-test tells what has come through the proxy: the client's certificate or
// none, and never the proxy's own.
func TestTheSelfTestBehindAProxy(t *testing.T) {
	t.Parallel()
	behindProxy(t, func(t *testing.T, e edge) {
		client := e.Register(t, "bank.app", selfSigned)
		through := e.proxy(t).Via(client.Client)
		itself := client.With(fapitest.Misbehave{Certificate: e.certificate(t)})
		for name, test := range map[string]struct {
			client *http.Client
			want   string
		}{
			"a client":         {through.HTTP(true), client.Confirmation().X5TS256},
			"no certificate":   {through.HTTP(false), ""},
			"the proxy itself": {itself.HTTP(true), ""},
		} {
			response, err := test.client.Get(e.MTLSBaseURL + "/self-test")
			if err != nil {
				t.Fatal(err)
			}
			var told map[string]string
			err = json.NewDecoder(response.Body).Decode(&told)
			_ = response.Body.Close()
			if err != nil || told["x5t#S256"] != test.want {
				t.Errorf("%s: told %v, %v; want the certificate %q", name, told, err, test.want)
			}
		}
	})
}

// A header of the proxy that is not understood is refused at every endpoint, and
// never passed over.
func TestAProxysBrokenHeaderIsRefused(t *testing.T) {
	t.Parallel()
	behindProxy(t, func(t *testing.T, e edge) {
		client := e.Register(t, "bank.app", tlsClient)
		good := fapitest.ForwardedCertificate(e.header, client.Certificate.Certificate[0])
		for name, change := range map[string]func(http.Header){
			"twice":     func(header http.Header) { header[e.header] = []string{good, good} },
			"appended":  func(header http.Header) { header.Set(e.header, good+","+good) },
			"empty":     func(header http.Header) { header.Set(e.header, "") },
			"malformed": func(header http.Header) { header.Set(e.header, good[:len(good)/2]) },
			"not a certificate": func(header http.Header) {
				header.Set(e.header, fapitest.ForwardedCertificate(e.header, []byte("no certificate")))
			},
		} {
			via := e.StartProxy(t, &fapitest.Proxy{Header: e.header, Certificate: e.certificate(t), Change: change}).Via(client.Client)
			_, pushed := via.Push(t.Context(), via.NewAuthorization())
			_, granted := via.ClientCredentials(t.Context(), "accounts")
			_, asked := via.UserInfo(t.Context(), "token")
			_, introspected := via.Introspect(t.Context(), "token")
			for step, err := range map[string]error{"push": pushed, "token": granted, "userinfo": asked, "introspect": introspected, "revoke": via.Revoke(t.Context(), "token")} {
				if refusal := wantRefusal(t, err, badRequest, oauth.InvalidRequest); !strings.Contains(refusal.Description, e.header) {
					t.Errorf("%s, %s: refused with %q", name, step, refusal.Description)
				}
			}
		}
	})
}

// A trailer is no header, and Client_Cert another name: a client that gets them
// past the proxy, which knows of the headers alone, gains nothing.
func TestTrailersAndSpellingsAreNoHeaders(t *testing.T) {
	t.Parallel()
	behindProxy(t, func(t *testing.T, e edge) {
		victim := e.Register(t, "bank.victim", tlsClient)
		value := fapitest.ForwardedCertificate(e.header, victim.Certificate.Certificate[0])
		form := url.Values{
			oauth.ParamGrantType: {oauth.GrantClientCredentials}, oauth.ParamClientID: {victim.ClientID}, oauth.ParamScope: {"accounts"},
		}
		asProxy := victim.With(fapitest.Misbehave{Certificate: e.certificate(t)}).HTTP(true)
		for name, change := range map[string]func(*http.Request){
			"trailer":  func(r *http.Request) { r.Trailer, r.ContentLength = http.Header{e.header: {value}}, -1 },
			"spelling": func(r *http.Request) { r.Header[strings.ReplaceAll(e.header, "-", "_")] = []string{value} },
			"header":   func(r *http.Request) { r.Header.Set(e.header, value) },
		} {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, e.MTLSBaseURL+"/token", strings.NewReader(form.Encode()))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			change(request)
			response, err := asProxy.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			answer, err := io.ReadAll(response.Body)
			_ = response.Body.Close()
			want := http.StatusUnauthorized
			if name == "header" { // The request is right but for where the certificate is.
				want = http.StatusOK
			}
			if err != nil || response.StatusCode != want {
				t.Errorf("%s: %s, %v", name, fmt.Sprint(response.StatusCode, string(answer)), err)
			}
		}
	})
}
