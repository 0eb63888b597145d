package mtls

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"net/url"
	"strings"
	"testing"
)

// exampleLeaf is the certificate of RFC 9440, Figures 1 and 2, in base64.
const exampleLeaf = "MIIBqDCCAU6gAwIBAgIBBzAKBggqhkjOPQQDAjA6MRswGQYDVQQKDBJMZXQncyBB" +
	"dXRoZW50aWNhdGUxGzAZBgNVBAMMEkxBIEludGVybWVkaWF0ZSBDQTAeFw0yMDAx" +
	"MTQyMjU1MzNaFw0yMTAxMjMyMjU1MzNaMA0xCzAJBgNVBAMMAkJDMFkwEwYHKoZI" +
	"zj0CAQYIKoZIzj0DAQcDQgAE8YnXXfaUgmnMtOXU/IncWalRhebrXmckC8vdgJ1p" +
	"5Be5F/3YC8OthxM4+k1M6aEAEFcGzkJiNy6J84y7uzo9M6NyMHAwCQYDVR0TBAIw" +
	"ADAfBgNVHSMEGDAWgBRm3WjLa38lbEYCuiCPct0ZaSED2DAOBgNVHQ8BAf8EBAMC" +
	"BsAwEwYDVR0lBAwwCgYIKwYBBQUHAwIwHQYDVR0RAQH/BBMwEYEPYmRjQGV4YW1w" +
	"bGUuY29tMAoGCCqGSM49BAMCA0gAMEUCIBHda/r1vaL6G3VliL4/Di6YK0Q6bMje" +
	"SkC3dFCOOB8TAiEAx/kHSB4urmiZ0NX5r5XarmPk0wmuydBVoU4hBVZ1yhk="

func exampleCertificate(t testing.TB) *x509.Certificate {
	t.Helper()
	der, err := base64.StdEncoding.DecodeString(exampleLeaf)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return certificate
}

// byteSequence is RFC 8941, 3.3.5.
func byteSequence(content []byte) string {
	return ":" + base64.StdEncoding.EncodeToString(content) + ":"
}

// escapedPEM is a certificate as Envoy writes it (and nginx, as $ssl_client_escaped_cert).
func escapedPEM(der []byte) string {
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return strings.NewReplacer("\n", "%0A", " ", "%20", "+", "%2B", "/", "%2F", "=", "%3D").Replace(text)
}

func hashOf(certificate *x509.Certificate) string {
	digest := sha256.Sum256(certificate.Raw)
	return hex.EncodeToString(digest[:])
}

func TestClientCertIsAByteSequence(t *testing.T) {
	t.Parallel()
	example := exampleCertificate(t)
	got, err := parseClientCert(":" + exampleLeaf + ":")
	if err != nil || !got.Equal(example) || got.EmailAddresses[0] != "bdc@example.com" {
		t.Fatalf("the example of RFC 9440 gave %v, %v", got, err)
	}
	if got, err := parseClientCert(":" + strings.TrimRight(exampleLeaf, "=") + ":"); err != nil || !got.Equal(example) {
		t.Errorf("without padding: %v, %v", got, err)
	}
	for name, value := range map[string]string{
		"nothing":              "",
		"one colon":            ":",
		"an empty sequence":    "::",
		"no colons":            exampleLeaf,
		"only the first colon": ":" + exampleLeaf,
		"only the last colon":  exampleLeaf + ":",
		"line breaks":          ":" + exampleLeaf[:64] + "\r\n" + exampleLeaf[64:] + ":",
		"a space":              ":" + exampleLeaf[:64] + " " + exampleLeaf[64:] + ":",
		"spaces around":        " :" + exampleLeaf + ": ",
		"URL alphabet":         ":" + strings.ReplaceAll(exampleLeaf, "/", "_") + ":",
		"padding twice":        ":" + exampleLeaf + "==:",
		"a parameter":          ":" + exampleLeaf + ":;a=1",
		"a list":               ":" + exampleLeaf + ":, :" + exampleLeaf + ":",
		"a text":               `"` + exampleLeaf + `"`,
		"PEM":                  pemOf(example),
		"PEM in a sequence":    byteSequence([]byte(pemOf(example))),
		"escaped PEM":          escapedPEM(example.Raw),
		"trailing data":        byteSequence(append(bytes.Clone(example.Raw), 0)),
		"two certificates":     byteSequence(append(bytes.Clone(example.Raw), example.Raw...)),
		"half a certificate":   byteSequence(example.Raw[:len(example.Raw)/2]),
		"a huge certificate":   byteSequence(hugeCertificate(t)),
		"Envoy's header":       "Hash=" + hashOf(example) + `;Cert="` + escapedPEM(example.Raw) + `"`,
	} {
		if got, err := parseClientCert(value); err == nil {
			t.Errorf("%s: accepted as %s", name, got.Subject)
		}
	}
}

