package main

import (
	"encoding/json"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/promql/parser"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/fapi-operator/fapi-operator/authserver/endpoint"
	"github.com/fapi-operator/fapi-operator/authserver/keys"
	"github.com/fapi-operator/fapi-operator/controllers" // registers the operator's other metrics
)

// An alert on a metric that nobody has never comes.
func TestRulesAskForMetricsThatThereAre(t *testing.T) {
	rules := alertRules(t, install(t, cases["everything"]))
	if len(rules) == 0 {
		t.Fatal("there are no alert rules")
	}
	server := programMetrics()
	for name, expression := range rules {
		for _, metric := range metricsOf(t, expression) {
			if !exists(server, metric) {
				t.Errorf("alert %s asks for %s, which no program has", name, metric)
			}
		}
	}
}

func TestDashboardAsksForMetricsThatThereAre(t *testing.T) {
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	text := all[corev1.ConfigMap](t, install(t, cases["everything"]), "ConfigMap")[releaseName+"-dashboard"].Data["fapi-operator.json"]
	if err := json.Unmarshal([]byte(text), &dashboard); err != nil {
		t.Fatal(err)
	}
	server, found := programMetrics(), 0
	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			for _, metric := range metricsOf(t, strings.ReplaceAll(target.Expr, "$__rate_interval", "5m")) {
				found++
				if !exists(server, metric) {
					t.Errorf("panel %q asks for %s, which no program has", panel.Title, metric)
				}
			}
		}
	}
	if found == 0 {
		t.Fatal("the dashboard asks for nothing")
	}
}

// The alert follows the rotation that the values state.
func TestKeyAgeAlertFollowsTheRotationInterval(t *testing.T) {
	t.Parallel()
	if rule := alertRules(t, install(t, cases["everything"]))["FAPIServerKeyNotRotated"]; !strings.HasSuffix(rule, "> 240h + 24h") {
		t.Errorf("%s, want the 240h of config.keys.rotationInterval in it", rule)
	}
}

func alertRules(t *testing.T, installed installation) map[string]string {
	t.Helper()
	rules := map[string]string{}
	for _, object := range installed.objects {
		if object.GetKind() != "PrometheusRule" {
			continue
		}
		groups, _, err := unstructured.NestedSlice(object.Object, "spec", "groups")
		if err != nil {
			t.Fatal(err)
		}
		for _, group := range groups {
			for _, rule := range group.(map[string]any)["rules"].([]any) {
				rules[rule.(map[string]any)["alert"].(string)] = rule.(map[string]any)["expr"].(string)
			}
		}
	}
	return rules
}

// metricsOf reads the expression with Prometheus's own parser.
func metricsOf(t *testing.T, expression string) []string {
	t.Helper()
	parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expression)
	if err != nil {
		t.Errorf("%s: %v", expression, err)
		return nil
	}
	var found []string
	for _, selectors := range parser.ExtractSelectors(parsed) {
		for _, matcher := range selectors {
			if matcher.Name == model.MetricNameLabel {
				found = append(found, matcher.Value)
			}
		}
	}
	return found
}

// programMetrics are the authorization server's, as it registers them, and what the
// operator registers when it starts.
func programMetrics() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	endpoint.NewResponder(slog.New(slog.NewTextHandler(io.Discard, nil)), registry)
	registry.MustRegister(new(keys.Ring), new(controllers.ApplicationCounts))
	return registry
}

// exists tells whether a program has the metric. A registry lists no metric that
// has no value yet, and refuses another metric of a name that is taken; so only one
// may ask at a time, and the tests that do are not parallel.
func exists(server *prometheus.Registry, metric string) bool {
	if metric == "up" { // Prometheus makes it itself.
		return true
	}
	name := metric
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		name = strings.TrimSuffix(name, suffix)
	}
	for _, registry := range []prometheus.Registerer{server, metrics.Registry} {
		for _, candidate := range []string{metric, name} {
			probe := prometheus.NewGauge(prometheus.GaugeOpts{Name: candidate, Help: "Asks whether the name is taken."})
			if registry.Register(probe) != nil {
				return true
			}
			registry.Unregister(probe)
		}
	}
	return false
}

func TestMissingMetricsAreFound(t *testing.T) {
	if exists(programMetrics(), "authserver_refusal_total") {
		t.Error("a metric that nobody has is taken for one")
	}
}
