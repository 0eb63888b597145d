package protocol

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// TLS alerts (RFC 8446, 6) by which a server may refuse a handshake.
const (
	alertHandshakeFailure = 40
	alertProtocolVersion  = 70
)

// forbiddenSuites are of TLS 1.2 and older, by their registered numbers: all that
// FAPI 2.0 Security Profile, 5.2.2-1 (BCP 195) does not leave. Go's client speaks few of them.
var forbiddenSuites = map[string][]uint16{
	"null":                {0x0000, 0x0001, 0x0002, 0x003b, 0xc006, 0xc010},
	"export-and-RC4":      {0x0003, 0x0004, 0x0005, 0x0006, 0x0008, 0x0014, 0xc007, 0xc011},
	"3DES":                {0x000a, 0x0013, 0x0016, 0xc008, 0xc012},
	"RSA-CBC":             {0x002f, 0x0035, 0x003c, 0x003d},
	"RSA-GCM":             {0x009c, 0x009d},
	"DHE-CBC":             {0x0032, 0x0033, 0x0038, 0x0039, 0x0040, 0x0067, 0x006a, 0x006b},
	"DHE-GCM":             {0x009e, 0x009f, 0x00a2, 0x00a3},
	"DHE-CHACHA20":        {0xccaa},
	"DHE-CCM":             {0xc09e, 0xc09f, 0xc0a2, 0xc0a3},
	"ECDHE-CBC":           {0xc009, 0xc00a, 0xc013, 0xc014},
	"ECDHE-CBC-SHA2":      {0xc023, 0xc024, 0xc027, 0xc028},
	"ECDH-static":         {0xc02d, 0xc02e, 0xc031, 0xc032, 0xc004, 0xc00e},
	"anonymous":           {0x0018, 0x0034, 0x006c, 0x00a6, 0xc018, 0xc019},
	"Camellia-ARIA-SEED":  {0x0041, 0x0084, 0x0096, 0xc072, 0xc076, 0xc050},
	"PSK-without-ECDHE":   {0x008c, 0x00a8, 0x00aa, 0xccab},
	"ECDHE-CCM-and-CCM_8": {0xc0ac, 0xc0ad, 0xc0ae, 0xc0af},
}

// allowedSuites are of TLS 1.2, one each of what BCP 195 recommends and the server speaks.
var allowedSuites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
}

// TestTLSProbes is section 2.12: one handshake for each version and each family
// of suites, at every place that the suite probes.
func TestTLSProbes(t *testing.T) {
	t.Parallel()
	server := fapitest.StartServer(t)
	api := server.StartAccounts(t, "bank.accounts-api", fapitest.ResourceServer{})
	for name, address := range map[string]string{"public": server.Issuer, "mtls": server.MTLSBaseURL, "accounts": api.URL} {
		probed, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		t.Run("old-versions/"+name, func(t *testing.T) {
			for _, version := range []uint16{tls.VersionTLS10, tls.VersionTLS11} {
				answer := probe(t, probed.Host, version, append(forbiddenSuites["ECDHE-CBC"], allowedSuites...))
				wantTLSRefusal(t, tls.VersionName(version), answer, alertProtocolVersion, alertHandshakeFailure)
			}
		})
		t.Run("forbidden-suites/"+name, func(t *testing.T) {
			for family, suites := range forbiddenSuites {
				for _, suite := range suites {
					wantTLSRefusal(t, family, probe(t, probed.Host, tls.VersionTLS12, []uint16{suite}), alertHandshakeFailure)
				}
			}
		})
		t.Run("allowed-suites/"+name, func(t *testing.T) {
			agreed := slices.ContainsFunc(allowedSuites, func(suite uint16) bool {
				return probe(t, probed.Host, tls.VersionTLS12, []uint16{suite}).agreed
			})
			if !agreed {
				t.Error("no suite of TLS 1.2 is agreed: the probes prove nothing")
			}
		})
		t.Run("versions/"+name, func(t *testing.T) {
			for version, offered := range map[uint16]uint16{tls.VersionTLS12: tls.VersionTLS12, tls.VersionTLS13: 0} {
				settings := &tls.Config{RootCAs: server.Authority.Pool(), Time: server.Clock.Now, MinVersion: tls.VersionTLS12, MaxVersion: offered}
				connection, err := tls.Dial("tcp", probed.Host, settings)
				if err != nil {
					t.Fatalf("%s: %v", tls.VersionName(version), err)
				}
				if got := connection.ConnectionState().Version; got != version {
					t.Errorf("%s is agreed, want %s", tls.VersionName(got), tls.VersionName(version))
				}
				_ = connection.Close() // Nothing was sent.
			}
		})
	}
}

