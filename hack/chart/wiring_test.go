package main

import (
	"maps"
	"slices"
	"strings"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// all gives the objects of a kind, decoded.
func all[T any](t *testing.T, installed installation, kind string) map[string]T {
	t.Helper()
	found := map[string]T{}
	for _, object := range installed.objects {
		if object.GetKind() == kind {
			var read T
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &read); err != nil {
				t.Fatal(err)
			}
			found[object.GetName()] = read
		}
	}
	return found
}

// selected are the pods with the labels.
func (i installation) selected(t *testing.T, by map[string]string) []pod {
	t.Helper()
	return slices.DeleteFunc(i.pods(t), func(p pod) bool { return !labels.SelectorFromSet(by).Matches(labels.Set(p.meta.Labels)) })
}

func TestServicesReachOneProgramsPorts(t *testing.T) {
	t.Parallel()
	eachCase(t, func(t *testing.T, installed installation) {
		for name, service := range all[corev1.Service](t, installed, "Service") {
			pods := installed.selected(t, service.Spec.Selector)
			if len(pods) != 1 {
				t.Errorf("Service %s selects %d kinds of pods", name, len(pods))
				continue
			}
			for _, port := range service.Spec.Ports {
				if !hasPort(pods[0], port.TargetPort) {
					t.Errorf("Service %s leads to port %s, which %s has not", name, port.TargetPort.String(), pods[0].owner)
				}
			}
		}
	})
}

func hasPort(p pod, target intstr.IntOrString) bool {
	return slices.ContainsFunc(p.spec.Containers[0].Ports, func(port corev1.ContainerPort) bool { return port.Name == target.StrVal })
}

// What else selects pods or Services finds them, and nothing else.
func TestSelectorsFindTheirOwn(t *testing.T) {
	t.Parallel()
	eachCase(t, func(t *testing.T, installed installation) {
		for _, object := range installed.objects {
			path := map[string][]string{
				"Deployment":          {"spec", "selector", "matchLabels"},
				"PodDisruptionBudget": {"spec", "selector", "matchLabels"},
				"NetworkPolicy":       {"spec", "podSelector", "matchLabels"},
			}[object.GetKind()]
			if path == nil {
				continue
			}
			by, _, err := unstructured.NestedStringMap(object.Object, path...)
			if err != nil {
				t.Fatal(err)
			}
			if pods := installed.selected(t, by); len(pods) != 1 || pods[0].owner != object.GetName() {
				t.Errorf("%s %s selects %v", object.GetKind(), object.GetName(), pods)
			}
		}
	})
}

func TestServiceMonitorsFindTheMetrics(t *testing.T) {
	t.Parallel()
	installed := install(t, cases["everything"])
	services := all[corev1.Service](t, installed, "Service")
	monitors := slices.DeleteFunc(slices.Clone(installed.objects), func(o unstructured.Unstructured) bool { return o.GetKind() != "ServiceMonitor" })
	if len(monitors) != 2 {
		t.Fatalf("%d ServiceMonitors", len(monitors))
	}
	for _, monitor := range monitors {
		by, _, _ := unstructured.NestedStringMap(monitor.Object, "spec", "selector", "matchLabels")
		var found []string
		for name, service := range services {
			if labels.SelectorFromSet(by).Matches(labels.Set(service.Labels)) {
				found = append(found, name)
			}
		}
		if want := monitor.GetName() + "-metrics"; !slices.Equal(found, []string{want}) {
			t.Errorf("ServiceMonitor %s finds Services %v, want %s, by whose name the alert rules know it", monitor.GetName(), found, want)
		}
		if monitor.GetLabels()["release"] != "prometheus" {
			t.Error("monitoring.labels are not among its labels")
		}
	}
}

// A pod waits for ever for a Secret that nobody makes.
func TestEveryMountedObjectIsMadeByTheReleaseOrGiven(t *testing.T) {
	t.Parallel()
	given := []string{"webhook", "public", "mtls", "private", "registrar", "public-ca", "database", "users", "kek", "database-ca", "database-client", "details", "trust", "store", "edge-ca"}
	eachCase(t, func(t *testing.T, installed installation) {
		made := installed.made(t)
		for _, pod := range installed.pods(t) {
			for _, volume := range pod.spec.Volumes {
				source := sourceOf(volume)
				_, name, _ := strings.Cut(source, " ")
				if !made[source] && !slices.Contains(given, name) {
					t.Errorf("%s mounts %s, which neither the release makes nor the values give", pod.owner, source)
				}
			}
		}
	})
}

