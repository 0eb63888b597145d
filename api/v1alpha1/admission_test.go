package v1alpha1_test

import (
	"strings"
	"testing"

	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"

	"github.com/fapi-operator/fapi-operator/api/crdschema"
)

const leastApplication = `
apiVersion: fapi-operator.io/v1alpha1
kind: FAPIApplication
metadata: {namespace: bank, name: app}
spec:
  grantTypes: [client_credentials]
  clientAuthentication: {method: private_key_jwt}
`

func TestSchemaOnCreate(t *testing.T) {
	t.Parallel()
	kubeAPIServer := newAdmission(t)
	long := strings.Repeat("x", 5000)
	tests := []struct {
		name    string
		spec    string // merged over the least application's spec
		refused string // part of the message; empty: admitted
	}{
		{"least application", `{}`, ""},

		{"client id of the shortest form", `{clientID: bnk}`, ""},
		{"client id of every kind of character", `{clientID: 0bank.App_1-x}`, ""},
		{"client id too short", `{clientID: ab}`, "spec.clientID"},
		{"client id too long", `{clientID: ` + strings.Repeat("a", 129) + `}`, "spec.clientID"},
		{"client id with a space", `{clientID: "bank app"}`, "spec.clientID"},
		{"client id starting with a dot", `{clientID: .bank}`, "spec.clientID"},
		{"client id followed by a line feed", `{clientID: "bank\n"}`, "spec.clientID"},
		{"server class that is no DNS label", `{serverClassName: Bank}`, "spec.serverClassName"},

		{"no grant type", `{grantTypes: []}`, "spec.grantTypes"},
		{"one grant type twice", `{grantTypes: [client_credentials, client_credentials]}`, "Duplicate value"},
		{"redirect URI of 5000 characters", `{redirectURIs: ["https://` + long + `"]}`, "spec.redirectURIs"},
		{"string for a list", `{scopes: openid}`, "spec.scopes"},
		{"string for a boolean", `{suspended: "true"}`, "spec.suspended"},
		{"no authentication method", `{clientAuthentication: {signingAlg: ES256}}`, "spec.clientAuthentication.method"},

		{"unknown deletion policy", `{deletionPolicy: Keep}`, "spec.deletionPolicy"},
		{"unknown sender constraint", `{accessToken: {senderConstraint: Bearer}}`, "spec.accessToken.senderConstraint"},
		{"unknown message signing", `{messageSigning: {requests: Optional}}`, "spec.messageSigning.requests"},

		{"lifetime", `{accessToken: {lifetime: 1h30m}}`, ""},
		{"lifetime without a unit", `{accessToken: {lifetime: "300"}}`, "must be a duration"},
		{"lifetime in days", `{accessToken: {lifetime: 1d}}`, "must be a duration"},
		{"lifetime beyond what a duration holds", `{accessToken: {lifetime: 99999999999h}}`, "must be a duration"},
		{"certificate duration that is none", `{mutualTLS: {certificate: {issuerRef: {name: ca}, duration: long}}}`, "must be a duration"},
		{"certificate renewal that is none", `{mutualTLS: {certificate: {issuerRef: {name: ca}, renewBefore: soon}}}`, "must be a duration"},
		{"certificate without issuer", `{mutualTLS: {certificate: {secretName: tls}}}`, "spec.mutualTLS.certificate.issuerRef"},
		{"mutual TLS without certificate", `{mutualTLS: {}}`, "spec.mutualTLS.certificate"},
		{"unknown private key algorithm", `{mutualTLS: {certificate: {issuerRef: {name: ca}, privateKey: {algorithm: DSA}}}}`, "spec.mutualTLS.certificate.privateKey.algorithm"},

		{"trust anchors by value", anchors(`{pem: certificates}`), ""},
		{"trust anchors from a ConfigMap", anchors(`{configMapRef: {name: anchors, key: ca.crt}}`), ""},
		{"trust anchors of the server", anchors(`{bundle: open-banking}`), ""},
		{"trust anchors from two places", anchors(`{pem: certificates, bundle: open-banking}`), "exactly one of pem, configMapRef and bundle"},
		{"trust anchors from nowhere", anchors(`{}`), "exactly one of pem, configMapRef and bundle"},
		{"trust anchors from a ConfigMap without key", anchors(`{configMapRef: {name: anchors}}`), "configMapRef.key"},

		{"keys by value", `{keys: {source: JWKS, jwks: {keys: [{kty: EC}]}}}`, ""},
		{"keys by URI", `{keys: {source: JWKSURI, jwksURI: "https://app.example.com/jwks"}}`, ""},
		{"keys from a Secret", `{keys: {source: SecretRef, secretRef: {name: keys, key: jwks.json}}}`, ""},
		{"keys from a Secret of another namespace", `{keys: {source: SecretRef, secretRef: {namespace: shared, name: keys, key: jwks.json}}}`, ""},
		{"keys from what is no namespace", `{keys: {source: SecretRef, secretRef: {namespace: "../shared", name: keys, key: jwks.json}}}`, "spec.keys.secretRef.namespace"},
		{"keys from a ConfigMap", `{keys: {source: ConfigMapRef, configMapRef: {name: keys, key: jwks.json}}}`, ""},
		{"managed keys", `{keys: {source: Managed}}`, ""},
		{"managed keys for an algorithm", `{keys: {source: Managed, managed: {signingAlg: PS256}}}`, ""},
		{"keys without source", `{keys: {jwks: {keys: []}}}`, "spec.keys.source"},
		{"keys from an unknown source", `{keys: {source: Vault}}`, "spec.keys.source"},
		{"source JWKS without a set", `{keys: {source: JWKS}}`, "jwks must be set with source JWKS"},
		{"source JWKSURI without a URI", `{keys: {source: JWKSURI}}`, "jwksURI must be set with source JWKSURI"},
		{"source SecretRef without a reference", `{keys: {source: SecretRef}}`, "secretRef must be set with source SecretRef"},
		{"source ConfigMapRef without a reference", `{keys: {source: ConfigMapRef}}`, "configMapRef must be set with source ConfigMapRef"},
		{"source JWKS with a URI beside the set", `{keys: {source: JWKS, jwks: {keys: []}, jwksURI: "https://app.example.com/jwks"}}`, "jwksURI must be set with source JWKSURI, and only then"},
		{"managed keys beside a Secret", `{keys: {source: SecretRef, secretRef: {name: keys, key: jwks.json}, managed: {}}}`, "managed may be set with source Managed only"},
		{"binding", `{binding: {}}`, ""},
		{"binding with other names", `{binding: {secretName: oauth.1, entries: {issuer: ISSUER_URL, ca.crt: .authorities, client-id: a..b}}}`, ""},
		{"binding in a Secret that cannot be", `{binding: {secretName: OAuth}}`, "spec.binding.secretName"},
		{"entry without a name", `{binding: {entries: {issuer: ""}}}`, "spec.binding.entries.issuer"},
		{"entry named as a folder", `{binding: {entries: {issuer: ..}}}`, "spec.binding.entries.issuer"},
		{"entry named as the kubelet's link", `{binding: {entries: {issuer: ..data}}}`, "spec.binding.entries.issuer"},
		{"entry named as a path", `{binding: {entries: {issuer: a/b}}}`, "spec.binding.entries.issuer"},
		{"key set that is a string", `{keys: {source: JWKS, jwks: "{}"}}`, "spec.keys.jwks"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			application := applicationWith(t, test.spec)
			requireVerdict(t, kubeAPIServer.Create(t.Context(), application), test.refused)
			requireKnownFields(t, kubeAPIServer, application)
		})
	}
}

