package controllers

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// registrarCalls has labels from closed sets only, so that the number of series
// does not grow with the number of applications.
var registrarCalls = prometheus.NewCounterVec(prometheus.CounterOpts{
	Name: "fapi_operator_registrar_calls_total",
	Help: "Calls of the authorization server's registration endpoint, by call (register, read, list, delete, server) and outcome (ok, not_found, rejected, owned_by_another, unavailable).",
}, []string{"call", "outcome"})

func init() { metrics.Registry.MustRegister(registrarCalls) }

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
	case errors.As(err, &owned):
		return "owned_by_another"
	}
	return "unavailable"
}