func wantTLSRefusal(t *testing.T, what string, got probed, alerts ...byte) {
	t.Helper()
	if got.agreed || !got.closed && !slices.Contains(alerts, got.alert) {
		t.Errorf("%s: agreed %t, alert %d", what, got.agreed, got.alert)
	}
}

// probed is how a server answers a ClientHello.
type probed struct {
	agreed bool
	// alert is the alert's description.
	alert byte
	// closed tells that the connection ended without an alert.
	closed bool
}

// probe sends a ClientHello that offers one version and the suites, and reads the answer's first record.
func probe(t *testing.T, address string, version uint16, suites []uint16) probed {
	t.Helper()
	connection, err := net.DialTimeout("tcp", address, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close() }() // The handshake is not ended.
	if _, err := connection.Write(clientHello(version, suites)); err != nil {
		t.Fatal(err)
	}
	var record [7]byte
	_, err = io.ReadFull(connection, record[:])
	const typeAlert, typeHandshake, serverHello = 21, 22, 2
	switch {
	case errors.Is(err, io.EOF):
		return probed{closed: true}
	case err != nil:
		t.Fatal(err)
	case record[0] == typeAlert:
		return probed{alert: record[6]}
	case record[0] == typeHandshake && record[5] == serverHello:
		return probed{agreed: true}
	}
	t.Fatalf("a record that begins with %x", record)
	return probed{}
}

// clientHello is RFC 5246, 7.4.1.2, in one record.
func clientHello(version uint16, suites []uint16) []byte {
	body := binary.BigEndian.AppendUint16(nil, version)
	body = append(body, make([]byte, 32)...)                          // random
	body = append(body, 0)                                            // no session_id
	body = binary.BigEndian.AppendUint16(body, uint16(2*len(suites))) // cipher_suites
	for _, suite := range suites {
		body = binary.BigEndian.AppendUint16(body, suite)
	}
	body = append(body, 1, 0) // compression_methods: none
	body = appendVector(body, slices.Concat(
		extension(0x0000, "\x00\x0c\x00\x00\x09localhost"),    // server_name
		extension(0x000a, "\x00\x06\x00\x1d\x00\x17\x00\x18"), // supported_groups: x25519, P-256, P-384
		extension(0x000b, "\x01\x00"),                         // ec_point_formats: uncompressed
		extension(0x000d, "\x00\x14\x04\x03\x05\x03\x06\x03\x08\x04\x08\x05\x08\x06\x04\x01\x05\x01\x06\x01\x02\x01"), // signature_algorithms
	))
	const typeHandshake, typeClientHello = 22, 1
	message := append([]byte{typeClientHello, 0}, appendVector(nil, body)...)
	return appendVector([]byte{typeHandshake, 3, 1}, message)
}

func extension(number uint16, content string) []byte {
	return appendVector(binary.BigEndian.AppendUint16(nil, number), []byte(content))
}

// appendVector appends the content with its length in two bytes before it.
func appendVector(to, content []byte) []byte {
	return append(binary.BigEndian.AppendUint16(to, uint16(len(content))), content...)
}