func anchors(trustAnchors string) string {
	return `{clientAuthentication: {method: tls_client_auth, tls: {sanDNS: app.example.com, trustAnchors: ` + trustAnchors + `}}}`
}

// What FAPI forbids is the rule book's to refuse: the schema lets it through to the webhook.
func TestSchemaLetsTheRuleBookJudge(t *testing.T) {
	t.Parallel()
	kubeAPIServer := newAdmission(t)
	for _, spec := range []string{
		`{grantTypes: [authorization_code, implicit, password, "urn:openid:params:grant-type:ciba"]}`,
		`{responseTypes: [token, code id_token, ""]}`,
		`{applicationType: desktop}`,
		`{clientURI: "not a URI", logoURI: "http://a", policyURI: ":", tosURI: "javascript:alert(1)"}`,
		`{redirectURIs: ["http://app.example.com/callback", "https://*.example.com", ""]}`,
		`{allowedOrigins: ["*", "null", "https://app.example.com/path"]}`,
		`{scopes: ["two words", ""]}`,
		`{contacts: [nobody]}`,
		`{pkce: {required: false, method: plain}}`,
		`{pushedAuthorizationRequests: {required: false}}`,
		`{clientAuthentication: {method: client_secret_basic, signingAlg: none}}`,
		`{clientAuthentication: {method: ""}}`,
		`{clientAuthentication: {method: tls_client_auth, tls: {}}}`,
		`{clientAuthentication: {method: tls_client_auth, tls: {subjectDN: "?", sanDNS: "?", sanURI: "?", sanIP: "?", sanEmail: "?"}}}`,
		`{keys: {source: JWKS, jwks: {keys: [{kty: EC, d: private}]}}}`,
		`{keys: {source: JWKS, jwks: {}}}`,
		`{keys: {source: JWKSURI, jwksURI: "http://app.example.com/jwks"}}`,
		`{keys: {source: Managed, managed: {signingAlg: HS256}}}`,
		`{mutualTLS: {certificate: {issuerRef: {name: ca}, duration: -1h, renewBefore: 9999h, privateKey: {algorithm: RSA, size: 512}}}}`,
		`{requestObject: {signingAlg: RS256, encryptionAlg: RSA1_5, encryptionEnc: A192GCM}}`,
		`{authorizationResponse: {signedResponseAlg: none, encryptedResponseAlg: dir, encryptedResponseEnc: A192GCM}}`,
		`{idToken: {signedResponseAlg: HS256, encryptedResponseAlg: RSA1_5, encryptedResponseEnc: A192GCM}}`,
		`{userinfo: {signedResponseAlg: none, encryptedResponseAlg: RSA1_5, encryptedResponseEnc: A192GCM}}`,
		`{accessToken: {lifetime: 0s}}`,
		`{accessToken: {lifetime: -5m}}`,
		`{accessToken: {lifetime: 8760h}}`,
	} {
		t.Run(spec, func(t *testing.T) {
			t.Parallel()
			application := applicationWith(t, spec)
			requireVerdict(t, kubeAPIServer.Create(t.Context(), application), "")
			requireKnownFields(t, kubeAPIServer, application)
		})
	}
}

