package mtls

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
)

// distinguishedName is a name ready for comparison: its relative names with the
// most significant first, each a sorted list of "OID=prepared value".
type distinguishedName [][]string

// maxNameLength bounds the registered text that is parsed; our own choice.
const maxNameLength = 4096

// matchesSubject compares the registered subject DN with the certificate's as
// names and never as text (RFC 8705, 2.1.2; RFC 4517, 4.2.15). Many tools
// (openssl among them) print the most significant part first, RFC 4514 the least
// significant one: the registered text may be in either order, as a whole.
func matchesSubject(registered string, certificate *x509.Certificate) (bool, error) {
	expected, err := parseName(registered)
	if err != nil {
		return false, fmt.Errorf("the registered subject DN: %w", err)
	}
	presented, err := subjectName(certificate.RawSubject)
	if err != nil {
		return false, fmt.Errorf("the certificate's subject: %w", err)
	}
	if expected.equal(presented) {
		return true, nil
	}
	slices.Reverse(expected)
	return expected.equal(presented), nil
}

func (n distinguishedName) equal(other distinguishedName) bool {
	return slices.EqualFunc(n, other, slices.Equal[[]string])
}

// parseName reads the text of RFC 4514.
func parseName(text string) (distinguishedName, error) {
	if len(text) > maxNameLength {
		return nil, fmt.Errorf("longer than %d characters", maxNameLength)
	}
	parsed, err := ldap.ParseDN(text)
	if err != nil {
		return nil, err
	}
	if len(parsed.RDNs) == 0 {
		return nil, errors.New("empty")
	}
	name := make(distinguishedName, 0, len(parsed.RDNs))
	for _, relative := range slices.Backward(parsed.RDNs) {
		var attributes []string
		for _, attribute := range relative.Attributes {
			oid, err := fapi.AttributeOID(attribute.Type)
			if err != nil {
				return nil, err
			}
			prepared, err := prepare(oid, attribute.Value)
			if err != nil {
				return nil, err
			}
			attributes = append(attributes, prepared)
		}
		slices.Sort(attributes)
		name = append(name, attributes)
	}
	return name, nil
}

// subjectName reads the DER of a certificate's subject.
func subjectName(raw []byte) (distinguishedName, error) {
	var sequence pkix.RDNSequence
	if rest, err := asn1.Unmarshal(raw, &sequence); err != nil || len(rest) > 0 {
		return nil, errors.New("not a DER sequence of relative distinguished names")
	}
	name := make(distinguishedName, 0, len(sequence))
	for _, relative := range sequence {
		var attributes []string
		for _, attribute := range relative {
			value, isText := attribute.Value.(string)
			if !isText {
				return nil, fmt.Errorf("the value of %s is no text", attribute.Type)
			}
			prepared, err := prepare(attribute.Type.String(), value)
			if err != nil {
				return nil, err
			}
			attributes = append(attributes, prepared)
		}
		slices.Sort(attributes)
		name = append(name, attributes)
	}
	return name, nil
}

// prepare makes values that match equal: for the attributes that we know this is
// caseIgnoreMatch (RFC 4517, 4.2.11; RFC 4518: NFKC, case folding, insignificant
// spaces), for all others exact comparison.
func prepare(oid, value string) (string, error) {
	if fapi.KnowsAttribute(oid) {
		folded := cases.Fold().String(norm.NFKC.String(value))
		value = strings.Join(strings.Fields(norm.NFKC.String(folded)), " ")
	}
	if value == "" {
		return "", fmt.Errorf("the value of %s is empty", oid)
	}
	return oid + "=" + value, nil
}
