package scale

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"k8s.io/client-go/kubernetes"

	"github.com/fapi-operator/fapi-operator/test/testenv"
)

// counts are metrics by their names.
type counts map[string]*dto.MetricFamily

// counts are those of the operator.
func (o *operator) counts(ctx context.Context) (counts, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+o.address+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }() // It is read to its end.
	parser := expfmt.NewTextParser(model.UTF8Validation)
	return parser.TextToMetricFamilies(response.Body)
}

func (o *operator) count(t *testing.T, name string, labels ...string) int {
	t.Helper()
	read, err := o.counts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return read.sum(name, labels...)
}

// series is how many time series a scrape of the operator gives.
func (o *operator) series(t *testing.T) int {
	t.Helper()
	read, err := o.counts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	series := 0
	for _, family := range read {
		for _, metric := range family.GetMetric() {
			series += 1 + len(metric.GetHistogram().GetBucket()) + len(metric.GetSummary().GetQuantile())
		}
	}
	return series
}

// sum adds up what has all of the labels, which are given as name, value, and so on.
func (c counts) sum(name string, labels ...string) int {
	sum := 0.0
	for _, metric := range c[name].GetMetric() {
		if hasLabels(metric, labels) {
			sum += metric.GetCounter().GetValue() + metric.GetGauge().GetValue()
		}
	}
	return int(sum)
}

func hasLabels(metric *dto.Metric, labels []string) bool {
	for pair := range slices.Chunk(labels, 2) {
		if !slices.ContainsFunc(metric.GetLabel(), func(label *dto.LabelPair) bool { return label.GetName() == pair[0] && label.GetValue() == pair[1] }) {
			return false
		}
	}
	return true
}

// The operator's own resources, and the verbs that write, as the API server counts them.
var (
	writtenResources = []string{"fapiapplications", "fapipolicies", "secrets", "configmaps", "certificates", "events"}
	writingVerbs     = []string{"POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION"}
)

// writes is how many writes the API server has answered.
func writes(t *testing.T, environment *testenv.Environment) int {
	t.Helper()
	kube, err := kubernetes.NewForConfig(environment.Config)
	if err != nil {
		t.Fatal(err)
	}
	text, err := kube.RESTClient().Get().AbsPath("/metrics").DoRaw(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	read, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	sum := 0
	for _, resource := range writtenResources {
		for _, verb := range writingVerbs {
			sum += counts(read).sum("apiserver_request_total", "resource", resource, "verb", verb)
		}
	}
	return sum
}

// awaitIdle waits until the operator has looked at so many applications, and has
// none left.
func (o *operator) awaitIdle(t *testing.T, count int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience(count))
	defer cancel()
	err := o.running.AwaitReady(ctx, func(ctx context.Context) error {
		read, err := o.counts(ctx)
		if err != nil {
			return err
		}
		looked, left := read.sum("controller_runtime_reconcile_total", "controller", "fapiapplication"), read.sum("workqueue_depth", "controller", "fapiapplication")
		if looked < count || left > 0 {
			return fmt.Errorf("%d were looked at, %d are left", looked, left)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
