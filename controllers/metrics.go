package controllers

import (
	"context"
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// registrarCalls has labels from closed sets only, so that the number of series
// does not grow with the number of applications.
var registrarCalls = prometheus.NewCounterVec(prometheus.CounterOpts{
	Name: "fapi_operator_registrar_calls_total",
	Help: "Calls of the authorization server's registration endpoint, by call (register, read, list, delete, server) and outcome (ok, not_found, rejected, owned_by_another, unavailable).",
}, []string{"call", "outcome"})

// orphanedClients is set by each comparison with the server.
var orphanedClients = prometheus.NewGauge(prometheus.GaugeOpts{
	Name: "fapi_operator_orphaned_clients",
	Help: "Clients that the authorization server holds for this installation and that no application claims: retained on purpose, abandoned, or left behind by a backup that was restored.",
})

func init() { metrics.Registry.MustRegister(registrarCalls, orphanedClients) }

var applications = prometheus.NewDesc("fapi_operator_applications",
	"Applications of this operator, by the reason of their condition Ready; Ready for those that can be used.", []string{"reason"}, nil)

// ApplicationCounts counts the applications when metrics are asked for. The reasons
// are a closed set, so that the number of series does not grow with the applications.
type ApplicationCounts struct {
	Reconciler *Reconciler
}

// Describe implements prometheus.Collector.
func (c *ApplicationCounts) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- applications
}

// Collect implements prometheus.Collector. Until the applications are known, it tells
// nothing.
func (c *ApplicationCounts) Collect(collected chan<- prometheus.Metric) {
	counts := map[string]int{}
	err := c.Reconciler.each(context.Background(), func(application *v1alpha1.FAPIApplication) {
		if application.Spec.ServerClassName == c.Reconciler.ServerClassName {
			counts[readyReason(application)]++
		}
	})
	if err != nil {
		return
	}
	for reason, count := range counts {
		collected <- prometheus.MustNewConstMetric(applications, prometheus.GaugeValue, float64(count), reason)
	}
}

func readyReason(application *v1alpha1.FAPIApplication) string {
	if ready := meta.FindStatusCondition(application.Status.Conditions, v1alpha1.ConditionReady); ready != nil {
		return ready.Reason
	}
	return v1alpha1.ReasonPending
}

func countCall(call string, err error) {
	registrarCalls.WithLabelValues(call, outcome(err)).Inc()
}

func outcome(err error) string {
	var rejected *registration.RejectedError
	var owned *registration.OwnedByAnotherError
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, registration.ErrNotFound):
		return "not_found"
	case errors.As(err, &rejected):
		return "rejected"
	case errors.As(err, &owned), errors.Is(err, registration.ErrOwnedByOtherInstallation):
		return "owned_by_another"
	}
	return "unavailable"
}
