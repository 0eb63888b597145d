package integration

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fapi-operator/fapi-operator/api/clientmetadata"
	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/fapi/vectors"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// identifierRule is on manifests alone: vectors choose their identifiers freely.
const identifierRule = "LOCAL-CLIENT-ID-NAMESPACE"

// Each vector is a manifest that gets past the schema, and the webhook names the
// rules that the rule book names.
func TestEachVectorReachesTheWebhookAndBreaksTheSameRules(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	for _, vector := range vectors.Registration() {
		if !vector.Manifest {
			continue
		}
		t.Run(vector.Name, func(t *testing.T) {
			t.Parallel()
			metadata, application := b.manifest(t, vector)
			requireSameMetadata(t, metadata, application)
			broken := refusedBy(t, b.kube.Create(t.Context(), application, client.DryRunAll))
			want := append([]oauth.RuleID{}, vector.Breaks...)
			if diff := cmp.Diff(want, broken); diff != "" {
				t.Errorf("%s\nbroken rules (-rule book +webhook):\n%s", vector.Description, diff)
			}
		})
	}
}

// manifest says what the vector says.
func (b *bank) manifest(t *testing.T, vector vectors.Vector) (registration.Metadata, *v1alpha1.FAPIApplication) {
	t.Helper()
	metadata, err := registration.DecodeMetadata(vector.Metadata)
	if err != nil {
		t.Fatal(err)
	}
	application := b.application("vector", "{}")
	application.Spec = clientmetadata.ToSpec(metadata)
	return metadata, application
}

// requireSameMetadata proves that the manifest says what the vector says.
func requireSameMetadata(t *testing.T, metadata registration.Metadata, application *v1alpha1.FAPIApplication) {
	t.Helper()
	got := clientmetadata.FromApplication(application, clientmetadata.Resolved{}).WithDefaults()
	if diff := cmp.Diff(metadata.WithDefaults(), got, cmp.Comparer(sameJSON)); diff != "" {
		t.Fatalf("the manifest does not say what the vector says (-vector +manifest):\n%s", diff)
	}
}

func sameJSON(a, b json.RawMessage) bool { return string(a) == string(b) }

func refusedBy(t *testing.T, err error) []oauth.RuleID {
	t.Helper()
	broken := []oauth.RuleID{}
	if err == nil {
		return broken
	}
	if !apierrors.IsInvalid(err) || !strings.Contains(err.Error(), "admission webhook") {
		t.Fatalf("the webhook was not reached: %v", err)
	}
	rules, _ := refusal(t, err)
	for _, rule := range rules {
		if rule != identifierRule {
			broken = append(broken, oauth.RuleID(rule))
		}
	}
	return broken
}

// In its own namespace, a vector's identifier is the namespace's, so that a
// vector which breaks no rule is admitted as it is.
func TestVectorThatBreaksNothingIsAdmittedInItsNamespace(t *testing.T) {
	t.Parallel()
	b := openBank(t)
	for _, vector := range vectors.Registration() {
		if !vector.Manifest || len(vector.Breaks) > 0 {
			continue
		}
		_, application := b.manifest(t, vector)
		application.Spec.ClientID = ""
		if err := b.kube.Create(t.Context(), application, client.DryRunAll); err != nil {
			t.Errorf("vector %s: %v", vector.Name, err)
		}
	}
}
