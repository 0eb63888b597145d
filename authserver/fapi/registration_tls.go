package fapi

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"net/mail"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
)

// authenticatesAsymmetrically leaves none to the rule that forbids it by name.
var authenticatesAsymmetrically = authMethod.has(OneOf{oauth.AuthPrivateKeyJWT, oauth.AuthTLSClient, oauth.AuthSelfSignedTLS, oauth.AuthNone})

var (
	usesPrivateKeyJWT = authMethod.has(OneOf{oauth.AuthPrivateKeyJWT})
	usesTLSClientAuth = authMethod.has(OneOf{oauth.AuthTLSClient})
	usesSelfSignedTLS = authMethod.has(OneOf{oauth.AuthSelfSignedTLS})
)

func (c *candidate) usesTLSClientAuth() bool { return usesTLSClientAuth.holds(c) }

var hasOneCertificateMatcher = Any{
	Not{usesTLSClientAuth},
	ExactlyOne{subjectDN.stated(), sanDNS.stated(), sanURI.stated(), sanIP.stated(), sanEmail.stated()},
}

// isForTLSClientAuth says nothing where the method itself is refused.
func isForTLSClientAuth(m member) Condition {
	return Any{Not{m.stated()}, Not{Any{usesPrivateKeyJWT, usesSelfSignedTLS}}}
}

// isDistinguishedName looks at attribute types too, which the parser does not: a
// name that could never match a certificate is refused when it is written.
func isDistinguishedName(c *candidate, name string) bool {
	if !c.usesTLSClientAuth() {
		return true
	}
	parsed, err := ldap.ParseDN(name)
	if err != nil || len(parsed.RDNs) == 0 {
		return false
	}
	return !slices.ContainsFunc(parsed.RDNs, func(rdn *ldap.RelativeDN) bool {
		return slices.ContainsFunc(rdn.Attributes, func(attribute *ldap.AttributeTypeAndValue) bool {
			_, err := AttributeOID(attribute.Type)
			return err != nil
		})
	})
}

var certificateNameChecks = slices.Concat(
	demandOfEach(func(m member) Condition { return Any{Not{usesTLSClientAuth}, m.hasIfStated(dnsName)} }, sanDNS),
	each(certificateName(isAbsoluteName), sanURI),
	each(certificateName(isIPAddress), sanIP),
	each(certificateName(isMailbox), sanEmail),
)

// certificateName applies a syntax where the name is used.
func certificateName(hasSyntax func(string) bool) func(*candidate, string) bool {
	return func(c *candidate, name string) bool { return !c.usesTLSClientAuth() || hasSyntax(name) }
}

// dnsName is the preferred name syntax (RFC 1034, 3.5), with underscores that
// exist in practice and without wildcards.
var dnsName = Every{
	AtMostCharacters(253),
	matches(`^[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?)*$`),
}

// isAbsoluteName asks for a scheme and something after it; spiffe: and urn: are as good as https:.
func isAbsoluteName(uri string) bool {
	parsed, err := url.Parse(uri)
	return err == nil && len(uri) <= MaxURILength && uriText.fits(uri) && !strings.Contains(uri, "*") &&
		parsed.Scheme != "" && (parsed.Host != "" || parsed.Opaque != "")
}

func isIPAddress(address string) bool {
	parsed, err := netip.ParseAddr(address)
	return err == nil && parsed.Zone() == ""
}

// isMailbox takes a bare address, without a display name (RFC 5280, 4.2.1.6: rfc822Name).
func isMailbox(text string) bool {
	parsed, err := mail.ParseAddress(text)
	return err == nil && parsed.Address == text && parsed.Name == ""
}

var hasOneTrustAnchorSource = Any{Not{usesTLSClientAuth}, ExactlyOne{trustAnchors.stated(), trustBundle.stated()}}

// trustBundleIsKnown holds where the server's bundles are not known.
func trustBundleIsKnown(c *candidate) bool {
	bundle := c.TLSClientAuthTrustBundle
	return bundle == "" || !c.usesTLSClientAuth() || c.limits.TrustBundles == nil || slices.Contains(c.limits.TrustBundles, bundle)
}

// statedAnchors is what the trust anchors of a candidate turn out to be.
type statedAnchors struct {
	certificates []*x509.Certificate
	malformed    bool
}

func examineAnchors(text string) statedAnchors {
	if text == "" {
		return statedAnchors{}
	}
	// A block that cannot be decoded is passed over by pem.Decode, so blocks are counted.
	blocks := strings.Count(text, "-----BEGIN ")
	var anchors statedAnchors
	block, rest := pem.Decode([]byte(text))
	for ; block != nil && len(anchors.certificates) < MaxTrustAnchors; block, rest = pem.Decode(rest) {
		certificate, err := x509.ParseCertificate(block.Bytes)
		if block.Type != "CERTIFICATE" || err != nil || !hasSupportedKey(certificate) {
			return statedAnchors{malformed: true}
		}
		anchors.certificates = append(anchors.certificates, certificate)
	}
	anchors.malformed = blocks == 0 || blocks != len(anchors.certificates) || len(bytes.TrimSpace(rest)) > 0
	return anchors
}

func hasSupportedKey(certificate *x509.Certificate) bool {
	switch certificate.PublicKey.(type) {
	case *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey:
		return true
	}
	return false
}

func trustAnchorsAreCertificates(c *candidate) bool {
	return !c.usesTLSClientAuth() || !c.anchors.malformed
}

func trustAnchorsAreAuthorities(c *candidate) bool {
	return !c.usesTLSClientAuth() || c.anchors.malformed || !slices.ContainsFunc(c.anchors.certificates, isNoAuthority)
}

func isNoAuthority(certificate *x509.Certificate) bool {
	maySign := certificate.KeyUsage == 0 || certificate.KeyUsage&x509.KeyUsageCertSign != 0
	return !certificate.BasicConstraintsValid || !certificate.IsCA || !maySign
}

func rsaTrustAnchorsAreLong(c *candidate) bool {
	return !c.usesTLSClientAuth() || c.anchors.malformed || !slices.ContainsFunc(c.anchors.certificates, isShortRSA)
}

func isShortRSA(certificate *x509.Certificate) bool {
	key, isRSA := certificate.PublicKey.(*rsa.PublicKey)
	return isRSA && key.N.BitLen() < MinRSAKeyBits
}
