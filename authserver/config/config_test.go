package config

import (
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
)

func example(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// edited gives the example with one passage replaced; it fails when the passage is not there.
func edited(t *testing.T, from, to string) string {
	t.Helper()
	text := example(t)
	if !strings.Contains(text, from) {
		t.Fatalf("example.yaml does not contain %q", from)
	}
	return strings.Replace(text, from, to, 1)
}

// withPostgres is the example with the database that it shows in comments.
func withPostgres(t *testing.T) string {
	t.Helper()
	text := edited(t, "  sqlite:\n    # Created", "  # sqlite:\n    # Created")
	text = strings.Replace(text, "    path: /var/lib", "    # path: /var/lib", 1)
	from := strings.Index(text, "  # postgres:")
	to := from + strings.Index(text[from:], "\n\n")
	return text[:from] + regexp.MustCompile(`(?m)^  # `).ReplaceAllString(text[from:to], "  ") + text[to:]
}

// withPKCS11 is the example with the token that it shows in comments.
func withPKCS11(t *testing.T) string {
	t.Helper()
	text := example(t)
	from := strings.Index(text, "  # pkcs11:")
	to := from + strings.Index(text[from:], "\n\n")
	return text[:from] + regexp.MustCompile(`(?m)^  # `).ReplaceAllString(text[from:to], "  ") + text[to:]
}

// withProxy is the example with the proxy that it shows in comments.
func withProxy(t *testing.T) string {
	t.Helper()
	text := example(t)
	from := strings.Index(text, "    # proxy:")
	to := from + strings.Index(text[from:], "\n  #")
	return text[:from] + regexp.MustCompile(`(?m)^    # `).ReplaceAllString(text[from:to], "    ") + text[to:]
}

func problems(t *testing.T, text string) []Problem {
	t.Helper()
	_, err := Parse([]byte(text))
	refusal, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("Parse gave %v, want an *Error", err)
	}
	return refusal.Problems
}

func TestTheExampleIsValid(t *testing.T) {
	t.Parallel()
	config, err := Parse([]byte(example(t)))
	if err != nil {
		t.Fatal(err)
	}
	if config.Issuer != "https://auth.bank.example" || config.JWKSURI.AllowedCIDRs[0].String() != "10.20.0.0/16" {
		t.Errorf("unexpected configuration: %+v", config)
	}
	want := fapi.Limits{
		MaxAccessTokenLifetime: time.Hour, TrustBundles: []string{"partners"},
		Scopes:                    []string{"accounts", "offline_access", "openid", "payments"},
		AuthorizationDetailsTypes: []string{"account_information", "payment_initiation"},
		Resources:                 []string{"https://api.bank.example"},
	}
	if difference := cmp.Diff(want, config.Limits()); difference != "" {
		t.Errorf("Limits (-want +got):\n%s", difference)
	}
}

const required = `
issuer: https://auth.bank.example/tenant
mtlsBaseURL: https://auth.bank.example:8444/tenant
listeners:
  public: {address: "127.0.0.1:0", tls: {certificateFile: a, keyFile: b}}
  mtls: {address: "127.0.0.1:0", tls: {certificateFile: a, keyFile: b}}
  private: {address: "127.0.0.1:0", tls: {certificateFile: a, keyFile: b}, clientCAFile: c, allowedClientSANs: [operator]}
  health: {address: "127.0.0.1:0"}
store: {sqlite: {path: db}}
keyEncryptionKeyFile: kek
users: {file: users}
defaultResource: urn:example:api
`

func TestDefaultsFillWhatIsLeftOut(t *testing.T) {
	t.Parallel()
	config, err := Parse([]byte(required))
	if err != nil {
		t.Fatal(err)
	}
	got := []any{config.Keys, config.DPoP, config.AccessToken.MaxLifetime, config.RefreshToken.Lifetime, config.Session.Lifetime, config.Log}
	want := []any{Keys{RotationInterval: 30 * 24 * time.Hour, Overlap: 24 * time.Hour}, DPoP{"off", 5 * time.Minute}, time.Hour, 90 * 24 * time.Hour, 8 * time.Hour, Log{"info", "json"}}
	if difference := cmp.Diff(want, got); difference != "" {
		t.Errorf("defaults (-want +got):\n%s", difference)
	}
	if config.Authentication.ACR.Values() != nil {
		t.Error("an acr is claimed that nobody configured")
	}
	if limits := config.Limits(); limits.TrustBundles == nil || limits.Scopes == nil || limits.AuthorizationDetailsTypes == nil {
		t.Error("no bundles, scopes or types must not mean that they are unknown")
	}
}

