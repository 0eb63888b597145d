package clientmetadata

import (
	"fmt"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
)

// CorrelationID names one change of an application, from its admission to its
// registration: the API server gives the UID and the generation before it asks the
// webhook, so that whoever has the object knows it.
func CorrelationID(application *v1alpha1.FAPIApplication) string {
	return fmt.Sprintf("%s.%d", application.UID, application.Generation)
}
