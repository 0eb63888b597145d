package mtls

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// parseForwardedClientCert reads the value of X-Forwarded-Client-Cert, as Envoy
// documents it: elements with a comma between them, each made of pairs KEY=VALUE
// with a semicolon between them. Exactly one element is taken: of several, all but
// the last may be what the client has sent.
//
// Envoy writes names of the client's certificate without quotes, so that a
// self-signed certificate can bring pairs of its own. Therefore Cert may stand
// once, and must have the digest in Hash, which may stand once as well and which
// Envoy always writes from the real certificate.
func parseForwardedClientCert(value string) (*x509.Certificate, error) {
	pairs, err := parseElement(value)
	if err != nil {
		return nil, err
	}
	encoded, err := onlyValue(pairs, "cert")
	if err != nil {
		return nil, err
	}
	digest, err := onlyValue(pairs, "hash")
	if err != nil {
		return nil, err
	}
	if encoded == "" {
		return nil, errors.New("there is no Cert: let the proxy send the whole certificate")
	}
	certificate, err := parseEscapedPEM(encoded)
	if err != nil {
		return nil, fmt.Errorf("the Cert: %w", err)
	}
	if digest != "" && !hasDigest(certificate, digest) {
		return nil, errors.New("the Hash is not that of the Cert")
	}
	return certificate, nil
}

// parseElement gives the values of one element, by key in lower case.
func parseElement(text string) (map[string][]string, error) {
	pairs := map[string][]string{}
	for {
		key, rest, found := strings.Cut(text, "=")
		if !found || !isKey(key) {
			return nil, errors.New("there is something else than KEY=VALUE")
		}
		value, rest, err := cutValue(rest)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		key = strings.ToLower(key) // Keys are case-insensitive.
		pairs[key] = append(pairs[key], value)
		if rest == "" {
			return pairs, nil
		}
		if rest[0] != ';' {
			return nil, errors.New("there is more than one element: the proxy must replace what clients send (Envoy: SANITIZE_SET), and not append to it")
		}
		text = rest[1:]
	}
}

func isKey(text string) bool {
	return text != "" && !strings.ContainsFunc(text, func(c rune) bool {
		return (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
	})
}

// cutValue gives the value at the beginning of text, without its quotes, and what
// follows: nothing, or a semicolon or comma and more.
func cutValue(text string) (value, rest string, err error) {
	if quoted, isQuoted := strings.CutPrefix(text, `"`); isQuoted {
		return cutQuoted(quoted)
	}
	end := strings.IndexAny(text, ";,")
	if end < 0 {
		end = len(text)
	}
	if strings.Contains(text[:end], `"`) {
		return "", "", errors.New("there are quotes inside the value")
	}
	return text[:end], text[end:], nil
}

// cutQuoted reads to the quote that ends the value; a backslash keeps the
// character after it.
func cutQuoted(text string) (value, rest string, err error) {
	var unquoted strings.Builder
	for i := 0; i < len(text); i++ {
		switch {
		case text[i] == '"':
			rest = text[i+1:]
			if rest != "" && rest[0] != ';' && rest[0] != ',' {
				return "", "", errors.New("the value goes on after its quotes")
			}
			return unquoted.String(), rest, nil
		case text[i] == '\\' && i+1 < len(text):
			i++
		}
		unquoted.WriteByte(text[i])
	}
	return "", "", errors.New("the quotes are not closed")
}

// onlyValue is the value of a key that may stand once; "" where it does not.
func onlyValue(pairs map[string][]string, key string) (string, error) {
	switch values := pairs[key]; len(values) {
	case 0:
		return "", nil
	case 1:
		if values[0] == "" {
			return "", fmt.Errorf("%s is empty", key)
		}
		return values[0], nil
	}
	return "", fmt.Errorf("%s stands more than once", key)
}

const (
	pemBegin = "-----BEGIN "
	pemType  = "CERTIFICATE"
)

// parseEscapedPEM takes exactly one PEM block, in URL encoding.
func parseEscapedPEM(escaped string) (*x509.Certificate, error) {
	text, err := url.PathUnescape(escaped) // A plus sign is one, and no space.
	if err != nil {
		return nil, err
	}
	// The decoder would skip what stands before a block, and a block that is damaged.
	if !strings.HasPrefix(text, pemBegin) || strings.Count(text, pemBegin) != 1 {
		return nil, errors.New("it is not one PEM block alone")
	}
	block, rest := pem.Decode([]byte(text))
	if block == nil || block.Type != pemType || len(block.Headers) > 0 || len(rest) > 0 {
		return nil, errors.New("it is not one PEM block " + pemType + " alone")
	}
	return parseForwardedDER(block.Bytes)
}

func hasDigest(certificate *x509.Certificate, stated string) bool {
	digest, err := hex.DecodeString(stated)
	actual := sha256.Sum256(certificate.Raw)
	return err == nil && bytes.Equal(digest, actual[:])
}