// YAML 1.1 takes off for a boolean, and people leave quotes out.
func TestNoncesAreOffWithoutQuotesToo(t *testing.T) {
	t.Parallel()
	config, err := Parse([]byte(edited(t, `nonces: "off"`, "nonces: off")))
	if err != nil || config.DPoP.Nonces != NoncesOff {
		t.Errorf("got %q, %v", config.DPoP.Nonces, err)
	}
}

func TestWrongSettingsAreNamed(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ from, to, path, wrong string }{
		"plain http issuer":       {"issuer: https://auth.bank.example", "issuer: http://auth.bank.example", "issuer", "not an https URL"},
		"issuer with slash":       {"issuer: https://auth.bank.example", "issuer: https://auth.bank.example/", "issuer", "ends with a slash"},
		"issuer with query":       {"issuer: https://auth.bank.example", "issuer: https://auth.bank.example?a=b", "issuer", "query"},
		"issuer with fragment":    {"issuer: https://auth.bank.example", `issuer: "https://auth.bank.example#a"`, "issuer", "fragment"},
		"issuer with empty query": {"issuer: https://auth.bank.example", `issuer: "https://auth.bank.example?"`, "issuer", "query"},
		"issuer with user":        {"issuer: https://auth.bank.example", "issuer: https://me@auth.bank.example", "issuer", "not an https URL"},
		"issuer without host":     {"issuer: https://auth.bank.example", "issuer: https:///path", "issuer", "not an https URL"},
		"one host for both":       {"mtlsBaseURL: https://mtls.auth.bank.example", "mtlsBaseURL: https://AUTH.bank.example:443", "mtlsBaseURL", "the issuer's host and port"},
		"address without port":    {`address: ":8443"`, `address: "localhost"`, "listeners.public.address", "not host:port"},
		"port out of range":       {`address: ":8443"`, `address: ":84430"`, "listeners.public.address", "not host:port"},
		"address used twice":      {`address: ":8444"`, `address: ":8443"`, "listeners.mtls.address", "listeners.public.address"},
		"no key":                  {"keyFile: /etc/fapi-operator/tls/mtls/tls.key", "keyFile:", "listeners.mtls.tls.keyFile", "missing"},
		"no client CA":            {"clientCAFile: /etc/fapi-operator/tls/private/ca.crt", "clientCAFile: ''", "listeners.private.clientCAFile", "missing"},
		"wildcard SAN":            {"- fapi-operator.fapi-system.svc", "- '*.svc'", "listeners.private.allowedClientSANs[0]", "neither a DNS name nor a URI"},
		"wildcard bound caller":   {"spiffe://retail.example/ns/fapi-system/sa/fapi-operator: [retail]", "'*.svc': [retail]", "listeners.private.boundClientSANs.*.svc", "neither a DNS name nor a URI"},
		"bound and not bound":     {"spiffe://retail.example/ns/fapi-system/sa/fapi-operator: [retail]", "FAPI-Operator.fapi-system.svc: [retail]", "listeners.private.boundClientSANs.FAPI-Operator.fapi-system.svc", "in allowedClientSANs too"},
		"wildcard administrator":  {"- spiffe://cluster.local/ns/fapi-system/sa/fapi-administrator", "- '*'", "listeners.private.administratorSANs[0]", "neither a DNS name nor a URI"},
		"no database":             {"path: /var/lib/fapi-operator/authserver.db", "path:", "store.sqlite.path", "missing"},
		"acr with a space":        {"password: urn:bank:acr:password", "password: two words", "authentication.acr.password", "not a value for acr"},
		"relative resource":       {"defaultResource: https://api.bank.example", "defaultResource: api", "defaultResource", "not an absolute URI"},
		"resource with fragment":  {"defaultResource: https://api.bank.example", `defaultResource: "https://api.bank.example#x"`, "defaultResource", "fragment"},
		"scope with space":        {"  accounts:", "  the accounts:", "scopes.the accounts", "scope-token"},
		"scope without words":     {"description: See your accounts and their balances", "description:", "scopes.accounts.description", "missing"},
		"type with space":         {"  payment_initiation:", "  a payment:", "authorizationDetailsTypes.a payment", "not the name of a type"},
		"type without words":      {"description: Read your accounts", "description:", "authorizationDetailsTypes.account_information.description", "missing"},
		"type without schema":     {"schemaFile: /etc/fapi-operator/authorization-details/account_information.json", "schemaFile:", "authorizationDetailsTypes.account_information.schemaFile", "missing"},
		"bundle name":             {"  partners:", "  Partners!:", "trustBundles.Partners!", "not a bundle name"},
		"allowed host with port":  {"- keys.partner.internal", "- keys.partner.internal:443", "jwksURI.allowedHosts[0]", "not a host name"},
		"address as allowed host": {"- keys.partner.internal", "- 10.1.2.3", "jwksURI.allowedHosts[0]", "not a host name"},
		"access token too short":  {"maxLifetime: 1h", "maxLifetime: 5s", "accessToken.maxLifetime", "5s is too short"},
		"refresh token for ever":  {"lifetime: 2160h", "lifetime: 0s", "refreshToken.lifetime", "0s is too short"},
		"fraction of a second":    {"lifetime: 8h", "lifetime: 8h0.5s", "session.lifetime", "whole number of seconds"},
		"keys change too often":   {"rotationInterval: 720h", "rotationInterval: 23h", "keys.rotationInterval", "23h0m0s is too short"},
		"overlap too short":       {"overlap: 24h", "overlap: 0s", "keys.overlap", "0s is too short"},
		"overlap too long":        {"overlap: 24h", "overlap: 721h", "keys.overlap", "pile up"},
		"nonces":                  {`nonces: "off"`, "nonces: on", "dpop.nonces", "not a choice"},
		"nonces too short":        {"nonceLifetime: 5m", "nonceLifetime: 1s", "dpop.nonceLifetime", "1s is too short"},
		"log level":               {"level: info", "level: verbose", "log.level", "not a level"},
		"log format":              {"format: json", "format: xml", "log.format", "not a format"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found := problems(t, edited(t, test.from, test.to))
			if len(found) != 1 || found[0].Path != test.path || !strings.Contains(found[0].Wrong, test.wrong) || found[0].Write == "" {
				t.Errorf("got %v, want one problem at %s: ...%s...", found, test.path, test.wrong)
			}
		})
	}
}

