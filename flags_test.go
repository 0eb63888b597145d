package main

import (
	"errors"
	"flag"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
)

var required = []string{
	"--registrar-url=https://auth.example.com:8445",
	"--registrar-ca-file=ca.crt",
	"--registrar-cert-file=tls.crt",
	"--registrar-key-file=tls.key",
	"--webhook-cert-dir=/certs",
}

func TestRequiredFlagsAreEnough(t *testing.T) {
	t.Parallel()
	if _, err := parseFlags(required, io.Discard); err != nil {
		t.Error(err)
	}
}

func TestEveryMissingFlagIsNamedAtOnce(t *testing.T) {
	t.Parallel()
	_, err := parseFlags(nil, io.Discard)
	for _, argument := range required {
		name, _, _ := strings.Cut(argument, "=")
		if err == nil || !strings.Contains(err.Error(), name+" is missing") {
			t.Errorf("%s is not said to be missing: %v", name, err)
		}
	}
}

func TestWrongFlagsSayWhatToWrite(t *testing.T) {
	t.Parallel()
	for argument, want := range map[string]string{
		"--resync=10ms":                   "at least 1s",
		"--max-access-token-lifetime=5s":  "at least 30s",
		"--shard=3/2":                     "1/4",
		"--resync=often":                  "invalid value",
		"--installation=my bank":          "letters, digits",
		"--namespaces=bank,,other":        "none of them empty",
		"--namespace-selector=":           "leave the flag out",
		"--namespace-selector=team in a":  "invalid value",
		"--log-level=loud":                "invalid value",
		"--key-encryption-key-secret=key": "write NAMESPACE/NAME",
		"--private-service=private":       "write NAMESPACE/NAME",
		"--fapi-server=bank":              "state both or neither",
		"--self-test":                     "needs --self-test, and that --fapi-server",
		"--self-test-ca-file=ca.crt":      "needs --self-test, and that --fapi-server",
		"--unknown":                       "not defined",
		"serve":                           "unexpected argument",
	} {
		_, err := parseFlags(append([]string{argument}, required...), io.Discard)
		if argument == "serve" {
			_, err = parseFlags(append(required, argument), io.Discard)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want it to say %q", argument, err, want)
		}
	}
}

func TestHelpIsNoFailure(t *testing.T) {
	t.Parallel()
	var usage strings.Builder
	if _, err := parseFlags([]string{"--help"}, &usage); !errors.Is(err, flag.ErrHelp) || !strings.Contains(usage.String(), "registrar-url") {
		t.Errorf("%v, usage %q", err, usage.String())
	}
}

func TestNamespacesAreCachedAlone(t *testing.T) {
	t.Parallel()
	settings, err := parseFlags(append([]string{"--namespaces=bank, retail"}, required...), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	configs := settings.namespaces.cacheConfig()
	_, bank := configs["bank"]
	_, retail := configs["retail"]
	if len(configs) != 2 || !bank || !retail {
		t.Errorf("cached namespaces %v", configs)
	}
	if (&namespaces{}).cacheConfig() != nil {
		t.Error("without namespaces, all of them are to be cached")
	}
}

func TestSecretsAreCachedByTheirLabelAlone(t *testing.T) {
	t.Parallel()
	for object, cached := range (settings{}).byObject() {
		if _, isSecret := object.(*corev1.Secret); !isSecret {
			continue
		}
		if cached.Label == nil || cached.Label.Matches(labels.Set{"app": "shop"}) || !cached.Label.Matches(labels.Set{v1alpha1.ApplicationLabel: ""}) {
			t.Errorf("cached are Secrets with %v", cached.Label)
		}
		return
	}
	t.Error("all Secrets are cached")
}

func TestNamespacesAreListedOrSelected(t *testing.T) {
	t.Parallel()
	settings, err := parseFlags(append([]string{"--namespace-selector=team in (a, b), !legacy"}, required...), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	for team, want := range map[string]bool{"a": true, "c": false} {
		if got := settings.namespaceSelector.Matches(labels.Set{"team": team}); got != want {
			t.Errorf("team %s is served: %v", team, got)
		}
	}
	_, err = parseFlags(append([]string{"--namespaces=bank", "--namespace-selector=fapi=yes"}, required...), io.Discard)
	if err == nil || !strings.Contains(err.Error(), "exclude one another") {
		t.Errorf("both: %v", err)
	}
}

func TestVersionNeedsNoOtherFlag(t *testing.T) {
	t.Parallel()
	settings, err := parseFlags([]string{"--version"}, io.Discard)
	if err != nil || !settings.version {
		t.Errorf("%v, version asked for: %v", err, settings.version)
	}
}

func TestLettingGoNeedsToKnowTheOperator(t *testing.T) {
	t.Parallel()
	known := []string{letGoCommand, "--operator-namespace=fapi-system", "--operator-selector=app=operator"}
	for want, arguments := range map[string][]string{
		"":                      append(known, "--server-class=main", "--namespaces=bank,retail", "--issuer=https://auth.example.com", "--patience=1m", "--log-level=DEBUG"),
		"are needed":            {letGoCommand},
		"kubectl get":           {letGoCommand, "--operator-namespace=fapi-system", "--operator-selector="},
		"invalid value":         append(known, "--operator-selector=app in a"),
		"not defined":           append(known, "--registrar-url=https://auth.example.com:8445"),
		"exclude one another":   append(known, "--namespaces=bank", "--namespace-selector=fapi=yes"),
		`unexpected argument "`: append(known, "now"),
	} {
		settings, err := parseFlags(arguments, io.Discard)
		switch {
		case want == "" && (err != nil || settings.letGo == nil || settings.letGo.patience != time.Minute || settings.serverClass != "main"):
			t.Errorf("%v: %+v, %v", arguments, settings, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want)):
			t.Errorf("%v: %v, want it to say %q", arguments, err, want)
		}
	}
	var usage strings.Builder
	if _, err := parseFlags([]string{letGoCommand, "--help"}, &usage); !errors.Is(err, flag.ErrHelp) || !strings.Contains(usage.String(), "operator-selector") {
		t.Errorf("%v, usage %q", err, usage.String())
	}
}

// The manifests that ship start the operator with flags that it knows.
func TestShippedManifestsFlagsAreTaken(t *testing.T) {
	t.Parallel()
	manifests, err := os.ReadFile("config/default/fapi-operator.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for document := range strings.SplitSeq(string(manifests), "\n---\n") {
		var deployment appsv1.Deployment
		if err := yaml.Unmarshal([]byte(document), &deployment); err != nil {
			continue // another kind, whose fields are of another type
		}
		if deployment.Kind != "Deployment" || deployment.Name != "fapi-operator" {
			continue
		}
		settings, err := parseFlags(deployment.Spec.Template.Spec.Containers[0].Args, io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		if !settings.leaderElection || settings.keyEncryptionKey != (objectName{Namespace: "fapi-system", Name: "fapi-operator-key-encryption-key"}) {
			t.Errorf("%+v", settings)
		}
		return
	}
	t.Fatal("there is no Deployment fapi-operator")
}
