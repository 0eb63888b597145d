package listen

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/config"
	"github.com/fapi-operator/fapi-operator/authserver/listen/testca"
)

var start = time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC)

// clock is a time that the test moves.
type clock struct {
	mutex sync.Mutex
	time  time.Time
}

func newClock() *clock { return &clock{time: start} }

func (c *clock) now() time.Time {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.time
}

func (c *clock) advance(by time.Duration) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.time = c.time.Add(by)
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func filesOf(t *testing.T, pair testca.Pair) config.TLS {
	t.Helper()
	certificateFile, keyFile := pair.Write(t, t.TempDir())
	return config.TLS{CertificateFile: certificateFile, KeyFile: keyFile}
}

// serve runs a real server over real TLS. It answers with the version of HTTP
// and what is known of the caller's certificate.
func serve(t *testing.T, settings *tls.Config) (url string) {
	t.Helper()
	listener, err := Open("127.0.0.1:0", settings)
	if err != nil {
		t.Fatal(err)
	}
	server := HTTPServer(http.HandlerFunc(describeCaller), discard())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	t.Cleanup(func() {
		_ = server.Close()
		if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
			t.Errorf("serve: %v", err)
		}
	})
	return "https://" + listener.Addr().String()
}

func describeCaller(w http.ResponseWriter, r *http.Request) {
	answer := r.Proto
	if r.TLS.DidResume {
		answer += " resumed"
	}
	for _, certificate := range r.TLS.PeerCertificates {
		answer += " " + strings.Join(names(certificate), ",")
	}
	_, _ = io.WriteString(w, answer)
}

// ask makes one request over a new connection.
func ask(t *testing.T, url string, settings *tls.Config) (string, error) {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: settings, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Get(url)
	if err != nil {
		return "", err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

func TestOnlyAllowedVersionsAndSuitesAreAgreed(t *testing.T) {
	t.Parallel()
	for kind, rsa := range map[string]bool{"ECDSA": false, "RSA": true} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			authority := testca.New(t, "CA", start)
			clock := newClock()
			settings, err := Public(config.Listener{TLS: filesOf(t, authority.Issue(t, testca.Leaf{DNS: []string{"localhost"}, RSA: rsa}))}, clock.now, discard())
			if err != nil {
				t.Fatal(err)
			}
			address := strings.TrimPrefix(serve(t, settings), "https://")
			agrees := func(client *tls.Config) error {
				client.RootCAs, client.ServerName, client.Time = authority.Pool(), "localhost", clock.now
				connection, err := tls.Dial("tcp", address, client)
				if err == nil {
					_ = connection.Close()
				}
				return err
			}
			for _, suite := range append(tls.CipherSuites(), tls.InsecureCipherSuites()...) {
				if slices.Contains(suite.SupportedVersions, tls.VersionTLS13) {
					continue // these two sets of suites do not mix
				}
				wanted := slices.Contains(suites, suite.ID) && strings.Contains(suite.Name, "_"+kind+"_")
				if err := agrees(&tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite.ID}}); (err == nil) != wanted {
					t.Errorf("%s: %v, agreed should be %v", suite.Name, err, wanted)
				}
			}
			for version, wanted := range map[uint16]bool{tls.VersionTLS10: false, tls.VersionTLS11: false, tls.VersionTLS12: true, tls.VersionTLS13: true} {
				if err := agrees(&tls.Config{MinVersion: version, MaxVersion: version}); (err == nil) != wanted {
					t.Errorf("%s: %v, agreed should be %v", tls.VersionName(version), err, wanted)
				}
			}
		})
	}
}

func TestTLS13AndHTTP2ArePreferred(t *testing.T) {
	t.Parallel()
	authority := testca.New(t, "CA", start)
	clock := newClock()
	settings, err := Public(config.Listener{TLS: filesOf(t, authority.Server(t))}, clock.now, discard())
	if err != nil {
		t.Fatal(err)
	}
	var agreed uint16
	answer, err := ask(t, serve(t, settings), &tls.Config{
		RootCAs: authority.Pool(), Time: clock.now,
		VerifyConnection: func(state tls.ConnectionState) error { agreed = state.Version; return nil },
	})
	if err != nil || answer != "HTTP/2.0" || agreed != tls.VersionTLS13 {
		t.Errorf("got %q over %s, %v", answer, tls.VersionName(agreed), err)
	}
}

func TestThePublicListenerNeverAsksForACertificate(t *testing.T) {
	t.Parallel()
	authority := testca.New(t, "CA", start)
	clock := newClock()
	settings, err := Public(config.Listener{TLS: filesOf(t, authority.Server(t))}, clock.now, discard())
	if err != nil {
		t.Fatal(err)
	}
	_, err = ask(t, serve(t, settings), &tls.Config{
		RootCAs: authority.Pool(), Time: clock.now,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			t.Error("the client was asked for a certificate")
			return &tls.Certificate{}, nil
		},
	})
	if err != nil {
		t.Error(err)
	}
}

