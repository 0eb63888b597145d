package main

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/action"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

const (
	chartFolder = "../../config/chart"
	releaseName = "fapi-operator"
	namespace   = "fapi-system"
)

// cases are values that stand for all: every template is rendered by one of them.
var cases = map[string]string{
	"default": "",
	"postgres": `
store: {backend: postgres, postgres: {hosts: ["db-1.bank.example:5432", "db-2.bank.example:6432"], passwordSecret: database}}
`,
	"without cert-manager": `
certificates:
  certManager: false
  existingSecrets: {webhook: webhook, public: public, mtls: mtls, private: private, registrar: registrar}
  webhookCABundle: Q0E=
test: {caSecret: public-ca}
`,
	"everything": `
image: {pullSecrets: [registry], operator: {digest: "sha256:0000000000000000000000000000000000000000000000000000000000000000"}, authserver: {tag: "9"}}
operator:
  installation: bank
  serverClass: main
  failurePolicy: Ignore
  admissionPolicy: {enabled: true}
  selfTest: {caSecret: public-ca}
  namespaces: [retail, private]
  nodeSelector: {kubernetes.io/os: linux}
  tolerations: [{key: dedicated, operator: Exists, effect: NoSchedule}]
  priorityClassName: system-cluster-critical
authserver:
  administratorSANs: ["spiffe://cluster.local/ns/fapi-system/sa/fapi-administrator"]
  mtlsProxy: {header: Client-Cert, sans: ["spiffe://cluster.local/ns/gateways/sa/edge"], caSecret: edge-ca}
  nodeSelector: {kubernetes.io/os: linux}
  files:
    - {mountPath: /etc/fapi-operator/trust, configMap: trust}
    - {mountPath: /etc/fapi-operator/authorization-details, secret: details}
config:
  issuer: https://auth.bank.example
  mtlsBaseURL: https://mtls.auth.bank.example:8444
  defaultResource: https://api.bank.example
  authentication: {acr: {password: "urn:bank:acr:password"}}
  scopes: {accounts: {description: See your accounts and their balances}}
  authorizationDetailsTypes: {payment: {description: Pay, schemaFile: /etc/fapi-operator/authorization-details/payment.json}}
  trustBundles: {partners: /etc/fapi-operator/trust/partners.pem}
  jwksURI: {allowedHosts: [keys.partner.internal], allowedCIDRs: [10.20.0.0/16]}
  keys: {rotationInterval: 240h, overlap: 24h}
  dpop: {nonces: "off", nonceLifetime: 5m}
  accessToken: {maxLifetime: 1h}
  refreshToken: {lifetime: 2160h}
  session: {lifetime: 8h}
  log: {level: info, format: json}
users: {existingSecret: users}
keyEncryptionKey: {existingSecret: kek}
store:
  backend: postgres
  postgres:
    hosts: ["db.bank.example:5432"]
    caSecret: database-ca
    clientCertificateSecret: database-client
    autoscaling: {enabled: true}
certificates: {issuerRef: {name: bank, kind: ClusterIssuer, group: cert-manager.io}}
ingress: {enabled: true, className: nginx, annotations: {nginx.ingress.kubernetes.io/ssl-passthrough: "true"}}
gateway: {enabled: true, parentRefs: [{name: edge, namespace: gateways, sectionName: tls}]}
networkPolicy:
  metricsFrom: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: monitoring}}}]
  administratorsFrom: [{podSelector: {matchLabels: {app: administration}}}]
  apiServer: {to: [{ipBlock: {cidr: 10.0.0.1/32}}], ports: [6443]}
  publicPath: {to: [{ipBlock: {cidr: 192.0.2.10/32}}], ports: [8444]}
  databaseTo: [{ipBlock: {cidr: 10.1.0.0/16}}]
monitoring: {serviceMonitor: true, prometheusRule: true, dashboard: true, labels: {release: prometheus}}
`,
	"a store of one's own": `
crds: {install: false}
operator: {replicas: 1, selfTest: {enabled: false}}
store: {sqlite: {existingClaim: store}}
networkPolicy: {enabled: false}
certificates: {existingSecrets: {public: public}}
`,
	"a proxy": `
authserver: {mtlsProxy: {header: X-Forwarded-Client-Cert, sans: [edge.gateways.svc], caConfigMap: edge-ca}}
`,
	"a storage class": `
operator: {namespaceSelector: {matchLabels: {fapi: "yes"}}}
store: {sqlite: {storageClassName: fast, size: 10Gi}}
`,
}

// installation is a rendered chart.
type installation struct {
	objects []unstructured.Unstructured // hooks among them
	text    string
	notes   string
}

// eachCase runs the test for every case.
func eachCase(t *testing.T, test func(t *testing.T, installed installation)) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, install(t, cases[name]))
		})
	}
}

func install(t *testing.T, values string) installation {
	t.Helper()
	rendered, err := render(t.Context(), chartFolder, releaseName, namespace, parseValues(t, values))
	if err != nil {
		t.Fatal(err)
	}
	result := installation{text: strings.Join(append([]string{rendered.manifest}, rendered.hooks...), "\n---\n"), notes: rendered.notes}
	for _, document := range documents(result.text) {
		result.objects = append(result.objects, parseObject(t, document))
	}
	return result
}