func TestSchemaOnUpdate(t *testing.T) {
	t.Parallel()
	kubeAPIServer := newAdmission(t)
	tests := []struct {
		name     string
		old, new string
		refused  string
	}{
		{"nothing changes", `{clientID: bank.app, serverClassName: retail}`, `{clientID: bank.app, serverClassName: retail}`, ""},
		{"another setting changes", `{clientID: bank.app}`, `{clientID: bank.app, scopes: [openid]}`, ""},
		{"client id is added", `{}`, `{clientID: bank.app}`, "clientID cannot be added, changed or removed"},
		{"client id is changed", `{clientID: bank.app}`, `{clientID: bank.other}`, "clientID cannot be added, changed or removed"},
		{"client id is removed", `{clientID: bank.app}`, `{}`, "clientID cannot be added, changed or removed"},
		{"server class is added", `{}`, `{serverClassName: retail}`, "serverClassName cannot be added, changed or removed"},
		{"server class is changed", `{serverClassName: retail}`, `{serverClassName: corporate}`, "serverClassName cannot be added, changed or removed"},
		{"server class is removed", `{serverClassName: retail}`, `{}`, "serverClassName cannot be added, changed or removed"},
		{"key source is changed", `{keys: {source: Managed}}`, `{keys: {source: JWKSURI, jwksURI: "https://app.example.com/jwks"}}`, ""},
		{"key source is changed and its member left behind", `{keys: {source: JWKSURI, jwksURI: "https://app.example.com/jwks"}}`, `{keys: {source: Managed, jwksURI: "https://app.example.com/jwks"}}`, "jwksURI must be set with source JWKSURI"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			old, changed := applicationWith(t, test.old), applicationWith(t, test.new)
			requireVerdict(t, kubeAPIServer.Create(t.Context(), old), "")
			requireVerdict(t, kubeAPIServer.Update(t.Context(), changed, old), test.refused)
		})
	}
}

func TestNameLeavesRoomForTheDefaultClientID(t *testing.T) {
	t.Parallel()
	kubeAPIServer := newAdmission(t)
	for length, refused := range map[int]string{63: "", 64: "metadata.name must have at most 63 characters"} {
		application := applicationWith(t, `{}`)
		application["metadata"].(map[string]any)["name"] = strings.Repeat("a", length)
		requireVerdict(t, kubeAPIServer.Create(t.Context(), application), refused)
	}
}

func TestSpecIsRequired(t *testing.T) {
	t.Parallel()
	application := applicationWith(t, `{}`)
	delete(application, "spec")
	requireVerdict(t, newAdmission(t).Create(t.Context(), application), "spec")
}

// applicationWith replaces members of the least application's spec by those given in YAML.
func applicationWith(t *testing.T, spec string) map[string]any {
	t.Helper()
	application := parse(t, leastApplication)
	for member, value := range parse(t, spec) {
		application["spec"].(map[string]any)[member] = value
	}
	return application
}

// parse reads YAML into the value types of unstructured objects, where whole numbers are int64.
func parse(t *testing.T, document string) map[string]any {
	t.Helper()
	asJSON, err := yaml.YAMLToJSONStrict([]byte(document))
	if err != nil {
		t.Fatal(err)
	}
	object := map[string]any{}
	if err := utiljson.Unmarshal(asJSON, &object); err != nil {
		t.Fatal(err)
	}
	return object
}

func requireVerdict(t *testing.T, errs field.ErrorList, refused string) {
	t.Helper()
	switch {
	case refused == "" && len(errs) > 0:
		t.Errorf("refused: %v", errs.ToAggregate())
	case refused != "" && len(errs) == 0:
		t.Errorf("admitted, want it refused with %q", refused)
	case refused != "" && !strings.Contains(errs.ToAggregate().Error(), refused):
		t.Errorf("refused with %q, want %q in it", errs.ToAggregate(), refused)
	}
}

func requireKnownFields(t *testing.T, kubeAPIServer *crdschema.Schema, object map[string]any) {
	t.Helper()
	if unknown := kubeAPIServer.UnknownFields(object); len(unknown) > 0 {
		t.Errorf("fields that the schema does not know: %v", unknown)
	}
}