func TestThePostgresExampleIsValid(t *testing.T) {
	t.Parallel()
	config, err := Parse([]byte(withPostgres(t)))
	if err != nil {
		t.Fatal(err)
	}
	want := Store{Postgres: &Postgres{
		Hosts: []string{"db-1.bank.example:5432", "db-2.bank.example:5432"}, Database: "authserver", User: "authserver",
		PasswordFile: "/etc/fapi-operator/database/password", MaxConnections: DefaultMaxConnections,
		TLS: PostgresTLS{
			CAFile: "/etc/fapi-operator/database/ca.crt", CertificateFile: "/etc/fapi-operator/database/tls.crt", KeyFile: "/etc/fapi-operator/database/tls.key",
		},
	}}
	if difference := cmp.Diff(want, config.Store); difference != "" {
		t.Errorf("Store (-want +got):\n%s", difference)
	}
}

func TestThePKCS11ExampleIsValid(t *testing.T) {
	t.Parallel()
	config, err := Parse([]byte(withPKCS11(t)))
	if err != nil {
		t.Fatal(err)
	}
	want := &PKCS11{
		ModuleFile: "/usr/lib/softhsm/libsofthsm2.so", TokenLabel: "fapi-operator", PINFile: "/etc/fapi-operator/hsm/pin",
		AlgorithmsInStore: []jose.SignatureAlgorithm{jose.EdDSA},
	}
	if difference := cmp.Diff(want, config.Keys.PKCS11); difference != "" {
		t.Errorf("PKCS11 (-want +got):\n%s", difference)
	}
}

func TestTheProxyExampleIsValid(t *testing.T) {
	t.Parallel()
	config, err := Parse([]byte(withProxy(t)))
	if err != nil {
		t.Fatal(err)
	}
	want := &Proxy{ClientCAFile: "/etc/fapi-operator/proxy/ca.crt", SANs: []string{"spiffe://cluster.local/ns/gateways/sa/edge"}, Header: "Client-Cert"}
	if difference := cmp.Diff(want, config.Listeners.MTLS.Proxy); difference != "" {
		t.Errorf("Proxy (-want +got):\n%s", difference)
	}
}

