package clientmetadata

import (
	"cmp"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// policyRule is a bound that a FAPIPolicy states. One that is absent from the
// policy holds.
type policyRule struct {
	ID     oauth.RuleID
	Demand string
	Remedy string
	Path   string // below spec
	Holds  func(*v1alpha1.FAPIPolicySpec, bounded) bool
}

// bounded is what policies look at: what was written, and what it means.
type bounded struct {
	namespace string
	spec      *v1alpha1.FAPIApplicationSpec
	metadata  registration.Metadata // with defaults
}

// policyRules are asked of each policy that names the application's namespace.
var policyRules = []policyRule{
	{
		ID:     "LOCAL-POLICY-REDIRECT-HOST",
		Demand: "the hosts of redirect URIs are those that the policy lists",
		Remedy: "write other redirect URIs, or have the host added to redirectHosts",
		Path:   "redirectURIs",
		Holds: func(policy *v1alpha1.FAPIPolicySpec, b bounded) bool {
			return policy.RedirectHosts == nil || !slices.ContainsFunc(b.metadata.RedirectURIs, func(uri string) bool { return !isHostListed(policy.RedirectHosts, uri) })
		},
	},
	{
		ID:     "LOCAL-POLICY-SCOPE",
		Demand: "scope values are those that the policy lists",
		Remedy: "leave the others out, or have them added to scopes",
		Path:   "scopes",
		Holds: func(policy *v1alpha1.FAPIPolicySpec, b bounded) bool {
			return areListed(policy.Scopes, b.spec.Scopes)
		},
	},
	{
		ID:     "LOCAL-POLICY-AUTHORIZATION-DETAILS",
		Demand: "types of authorization_details are those that the policy lists",
		Remedy: "leave the others out, or have them added to authorizationDetailsTypes",
		Path:   "authorizationDetailsTypes",
		Holds: func(policy *v1alpha1.FAPIPolicySpec, b bounded) bool {
			return areListed(policy.AuthorizationDetailsTypes, b.spec.AuthorizationDetailsTypes)
		},
	},
	{
		ID:     "LOCAL-POLICY-ACCESS-TOKEN-LIFETIME",
		Demand: "an access token is valid for no longer than the policy allows",
		Remedy: "write a shorter lifetime, or have maxAccessTokenLifetime raised",
		Path:   "accessToken.lifetime",
		Holds: func(policy *v1alpha1.FAPIPolicySpec, b bounded) bool {
			return policy.MaxAccessTokenLifetime == nil || float64(*b.metadata.AccessTokenLifetime) <= policy.MaxAccessTokenLifetime.Seconds()
		},
	},
	{
		ID:     "LOCAL-POLICY-ISSUER",
		Demand: "the client's certificate is signed by an issuer that the policy lists",
		Remedy: "name another issuer, or have this one added to issuers",
		Path:   "mutualTLS.certificate.issuerRef",
		Holds: func(policy *v1alpha1.FAPIPolicySpec, b bounded) bool {
			return policy.Issuers == nil || !HasManagedCertificate(b.spec) || isIssuerListed(policy.Issuers, b.spec.MutualTLS.Certificate.IssuerRef)
		},
	},
	{
		ID:     "LOCAL-POLICY-PROFILE",
		Demand: "the application amounts to a profile that the policy lists",
		Remedy: "state messageSigning as that profile needs it, or have this profile added to profiles",
		Path:   "messageSigning",
		Holds: func(policy *v1alpha1.FAPIPolicySpec, b bounded) bool {
			return policy.Profiles == nil || slices.Contains(policy.Profiles, Profile(b.metadata))
		},
	},
	{
		ID:     "LOCAL-POLICY-KEYS-NAMESPACE",
		Demand: "the client's keys are read from its own namespace, or from one that the policy lists",
		Remedy: "name a Secret or ConfigMap of this namespace, or have the other one added to referenceNamespaces",
		Path:   "keys",
		Holds: func(policy *v1alpha1.FAPIPolicySpec, b bounded) bool {
			keys := b.spec.Keys
			return keys == nil ||
				(keys.SecretRef == nil || b.mayBeReadFrom(keys.SecretRef.Namespace, policy)) &&
					(keys.ConfigMapRef == nil || b.mayBeReadFrom(keys.ConfigMapRef.Namespace, policy))
		},
	},
	{
		ID:     "LOCAL-POLICY-TRUST-ANCHORS-NAMESPACE",
		Demand: "trust anchors are read from the application's own namespace, or from one that the policy lists",
		Remedy: "name a ConfigMap of this namespace, or have the other one added to referenceNamespaces",
		Path:   "clientAuthentication.tls.trustAnchors",
		Holds: func(policy *v1alpha1.FAPIPolicySpec, b bounded) bool {
			tls := b.spec.ClientAuthentication.TLS
			return tls == nil || tls.TrustAnchors == nil || tls.TrustAnchors.ConfigMapRef == nil ||
				b.mayBeReadFrom(tls.TrustAnchors.ConfigMapRef.Namespace, policy)
		},
	},
}

// mayBeReadFrom tells whether the policy lets a reference lead to a namespace; none is
// the application's own.
func (b bounded) mayBeReadFrom(namespace string, policy *v1alpha1.FAPIPolicySpec) bool {
	return policy.ReferenceNamespaces == nil || namespace == "" || namespace == b.namespace || matchesAny(policy.ReferenceNamespaces, namespace)
}

// Profile is what metadata with its defaults amounts to.
func Profile(effective registration.Metadata) v1alpha1.Profile {
	if *effective.RequireSignedRequestObject || effective.ResponseModes != nil {
		return v1alpha1.ProfileMessageSigning
	}
	return v1alpha1.ProfileSecurity
}

// PoliciesFor are the policies that name the namespace.
func PoliciesFor(namespace string, policies []v1alpha1.FAPIPolicy) []v1alpha1.FAPIPolicy {
	return slices.DeleteFunc(slices.Clone(policies), func(policy v1alpha1.FAPIPolicy) bool {
		return !matchesAny(policy.Spec.Namespaces, namespace)
	})
}

// brokenPolicyRules cites the policy where a rule of FAPI cites its clause.
func brokenPolicyRules(application *v1alpha1.FAPIApplication, policies []v1alpha1.FAPIPolicy) []Finding {
	b := bounded{application.Namespace, &application.Spec, FromApplication(application, Resolved{}).WithDefaults()}
	var findings []Finding
	for i := range policies {
		for _, rule := range policyRules {
			if !rule.Holds(&policies[i].Spec, b) {
				violation := registration.Violation{Rule: rule.ID, Clause: "FAPIPolicy " + policies[i].Name, Demand: rule.Demand, Remedy: rule.Remedy}
				findings = append(findings, Finding{specPath(rule.Path), violation})
			}
		}
	}
	return findings
}

// mayHaveForeignID tells whether a policy allows the client an identifier that is
// not of its namespace.
func mayHaveForeignID(application *v1alpha1.FAPIApplication, policies []v1alpha1.FAPIPolicy) bool {
	return slices.ContainsFunc(policies, func(policy v1alpha1.FAPIPolicy) bool {
		return matchesAny(policy.Spec.ForeignClientIDs, ClientID(application))
	})
}

// MayAdopt tells whether a policy allows the namespace's applications to take over
// the owner's clients.
func MayAdopt(owner registration.Owner, policies []v1alpha1.FAPIPolicy) bool {
	return slices.ContainsFunc(policies, func(policy v1alpha1.FAPIPolicy) bool {
		return matchesAny(policy.Spec.AdoptableOwners, owner.String())
	})
}

// matchesAny compares with patterns whose syntax the CRD's schema holds to names and
// *; the one error of path.Match is another syntax, which matches nothing.
func matchesAny(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		matches, err := path.Match(pattern, name)
		return err == nil && matches
	})
}

