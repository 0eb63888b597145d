package mtls

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"strings"
	"testing"
)

type attribute struct {
	oid   asn1.ObjectIdentifier
	value any
}

var (
	country                = asn1.ObjectIdentifier{2, 5, 4, 6}
	organization           = asn1.ObjectIdentifier{2, 5, 4, 10}
	unit                   = asn1.ObjectIdentifier{2, 5, 4, 11}
	commonName             = asn1.ObjectIdentifier{2, 5, 4, 3}
	organizationIdentifier = asn1.ObjectIdentifier{2, 5, 4, 97}
	private                = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 99999, 1}
)

// subject makes a certificate of these relative names, the most significant first.
func subject(t testing.TB, relativeNames ...[]attribute) *x509.Certificate {
	t.Helper()
	var sequence pkix.RDNSequence
	for _, attributes := range relativeNames {
		var relative pkix.RelativeDistinguishedNameSET
		for _, a := range attributes {
			relative = append(relative, pkix.AttributeTypeAndValue{Type: a.oid, Value: a.value})
		}
		sequence = append(sequence, relative)
	}
	raw, err := asn1.Marshal(sequence)
	if err != nil {
		t.Fatal(err)
	}
	return &x509.Certificate{RawSubject: raw}
}

func TestSubjectsAreComparedAsNames(t *testing.T) {
	t.Parallel()
	bank := subject(t, []attribute{{country, "DE"}}, []attribute{{organization, "Bank, Söhne & Co."}},
		[]attribute{{unit, "Payments"}, {organizationIdentifier, "PSDDE-BAFIN-1234"}}, []attribute{{commonName, "app  one"}})
	same := map[string]string{
		"RFC 4514":                   `CN=app one,OU=Payments+2.5.4.97=PSDDE-BAFIN-1234,O=Bank\, Söhne & Co.,C=DE`,
		"spaces after commas":        `CN=app one, OU=Payments + organizationIdentifier=PSDDE-BAFIN-1234, O=Bank\, Söhne & Co., C=DE`,
		"other case":                 `cn=APP ONE,ou=PAYMENTS+organizationidentifier=psdde-bafin-1234,o=BANK\, SÖHNE & CO.,c=de`,
		"multi-valued, other order":  `CN=app one,organizationIdentifier=PSDDE-BAFIN-1234+OU=Payments,O=Bank\, Söhne & Co.,C=DE`,
		"hexadecimal escapes":        `CN=app one,OU=Payments+2.5.4.97=PSDDE-BAFIN-1234,O=Bank\2C S\C3\B6hne & Co.,C=DE`,
		"decomposed":                 "CN=app one,OU=Payments+2.5.4.97=PSDDE-BAFIN-1234,O=Bank\\, So\u0308hne & Co.,C=DE",
		"OIDs":                       `2.5.4.3=app one,2.5.4.11=Payments+OID.2.5.4.97=PSDDE-BAFIN-1234,2.5.4.10=Bank\, Söhne & Co.,2.5.4.6=DE`,
		"insignificant spaces":       `CN=  app    one  ,OU=Payments+2.5.4.97=PSDDE-BAFIN-1234,O=Bank\,  Söhne & Co.,C=DE`,
		"BER of the value":           `CN=#0C08617070206F6E6520,OU=Payments+2.5.4.97=PSDDE-BAFIN-1234,O=Bank\, Söhne & Co.,C=DE`,
		"reordered, as openssl does": `C=DE,O=Bank\, Söhne & Co.,OU=Payments+organizationIdentifier=PSDDE-BAFIN-1234,CN=app one`,
	}
	different := map[string]string{
		"another value":             `CN=app two,OU=Payments+2.5.4.97=PSDDE-BAFIN-1234,O=Bank\, Söhne & Co.,C=DE`,
		"a part missing":            `CN=app one,O=Bank\, Söhne & Co.,C=DE`,
		"a part more":               `CN=app one,OU=Payments+2.5.4.97=PSDDE-BAFIN-1234,O=Bank\, Söhne & Co.,L=Bonn,C=DE`,
		"multi-valued taken apart":  `CN=app one,OU=Payments,2.5.4.97=PSDDE-BAFIN-1234,O=Bank\, Söhne & Co.,C=DE`,
		"parts in some other order": `O=Bank\, Söhne & Co.,CN=app one,OU=Payments+2.5.4.97=PSDDE-BAFIN-1234,C=DE`,
		"another attribute":         `CN=app one,OU=Payments+2.5.4.97=PSDDE-BAFIN-1234,OU=Bank\, Söhne & Co.,C=DE`,
		"umlaut left out":           `CN=app one,OU=Payments+2.5.4.97=PSDDE-BAFIN-1234,O=Bank\, Sohne & Co.,C=DE`,
		"space left out":            `CN=appone,OU=Payments+2.5.4.97=PSDDE-BAFIN-1234,O=Bank\, Söhne & Co.,C=DE`,
	}
	for name, text := range same {
		if matches, err := matchesSubject(text, bank); err != nil || !matches {
			t.Errorf("%s: %s: %v, %v", name, text, matches, err)
		}
	}
	for name, text := range different {
		if matches, err := matchesSubject(text, bank); err != nil || matches {
			t.Errorf("%s: %s: %v, %v", name, text, matches, err)
		}
	}
}

