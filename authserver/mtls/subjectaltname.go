package mtls

import (
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// hasDNSName compares as a name: case does not count (RFC 4343), a wildcard matches nothing but itself.
func hasDNSName(expected string, certificate *x509.Certificate) (bool, error) {
	return slices.ContainsFunc(certificate.DNSNames, func(name string) bool { return strings.EqualFold(name, expected) }), nil
}

// hasURI compares as strings, both written back from their parsed form.
func hasURI(expected string, certificate *x509.Certificate) (bool, error) {
	parsed, err := url.Parse(expected)
	if err != nil {
		return false, fmt.Errorf("the registered URI does not parse: %w", err)
	}
	return slices.ContainsFunc(certificate.URIs, func(uri *url.URL) bool { return uri.String() == parsed.String() }), nil
}

// hasIPAddress compares addresses, so that every spelling of an IPv6 address does.
func hasIPAddress(expected string, certificate *x509.Certificate) (bool, error) {
	parsed, err := netip.ParseAddr(expected)
	if err != nil {
		return false, fmt.Errorf("the registered IP address does not parse: %w", err)
	}
	return slices.ContainsFunc(certificate.IPAddresses, func(ip net.IP) bool {
		address, ok := netip.AddrFromSlice(ip)
		return ok && address.Unmap() == parsed.Unmap()
	}), nil
}

// hasEmailAddress compares as strings: the part before the @ may be sensitive to case (RFC 5321, 2.4).
func hasEmailAddress(expected string, certificate *x509.Certificate) (bool, error) {
	return slices.Contains(certificate.EmailAddresses, expected), nil
}