func TestAProxyIsNamedWhole(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ proxy, path, wrong string }{
		"no CA":             {"{sans: [edge.svc], header: Client-Cert}", "listeners.mtls.proxy.clientCAFile", "missing"},
		"no name":           {"{clientCAFile: a, header: Client-Cert}", "listeners.mtls.proxy.sans", "empty"},
		"every name":        {"{clientCAFile: a, sans: ['*'], header: Client-Cert}", "listeners.mtls.proxy.sans[0]", "neither a DNS name nor a URI"},
		"no header":         {"{clientCAFile: a, sans: [edge.svc]}", "listeners.mtls.proxy.header", "not a header"},
		"another spelling":  {"{clientCAFile: a, sans: [edge.svc], header: client-cert}", "listeners.mtls.proxy.header", "not a header"},
		"another header":    {"{clientCAFile: a, sans: [edge.svc], header: X-SSL-Cert}", "listeners.mtls.proxy.header", "not a header"},
		"both headers":      {"{clientCAFile: a, sans: [edge.svc], header: [Client-Cert, X-Forwarded-Client-Cert]}", "line 6", "another type"},
		"an unknown member": {"{clientCAFile: a, sans: [edge.svc], header: Client-Cert, chain: true}", "line 6", `"chain" is unknown`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found := problems(t, strings.Replace(required, "keyFile: b}}\n  private", "keyFile: b}, proxy: "+test.proxy+"}\n  private", 1))
			if len(found) != 1 || found[0].Path != test.path || !strings.Contains(found[0].Wrong, test.wrong) || found[0].Write == "" {
				t.Errorf("got %v, want one problem at %s: ...%s...", found, test.path, test.wrong)
			}
		})
	}
}

func TestATokenIsNamedWhole(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ pkcs11, path, wrong string }{
		"no module":         {"{tokenLabel: a, pinFile: b}", "keys.pkcs11.moduleFile", "missing"},
		"no token":          {"{moduleFile: a, pinFile: b}", "keys.pkcs11.tokenLabel", "missing"},
		"no PIN":            {"{moduleFile: a, tokenLabel: b}", "keys.pkcs11.pinFile", "missing"},
		"the PIN itself":    {"{moduleFile: a, tokenLabel: b, pinFile: c, pin: secret}", "line 13", `"pin" is unknown`},
		"unknown algorithm": {"{moduleFile: a, tokenLabel: b, pinFile: c, algorithmsInStore: [ES256, RS256]}", "keys.pkcs11.algorithmsInStore[1]", "not a signature algorithm"},
		"one algorithm":     {"{moduleFile: a, tokenLabel: b, pinFile: c, algorithmsInStore: ES256}", "line 13", "another type"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found := problems(t, required+"keys: {pkcs11: "+test.pkcs11+"}\n")
			if len(found) != 1 || found[0].Path != test.path || !strings.Contains(found[0].Wrong, test.wrong) || strings.Contains(found[0].String(), "secret") {
				t.Errorf("got %v, want one problem at %s: ...%s...", found, test.path, test.wrong)
			}
		})
	}
}

func TestExactlyOneDatabaseIsNamed(t *testing.T) {
	t.Parallel()
	const complete = `{hosts: ["db:5432"], database: a, user: b, passwordFile: c}`
	for name, test := range map[string]struct{ store, path, wrong string }{
		"none":            {"{}", "store", "not exactly one"},
		"both":            {"{sqlite: {path: db}, postgres: " + complete + "}", "store", "not exactly one"},
		"no host":         {"{postgres: {hosts: [], database: a, user: b, passwordFile: c}}", "store.postgres.hosts", "empty"},
		"no port":         {"{postgres: {hosts: [db], database: a, user: b, passwordFile: c}}", "store.postgres.hosts[0]", "not host:port"},
		"a URL":           {"{postgres: {hosts: ['postgres://b:secret@db/a'], database: a, user: b, passwordFile: c}}", "store.postgres.hosts[0]", "not host:port"},
		"no user":         {"{postgres: {hosts: ['db:1'], database: a, passwordFile: c}}", "store.postgres.user", "missing"},
		"no credential":   {"{postgres: {hosts: ['db:1'], database: a, user: b}}", "store.postgres.passwordFile", "neither"},
		"key alone":       {"{postgres: {hosts: ['db:1'], database: a, user: b, passwordFile: c, tls: {keyFile: d}}}", "store.postgres.tls", "one of"},
		"one connection":  {"{postgres: {hosts: ['db:1'], database: a, user: b, passwordFile: c, maxConnections: 1}}", "store.postgres.maxConnections", "out of range"},
		"few connections": {"{postgres: {hosts: ['db:1'], database: a, user: b, passwordFile: c, maxConnections: few}}", "line 9", "another type"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found := problems(t, strings.Replace(required, "store: {sqlite: {path: db}}", "store: "+test.store, 1))
			if len(found) != 1 || found[0].Path != test.path || !strings.Contains(found[0].Wrong, test.wrong) {
				t.Errorf("got %v, want one problem at %s: ...%s...", found, test.path, test.wrong)
			}
			if strings.Contains(found[0].String(), "secret") {
				t.Errorf("%s tells a secret", found[0])
			}
		})
	}
}

