package controllers

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
)

var past = metav1.NewTime(time.Date(2030, 5, 1, 12, 0, 0, 0, time.UTC))

// after is the passage of an application whose phases ended so.
func after(spec v1alpha1.FAPIApplicationSpec, verdicts map[string]verdict) *passage {
	p := &passage{application: &v1alpha1.FAPIApplication{Spec: spec}, now: past}
	for _, step := range steps {
		v, ran := verdicts[step]
		if !ran {
			v = holds(v1alpha1.ReasonNotNeeded, "")
		}
		p.set(step, v)
	}
	return p
}

func TestReadySumsUp(t *testing.T) {
	t.Parallel()
	pendingStep := verdict{status: metav1.ConditionUnknown, reason: v1alpha1.ReasonPending}
	suspended := v1alpha1.FAPIApplicationSpec{Suspended: new(true)}
	tests := []struct {
		name     string
		spec     v1alpha1.FAPIApplicationSpec
		verdicts map[string]verdict
		want     map[string]string // the summary's conditions that are present, and their reasons
	}{
		{"everything holds", v1alpha1.FAPIApplicationSpec{}, nil,
			map[string]string{v1alpha1.ConditionReady: v1alpha1.ReasonReady}},
		{"suspended", suspended, nil,
			map[string]string{v1alpha1.ConditionReady: v1alpha1.ReasonSuspended}},
		{"refused", v1alpha1.FAPIApplicationSpec{}, map[string]verdict{
			v1alpha1.ConditionAccepted:   fails(v1alpha1.ReasonRefused, ""),
			v1alpha1.ConditionRegistered: pendingStep,
		}, map[string]string{v1alpha1.ConditionReady: v1alpha1.ReasonRefused, v1alpha1.ConditionStalled: v1alpha1.ReasonRefused}},
		{"issuing", suspended, map[string]verdict{
			v1alpha1.ConditionCertificateReady: fails(v1alpha1.ReasonIssuing, ""),
			v1alpha1.ConditionRegistered:       pendingStep,
		}, map[string]string{v1alpha1.ConditionReady: v1alpha1.ReasonIssuing, v1alpha1.ConditionReconciling: v1alpha1.ReasonIssuing}},
		{"cluster does not answer", v1alpha1.FAPIApplicationSpec{}, map[string]verdict{
			v1alpha1.ConditionKeysReady: pendingStep,
		}, map[string]string{v1alpha1.ConditionReady: v1alpha1.ReasonPending, v1alpha1.ConditionReconciling: v1alpha1.ReasonPending}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p := after(test.spec, test.verdicts)
			p.set(v1alpha1.ConditionStalled, holds("Before", ""))
			p.set(v1alpha1.ConditionReconciling, holds("Before", ""))
			p.summarize()
			if diff := cmp.Diff(test.want, summaryOf(p)); diff != "" {
				t.Errorf("summary (-want +got):\n%s", diff)
			}
		})
	}
}

func TestDeletionIsNeverStalled(t *testing.T) {
	t.Parallel()
	p := after(v1alpha1.FAPIApplicationSpec{}, map[string]verdict{v1alpha1.ConditionAccepted: fails(v1alpha1.ReasonRefused, "")})
	p.application.DeletionTimestamp = &past
	p.summarize()
	want := map[string]string{v1alpha1.ConditionReady: v1alpha1.ReasonDeleting, v1alpha1.ConditionReconciling: v1alpha1.ReasonDeleting}
	if diff := cmp.Diff(want, summaryOf(p)); diff != "" {
		t.Errorf("summary (-want +got):\n%s", diff)
	}
}

func summaryOf(p *passage) map[string]string {
	summary := map[string]string{}
	for _, condition := range p.status.Conditions {
		switch condition.Type {
		case v1alpha1.ConditionReady, v1alpha1.ConditionStalled, v1alpha1.ConditionReconciling:
			summary[condition.Type] = condition.Reason
		}
	}
	return summary
}
