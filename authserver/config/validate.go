package config

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/mtls"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// validate judges the settings in the order of the file and tells everything
// that is wrong at once.
func (c Config) validate() error {
	var found report
	found.checkURLs(c)
	found.checkListeners(c.Listeners)
	found.checkStore(c.Store)
	found.required("keyEncryptionKeyFile", c.KeyEncryptionKeyFile, "the path of the key file")
	found.required("users.file", c.Users.File, "the path of the file of local users")
	found.checkACR("authentication.acr.password", c.Authentication.ACR.Password)
	found.checkDefaultResource(c.DefaultResource)
	found.checkScopes(c.Scopes)
	found.checkAuthorizationDetailsTypes(c.AuthorizationDetailsTypes)
	found.checkTrustBundles(c.TrustBundles)
	found.checkAllowedHosts(c.JWKSURI.AllowedHosts)
	found.checkKeys(c.Keys)
	found.checkDPoP(c.DPoP)
	found.checkLifetimes(c)
	found.checkLog(c.Log)
	return found.err()
}

func (r *report) required(path, value, write string) bool {
	r.unless(value != "", path, "it is missing", "write "+write)
	return value != ""
}

func (r *report) checkURLs(c Config) {
	issuer := r.checkBaseURL("issuer", c.Issuer)
	aliases := r.checkBaseURL("mtlsBaseURL", c.MTLSBaseURL)
	if issuer == nil || aliases == nil {
		return
	}
	// One address cannot both ask browsers for a certificate and not ask them.
	r.unless(authority(issuer) != authority(aliases), "mtlsBaseURL", "it has the issuer's host and port",
		"write the host name (or port) at which the mtls listener is reached")
}

// checkBaseURL demands an issuer's form (RFC 8414, 2). A trailing slash is
// refused because clients compare issuers as strings and endpoints are appended.
func (r *report) checkBaseURL(path, value string) *url.URL {
	if !r.required(path, value, "an https URL such as https://auth.bank.example") {
		return nil
	}
	parsed, err := url.Parse(value)
	if err != nil || parsed.Scheme != "https" || parsed.Hostname() == "" || parsed.User != nil {
		r.add(path, "it is not an https URL with a host", "write an https URL such as https://auth.bank.example")
		return nil
	}
	plain := "https://" + parsed.Host + parsed.EscapedPath()
	r.unless(value == plain, path, "it has a query, a fragment or an unusual spelling", "write "+plain)
	r.unless(!strings.HasSuffix(value, "/"), path, "it ends with a slash", "write "+strings.TrimRight(plain, "/"))
	return parsed
}

