package controllers

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

func TestReplicasOfDifferentIssuersAreNamed(t *testing.T) {
	t.Parallel()
	answered := func(name, issuer, mtlsBaseURL string) replicaAnswer {
		return replicaAnswer{name: name, told: registration.Replica{Issuer: issuer, MTLSBaseURL: mtlsBaseURL}}
	}
	const issuer, elsewhere, mtls = "https://auth.bank.example", "https://auth.other.example", "https://mtls.bank.example"
	for name, test := range map[string]struct {
		other  replicaAnswer
		reason string
	}{
		"the same":          {answered("second", issuer, mtls), v1alpha1.ReasonReady},
		"another issuer":    {answered("second", elsewhere, mtls), v1alpha1.ReasonReplicasDisagree},
		"another mTLS host": {answered("second", issuer, elsewhere), v1alpha1.ReasonReplicasDisagree},
	} {
		status := reportOn(v1alpha1.FAPIServerStatus{}, []replicaAnswer{answered("first", issuer, mtls), test.other}, metav1.Now())
		ready := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady)
		if ready == nil || ready.Reason != test.reason {
			t.Errorf("%s: %+v, want %s", name, ready, test.reason)
			continue
		}
		if test.reason == v1alpha1.ReasonReplicasDisagree && (!strings.Contains(ready.Message, "first") || !strings.Contains(ready.Message, elsewhere)) {
			t.Errorf("%s: the message does not tell who serves what: %s", name, ready.Message)
		}
	}
}
