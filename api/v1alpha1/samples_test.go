package v1alpha1_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
)

const samples = "../../config/samples"

var sampleApplications = []string{
	"private-key-jwt.yaml", "tls-client-auth.yaml", "dpop.yaml", "message-signing.yaml", "broken.yaml",
}

// The broken one too: what is wrong with it is the rule book's to say.
func TestSamplesPassTheSchema(t *testing.T) {
	t.Parallel()
	kubeAPIServer := newAdmission(t)
	for _, name := range sampleApplications {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			application := parse(t, readSample(t, name))
			application["metadata"].(map[string]any)["namespace"] = "fapi-samples" // as the kustomization does
			requireVerdict(t, kubeAPIServer.Create(t.Context(), application), "")
			requireKnownFields(t, kubeAPIServer, application)
		})
	}
}

// A client in Go that reads and writes an application changes nothing in its spec.
func TestTypesKeepWhatTheManifestSays(t *testing.T) {
	t.Parallel()
	for _, name := range sampleApplications {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			document := readSample(t, name)
			application := &v1alpha1.FAPIApplication{}
			if err := yaml.UnmarshalStrict([]byte(document), application); err != nil {
				t.Fatal(err)
			}
			written, err := json.Marshal(application.DeepCopy())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(parse(t, document)["spec"], parse(t, string(written))["spec"], durationsByValue()); diff != "" {
				t.Errorf("spec (-manifest +written):\n%s", diff)
			}
		})
	}
}

// durationsByValue takes 5m and 5m0s for the same, since Go writes the longer form.
func durationsByValue() cmp.Option {
	isDuration := func(text string) bool {
		_, err := time.ParseDuration(text)
		return err == nil
	}
	return cmp.FilterValues(
		func(a, b string) bool { return isDuration(a) && isDuration(b) },
		cmp.Comparer(func(a, b string) bool {
			one, _ := time.ParseDuration(a)
			other, _ := time.ParseDuration(b)
			return one == other
		}))
}

func TestKustomizationHoldsTheSamplesThatAreAdmitted(t *testing.T) {
	t.Parallel()
	kustomization := parse(t, readSample(t, "kustomization.yaml"))
	want := []any{"namespace.yaml", "issuer.yaml", "private-key-jwt.yaml", "tls-client-auth.yaml", "dpop.yaml", "message-signing.yaml"}
	if diff := cmp.Diff(want, kustomization["resources"]); diff != "" {
		t.Errorf("resources (-want +got):\n%s", diff)
	}
}

func TestSchemeKnowsTheKinds(t *testing.T) {
	t.Parallel()
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"FAPIApplication", "FAPIApplicationList"} {
		if !scheme.Recognizes(v1alpha1.GroupVersion.WithKind(kind)) {
			t.Errorf("the scheme does not know %s", kind)
		}
	}
}

func readSample(t *testing.T, name string) string {
	t.Helper()
	document, err := os.ReadFile(filepath.Join(filepath.FromSlash(samples), name))
	if err != nil {
		t.Fatal(err)
	}
	return string(document)
}
