package main

import (
	"path"
	"reflect"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/fapi-operator/fapi-operator/authserver/config"
	"github.com/fapi-operator/fapi-operator/authserver/interaction"
)

// The server's own reader judges what the chart writes for it.
func TestServerTakesItsConfiguration(t *testing.T) {
	t.Parallel()
	eachCase(t, func(t *testing.T, installed installation) {
		files := installed.serverFiles(t)
		if _, err := config.Parse([]byte(files["authserver.yaml"])); err != nil {
			t.Errorf("%v\n%s", err, files["authserver.yaml"])
		}
		if users, made := files["users.yaml"]; made {
			if _, err := interaction.ParseUsers([]byte(users)); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestValuesReachTheServer(t *testing.T) {
	t.Parallel()
	got, err := config.Parse([]byte(install(t, cases["everything"]).serverFiles(t)["authserver.yaml"]))
	if err != nil {
		t.Fatal(err)
	}
	if got.Issuer != "https://auth.bank.example" || got.MTLSBaseURL != "https://mtls.auth.bank.example:8444" ||
		got.Keys.RotationInterval.Hours() != 240 || got.Scopes["accounts"].Description == "" || got.Store.Postgres.Hosts[0] != "db.bank.example:5432" ||
		len(got.Listeners.Private.AdministratorSANs) != 1 || got.JWKSURI.AllowedHosts[0] != "keys.partner.internal" {
		t.Errorf("%+v", got)
	}
}

// The release's operator is bound to its installation where the values state that, and
// to nothing where only the cluster knows it.
func TestTheOperatorIsBoundToItsInstallation(t *testing.T) {
	t.Parallel()
	const operator = "spiffe://cluster.local/ns/" + namespace + "/sa/" + releaseName
	for values, want := range map[string]config.PrivateListener{
		"": {AllowedClientSANs: []string{operator}},
		"operator: {furtherInstallations: [old]}":                         {AllowedClientSANs: []string{operator}},
		"operator: {installation: bank}":                                  {BoundClientSANs: map[string][]string{operator: {"bank"}}},
		`operator: {installation: "1", furtherInstallations: ["2", old]}`: {BoundClientSANs: map[string][]string{operator: {"1", "2", "old"}}},
	} {
		got, err := config.Parse([]byte(install(t, values).serverFiles(t)["authserver.yaml"]))
		if err != nil {
			t.Fatal(err)
		}
		private := got.Listeners.Private
		if !reflect.DeepEqual(private.AllowedClientSANs, want.AllowedClientSANs) || !reflect.DeepEqual(private.BoundClientSANs, want.BoundClientSANs) {
			t.Errorf("%s: allowed %v, bound %v", values, private.AllowedClientSANs, private.BoundClientSANs)
		}
	}
}

// No proxy is believed unless the values name one, and then that one alone.
func TestAProxyIsBelievedWhereTheValuesNameIt(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]*config.Proxy{
		"default":    nil,
		"everything": {ClientCAFile: "/etc/fapi-operator/mtls-proxy/ca.crt", SANs: []string{"spiffe://cluster.local/ns/gateways/sa/edge"}, Header: "Client-Cert"},
		"a proxy":    {ClientCAFile: "/etc/fapi-operator/mtls-proxy/ca.crt", SANs: []string{"edge.gateways.svc"}, Header: "X-Forwarded-Client-Cert"},
	} {
		installed := install(t, cases[name])
		got, err := config.Parse([]byte(installed.serverFiles(t)["authserver.yaml"]))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got.Listeners.MTLS.Proxy, want) {
			t.Errorf("%s: the proxy is %+v, want %+v", name, got.Listeners.MTLS.Proxy, want)
		}
		for _, volume := range all[appsv1.Deployment](t, installed, "Deployment")[releaseName+"-authserver"].Spec.Template.Spec.Volumes {
			if volume.Name != "mtls-proxy" {
				continue
			}
			var items []corev1.KeyToPath
			if volume.Secret != nil {
				items = volume.Secret.Items
			} else {
				items = volume.ConfigMap.Items
			}
			if len(items) != 1 || items[0].Key != "ca.crt" {
				t.Errorf("%s: %v is mounted, want ca.crt alone", name, items)
			}
		}
	}
}

// Every file that the configuration names lies in a volume of the pod, and every
// volume is named.
func TestServersFilesAreMounted(t *testing.T) {
	t.Parallel()
	eachCase(t, func(t *testing.T, installed installation) {
		var settings any
		if err := yaml.Unmarshal([]byte(installed.serverFiles(t)["authserver.yaml"]), &settings); err != nil {
			t.Fatal(err)
		}
		named := map[string]bool{"/etc/fapi-operator/configuration": true}
		eachPath(settings, func(file string) { named[path.Dir(file)] = true })
		mounted := map[string]bool{}
		for _, mount := range installed.server(t).VolumeMounts {
			mounted[mount.MountPath] = true
			if !named[mount.MountPath] {
				t.Errorf("nothing in the configuration lies in %s", mount.MountPath)
			}
		}
		for folder := range named {
			if !mounted[folder] {
				t.Errorf("the configuration names files in %s, where nothing is mounted", folder)
			}
		}
	})
}

// eachPath visits the absolute paths in a value.
func eachPath(value any, visit func(string)) {
	switch value := value.(type) {
	case map[string]any:
		for _, member := range value {
			eachPath(member, visit)
		}
	case []any:
		for _, element := range value {
			eachPath(element, visit)
		}
	case string:
		if strings.HasPrefix(value, "/") {
			visit(value)
		}
	}
}

// A changed configuration rolls the pods, since the server reads it at the start alone.
func TestChangedConfigurationRollsThePods(t *testing.T) {
	t.Parallel()
	of := func(values string) string {
		return all[appsv1.Deployment](t, install(t, values), "Deployment")[releaseName+"-authserver"].Spec.Template.Annotations["checksum/configuration"]
	}
	if before := of(""); before == "" || before == of("config: {session: {lifetime: 1h}}") {
		t.Errorf("the checksum %q stays", before)
	}
	if of("") != of("operator: {replicas: 3}") {
		t.Error("another value rolls the server too")
	}
}

// serverFiles are the entries of the server's ConfigMap.
func (i installation) serverFiles(t *testing.T) map[string]string {
	t.Helper()
	return all[corev1.ConfigMap](t, i, "ConfigMap")[releaseName+"-authserver"].Data
}

func (i installation) server(t *testing.T) corev1.Container {
	t.Helper()
	return all[appsv1.Deployment](t, i, "Deployment")[releaseName+"-authserver"].Spec.Template.Spec.Containers[0]
}
