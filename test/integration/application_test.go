package integration

import (
	"context"
	"fmt"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
)

// dpopSpec is a client that needs nothing from outside of the operator.
const dpopSpec = `
grantTypes: [authorization_code, refresh_token]
redirectURIs: ["https://app.example.com/callback"]
scopes: [openid, accounts]
clientAuthentication: {method: private_key_jwt}
keys: {source: Managed}
accessToken: {senderConstraint: DPoP}
`

// application is a manifest in the bank's namespace. A spec that is not YAML of
// the kind is a mistake in the test.
func (b *bank) application(name, spec string) *v1alpha1.FAPIApplication {
	application := &v1alpha1.FAPIApplication{ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: name}}
	if err := yaml.UnmarshalStrict([]byte(spec), &application.Spec); err != nil {
		panic(err)
	}
	if application.Spec.ServerClassName == "" {
		application.Spec.ServerClassName = b.serverClass
	}
	return application
}

func (b *bank) create(t *testing.T, name, spec string) *v1alpha1.FAPIApplication {
	t.Helper()
	application := b.application(name, spec)
	if err := b.kube.Create(t.Context(), application); err != nil {
		t.Fatalf("create %s: %v", name, err)
	}
	return application
}

func (b *bank) get(t *testing.T, name string) *v1alpha1.FAPIApplication {
	t.Helper()
	application := &v1alpha1.FAPIApplication{}
	if err := b.kube.Get(t.Context(), client.ObjectKey{Namespace: b.namespace, Name: name}, application); err != nil {
		t.Fatal(err)
	}
	return application
}

// change edits the spec as a person would, and tries again when the operator
// wrote in between.
func (b *bank) change(t *testing.T, name string, edit func(*v1alpha1.FAPIApplication)) {
	t.Helper()
	b.eventually(t, "the edit is written", func(ctx context.Context) error {
		application := b.get(t, name)
		edit(application)
		return b.kube.Update(ctx, application)
	})
}

// awaitCondition waits until the condition has the reason for the current generation.
func (b *bank) awaitCondition(t *testing.T, name, condition, reason string) *v1alpha1.FAPIApplication {
	t.Helper()
	var application *v1alpha1.FAPIApplication
	b.eventually(t, fmt.Sprintf("%s is %s: %s", name, condition, reason), func(context.Context) error {
		application = b.get(t, name)
		found := meta.FindStatusCondition(application.Status.Conditions, condition)
		if found == nil || found.Reason != reason || found.ObservedGeneration != application.Generation {
			return fmt.Errorf("conditions %+v", application.Status.Conditions)
		}
		return nil
	})
	return application
}

func (b *bank) awaitReady(t *testing.T, name string) *v1alpha1.FAPIApplication {
	t.Helper()
	return b.awaitCondition(t, name, v1alpha1.ConditionReady, v1alpha1.ReasonReady)
}

func (b *bank) delete(t *testing.T, name string) {
	t.Helper()
	if err := b.kube.Delete(t.Context(), b.application(name, "{}")); err != nil {
		t.Fatal(err)
	}
}

func (b *bank) awaitGone(t *testing.T, name string) {
	t.Helper()
	b.eventually(t, name+" is gone", func(ctx context.Context) error {
		err := b.kube.Get(ctx, client.ObjectKey{Namespace: b.namespace, Name: name}, &v1alpha1.FAPIApplication{})
		if client.IgnoreNotFound(err) != nil {
			return err
		}
		if err == nil {
			return fmt.Errorf("it is still there")
		}
		return nil
	})
}

func requireCondition(t *testing.T, application *v1alpha1.FAPIApplication, name string, status metav1.ConditionStatus, reason string) {
	t.Helper()
	condition := meta.FindStatusCondition(application.Status.Conditions, name)
	if condition == nil || condition.Status != status || condition.Reason != reason {
		t.Errorf("condition %s is %+v, want %s: %s", name, condition, status, reason)
	}
}

// merge lays the changes over the spec, field by field at the top level.
func merge(t *testing.T, spec, changes string) string {
	t.Helper()
	merged := map[string]any{}
	for _, document := range []string{spec, changes} {
		if err := yaml.Unmarshal([]byte(document), &merged); err != nil {
			t.Fatal(err)
		}
	}
	encoded, err := yaml.Marshal(merged)
	if err != nil {
		t.Fatal(err)
	}
	return string(encoded)
}
