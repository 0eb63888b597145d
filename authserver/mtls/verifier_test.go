package mtls

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

func byURI(m *registration.Metadata) { m.TLSClientAuthSANURI = "spiffe://bank.example/team/app" }

func appCertificate() *x509.Certificate {
	return &x509.Certificate{
		URIs:        []*url.URL{{Scheme: "spiffe", Host: "bank.example", Path: "/team/app"}},
		DNSNames:    []string{"app.bank.example"},
		IPAddresses: []net.IP{net.ParseIP("2001:db8::1")}, EmailAddresses: []string{"App@bank.example"},
		Subject:     pkix.Name{CommonName: "app", Organization: []string{"Bank"}, Country: []string{"DE"}},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
}

func TestIssuedCertificateAuthenticates(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "Tenant CA", nil)
	client := issuedClient(t, ca, byURI)
	usages := map[string][]x509.ExtKeyUsage{
		"clientAuth":  {x509.ExtKeyUsageClientAuth},
		"any":         {x509.ExtKeyUsageAny},
		"both":        {x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		"none stated": nil,
	}
	for name, usage := range usages {
		template := appCertificate()
		template.ExtKeyUsage = usage
		if refusal := verifierAt(noon).Verify(client, nil, []*x509.Certificate{ca.issue(t, template)}); refusal != nil {
			t.Errorf("%s: %v", name, refusal)
		}
	}
}

func TestIntermediatesAreTakenFromTheHandshake(t *testing.T) {
	t.Parallel()
	root := newAuthority(t, "Root", nil)
	intermediate := newAuthority(t, "Issuing", &root)
	leaf := intermediate.issue(t, appCertificate())
	client := issuedClient(t, root, byURI)
	if refusal := verifierAt(noon).Verify(client, nil, []*x509.Certificate{leaf, intermediate.certificate}); refusal != nil {
		t.Error(refusal)
	}
	requireRule(t, verifierAt(noon).Verify(client, nil, []*x509.Certificate{leaf}), "RFC8705-2.1")
}

func TestIssuedCertificateIsRefused(t *testing.T) {
	t.Parallel()
	ca, otherTenant := newAuthority(t, "Tenant CA", nil), newAuthority(t, "Tenant CA", nil)
	client := issuedClient(t, ca, byURI)
	forServers, otherName := appCertificate(), appCertificate()
	forServers.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	otherName.URIs[0].Path = "/team/other"
	leaf := ca.issue(t, appCertificate())
	cases := []struct {
		name      string
		presented []*x509.Certificate
		now       time.Time
		rule      oauth.RuleID
	}{
		{"nothing presented", nil, noon, "RFC8705-2"},
		{"another tenant's CA issues the same name", []*x509.Certificate{otherTenant.issue(t, appCertificate())}, noon, "RFC8705-2.1"},
		{"another tenant's CA, sent along", []*x509.Certificate{otherTenant.issue(t, appCertificate()), otherTenant.certificate, ca.certificate}, noon, "RFC8705-2.1"},
		{"self-signed with the same name", []*x509.Certificate{create(t, appCertificate(), nil).certificate}, noon, "RFC8705-2.1"},
		{"for servers only", []*x509.Certificate{ca.issue(t, forServers)}, noon, "RFC8705-2.1"},
		{"expired", []*x509.Certificate{leaf}, noon.Add(2 * time.Hour), "RFC8705-2.1"},
		{"not yet valid", []*x509.Certificate{leaf}, noon.Add(-2 * time.Hour), "RFC8705-2.1"},
		{"another name of the same CA", []*x509.Certificate{ca.issue(t, otherName)}, noon, "RFC8705-2.1.2"},
		{"right name further down the chain", []*x509.Certificate{ca.issue(t, otherName), leaf}, noon, "RFC8705-2.1.2"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			requireRule(t, verifierAt(c.now).Verify(client, nil, c.presented), c.rule)
		})
	}
}

func TestLeafOfTheTenantCannotIssue(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "Tenant CA", nil)
	template := appCertificate()
	template.URIs[0].Path = "/team/other"
	leaf := create(t, template, &ca)
	forged := leaf.issue(t, appCertificate())
	refusal := verifierAt(noon).Verify(issuedClient(t, ca, byURI), nil, []*x509.Certificate{forged, leaf.certificate})
	requireRule(t, refusal, "RFC8705-2.1")
}