// parseObject is strict: a member that stands twice is a mistake in a template.
func parseObject(t *testing.T, document string) unstructured.Unstructured {
	t.Helper()
	var object unstructured.Unstructured
	text, err := yaml.YAMLToJSONStrict([]byte(document))
	if err == nil {
		err = object.UnmarshalJSON(text)
	}
	if err != nil {
		t.Fatalf("%v:\n%s", err, document)
	}
	return object
}

func parseValues(t *testing.T, text string) map[string]any {
	t.Helper()
	values := map[string]any{}
	if err := yaml.UnmarshalStrict([]byte(text), &values); err != nil {
		t.Fatal(err)
	}
	return values
}

func TestHelmLintFindsNothing(t *testing.T) {
	t.Parallel()
	for name, values := range cases {
		lint := action.NewLint()
		lint.Strict, lint.Namespace = true, namespace
		for _, message := range lint.Run([]string{chartFolder}, parseValues(t, values)).Messages {
			// An icon is for shops that show charts.
			if !strings.Contains(message.Err.Error(), "icon is recommended") {
				t.Errorf("%s: %v", name, message)
			}
		}
	}
}

// Keys that a template makes are new at every render, and the old ones are lost.
func TestTwoRendersAreTheSame(t *testing.T) {
	t.Parallel()
	for name, values := range cases {
		first, second := install(t, values), install(t, values)
		if first.text != second.text {
			t.Errorf("%s: two renders of the same values differ", name)
		}
	}
}

func TestNoSecretIsRendered(t *testing.T) {
	t.Parallel()
	eachCase(t, func(t *testing.T, installed installation) {
		for _, object := range installed.objects {
			if object.GetKind() == "Secret" {
				t.Errorf("Secret %s is in the release, where every reader of the release finds it", object.GetName())
			}
		}
	})
}

// Everything that has a namespace states it, so that kubectl apply of a render
// does what helm install does.
func TestEveryObjectIsTheReleasesOwn(t *testing.T) {
	t.Parallel()
	clusterWide := []string{"CustomResourceDefinition", "ClusterRole", "ClusterRoleBinding", "ValidatingWebhookConfiguration", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}
	eachCase(t, func(t *testing.T, installed installation) {
		seen := map[string]bool{}
		for _, object := range installed.objects {
			name := object.GetKind() + " " + object.GetNamespace() + "/" + object.GetName()
			if seen[name] {
				t.Errorf("%s is rendered twice", name)
			}
			seen[name] = true
			if wide := slices.Contains(clusterWide, object.GetKind()); wide != (object.GetNamespace() == "") {
				t.Errorf("%s is in namespace %q", name, object.GetNamespace())
			}
			if object.GetLabels()["app.kubernetes.io/instance"] != releaseName {
				t.Errorf("%s does not carry the release's name", name)
			}
		}
	})
}

// What people and their clients would lose by it, uninstalling leaves.
func TestWhatUninstallingKeeps(t *testing.T) {
	t.Parallel()
	kept := map[string]bool{"CustomResourceDefinition": true, "PersistentVolumeClaim": true}
	for _, object := range install(t, "").objects {
		if policy := object.GetAnnotations()["helm.sh/resource-policy"]; (policy == "keep") != kept[object.GetKind()] {
			t.Errorf("%s %s has resource policy %q", object.GetKind(), object.GetName(), policy)
		}
	}
}

// Two releases of the chart, in two namespaces, do not share an object.
func TestReleasesDoNotCollide(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, in := range []string{"one", "two"} {
		rendered, err := render(t.Context(), chartFolder, releaseName, in, parseValues(t, "{crds: {install: false}, operator: {admissionPolicy: {enabled: true}}}"))
		if err != nil {
			t.Fatal(err)
		}
		for _, document := range documents(rendered.manifest) {
			object := parseObject(t, document)
			name := object.GetKind() + " " + object.GetNamespace() + "/" + object.GetName()
			if names[name] {
				t.Errorf("%s belongs to both", name)
			}
			names[name] = true
		}
	}
}

func TestNotesSayWhatIsMissing(t *testing.T) {
	t.Parallel()
	for values, wants := range map[string][]string{
		"": {
			"config.issuer and config.mtlsBaseURL are not set", "Nothing leads from outside", "OWN CA", "NOBODY CAN LOG IN",
			"config.defaultResource is the default", "no default storage class", "get secret fapi-operator-key-encryption-key",
		},
		cases["everything"]: {"https://auth.bank.example"},
	} {
		notes := install(t, values).notes
		for _, want := range wants {
			if !strings.Contains(notes, want) {
				t.Errorf("the notes do not say %q:\n%s", want, notes)
			}
		}
		if values != "" && strings.Contains(notes, "Before anybody relies") {
			t.Errorf("something is said to be missing when nothing is:\n%s", notes)
		}
	}
}