// made are the Secrets, ConfigMaps and claims that there will be.
func (i installation) made(t *testing.T) map[string]bool {
	t.Helper()
	made := map[string]bool{}
	for _, object := range i.objects {
		switch object.GetKind() {
		case "Certificate":
			secret, _, _ := unstructured.NestedString(object.Object, "spec", "secretName")
			made["Secret "+secret] = true
		case "ConfigMap", "PersistentVolumeClaim":
			made[object.GetKind()+" "+object.GetName()] = true
		}
	}
	for _, argument := range i.operator(t).Args {
		if secret, is := strings.CutPrefix(argument, "--key-encryption-key-secret="+namespace+"/"); is {
			made["Secret "+secret] = true
		}
	}
	return made
}

func (i installation) operator(t *testing.T) corev1.Container {
	t.Helper()
	return all[appsv1.Deployment](t, i, "Deployment")[releaseName].Spec.Template.Spec.Containers[0]
}

func sourceOf(volume corev1.Volume) string {
	switch {
	case volume.Secret != nil:
		return "Secret " + volume.Secret.SecretName
	case volume.ConfigMap != nil:
		return "ConfigMap " + volume.ConfigMap.Name
	case volume.PersistentVolumeClaim != nil:
		return "PersistentVolumeClaim " + volume.PersistentVolumeClaim.ClaimName
	}
	return "something else"
}

// Everything that is served or asked for by a name has it in its certificate.
func TestCertificatesAreForTheNamesThatAreCalled(t *testing.T) {
	t.Parallel()
	for values, names := range map[string][]string{
		"": {
			"fapi-operator-webhook.fapi-system.svc", "fapi-operator-public.fapi-system.svc", "fapi-operator-mtls.fapi-system.svc",
			"fapi-operator-private.fapi-system.svc", "spiffe://cluster.local/ns/fapi-system/sa/fapi-operator",
		},
		cases["everything"]: {
			"fapi-operator-webhook.fapi-system.svc", "auth.bank.example", "mtls.auth.bank.example",
			"fapi-operator-private.fapi-system.svc", "spiffe://cluster.local/ns/fapi-system/sa/fapi-operator",
		},
	} {
		installed := install(t, values)
		var certified []string
		for _, certificate := range all[certificate](t, installed, "Certificate") {
			if !certificate.Spec.IsCA {
				certified = append(certified, append(certificate.Spec.DNSNames, certificate.Spec.URIs...)...)
			}
			if certificate.Spec.PrivateKey.RotationPolicy == "" {
				t.Errorf("certificate %s leaves the rotation of its key to cert-manager's version", certificate.Name)
			}
		}
		slices.Sort(certified)
		slices.Sort(names)
		if !slices.Equal(certified, names) {
			t.Errorf("certificates for %v, want %v", certified, names)
		}
	}
}

// certificate is what matters here of cert-manager's.
type certificate struct {
	metav1.ObjectMeta `json:"metadata"`
	Spec              struct {
		IsCA       bool     `json:"isCA"`
		DNSNames   []string `json:"dnsNames"`
		URIs       []string `json:"uris"`
		SecretName string   `json:"secretName"`
		PrivateKey struct {
			RotationPolicy string `json:"rotationPolicy"`
		} `json:"privateKey"`
	} `json:"spec"`
}

