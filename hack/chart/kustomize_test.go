package main

import (
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"

	"github.com/fapi-operator/fapi-operator/authserver/config"
)

// kustomize and Helm install the same: the same objects, and the one ConfigMap
// under a name that changes with its content.
func TestKustomizationInstallsWhatTheChartDoes(t *testing.T) {
	t.Parallel()
	built := kustomize(t, "../../config/default")
	values, err := readValues("../../config/default/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	rendered, err := render(t.Context(), chartFolder, releaseName, namespace, values)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{"Namespace " + namespace: true}
	for _, document := range documents(rendered.manifest) {
		object := parseObject(t, document)
		want[object.GetKind()+" "+object.GetName()] = true
	}
	for _, object := range built.objects {
		name := object.GetKind() + " " + strings.TrimSuffix(object.GetName(), hashOf(object))
		if !want[name] {
			t.Errorf("%s is not the chart's", name)
		}
		delete(want, name)
		if err := validate(t.Context(), object); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name := range want {
		t.Errorf("%s is missing", name)
	}
}

func TestKustomizationsServerTakesItsConfiguration(t *testing.T) {
	t.Parallel()
	built := kustomize(t, "../../config/default")
	server := all[appsv1.Deployment](t, built, "Deployment")[releaseName+"-authserver"]
	for _, volume := range server.Spec.Template.Spec.Volumes {
		if volume.Name != "configuration" {
			continue
		}
		settings, found := all[corev1.ConfigMap](t, built, "ConfigMap")[volume.ConfigMap.Name]
		if !found {
			t.Fatalf("there is no ConfigMap %s", volume.ConfigMap.Name)
		}
		if _, err := config.Parse([]byte(settings.Data["authserver.yaml"])); err != nil {
			t.Error(err)
		}
		return
	}
	t.Fatal("the server has no configuration")
}

// hashOf is the suffix that kustomize gave to the server's ConfigMap.
func hashOf(object unstructured.Unstructured) string {
	if suffix, is := strings.CutPrefix(object.GetName(), serverConfiguration); is && object.GetKind() == "ConfigMap" {
		return suffix
	}
	return ""
}

func kustomize(t *testing.T, folder string) installation {
	t.Helper()
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		t.Fatal(err)
	}
	text, err := built.AsYaml()
	if err != nil {
		t.Fatal(err)
	}
	var made installation
	for _, document := range documents(string(text)) {
		made.objects = append(made.objects, parseObject(t, document))
	}
	return made
}
