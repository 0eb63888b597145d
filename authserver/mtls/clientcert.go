package mtls

import (
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// maxForwardedBytes bounds a forwarded certificate in DER: the least that parsers
// of Byte Sequences support (RFC 8941, 3.3.5). Real ones have 4 KiB at most.
const maxForwardedBytes = 16384

// parseClientCert reads the value of Client-Cert: a Byte Sequence (RFC 8941,
// 3.3.5) and nothing else, which holds a certificate in DER (RFC 9440, 2.1 and 2.2).
func parseClientCert(value string) (*x509.Certificate, error) {
	encoded, opened := strings.CutPrefix(value, ":")
	encoded, closed := strings.CutSuffix(encoded, ":")
	if !opened || !closed {
		return nil, errors.New("the value is not a Byte Sequence: a colon, base64, a colon")
	}
	if strings.ContainsAny(encoded, "\r\n") { // Go's decoder would skip them.
		return nil, errors.New("there are line breaks in the Byte Sequence")
	}
	encoding := base64.RawStdEncoding
	if strings.HasSuffix(encoded, "=") { // Padding may be left out.
		encoding = base64.StdEncoding
	}
	der, err := encoding.DecodeString(encoded)
	if err != nil {
		return nil, fmt.Errorf("the Byte Sequence: %w", err)
	}
	return parseForwardedDER(der)
}

// parseForwardedDER takes exactly one certificate.
func parseForwardedDER(der []byte) (*x509.Certificate, error) {
	if len(der) > maxForwardedBytes {
		return nil, fmt.Errorf("the certificate has %d bytes, and may have %d", len(der), maxForwardedBytes)
	}
	return x509.ParseCertificate(der)
}