// The API server finds the webhook's Service, and knows its certificate.
func TestWebhookIsReachedAndTrusted(t *testing.T) {
	t.Parallel()
	eachCase(t, func(t *testing.T, installed installation) {
		services := all[corev1.Service](t, installed, "Service")
		certificates := all[certificate](t, installed, "Certificate")
		for _, object := range installed.objects {
			if object.GetKind() != "ValidatingWebhookConfiguration" {
				continue
			}
			webhooks, _, _ := unstructured.NestedSlice(object.Object, "webhooks")
			config, _, _ := unstructured.NestedMap(webhooks[0].(map[string]any), "clientConfig")
			service, _, _ := unstructured.NestedString(config, "service", "name")
			if _, there := services[service]; !there {
				t.Errorf("there is no Service %s", service)
			}
			injected, _ := strings.CutPrefix(object.GetAnnotations()["cert-manager.io/inject-ca-from"], namespace+"/")
			_, certified := certificates[injected]
			if bundle := config["caBundle"]; certified == (bundle != nil) {
				t.Errorf("the CA is injected from certificate %q, and stated as %v: want one of both", injected, bundle)
			}
		}
	})
}

func TestScaleFollowsTheStore(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct {
		strategy appsv1.DeploymentStrategyType
		replicas int32 // 0: left to an autoscaler
		beside   []string
	}{
		"default":    {appsv1.RecreateDeploymentStrategyType, 1, []string{"PersistentVolumeClaim"}},
		"postgres":   {appsv1.RollingUpdateDeploymentStrategyType, 2, []string{"PodDisruptionBudget"}},
		"everything": {appsv1.RollingUpdateDeploymentStrategyType, 0, []string{"HorizontalPodAutoscaler", "PodDisruptionBudget"}},
	} {
		installed := install(t, cases[name])
		server := all[appsv1.Deployment](t, installed, "Deployment")[releaseName+"-authserver"]
		var replicas int32
		if server.Spec.Replicas != nil {
			replicas = *server.Spec.Replicas
		}
		if server.Spec.Strategy.Type != want.strategy || replicas != want.replicas {
			t.Errorf("%s: strategy %s, %d replicas", name, server.Spec.Strategy.Type, replicas)
		}
		found := map[string]bool{}
		for _, object := range installed.objects {
			scales := slices.Contains([]string{"PersistentVolumeClaim", "PodDisruptionBudget", "HorizontalPodAutoscaler"}, object.GetKind())
			if scales && object.GetName() != releaseName {
				found[object.GetKind()] = true
			}
		}
		if got := slices.Sorted(maps.Keys(found)); !slices.Equal(got, want.beside) {
			t.Errorf("%s: %v, want %v", name, got, want.beside)
		}
	}
}

// The operator finds the server's replicas by the Service whose name the server's
// certificate has, may look for them in its namespace, and trusts what it mounts.
func TestTheOperatorFindsTheServersReplicasAndThePublicPath(t *testing.T) {
	t.Parallel()
	eachCase(t, func(t *testing.T, installed installation) {
		flags := installed.operatorFlags(t)
		service, found := all[corev1.Service](t, installed, "Service")[strings.TrimPrefix(flags["private-service"], namespace+"/")]
		if !found || service.Namespace != namespace || !strings.HasPrefix(flags["registrar-url"], "https://"+service.Name+"."+namespace+".svc:") || len(service.Spec.Ports) != 1 {
			t.Errorf("--private-service=%s beside --registrar-url=%s", flags["private-service"], flags["registrar-url"])
		}
		if flags["fapi-server"] == "" || flags["fapi-server"] != flags["webhook-configuration"] {
			t.Errorf("--fapi-server=%s beside --webhook-configuration=%s", flags["fapi-server"], flags["webhook-configuration"])
		}
		_, tests := flags["self-test"]
		if policy, there := all[networkingv1.NetworkPolicy](t, installed, "NetworkPolicy")[releaseName]; there && tests != leavesTo(policy, "mtls") {
			t.Errorf("self-test: %v; the operator's way to the mtls port: %v", tests, !tests)
		}
		mounted := slices.ContainsFunc(installed.operator(t).VolumeMounts, func(mount corev1.VolumeMount) bool {
			return strings.HasPrefix(flags["self-test-ca-file"], mount.MountPath+"/")
		})
		if flags["self-test-ca-file"] != "" && !mounted {
			t.Errorf("nothing is mounted at %s", flags["self-test-ca-file"])
		}
	})
	for values, trusts := range map[string]bool{"": true, cases["everything"]: true, cases["without cert-manager"]: false, cases["a store of one's own"]: false} {
		if flags := install(t, values).operatorFlags(t); (flags["self-test-ca-file"] != "") != trusts {
			t.Errorf("the self-test trusts %q beside the system's authorities, with the values\n%s", flags["self-test-ca-file"], values)
		}
	}
}

