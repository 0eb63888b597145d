package clientmetadata

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// Finding is a rule that an application breaks, and the field at fault.
type Finding struct {
	Path *field.Path
	registration.Violation
}

// Message says what is demanded, by which rule and clause, and what to write
// instead. It quotes nothing of the spec.
func (f Finding) Message() string {
	return fmt.Sprintf("%s (%s; %s); %s", f.Demand, f.Rule, f.Clause, f.Remedy)
}

// String is the message with the field at fault.
func (f Finding) String() string { return f.Path.String() + ": " + f.Message() }

// Judge asks every rule about the application: those on manifests, those of the
// policies that bound it, and the rule book. What resolved does not know yet is taken for fit.
func Judge(application *v1alpha1.FAPIApplication, resolved Resolved, limits fapi.Limits) []Finding {
	limits.Pending = pending(application, resolved)
	_, violations := fapi.AdmitClient(FromApplication(application, resolved), limits)
	return slices.Concat(
		brokenManifestRules(application, resolved.Policies),
		brokenPolicyRules(application, resolved.Policies),
		Locate(violations),
	)
}

// Locate finds the field that each violation is about.
func Locate(violations []registration.Violation) []Finding {
	findings := make([]Finding, len(violations))
	for i, violation := range violations {
		findings[i] = Finding{FieldPath(violation.Member), violation}
	}
	return findings
}

// Advise tells what of the application is allowed but unwise. The member of each
// piece of advice is the field that states it.
func Advise(application *v1alpha1.FAPIApplication, resolved Resolved) []fapi.Advice {
	advice := fapi.Advise(FromApplication(application, resolved))
	for i := range advice {
		advice[i].Member = FieldPath(advice[i].Member).String()
	}
	return advice
}