func TestNamesOfTheSubjectAlternativeName(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "Tenant CA", nil)
	presented := []*x509.Certificate{ca.issue(t, appCertificate())}
	cases := []struct {
		name    string
		edit    func(*registration.Metadata)
		matches bool
	}{
		{"dns", func(m *registration.Metadata) { m.TLSClientAuthSANDNS = "app.bank.example" }, true},
		{"dns in another case", func(m *registration.Metadata) { m.TLSClientAuthSANDNS = "App.Bank.example" }, true},
		{"dns of a parent", func(m *registration.Metadata) { m.TLSClientAuthSANDNS = "bank.example" }, false},
		{"dns that is the CN alone", func(m *registration.Metadata) { m.TLSClientAuthSANDNS = "app" }, false},
		{"uri", byURI, true},
		{"uri in another case", func(m *registration.Metadata) { m.TLSClientAuthSANURI = "spiffe://bank.example/team/App" }, false},
		{"uri with a slash", func(m *registration.Metadata) { m.TLSClientAuthSANURI = "spiffe://bank.example/team/app/" }, false},
		{"ip", func(m *registration.Metadata) { m.TLSClientAuthSANIP = "2001:db8::1" }, true},
		{"ip in another spelling", func(m *registration.Metadata) { m.TLSClientAuthSANIP = "2001:0DB8:0:0::1" }, true},
		{"other ip", func(m *registration.Metadata) { m.TLSClientAuthSANIP = "2001:db8::2" }, false},
		{"email", func(m *registration.Metadata) { m.TLSClientAuthSANEmail = "App@bank.example" }, true},
		{"email in another case", func(m *registration.Metadata) { m.TLSClientAuthSANEmail = "app@bank.example" }, false},
		{"subject DN", func(m *registration.Metadata) { m.TLSClientAuthSubjectDN = "CN=app,O=Bank,C=DE" }, true},
		{"other subject DN", func(m *registration.Metadata) { m.TLSClientAuthSubjectDN = "CN=app,O=Bank,C=FR" }, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			refusal := verifierAt(noon).Verify(issuedClient(t, ca, c.edit), nil, presented)
			if c.matches && refusal != nil {
				t.Error(refusal)
			}
			if !c.matches {
				requireRule(t, refusal, "RFC8705-2.1.2")
			}
		})
	}
}

func TestNamedBundleVouches(t *testing.T) {
	t.Parallel()
	ca := newAuthority(t, "Ecosystem CA", nil)
	bundle, err := ParseAnchors("\n" + pemOf(ca.certificate) + "\n")
	if err != nil {
		t.Fatal(err)
	}
	client := issuedClient(t, ca, func(m *registration.Metadata) {
		m.TLSClientAuthTrustAnchors, m.TLSClientAuthTrustBundle = "", "ecosystem"
		byURI(m)
	})
	presented := []*x509.Certificate{ca.issue(t, appCertificate())}
	verifier := verifierAt(noon)
	requireRule(t, verifier.Verify(client, nil, presented), "RFC8705-2.1")
	verifier.Bundles = map[string]*x509.CertPool{"ecosystem": bundle}
	if refusal := verifier.Verify(client, nil, presented); refusal != nil {
		t.Error(refusal)
	}
}

func TestParseAnchorsRefusesWhatIsNoBundle(t *testing.T) {
	t.Parallel()
	good := pemOf(newAuthority(t, "CA", nil).certificate)
	for name, text := range map[string]string{
		"empty": "", "blank": " \n", "no PEM": "hello", "damaged": good + good[:len(good)/2], "trailing text": good + "hello",
		"a key": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "no DER": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
	} {
		if _, err := ParseAnchors(text); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestSelfSignedCertificateAuthenticates(t *testing.T) {
	t.Parallel()
	old, next := create(t, appCertificate(), nil).certificate, create(t, appCertificate(), nil).certificate
	client := selfSignedClient(t, old, next)
	for _, certificate := range []*x509.Certificate{old, next} {
		if refusal := verifierAt(noon).Verify(client, client.Keys(), []*x509.Certificate{certificate}); refusal != nil {
			t.Error(refusal)
		}
	}
}

func TestSelfSignedCertificateIsRefused(t *testing.T) {
	t.Parallel()
	registered := create(t, appCertificate(), nil)
	client := selfSignedClient(t, registered.certificate)
	stranger := create(t, appCertificate(), nil).certificate
	issued := registered.issue(t, appCertificate())
	presented := []*x509.Certificate{registered.certificate}
	requireRule(t, verifierAt(noon).Verify(client, client.Keys(), []*x509.Certificate{stranger}), "RFC8705-2.2.2")
	requireRule(t, verifierAt(noon).Verify(client, client.Keys(), []*x509.Certificate{issued, registered.certificate}), "RFC8705-2.2.2")
	requireRule(t, verifierAt(noon).Verify(client, nil, presented), "RFC8705-2.2.2")
	requireRule(t, verifierAt(noon.Add(2*time.Hour)).Verify(client, client.Keys(), presented), "RFC8705-2.2")
	requireRule(t, verifierAt(noon.Add(-2*time.Hour)).Verify(client, client.Keys(), presented), "RFC8705-2.2")
}

func TestOtherMethodsAreNotForCertificates(t *testing.T) {
	t.Parallel()
	certificate := create(t, appCertificate(), nil).certificate
	metadata := selfSignedClient(t, certificate).Metadata()
	metadata.TokenEndpointAuthMethod = oauth.AuthPrivateKeyJWT
	client := admit(t, metadata)
	refusal := verifierAt(noon).Verify(client, client.Keys(), []*x509.Certificate{certificate})
	requireRule(t, refusal, "OIDCR-2")
	if !strings.Contains(refusal.Description, oauth.AuthPrivateKeyJWT) {
		t.Errorf("the log must say how the client is registered: %v", refusal)
	}
}