func (i installation) operatorFlags(t *testing.T) map[string]string {
	t.Helper()
	return flagsOf(i.operator(t).Args)
}

func flagsOf(arguments []string) map[string]string {
	flags := map[string]string{}
	for _, argument := range arguments {
		name, value, _ := strings.Cut(strings.TrimPrefix(argument, "--"), "=")
		flags[name] = value
	}
	return flags
}

// leavesTo tells whether the policy lets its pods go to the named port.
func leavesTo(policy networkingv1.NetworkPolicy, port string) bool {
	return slices.ContainsFunc(policy.Spec.Egress, func(rule networkingv1.NetworkPolicyEgressRule) bool {
		return slices.ContainsFunc(rule.Ports, func(to networkingv1.NetworkPolicyPort) bool { return to.Port != nil && to.Port.StrVal == port })
	})
}

// A list of namespaces is also what the operator may see: a Secret of any other
// namespace is none of its business.
func TestOperatorOfSomeNamespacesHasNoRightsInOthers(t *testing.T) {
	t.Parallel()
	listed := []string{"retail", "private"}
	bounded := grants(t, install(t, "operator: {namespaces: [retail, private]}"))
	unbounded := grants(t, install(t, ""))
	for _, resource := range []string{"secrets", "configmaps", "certificates", "issuers"} {
		if !slices.Contains(unbounded[""], resource) {
			t.Errorf("an operator of all namespaces has no right on %s in them", resource)
		}
		if slices.Contains(bounded[""], resource) {
			t.Errorf("an operator of %v has rights on %s everywhere", listed, resource)
		}
		for _, in := range listed {
			if !slices.Contains(bounded[in], resource) {
				t.Errorf("the operator has no right on %s in %s, which it serves", resource, in)
			}
		}
	}
	// Those that have no namespace, and the applications, which outlive the Roles of a
	// namespace that is deleted.
	for _, resource := range []string{
		"namespaces", "validatingwebhookconfigurations", "clusterissuers", "fapipolicies", "fapiservers", "fapiservers/status",
		"fapiapplications", "fapiapplications/status", "fapiapplications/finalizers",
	} {
		if !slices.Contains(bounded[""], resource) {
			t.Errorf("the operator has no right on %s everywhere", resource)
		}
	}
}

// Admission and server agree on what the longest lifetime of an access token is, and
// the API server does what the values say while no operator answers.
func TestAdmissionFollowsTheValues(t *testing.T) {
	t.Parallel()
	installed := install(t, `{config: {accessToken: {maxLifetime: 2h}}, operator: {failurePolicy: Ignore}}`)
	if stated := installed.operatorFlags(t)["max-access-token-lifetime"]; stated != "2h" {
		t.Errorf("the operator admits lifetimes of %q, want the server's 2h", stated)
	}
	configuration := only[admissionregistrationv1.ValidatingWebhookConfiguration](t, installed, "ValidatingWebhookConfiguration")
	if policy := configuration.Webhooks[0].FailurePolicy; policy == nil || *policy != admissionregistrationv1.Ignore {
		t.Errorf("the failure policy is %v", policy)
	}
}

// Each shard is a Deployment of its own, and all of them answer admission requests.
func TestEachShardHasItsOperators(t *testing.T) {
	t.Parallel()
	installed := install(t, `operator: {shards: 3}`)
	found := map[string]bool{}
	for name, deployment := range all[appsv1.Deployment](t, installed, "Deployment") {
		for _, argument := range deployment.Spec.Template.Spec.Containers[0].Args {
			if shard, isShard := strings.CutPrefix(argument, "--shard="); isShard {
				found[shard] = true
				if number := deployment.Spec.Selector.MatchLabels["fapi-operator.io/shard"]; number+"/3" != shard {
					t.Errorf("Deployment %s of shard %s selects the pods of shard %s", name, shard, number)
				}
			}
		}
	}
	if !maps.Equal(found, map[string]bool{"1/3": true, "2/3": true, "3/3": true}) {
		t.Errorf("the shards are %v", found)
	}
	if rule := alertRules(t, install(t, `{operator: {shards: 3}, monitoring: {prometheusRule: true}}`))["FAPIOperatorWithoutLeader"]; !strings.HasSuffix(rule, "< 3") {
		t.Errorf("the alert is on %s, want three leaders", rule)
	}
}