// authority is host:port with https's port filled in.
func authority(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = "443"
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

func (r *report) checkListeners(l Listeners) {
	r.checkAddress("listeners.public.address", l.Public.Address)
	r.checkTLS("listeners.public.tls", l.Public.TLS)
	r.checkAddress("listeners.mtls.address", l.MTLS.Address)
	r.checkTLS("listeners.mtls.tls", l.MTLS.TLS)
	if l.MTLS.Proxy != nil {
		r.checkProxy("listeners.mtls.proxy", *l.MTLS.Proxy)
	}
	r.checkAddress("listeners.private.address", l.Private.Address)
	r.checkTLS("listeners.private.tls", l.Private.TLS)
	r.required("listeners.private.clientCAFile", l.Private.ClientCAFile, "the path of the PEM file with the CA that issues the operator's certificate")
	r.checkClientSANs(l.Private)
	r.checkSANs("listeners.private.administratorSANs", l.Private.AdministratorSANs)
	r.checkAddress("listeners.health.address", l.Health.Address)
	r.checkDistinct(l)
}

func (r *report) checkTLS(path string, files TLS) {
	r.required(path+".certificateFile", files.CertificateFile, "the path of the PEM file with the certificate and its chain")
	r.required(path+".keyFile", files.KeyFile, "the path of the PEM file with the certificate's private key")
}

func (r *report) checkAddress(path, address string) {
	if !r.required(path, address, `an address such as ":8443"`) {
		return
	}
	_, port, err := net.SplitHostPort(address)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	r.unless(err == nil, path, "it is not host:port with a port number", `write an address such as ":8443" or "127.0.0.1:8443"`)
}

// checkDistinct spares an administrator "address already in use". Port 0 asks
// the system for a free port, so it may stand more than once.
func (r *report) checkDistinct(l Listeners) {
	seen := map[string]string{}
	for _, listener := range []struct{ path, address string }{
		{"listeners.public.address", l.Public.Address},
		{"listeners.mtls.address", l.MTLS.Address},
		{"listeners.private.address", l.Private.Address},
		{"listeners.health.address", l.Health.Address},
	} {
		if listener.address == "" || strings.HasSuffix(listener.address, ":0") {
			continue
		}
		other, taken := seen[listener.address]
		r.unless(!taken, listener.path, "it is the address of "+other, "write another port")
		seen[listener.address] = listener.path
	}
}

func (r *report) checkProxy(path string, p Proxy) {
	r.required(path+".clientCAFile", p.ClientCAFile, "the path of the PEM file with the CA that issues the proxy's certificate")
	r.unless(len(p.SANs) > 0, path+".sans", "it is empty, so no proxy could be recognized", "list the DNS name or URI in the proxy's certificate")
	r.checkSANs(path+".sans", p.SANs)
	r.unless(p.Header == mtls.HeaderClientCert || p.Header == mtls.HeaderForwardedClientCert, path+".header", "it is not a header for certificates",
		"write "+mtls.HeaderClientCert+" (RFC 9440) or "+mtls.HeaderForwardedClientCert+" (Envoy's)")
}

func (r *report) checkClientSANs(l PrivateListener) {
	const path = "listeners.private.allowedClientSANs"
	r.unless(len(l.AllowedClientSANs)+len(l.BoundClientSANs) > 0, path, "it is empty, and so is boundClientSANs, so nobody could register a client",
		"list the DNS name or URI in the operator's certificate in one of them")
	r.checkSANs(path, l.AllowedClientSANs)
	for _, name := range slices.Sorted(maps.Keys(l.BoundClientSANs)) {
		r.checkBoundSAN("listeners.private.boundClientSANs."+name, name, l)
	}
}

func (r *report) checkBoundSAN(path, name string, l PrivateListener) {
	r.checkSAN(path, name)
	// DNS names are compared without case. Which of the two would be meant?
	free := slices.ContainsFunc(l.AllowedClientSANs, func(allowed string) bool { return strings.EqualFold(allowed, name) })
	r.unless(!free, path, "it is in allowedClientSANs too, which binds it to no installation", "take it out of allowedClientSANs")
	installations := l.BoundClientSANs[name]
	r.unless(len(installations) > 0, path, "it names no installation, so it could register no client", "list the installations, as the operator's --installation states them")
	for i, installation := range installations {
		r.unless(registration.IsOwnerPart(installation), indexed(path, i), "it is not the name of an installation", "write "+registration.OwnerPartForm)
	}
}

func (r *report) checkSANs(path string, names []string) {
	for i, name := range names {
		r.checkSAN(indexed(path, i), name)
	}
}

func (r *report) checkSAN(path, name string) {
	r.unless(isDNSName(name) || isURI(name), path, "it is neither a DNS name nor a URI (wildcards are not known)",
		"write a DNS name, or a URI such as spiffe://cluster.local/ns/fapi-system/sa/fapi-operator")
}

func (r *report) checkStore(s Store) {
	if (s.SQLite == nil) == (s.Postgres == nil) {
		r.add("store", "it names not exactly one database", "write either sqlite (one server process) or postgres (any number)")
		return
	}
	if s.SQLite != nil {
		r.required("store.sqlite.path", s.SQLite.Path, "the path of the database file")
		return
	}
	r.checkPostgres(*s.Postgres)
}

func (r *report) checkPostgres(p Postgres) {
	const path = "store.postgres"
	r.unless(len(p.Hosts) > 0, path+".hosts", "it is empty", `list host:port of the database, such as "db.bank.example:5432"`)
	for i, address := range p.Hosts {
		host, port, err := net.SplitHostPort(address)
		if err == nil {
			_, err = strconv.ParseUint(port, 10, 16)
		}
		r.unless(err == nil && host != "", indexed(path+".hosts", i), "it is not host:port with a port number", `write an address such as "db.bank.example:5432"`)
	}
	r.required(path+".database", p.Database, "the name of the database")
	r.required(path+".user", p.User, "the name of the database's user")
	r.unless(p.PasswordFile != "" || p.TLS.CertificateFile != "", path+".passwordFile", "there is neither a password nor a certificate",
		"write the path of the password's file, or of a certificate in tls.certificateFile")
	r.unless((p.TLS.CertificateFile == "") == (p.TLS.KeyFile == ""), path+".tls", "it has one of certificateFile and keyFile", "write both or none")
	r.unless(p.MaxConnections >= minConnections && p.MaxConnections <= maxConnections, path+".maxConnections", strconv.Itoa(p.MaxConnections)+" is out of range",
		"write a number from "+strconv.Itoa(minConnections)+" to "+strconv.Itoa(maxConnections))
}

// Bounds of the connections of one server process; our own choice. A single one
// would make every request wait for every other.
const minConnections, maxConnections = 2, 1000

func (r *report) checkDefaultResource(resource string) {
	const path = "defaultResource"
	if !r.required(path, resource, "the URI of the API that accepts the access tokens, such as https://api.bank.example") {
		return
	}
	// RFC 8707, 2: an absolute URI without a fragment.
	r.unless(isURI(resource) && !strings.Contains(resource, "#"), path, "it is not an absolute URI without a fragment", "write a URI such as https://api.bank.example")
}

// acrValue can stand in acr_values, a list that spaces separate; the length is our own choice.
var acrValue = regexp.MustCompile(`^[\x21-\x7E]{1,255}$`)

func (r *report) checkACR(path, value string) {
	r.unless(value == "" || acrValue.MatchString(value), path, "it is not a value for acr", "write 1 to 255 visible ASCII characters without space, such as urn:bank:acr:password")
}

// scopeToken is RFC 6749, 3.3.
var scopeToken = regexp.MustCompile(`^[\x21\x23-\x5B\x5D-\x7E]+$`)

func (r *report) checkScopes(scopes map[string]Scope) {
	for _, name := range slices.Sorted(maps.Keys(scopes)) {
		path := "scopes." + name
		r.unless(scopeToken.MatchString(name), path, "it is not a scope-token (RFC 6749, 3.3)", `write printable ASCII without space, quote and backslash`)
		r.required(path+".description", scopes[name].Description, "a sentence that the consent page shows")
	}
}

// detailsTypeName: RFC 9396, 2 takes any string. Ours can stand in an error
// description (RFC 6749, 5.2) and a list.
var detailsTypeName = regexp.MustCompile(`^[\x21\x23-\x5B\x5D-\x7E]{1,256}$`)

func (r *report) checkAuthorizationDetailsTypes(types map[string]AuthorizationDetailsType) {
	for _, name := range slices.Sorted(maps.Keys(types)) {
		path := "authorizationDetailsTypes." + name
		r.unless(detailsTypeName.MatchString(name), path, "it is not the name of a type", "write at most 256 characters of printable ASCII without space, quote and backslash")
		r.required(path+".description", types[name].Description, "a sentence that the consent page shows")
		r.required(path+".schemaFile", types[name].SchemaFile, "the path of a JSON Schema (draft 2020-12) for one element of authorization_details")
	}
}

var bundleName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$`)

func (r *report) checkTrustBundles(bundles map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(bundles)) {
		path := "trustBundles." + name
		r.unless(bundleName.MatchString(name), path, "it is not a bundle name", "write at most 63 lower-case letters, digits, hyphens and dots")
		r.required(path, bundles[name], "the path of a PEM file with CA certificates")
	}
}

func (r *report) checkAllowedHosts(hosts []string) {
	for i, host := range hosts {
		r.unless(isDNSName(host), indexed("jwksURI.allowedHosts", i), "it is not a host name", "write a name such as keys.partner.example, without scheme and port (addresses go into allowedCIDRs)")
	}
}

func (r *report) checkKeys(k Keys) {
	r.atLeast("keys.rotationInterval", k.RotationInterval, fapi.MinKeyRotationInterval)
	r.atLeast("keys.overlap", k.Overlap, fapi.KeySetMaxAge)
	// One complaint for one fault: an interval that is too short has had its own.
	fits := k.Overlap <= max(k.RotationInterval, fapi.MinKeyRotationInterval)
	r.unless(fits, "keys.overlap", "it is longer than keys.rotationInterval, so that keys would pile up", "write "+k.RotationInterval.String()+" or less")
	if k.PKCS11 != nil {
		r.checkPKCS11(*k.PKCS11)
	}
}

func (r *report) checkPKCS11(p PKCS11) {
	const path = "keys.pkcs11"
	r.required(path+".moduleFile", p.ModuleFile, "the path of the PKCS #11 module of the device's maker")
	r.required(path+".tokenLabel", p.TokenLabel, "the label of the token")
	r.required(path+".pinFile", p.PINFile, "the path of the file with the PIN of the token's user")
	for i, alg := range p.AlgorithmsInStore {
		_, known := jose.ParseSignatureAlgorithm(string(alg))
		r.unless(known, indexed(path+".algorithmsInStore", i), "it is not a signature algorithm of the server", fmt.Sprintf("write one of %q", jose.SignatureAlgorithms()))
	}
}

func (r *report) checkDPoP(d DPoP) {
	r.unless(d.Nonces == NoncesOff || d.Nonces == NoncesRequired, "dpop.nonces", "it is not a choice", `write "off" or "required"`)
	r.atLeast("dpop.nonceLifetime", d.NonceLifetime, minLifetime)
}

// minLifetime is the shortest session, refresh token and nonce that can be of use; our own choice.
const minLifetime = time.Minute

func (r *report) checkLifetimes(c Config) {
	r.atLeast("accessToken.maxLifetime", c.AccessToken.MaxLifetime, fapi.MinAccessTokenLifetime)
	r.atLeast("refreshToken.lifetime", c.RefreshToken.Lifetime, minLifetime)
	r.atLeast("session.lifetime", c.Session.Lifetime, minLifetime)
}

func (r *report) atLeast(path string, value, least time.Duration) {
	r.unless(value >= least, path, value.String()+" is too short", "write "+least.String()+" or more")
	// OAuth counts lifetimes in seconds (expires_in; RFC 6749, 5.1).
	r.unless(value%time.Second == 0, path, "it is not a whole number of seconds", "write "+value.Round(time.Second).String())
}

func (r *report) checkLog(l Log) {
	_, known := levels[l.Level]
	r.unless(known, "log.level", "it is not a level", "write debug, info, warn or error")
	r.unless(l.Format == FormatJSON || l.Format == FormatText, "log.format", "it is not a format", "write json or text")
}

func indexed(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// dnsName is RFC 1123, 2.1: labels of letters, digits and hyphens.
var dnsName = regexp.MustCompile(`^(?i:[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)(\.(?i:[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?))*$`)

func isDNSName(name string) bool {
	return len(name) <= 253 && dnsName.MatchString(name) && net.ParseIP(name) == nil
}

func isURI(text string) bool {
	parsed, err := url.Parse(text)
	return err == nil && parsed.IsAbs() && (parsed.Host != "" || parsed.Opaque != "")
}
