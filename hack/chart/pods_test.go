package main

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// pod is one that the release starts, by a Deployment, for helm test, or before it is uninstalled.
type pod struct {
	owner string
	meta  metav1.ObjectMeta
	spec  corev1.PodSpec
}

func (i installation) pods(t *testing.T) []pod {
	t.Helper()
	var pods []pod
	for _, object := range i.objects {
		var path []string
		switch object.GetKind() {
		case "Deployment", "Job":
			path = []string{"spec", "template"}
		case "Pod":
		default:
			continue
		}
		template, _, err := unstructured.NestedMap(object.Object, path...)
		if err != nil {
			t.Fatal(err)
		}
		var read corev1.PodTemplateSpec
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(template, &read); err != nil {
			t.Fatal(err)
		}
		pods = append(pods, pod{object.GetName(), read.ObjectMeta, read.Spec})
	}
	if len(pods) != 4 {
		t.Fatalf("%d kinds of pods, want the operator's, the server's, helm test's and the uninstallation's", len(pods))
	}
	return pods
}

// Judged by the code of kube-apiserver's Pod Security admission.
func TestPodsAreRestricted(t *testing.T) {
	t.Parallel()
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		t.Fatal(err)
	}
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: api.LatestVersion()}
	eachCase(t, func(t *testing.T, installed installation) {
		for _, pod := range installed.pods(t) {
			result := policy.AggregateCheckResults(evaluator.EvaluatePod(restricted, &pod.meta, &pod.spec))
			if !result.Allowed {
				t.Errorf("%s: %s", pod.owner, result.ForbiddenDetail())
			}
		}
	})
}

// Beyond what Pod Security asks.
func TestContainersAreConfined(t *testing.T) {
	t.Parallel()
	eachCase(t, func(t *testing.T, installed installation) {
		for _, pod := range installed.pods(t) {
			container := pod.spec.Containers[0]
			if readOnly := container.SecurityContext.ReadOnlyRootFilesystem; readOnly == nil || !*readOnly {
				t.Errorf("%s may write its image's files", pod.owner)
			}
			if container.Resources.Requests.Memory().IsZero() || container.Resources.Requests.Cpu().IsZero() || container.Resources.Limits.Memory().IsZero() {
				t.Errorf("%s states no resources", pod.owner)
			}
			if !container.Resources.Limits.Cpu().IsZero() {
				t.Errorf("%s has a CPU limit, which delays requests", pod.owner)
			}
			mounted := pod.spec.AutomountServiceAccountToken == nil || *pod.spec.AutomountServiceAccountToken
			if asksTheCluster := pod.spec.ServiceAccountName == releaseName; mounted != asksTheCluster {
				t.Errorf("%s: a service account's token is mounted: %v", pod.owner, mounted)
			}
		}
	})
}