func areListed(listed, stated []string) bool {
	return listed == nil || !slices.ContainsFunc(stated, func(value string) bool { return !slices.Contains(listed, value) })
}

// isHostListed compares hosts without regard to case (RFC 3986, 3.2.2). What is no
// URI has no host that could be listed.
func isHostListed(listed []string, uri string) bool {
	parsed, err := url.Parse(uri)
	if err != nil || parsed.Hostname() == "" {
		return false
	}
	host := strings.ToLower(parsed.Hostname())
	return slices.ContainsFunc(listed, func(entry string) bool {
		entry = strings.ToLower(entry)
		if domain, isWildcard := strings.CutPrefix(entry, "*"); isWildcard {
			return len(host) > len(domain) && strings.HasSuffix(host, domain)
		}
		return host == entry
	})
}

func isIssuerListed(listed []v1alpha1.IssuerReference, stated v1alpha1.IssuerReference) bool {
	return slices.ContainsFunc(listed, func(issuer v1alpha1.IssuerReference) bool {
		return Issuer(issuer) == Issuer(stated)
	})
}

// Issuer fills in what a reference leaves out, as cert-manager does.
func Issuer(stated v1alpha1.IssuerReference) v1alpha1.IssuerReference {
	return v1alpha1.IssuerReference{
		Name:  stated.Name,
		Kind:  cmp.Or(stated.Kind, "Issuer"),
		Group: cmp.Or(stated.Group, "cert-manager.io"),
	}
}