func TestAllThatIsWrongIsToldAtOnce(t *testing.T) {
	t.Parallel()
	var paths []string
	for _, problem := range problems(t, "log: {level: loud}") {
		paths = append(paths, problem.Path)
	}
	want := []string{
		"issuer", "mtlsBaseURL",
		"listeners.public.address", "listeners.public.tls.certificateFile", "listeners.public.tls.keyFile",
		"listeners.mtls.address", "listeners.mtls.tls.certificateFile", "listeners.mtls.tls.keyFile",
		"listeners.private.address", "listeners.private.tls.certificateFile", "listeners.private.tls.keyFile",
		"listeners.private.clientCAFile", "listeners.private.allowedClientSANs", "listeners.health.address",
		"store", "keyEncryptionKeyFile", "users.file", "defaultResource", "log.level",
	}
	if difference := cmp.Diff(want, paths); difference != "" {
		t.Errorf("paths (-want +got):\n%s", difference)
	}
}

func TestUndecodableTextIsRefusedWithItsLine(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ text, path, wrong string }{
		"empty":              {"", "the file", "empty"},
		"garbage":            {"\x00\x01", "the file", "not YAML"},
		"broken indentation": {"a:\n  b: 1\n c: 2", "the file", "not YAML"},
		"a list":             {"- issuer", "line 1", "another type"},
		"two documents":      {required + "---\nissuer: x\n", "the file", "more than one"},
		"unknown key":        {"issuer: https://a.example\nisuer: x\n", "line 2", `"isuer" is unknown`},
		"unknown inner key":  {"log:\n  levels: info\n", "line 2", `"levels" is unknown`},
		"key written twice":  {"issuer: https://a.example\nissuer: https://b.example\n", "line 2", "twice, first at line 1"},
		"inner key twice":    {"log:\n  level: info\n  level: debug\n", "line 3", "twice"},
		"scope twice":        {"scopes:\n  a: {description: x}\n  a: {description: y}\n", "line 3", "twice"},
		"duration as number": {"session:\n  lifetime: 300\n", "line 2", "another type"},
		"duration in days":   {"session:\n  lifetime: 5d\n", "line 2", "another type"},
		"list for a text":    {"issuer: [https://a.example]\n", "line 1", "another type"},
		"text for lists":     {"listeners:\n  private:\n    boundClientSANs: {a.example: east}\n", "line 3", "another type"},
		"bound name twice":   {"listeners:\n  private:\n    boundClientSANs: {a.example: [east], a.example: [west]}\n", "line 3", "twice"},
		"list for bindings":  {"listeners:\n  private:\n    boundClientSANs: [a.example]\n", "line 3", "another type"},
		"text for a list":    {"jwksURI:\n  allowedHosts: a.example\n", "line 2", "another type"},
		"address not range":  {"jwksURI:\n  allowedCIDRs:\n    - 10.0.0.1\n", "line 3", "another type"},
		"range with host":    {"jwksURI:\n  allowedCIDRs: [10.0.0.1/8]\n", "line 2", "another type"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			found := problems(t, test.text)
			if len(found) != 1 || found[0].Path != test.path || !strings.Contains(found[0].Wrong, test.wrong) {
				t.Errorf("got %v, want one problem at %s: ...%s...", found, test.path, test.wrong)
			}
			if strings.Contains(found[0].String(), "config.") {
				t.Errorf("%s speaks Go", found[0])
			}
		})
	}
}

func FuzzParse(f *testing.F) {
	f.Add(required)
	f.Add("scopes: {a: &x {description: y}, b: *x}")
	f.Fuzz(func(t *testing.T, text string) {
		config, err := Parse([]byte(text))
		if err == nil && config.Issuer == "" {
			t.Error("a configuration without issuer was accepted")
		}
	})
}