// Operator and API server take the same namespaces for selected, and the operator may
// look at their labels.
func TestNamespacesAreSelectedByOneSelector(t *testing.T) {
	t.Parallel()
	installed := install(t, `
operator:
  admissionPolicy: {enabled: true}
  namespaceSelector:
    matchLabels: {fapi: "yes"}
    matchExpressions:
      - {key: team, operator: In, values: [a, b]}
      - {key: stage, operator: NotIn, values: [trial]}
      - {key: owner, operator: Exists}
      - {key: legacy, operator: DoesNotExist}
`)
	byOperator, err := labels.Parse(installed.operatorFlags(t)["namespace-selector"])
	if err != nil {
		t.Fatal(err)
	}
	configuration := only[admissionregistrationv1.ValidatingWebhookConfiguration](t, installed, "ValidatingWebhookConfiguration")
	policy := only[admissionregistrationv1.ValidatingAdmissionPolicy](t, installed, "ValidatingAdmissionPolicy")
	for _, selector := range []*metav1.LabelSelector{configuration.Webhooks[0].NamespaceSelector, policy.Spec.MatchConstraints.NamespaceSelector} {
		byAPIServer, err := metav1.LabelSelectorAsSelector(selector)
		if err != nil {
			t.Fatal(err)
		}
		if byOperator.String() != byAPIServer.String() {
			t.Errorf("the operator selects %s, the API server %s", byOperator, byAPIServer)
		}
	}
	if !maySee(t, installed, "namespaces") {
		t.Error("the operator may not watch namespaces")
	}
	if maySee(t, install(t, ""), "namespaces") {
		t.Error("the operator may watch namespaces without a selector")
	}
}

// only gives the one object of a kind.
func only[T any](t *testing.T, installed installation, kind string) T {
	t.Helper()
	found := slices.Collect(maps.Values(all[T](t, installed, kind)))
	if len(found) != 1 {
		t.Fatalf("%d objects of kind %s", len(found), kind)
	}
	return found[0]
}

// maySee tells whether a ClusterRole lets the operator watch a resource everywhere.
func maySee(t *testing.T, installed installation, resource string) bool {
	t.Helper()
	for _, role := range all[rbacv1.ClusterRole](t, installed, "ClusterRole") {
		for _, rule := range role.Rules {
			if slices.Contains(rule.Resources, resource) && slices.Contains(rule.Verbs, "watch") && len(rule.ResourceNames) == 0 {
				return true
			}
		}
	}
	return false
}

// grants are the resources that the operator's roles name, by namespace.
func grants(t *testing.T, installed installation) map[string][]string {
	t.Helper()
	resources := map[string][]string{}
	for _, object := range installed.objects {
		var role rbacv1.Role
		kind, ofOthers := object.GetKind(), object.GetLabels()["servicebinding.io/controller"] != ""
		if kind != "Role" && kind != "ClusterRole" || ofOthers {
			continue
		}
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(object.Object, &role); err != nil {
			t.Fatal(err)
		}
		if !installed.isBound(object) {
			t.Errorf("%s %s/%s is bound to nobody", object.GetKind(), role.Namespace, role.Name)
		}
		for _, rule := range role.Rules {
			resources[role.Namespace] = append(resources[role.Namespace], rule.Resources...)
		}
	}
	return resources
}

func (i installation) isBound(role unstructured.Unstructured) bool {
	return slices.ContainsFunc(i.objects, func(object unstructured.Unstructured) bool {
		to, _, _ := unstructured.NestedString(object.Object, "roleRef", "name")
		return object.GetKind() == role.GetKind()+"Binding" && object.GetNamespace() == role.GetNamespace() && to == role.GetName()
	})
}