// hugeCertificate is well-formed, and larger than what may be forwarded.
func hugeCertificate(t testing.TB) []byte {
	t.Helper()
	template := appCertificate()
	template.DNSNames = nil
	for range 300 {
		template.DNSNames = append(template.DNSNames, strings.Repeat("a", 60)+".bank.example")
	}
	certificate := newAuthority(t, "CA", nil).issue(t, template)
	if len(certificate.Raw) <= maxForwardedBytes {
		t.Fatalf("the certificate has %d bytes only", len(certificate.Raw))
	}
	return certificate.Raw
}

func TestForwardedClientCertIsOneElement(t *testing.T) {
	t.Parallel()
	example := exampleCertificate(t)
	cert, hash := `Cert="`+escapedPEM(example.Raw)+`"`, "Hash="+hashOf(example)
	for name, value := range map[string]string{
		"as Envoy sends it":       "By=spiffe://edge;" + hash + ";" + cert + `;Subject="CN=BC";URI=spiffe://a?b=c;DNS=a.example;DNS=b.example`,
		"without names":           hash + ";" + cert + `;Subject="";URI=`,
		"a chain beside":          hash + ";" + cert + `;Chain="` + escapedPEM(example.Raw) + escapedPEM(example.Raw) + `"`,
		"the certificate alone":   cert,
		"keys in another case":    "hASH=" + strings.ToUpper(hashOf(example)) + ";cERT=" + strings.TrimPrefix(cert, "Cert="),
		"without quotes":          "Cert=" + escapedPEM(example.Raw),
		"everything escaped":      `Cert="` + url.PathEscape(pemOf(example)) + `"`,
		"separators in quotes":    `Subject="CN=\"a,b;Cert=c\\\"";` + cert,
		"a key that is not known": "Serial=07;" + cert,
	} {
		if got, err := parseForwardedClientCert(value); err != nil || !got.Equal(example) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	victim := newAuthority(t, "victim", nil).certificate
	other := `Cert="` + escapedPEM(victim.Raw) + `"`
	for name, value := range map[string]string{
		"nothing":                        "",
		"no certificate":                 hash + ";URI=spiffe://a",
		"an empty certificate":           `Cert="";` + hash,
		"a chain alone":                  hash + `;Chain="` + escapedPEM(example.Raw) + `"`,
		"appended to what a client sent": hash + ";" + cert + ",Hash=" + hashOf(victim) + ";" + other,
		"a client's own element first":   "URI=a," + cert,
		"an empty element last":          cert + ",",
		"an empty element first":         "," + cert,
		"pairs from a URI":               hash + ";" + cert + ";URI=a;" + other,
		"pairs from a URI, no Cert":      hash + ";URI=a;" + other,
		"another digest from a URI":      hash + ";URI=a;Hash=" + hashOf(victim) + ";" + other,
		"an element from a URI":          hash + ";URI=a,Hash=" + hashOf(victim) + ";" + other,
		"another's digest":               "Hash=" + hashOf(victim) + ";" + cert,
		"a digest of another length":     "Hash=" + hashOf(example)[:40] + ";" + cert,
		"an empty digest":                "Hash=;" + cert,
		"no digest but a word":           "Hash=sha256;" + cert,
		"open quotes":                    hash + `;Cert="` + escapedPEM(example.Raw),
		"a backslash at the end":         `Cert="` + escapedPEM(example.Raw) + `\`,
		"more after the quotes":          cert + "x",
		"quotes inside":                  `URI=a"b";` + cert,
		"a semicolon at the end":         cert + ";",
		"a semicolon at the beginning":   ";" + cert,
		"a space after a semicolon":      hash + "; " + cert,
		"a key without value":            "Hash;" + cert,
		"no key":                         "=a;" + cert,
		"a bare certificate":             escapedPEM(example.Raw),
		"RFC 9440's header":              ":" + exampleLeaf + ":",
		"PEM that is not escaped":        `Cert="` + strings.ReplaceAll(pemOf(example), "\n", " ") + `"`,
		"DER in base64":                  `Cert="` + exampleLeaf + `"`,
		"a broken escape":                `Cert="%2"`,
		"text before the block":          `Cert="a%0A` + escapedPEM(example.Raw) + `"`,
		"text after the block":           `Cert="` + escapedPEM(example.Raw) + `a"`,
		"two blocks":                     `Cert="` + escapedPEM(example.Raw) + escapedPEM(victim.Raw) + `"`,
		"a damaged block before":         `Cert="-----BEGIN CERTIFICATE-----%0A!%0A-----END CERTIFICATE-----%0A` + escapedPEM(victim.Raw) + `"`,
		"another type":                   `Cert="` + strings.ReplaceAll(escapedPEM(example.Raw), "CERTIFICATE", "TRUSTED%20CERTIFICATE") + `"`,
		"headers in the block":           `Cert="` + strings.Replace(escapedPEM(example.Raw), "-----%0A", "-----%0AA: b%0A%0A", 1) + `"`,
		"trailing data":                  `Cert="` + escapedPEM(append(bytes.Clone(example.Raw), 0)) + `"`,
		"a huge certificate":             `Cert="` + escapedPEM(hugeCertificate(t)) + `"`,
	} {
		if got, err := parseForwardedClientCert(value); err == nil {
			t.Errorf("%s: accepted as %s", name, got.Subject)
		}
	}
}

// FuzzClientCert: what is accepted is one certificate, and no longer so with more beside it.
func FuzzClientCert(f *testing.F) {
	for _, value := range []string{":" + exampleLeaf + ":", "::", ":AA==:", exampleLeaf, ":" + exampleLeaf + ":;a=1"} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		certificate, err := parseClientCert(value)
		if err != nil {
			return
		}
		if again, err := parseClientCert(byteSequence(certificate.Raw)); err != nil || !again.Equal(certificate) {
			t.Errorf("what was accepted is %v when it is written again: %v", again, err)
		}
		for _, more := range []string{value + value, value + "," + value, value + ", " + value, value + ";a", " " + value, value + "\n"} {
			if _, err := parseClientCert(more); err == nil {
				t.Errorf("accepted with more beside it: %q", more)
			}
		}
	})
}

// FuzzXFCC is the same for X-Forwarded-Client-Cert, where a second element and a
// second Cert are what clients can bring.
func FuzzXFCC(f *testing.F) {
	example := exampleCertificate(f)
	cert := `Cert="` + escapedPEM(example.Raw) + `"`
	for _, value := range []string{
		cert, "Hash=" + hashOf(example) + ";" + cert + `;Subject="CN=\"a,b\"";URI=x;DNS=a;DNS=b`, "By=a;Hash=b;URI=c,By=d;" + cert, `Cert="%2`, "Cert=",
	} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		certificate, err := parseForwardedClientCert(value)
		if err != nil {
			return
		}
		again, err := parseForwardedClientCert("Hash=" + hashOf(certificate) + `;Cert="` + escapedPEM(certificate.Raw) + `"`)
		if err != nil || !again.Equal(certificate) {
			t.Errorf("what was accepted is %v when it is written again: %v", again, err)
		}
		for _, more := range []string{value + "," + value, value + ";" + value, value + ",", value + ";", "," + value, "URI=a," + value, value + ";" + cert} {
			if _, err := parseForwardedClientCert(more); err == nil {
				t.Errorf("accepted with more beside it: %q", more)
			}
		}
	})
}