func TestSubjectInjectionDoesNotMatch(t *testing.T) {
	t.Parallel()
	forged := map[string]*x509.Certificate{
		"a CN that looks like a DN": subject(t, []attribute{{commonName, "app,O=Bank"}}),
		"a CN with a plus":          subject(t, []attribute{{organization, "Bank"}}, []attribute{{commonName, "app+UID=1"}}),
		"a CN with a NUL":           subject(t, []attribute{{organization, "Bank"}}, []attribute{{commonName, "app\x00"}}),
		"two CNs":                   subject(t, []attribute{{organization, "Bank"}}, []attribute{{commonName, "app"}}, []attribute{{commonName, "app"}}),
	}
	for name, certificate := range forged {
		if matches, _ := matchesSubject("CN=app,O=Bank", certificate); matches {
			t.Errorf("%s matches CN=app,O=Bank", name)
		}
	}
}

func TestAttributesThatAreNotKnownCompareExactly(t *testing.T) {
	t.Parallel()
	certificate := subject(t, []attribute{{private, "Value"}})
	for text, want := range map[string]bool{
		"1.3.6.1.4.1.99999.1=Value": true, "1.3.6.1.4.1.99999.1=value": false, "1.3.6.1.4.1.99999.2=Value": false,
	} {
		if matches, err := matchesSubject(text, certificate); err != nil || matches != want {
			t.Errorf("%s: %v, %v", text, matches, err)
		}
	}
}

func TestNamesThatAreNoneAreErrors(t *testing.T) {
	t.Parallel()
	certificate := subject(t, []attribute{{commonName, "app"}})
	for _, text := range []string{
		"", "  ", "app", "CN=", "CN=app,", "CN=app,,O=x", "X=app", "=app", `CN=app\`, "CN=#zz", "CN=" + strings.Repeat("a", maxNameLength),
	} {
		if matches, err := matchesSubject(text, certificate); err == nil {
			t.Errorf("%.40q: %v without an error", text, matches)
		}
	}
	for name, broken := range map[string]*x509.Certificate{
		"no DER":   {RawSubject: []byte{0x30}},
		"a number": subject(t, []attribute{{commonName, 7}}),
		"empty":    subject(t, []attribute{{commonName, ""}}),
	} {
		if matches, err := matchesSubject("CN=app", broken); err == nil {
			t.Errorf("%s: %v without an error", name, matches)
		}
	}
}

func FuzzSubject(f *testing.F) {
	for _, seed := range []string{`CN=app,O=Bank\, Söhne+OU=x,C=DE`, "2.5.4.3=#0C03617070", "CN=#3003020101", `CN=a\`, "DC=example,DC=bank", "=;+,", `E=a@b+UID=\C3\28`} {
		f.Add(seed, []byte(seed))
	}
	f.Fuzz(func(t *testing.T, text string, raw []byte) {
		name, err := parseName(text)
		if err == nil && (len(name) == 0 || !name.equal(name)) {
			t.Errorf("%q: %v", text, name)
		}
		_, _ = matchesSubject(text, &x509.Certificate{RawSubject: raw})
	})
}

func FuzzSubjectValue(f *testing.F) {
	for _, seed := range []string{"app", " a  b ", "Bank, Söhne", `x\y"z`, "#0C01", "ſtraße", "İ", "a+b=c;d<e>"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		raw, err := asn1.Marshal(pkix.RDNSequence{{{Type: commonName, Value: value}}, {{Type: organization, Value: "Bank"}}})
		if err != nil {
			return
		}
		escaped := pkix.RDNSequence{{{Type: commonName, Value: value}}, {{Type: organization, Value: "Bank"}}}.String()
		matches, err := matchesSubject(escaped, &x509.Certificate{RawSubject: raw})
		if err == nil && !matches {
			t.Errorf("%q is not itself: %s", value, escaped)
		}
	})
}
