package fapi

import (
	"net/url"
	"strings"
)

// sameTargetURI compares an htu claim with the address of an endpoint after the
// normalization that RFC 9449, 4.3 asks for, without query and fragment.
func sameTargetURI(claimed, endpoint string) bool {
	a, aWellFormed := normalTargetURI(claimed)
	b, bWellFormed := normalTargetURI(endpoint)
	return aWellFormed && bWellFormed && a == b
}

// normalTargetURI applies RFC 3986, 6.2.2 and 6.2.3: case of scheme and host,
// default port, dot segments, empty path, needless percent-encoding. What is not
// an absolute http or https address without user information is not well-formed.
func normalTargetURI(text string) (string, bool) {
	parsed, err := url.Parse(text)
	if err != nil || defaultPorts[parsed.Scheme] == "" || parsed.Hostname() == "" || strings.Contains(parsed.Host, "%") || parsed.User != nil {
		return "", false
	}
	host := strings.ToLower(parsed.Host)
	host = strings.TrimSuffix(host, ":"+defaultPorts[parsed.Scheme])
	host = strings.TrimSuffix(host, ":")
	path := new(url.URL).ResolveReference(parsed).EscapedPath()
	if path == "" {
		path = "/"
	}
	return parsed.Scheme + "://" + host + normalEscapes(path), true
}

// defaultPorts are of the schemes that an htu can have; url.Parse writes schemes in lower case.
var defaultPorts = map[string]string{"https": "443", "http": "80"}

// normalEscapes writes percent-encodings in upper case, and not at all for
// unreserved characters (RFC 3986, 6.2.2.1 and 6.2.2.2). Its argument is well-formed.
func normalEscapes(path string) string {
	var normal strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] != '%' {
			normal.WriteByte(path[i])
			continue
		}
		escape := strings.ToUpper(path[i : i+3])
		if plain, err := url.PathUnescape(escape); err == nil && isUnreserved(plain[0]) {
			escape = plain
		}
		normal.WriteString(escape)
		i += 2
	}
	return normal.String()
}

func isUnreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0
}