func TestTheMTLSListenerTakesAnyCertificateOrNone(t *testing.T) {
	t.Parallel()
	authority := testca.New(t, "CA", start)
	clock := newClock()
	settings, err := MTLS(config.MTLSListener{TLS: filesOf(t, authority.Server(t))}, clock.now, discard())
	if err != nil {
		t.Fatal(err)
	}
	url := serve(t, settings)
	stranger := testca.New(t, "another CA", start).Issue(t, testca.Leaf{DNS: []string{"client"}}).TLS(t)
	for want, certificates := range map[string][]tls.Certificate{"HTTP/2.0": nil, "HTTP/2.0 client": {stranger}} {
		answer, err := ask(t, url, &tls.Config{RootCAs: authority.Pool(), Time: clock.now, Certificates: certificates})
		if err != nil || answer != want {
			t.Errorf("got %q, %v; want %q", answer, err, want)
		}
	}
}

func TestAResumedSessionShowsTheCertificate(t *testing.T) {
	t.Parallel()
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			t.Parallel()
			authority := testca.New(t, "CA", start)
			clock := newClock()
			settings, err := MTLS(config.MTLSListener{TLS: filesOf(t, authority.Server(t))}, clock.now, discard())
			if err != nil {
				t.Fatal(err)
			}
			url := serve(t, settings)
			client := &tls.Config{
				RootCAs: authority.Pool(), Time: clock.now, MinVersion: version, MaxVersion: version,
				Certificates:       []tls.Certificate{authority.Issue(t, testca.Leaf{URIs: []string{"urn:client:1"}}).TLS(t)},
				ClientSessionCache: tls.NewLRUClientSessionCache(4),
			}
			for _, want := range []string{"HTTP/2.0 urn:client:1", "HTTP/2.0 resumed urn:client:1"} {
				if answer, err := ask(t, url, client); err != nil || answer != want {
					t.Errorf("got %q, %v; want %q", answer, err, want)
				}
			}
		})
	}
}

func TestTooLargeAHeaderIsRefused(t *testing.T) {
	t.Parallel()
	authority := testca.New(t, "CA", start)
	clock := newClock()
	settings, err := Public(config.Listener{TLS: filesOf(t, authority.Server(t))}, clock.now, discard())
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: authority.Pool(), Time: clock.now}}
	defer transport.CloseIdleConnections()
	response, err := (&http.Client{Transport: transport}).Get(serve(t, settings) + "/?state=" + strings.Repeat("x", 2*maxHeaderBytes))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("status %d", response.StatusCode)
	}
}

func TestUnusableFilesAreNamed(t *testing.T) {
	t.Parallel()
	authority := testca.New(t, "CA", start)
	good := filesOf(t, authority.Server(t))
	other := filesOf(t, authority.Server(t))
	garbage := testca.WriteFile(t, t.TempDir(), "garbage", []byte("garbage"))
	for name, listener := range map[string]config.PrivateListener{
		"absent":              {TLS: config.TLS{CertificateFile: "/nowhere", KeyFile: good.KeyFile}, ClientCAFile: good.CertificateFile},
		"garbage":             {TLS: config.TLS{CertificateFile: garbage, KeyFile: good.KeyFile}, ClientCAFile: good.CertificateFile},
		"another's key":       {TLS: config.TLS{CertificateFile: good.CertificateFile, KeyFile: other.KeyFile}, ClientCAFile: good.CertificateFile},
		"CA file of no certs": {TLS: good, ClientCAFile: garbage},
	} {
		if _, err := Private(listener, newClock().now, discard()); err == nil || !strings.Contains(err.Error(), "private listener: ") || !strings.Contains(err.Error(), "/") {
			t.Errorf("%s: got %v, want an error that names listener and file", name, err)
		}
	}
	if _, err := Open("127.0.0.1:999999", nil); err == nil {
		t.Error("an impossible address was accepted")
	}
}

func TestHealthIsServedWithoutTLS(t *testing.T) {
	t.Parallel()
	listener, err := Open("127.0.0.1:0", nil)
	if err != nil {
		t.Fatal(err)
	}
	server := HTTPServer(http.NotFoundHandler(), discard())
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	response, err := http.Get("http://" + listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	_ = server.Close()
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		t.Errorf("serve: %v", err)
	}
}

// logged collects log lines.
type logged struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (l *logged) Write(line []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.Write(line)
}

func (l *logged) count(passage string) int {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return strings.Count(l.text.String(), passage)
}
