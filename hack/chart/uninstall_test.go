package main

import (
	"maps"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

const uninstallation = releaseName + "-uninstall"

// Helm runs the Job before it deletes anything, with its rights there before it, and
// takes all of it away afterwards.
func TestUninstallingLetsGoFirst(t *testing.T) {
	t.Parallel()
	eachCase(t, func(t *testing.T, installed installation) {
		weights := map[string]string{}
		for _, object := range installed.objects {
			if annotations := object.GetAnnotations(); annotations["helm.sh/hook"] == "pre-delete" {
				weights[object.GetKind()] = annotations["helm.sh/hook-weight"]
				if annotations["helm.sh/hook-delete-policy"] != "before-hook-creation,hook-succeeded" {
					t.Errorf("%s stays: %v", object.GetKind(), annotations)
				}
			}
		}
		want := map[string]string{"Role": "-1", "RoleBinding": "-1", "NetworkPolicy": "-1", "Job": "0"}
		if _, policed := all[networkingv1.NetworkPolicy](t, installed, "NetworkPolicy")[releaseName]; !policed {
			delete(want, "NetworkPolicy")
		}
		if !maps.Equal(weights, want) {
			t.Errorf("before the release is deleted there are %v, want %v", weights, want)
		}
		job := only[batchv1.Job](t, installed, "Job")
		if limit := job.Spec.ActiveDeadlineSeconds; limit == nil || *limit >= 300 {
			t.Errorf("Helm gives up before the Job does: %v", limit)
		}
		if account := job.Spec.Template.Spec.ServiceAccountName; account != installed.operatorAccount(t) {
			t.Errorf("the Job runs as %s, which may not take a finalizer off", account)
		}
	})
}

func (i installation) operatorAccount(t *testing.T) string {
	t.Helper()
	return all[appsv1.Deployment](t, i, "Deployment")[releaseName].Spec.Template.Spec.ServiceAccountName
}

// The Job lets go of what the operators serve, and of nothing else; it waits for their
// pods, and does not take itself for one.
func TestUninstallationIsForTheOperatorsThatThereAre(t *testing.T) {
	t.Parallel()
	for _, values := range []string{
		"", cases["everything"], `operator: {shards: 3, serverClass: main}`,
		`operator: {namespaceSelector: {matchLabels: {fapi: "yes"}, matchExpressions: [{key: team, operator: In, values: [a, b]}]}}`,
	} {
		installed := install(t, values)
		job := only[batchv1.Job](t, installed, "Job")
		container := job.Spec.Template.Spec.Containers[0]
		if container.Args[0] != "let-go" {
			t.Fatalf("the Job does %v", container.Args)
		}
		flags := flagsOf(container.Args[1:])
		selector, err := labels.Parse(flags["operator-selector"])
		if err != nil {
			t.Fatal(err)
		}
		if selector.Matches(labels.Set(job.Spec.Template.Labels)) || flags["operator-namespace"] != namespace {
			t.Errorf("the Job waits for its own pod, or in another namespace: %v", flags)
		}
		var stopped []string
		for name, deployment := range all[appsv1.Deployment](t, installed, "Deployment") {
			isOperator := deployment.Spec.Template.Labels["app.kubernetes.io/component"] == "operator"
			if selector.Matches(labels.Set(deployment.Labels)) != isOperator || selector.Matches(labels.Set(deployment.Spec.Template.Labels)) != isOperator {
				t.Errorf("Deployment %s is taken for an operator: %v", name, !isOperator)
			}
			if !isOperator {
				continue
			}
			stopped = append(stopped, name)
			serves := flagsOf(deployment.Spec.Template.Spec.Containers[0].Args)
			for _, flag := range []string{"server-class", "namespaces", "namespace-selector"} {
				if serves[flag] != flags[flag] {
					t.Errorf("the operator has --%s=%s, the Job %s", flag, serves[flag], flags[flag])
				}
			}
			if image := deployment.Spec.Template.Spec.Containers[0].Image; image != container.Image {
				t.Errorf("the Job runs %s, the operator %s", container.Image, image)
			}
		}
		slices.Sort(stopped)
		if may := scaled(t, installed); !slices.Equal(may, stopped) {
			t.Errorf("the Job may scale %v, the operators are %v", may, stopped)
		}
	}
}

// scaled are the Deployments that the Job may scale.
func scaled(t *testing.T, installed installation) (names []string) {
	t.Helper()
	for _, rule := range all[rbacv1.Role](t, installed, "Role")[uninstallation].Rules {
		if slices.Contains(rule.Resources, "deployments/scale") {
			names = append(names, rule.ResourceNames...)
		}
	}
	slices.Sort(names)
	return names
}

// The Job's clients' issuer is the one that the applications' status names.
func TestUninstallationKnowsTheIssuer(t *testing.T) {
	t.Parallel()
	for values, issuer := range map[string]string{"": "https://fapi-operator-public.fapi-system.svc", cases["everything"]: "https://auth.bank.example"} {
		args := only[batchv1.Job](t, install(t, values), "Job").Spec.Template.Spec.Containers[0].Args
		if got := flagsOf(args)["issuer"]; got != issuer {
			t.Errorf("the issuer is %q, want %q", got, issuer)
		}
	}
}

// It needs the API server, and nothing else that a policy could allow.
func TestUninstallationReachesTheAPIServerAlone(t *testing.T) {
	t.Parallel()
	policies := all[networkingv1.NetworkPolicy](t, install(t, cases["everything"]), "NetworkPolicy")
	own, operators := policies[uninstallation].Spec, policies[releaseName].Spec
	if len(own.Ingress) > 0 || len(own.Egress) != 1 || len(own.PolicyTypes) != 2 {
		t.Fatalf("the policy allows %+v", own)
	}
	if port := own.Egress[0].Ports[0].Port; *port != intstr.FromInt32(6443) || own.Egress[0].To[0].IPBlock.CIDR != "10.0.0.1/32" {
		t.Errorf("its way out leads to %+v, the operator's are %+v", own.Egress[0], operators.Egress)
	}
}

func TestUninstallationCanBeSwitchedOff(t *testing.T) {
	t.Parallel()
	for _, object := range install(t, `operator: {uninstall: {letGo: false}}`).objects {
		if object.GetAnnotations()["helm.sh/hook"] == "pre-delete" || strings.HasSuffix(object.GetName(), "-uninstall") {
			t.Errorf("%s %s is there", object.GetKind(), object.GetName())
		}
	}
}

// kustomize has no hooks: what has to be done once is not among what is installed, and
// can be applied by itself.
func TestKustomizeHasTheUninstallationApart(t *testing.T) {
	t.Parallel()
	for _, object := range kustomize(t, "../../config/default").objects {
		if object.GetKind() == "Job" || object.GetAnnotations()["helm.sh/hook"] != "" {
			t.Errorf("%s %s is installed", object.GetKind(), object.GetName())
		}
	}
	apart := kustomize(t, "../../config/uninstall")
	var kinds []string
	for _, object := range apart.objects {
		kinds = append(kinds, object.GetKind())
		if err := validate(t.Context(), object); err != nil {
			t.Errorf("%s: %v", object.GetKind(), err)
		}
	}
	slices.Sort(kinds)
	if want := []string{"Job", "NetworkPolicy", "Role", "RoleBinding"}; !slices.Equal(kinds, want) {
		t.Errorf("there are %v, want %v", kinds, want)
	}
}
