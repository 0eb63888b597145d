package clientmetadata

import (
	"slices"
	"strings"
	"time"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// manifestRule is a demand on what no metadata member carries: namespaces, and
// what the operator makes for a client.
type manifestRule struct {
	ID     oauth.RuleID
	Clause string
	Demand string
	Remedy string
	Path   string // below spec
	Holds  func(*v1alpha1.FAPIApplication) bool
}

// clientIDNamespaceRule is the one that a policy may waive.
const clientIDNamespaceRule = "LOCAL-CLIENT-ID-NAMESPACE"

// manifestRules are asked before the rule book.
var manifestRules = []manifestRule{
	{
		ID:     clientIDNamespaceRule,
		Clause: "our own choice",
		Demand: "a client identifier begins with the namespace and a dot, so that no namespace takes another one's",
		Remedy: "leave clientID out, begin it with the namespace and a dot, or have a FAPIPolicy allow it (foreignClientIDs)",
		Path:   "clientID",
		Holds:  hasIDOfItsNamespace,
	},
	{
		ID:     "LOCAL-SCOPE-ITEM",
		Clause: "RFC 6749, 3.3",
		Demand: "every item of scopes is one scope value, without spaces",
		Remedy: "write one value an item",
		Path:   "scopes",
		Holds:  hasOneScopeAnItem,
	},
	{
		ID:     "LOCAL-WHOLE-SECONDS",
		Clause: "RFC 6749, 5.1",
		Demand: "an access token's lifetime is counted in whole seconds (expires_in)",
		Remedy: "write a duration such as 300s or 5m",
		Path:   "accessToken.lifetime",
		Holds:  livesForWholeSeconds,
	},
	{
		ID:     "LOCAL-MANAGED-KEY",
		Clause: "FAPI 2.0 Security Profile, 5.4.1-1",
		Demand: "the key that the operator makes is for PS256, ES256 or EdDSA, and for the algorithms with which the client signs",
		Remedy: "write the same algorithm in keys.managed, in clientAuthentication and in requestObject",
		Path:   "keys.managed.signingAlg",
		Holds:  managedKeySigns,
	},
	{
		ID:     "LOCAL-KEY-ROTATION",
		Clause: "our own choice",
		Demand: "a key that the operator makes is in use for at least 1 hour, and stays registered for at least 5 minutes and for less than the period after it was replaced",
		Remedy: "write a longer period or another overlap, such as 720h and 24h",
		Path:   "keys.managed.rotation",
		Holds:  keysOutliveTheirOverlap,
	},
	{
		ID:     "LOCAL-MANAGED-CERTIFICATE",
		Clause: "RFC 8705, 2.1.2; our own choice",
		Demand: "name and issuers of a certificate that the operator manages are derived, and not stated besides",
		Remedy: "leave clientAuthentication.tls out, or leave mutualTLS out and bring a certificate",
		Path:   "clientAuthentication.tls",
		Holds:  leavesManagedCertificateToOperator,
	},
	{
		ID:     "LOCAL-CERTIFICATE-KEY",
		Clause: "FAPI 2.0 Security Profile, 5.4.1-2 and 5.4.1-3; the sizes are cert-manager's",
		Demand: "a certificate's key has 256, 384 or 521 bits with ECDSA, 2048, 4096 or 8192 with RSA, and no size with Ed25519",
		Remedy: "write one of these sizes, or leave size out",
		Path:   "mutualTLS.certificate.privateKey.size",
		Holds:  certificateKeyHasKnownSize,
	},
	{
		ID:     "LOCAL-CERTIFICATE-DURATION",
		Clause: "our own choice; the least values are cert-manager's",
		Demand: "a certificate is valid for at least 1 hour, and is renewed at least 5 minutes before its end and within its validity",
		Remedy: "write a longer duration or a shorter renewBefore, such as 2160h and 720h",
		Path:   "mutualTLS.certificate.duration",
		Holds:  certificateOutlivesRenewal,
	},
	{
		ID:     "LOCAL-CERTIFICATE-OVERLAP",
		Clause: "our own choice",
		Demand: "what a renewal replaces stays registered for at least 5 minutes and for less than a certificate is valid, or not at all",
		Remedy: "write another overlap, such as 1h, or leave it out",
		Path:   "mutualTLS.certificate.overlap",
		Holds:  certificateOutlivesOverlap,
	},
	{
		ID:     "LOCAL-BINDING-ENTRY",
		Clause: "Service Binding for Kubernetes, Provisioned Service; our own choice",
		Demand: "what gets another name is an entry of the binding, and neither type nor provider",
		Remedy: "write the names that kubectl explain fapiapplication.spec.binding.entries lists",
		Path:   "binding.entries",
		Holds:  renamesKnownEntries,
	},
	{
		ID:     "LOCAL-BINDING-NAME",
		Clause: "our own choice",
		Demand: "no two entries of the binding have the same name",
		Remedy: "write a name that no other entry has, given or of its own",
		Path:   "binding.entries",
		Holds:  bindingNamesDiffer,
	},
	{
		ID:     "LOCAL-BINDING-WELL-KNOWN",
		Clause: "Service Binding for Kubernetes, Well-known Secret Entries",
		Demand: "an entry that is named uri holds a URI and one that is named username the client identifier, and no entry is named host, port, password, certificates or private-key, which mean something else",
		Remedy: "write another name",
		Path:   "binding.entries",
		Holds:  wellKnownNamesFit,
	},
}

func brokenManifestRules(application *v1alpha1.FAPIApplication, policies []v1alpha1.FAPIPolicy) []Finding {
	var findings []Finding
	for _, rule := range manifestRules {
		waived := rule.ID == clientIDNamespaceRule && mayHaveForeignID(application, policies)
		if !waived && !rule.Holds(application) {
			violation := registration.Violation{Rule: rule.ID, Clause: rule.Clause, Demand: rule.Demand, Remedy: rule.Remedy}
			findings = append(findings, Finding{specPath(rule.Path), violation})
		}
	}
	return findings
}

func hasOneScopeAnItem(application *v1alpha1.FAPIApplication) bool {
	return !slices.ContainsFunc(application.Spec.Scopes, func(scope string) bool {
		return strings.Contains(scope, " ")
	})
}

func livesForWholeSeconds(application *v1alpha1.FAPIApplication) bool {
	lifetime := read(&application.Spec).accessToken.Lifetime
	return lifetime == nil || lifetime.Duration%time.Second == 0
}

// ManagedSigningAlg is the algorithm of the key that the operator makes.
func ManagedSigningAlg(spec *v1alpha1.FAPIApplicationSpec) string {
	if alg := read(spec).managedKeys.SigningAlg; alg != "" {
		return alg
	}
	return registration.DefaultSigningAlg
}

// managedKeySigns leaves an algorithm that FAPI does not have at all to the rule book.
func managedKeySigns(application *v1alpha1.FAPIApplication) bool {
	if !hasManagedKey(application) {
		return true
	}
	managed := ManagedSigningAlg(&application.Spec)
	metadata := FromApplication(application, Resolved{}).WithDefaults()
	return isSignatureAlgorithm(managed) &&
		signsAs(managed, metadata.TokenEndpointAuthSigningAlg) && signsAs(managed, metadata.RequestObjectSigningAlg)
}

func hasManagedKey(application *v1alpha1.FAPIApplication) bool {
	return read(&application.Spec).keys.Source == v1alpha1.KeySourceManaged
}

// How managed keys rotate where the spec does not say, and the least values; our
// own choices. The kubelet shows a changed Secret to a running pod after a
// minute or two.
const (
	defaultKeyOverlap = time.Hour
	minKeyOverlap     = 5 * time.Minute
	minKeyPeriod      = time.Hour
)

// KeyPeriod is how long a managed key is in use; 0 where time replaces none.
func KeyPeriod(spec *v1alpha1.FAPIApplicationSpec) time.Duration {
	if period := read(spec).keyRotation.Period; period != nil {
		return period.Duration
	}
	return 0
}

// KeyOverlap is how long a managed key stays registered after it was replaced.
func KeyOverlap(spec *v1alpha1.FAPIApplicationSpec) time.Duration {
	if overlap := read(spec).keyRotation.Overlap; overlap != nil {
		return overlap.Duration
	}
	return defaultKeyOverlap
}

func keysOutliveTheirOverlap(application *v1alpha1.FAPIApplication) bool {
	overlap := KeyOverlap(&application.Spec)
	period := read(&application.Spec).keyRotation.Period
	return overlap >= minKeyOverlap && (period == nil || period.Duration >= minKeyPeriod && overlap < period.Duration)
}

// ManagedEncryptionAlgs are the algorithms with which the server encrypts
// responses, for each of which the operator makes a key. One that is not known is
// the rule book's to refuse.
func ManagedEncryptionAlgs(spec *v1alpha1.FAPIApplicationSpec) []string {
	stated := read(spec)
	algorithms := []string{
		stated.idToken.EncryptedResponseAlg, stated.authorizationResponse.EncryptedResponseAlg,
		stated.introspectionResponse.EncryptedResponseAlg, stated.userinfo.EncryptedResponseAlg,
	}
	algorithms = slices.DeleteFunc(algorithms, func(algorithm string) bool {
		_, known := jose.ParseKeyManagementAlgorithm(algorithm)
		return !known
	})
	slices.Sort(algorithms)
	return slices.Compact(algorithms)
}

func signsAs(managed, algorithm string) bool {
	return algorithm == managed || !isSignatureAlgorithm(algorithm)
}

func isSignatureAlgorithm(algorithm string) bool {
	_, known := jose.ParseSignatureAlgorithm(algorithm)
	return known
}

func leavesManagedCertificateToOperator(application *v1alpha1.FAPIApplication) bool {
	return !DerivesMatcher(&application.Spec) || application.Spec.ClientAuthentication.TLS == nil
}

var certificateKeySizes = map[v1alpha1.PrivateKeyAlgorithm][]int32{
	"":                         {256, 384, 521},
	v1alpha1.PrivateKeyECDSA:   {256, 384, 521},
	v1alpha1.PrivateKeyRSA:     {2048, 4096, 8192},
	v1alpha1.PrivateKeyEd25519: {},
}

func certificateKeyHasKnownSize(application *v1alpha1.FAPIApplication) bool {
	key := read(&application.Spec).certificateKey
	return key.Size == nil || slices.Contains(certificateKeySizes[key.Algorithm], *key.Size)
}

// The validity that cert-manager gives where none is stated, and its least values.
const (
	defaultCertificateDuration = 90 * 24 * time.Hour
	minCertificateDuration     = time.Hour
	minCertificateRenewBefore  = 5 * time.Minute
)

func certificateOutlivesRenewal(application *v1alpha1.FAPIApplication) bool {
	if !HasManagedCertificate(&application.Spec) {
		return true
	}
	duration := certificateDuration(&application.Spec)
	renewBefore := application.Spec.MutualTLS.Certificate.RenewBefore
	return duration >= minCertificateDuration &&
		(renewBefore == nil || renewBefore.Duration >= minCertificateRenewBefore && renewBefore.Duration < duration)
}

func certificateDuration(spec *v1alpha1.FAPIApplicationSpec) time.Duration {
	if stated := spec.MutualTLS.Certificate.Duration; stated != nil {
		return stated.Duration
	}
	return defaultCertificateDuration
}

// CertificateOverlap is how long what a renewal replaces stays registered, for the
// same reason and as long as a managed key.
func CertificateOverlap(spec *v1alpha1.FAPIApplicationSpec) time.Duration {
	if HasManagedCertificate(spec) && spec.MutualTLS.Certificate.Overlap != nil {
		return spec.MutualTLS.Certificate.Overlap.Duration
	}
	return defaultKeyOverlap
}

func certificateOutlivesOverlap(application *v1alpha1.FAPIApplication) bool {
	overlap := CertificateOverlap(&application.Spec)
	return !HasManagedCertificate(&application.Spec) || overlap == 0 ||
		overlap >= minKeyOverlap && overlap < certificateDuration(&application.Spec)
}
