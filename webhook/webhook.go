// Package webhook refuses a FAPIApplication that is not FAPI when it is
// applied: every violation at once, each with its field, rule, clause and
// what to write instead. It makes no request, so its cost does not grow with
// the number of applications.
package webhook

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/fapi-operator/fapi-operator/api/clientmetadata"
	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/fapi"
)

//go:generate go run ./internal/admissionpolicy ../config/webhook/manifests.yaml ../config/webhook/policy.yaml

// Objects that are being deleted, and updates that leave the spec equal, never
// come here: a rule that became stricter, or an operator that is down, must not
// keep a finalizer from being removed.
//
// +kubebuilder:webhook:path=/validate-fapi-operator-io-v1alpha1-fapiapplication,mutating=false,failurePolicy=fail,matchPolicy=Equivalent,sideEffects=None,timeoutSeconds=5,groups=fapi-operator.io,resources=fapiapplications,verbs=create;update,versions=v1alpha1,name=fapiapplications.fapi-operator.io,admissionReviewVersions=v1,patch=`{"matchConditions":[{"name":"not-being-deleted","expression":"!has(object.metadata.deletionTimestamp)"},{"name":"spec-changes","expression":"request.operation == 'CREATE' || object.spec != oldObject.spec"}]}`

// Validator judges the applications of one server class.
type Validator struct {
	// ServerClassName is the class that this installation serves; empty for
	// applications without one.
	ServerClassName string
	// Installation identifies this operator's installation to the server.
	Installation string
	// Limits are what the server allows on top of the rule book.
	Limits fapi.Limits
	// Policies gives every policy, from a snapshot that is watched. An error refuses:
	// what is not known yet might bound.
	Policies func(context.Context) ([]v1alpha1.FAPIPolicy, error)
}

// SetupWithManager serves the validator at the manager's webhook server.
func (v *Validator) SetupWithManager(manager ctrl.Manager) error {
	return ctrl.NewWebhookManagedBy(manager, &v1alpha1.FAPIApplication{}).WithValidator(v).Complete()
}

// ValidateCreate judges a new application.
func (v *Validator) ValidateCreate(ctx context.Context, application *v1alpha1.FAPIApplication) (admission.Warnings, error) {
	return v.validate(ctx, application)
}

// ValidateUpdate judges a changed application as if it were new.
func (v *Validator) ValidateUpdate(ctx context.Context, _, application *v1alpha1.FAPIApplication) (admission.Warnings, error) {
	return v.validate(ctx, application)
}

// ValidateDelete allows every deletion.
func (v *Validator) ValidateDelete(context.Context, *v1alpha1.FAPIApplication) (admission.Warnings, error) {
	return nil, nil
}

func (v *Validator) validate(ctx context.Context, application *v1alpha1.FAPIApplication) (admission.Warnings, error) {
	if application.Spec.ServerClassName != v.ServerClassName {
		return nil, nil
	}
	policies, err := v.Policies(ctx)
	if err != nil {
		return nil, apierrors.NewServiceUnavailable(err.Error())
	}
	resolved := clientmetadata.Resolved{
		Policies:       clientmetadata.PoliciesFor(application.Namespace, policies),
		CertificateURI: clientmetadata.CertificateURI(v.Installation, clientmetadata.ClientID(application)),
	}
	warnings := warn(application, resolved)
	findings := clientmetadata.Judge(application, resolved, v.Limits)
	log := ctrl.LoggerFrom(ctx).WithValues("correlationID", clientmetadata.CorrelationID(application))
	if len(findings) == 0 {
		log.Info("the application is admitted")
		return warnings, nil
	}
	log.Info("the application is refused", "rules", rulesOf(findings))
	return warnings, refuse(application.Name, findings)
}

// refuse quotes no value: a key set that is refused may hold private keys.
func refuse(name string, findings []clientmetadata.Finding) error {
	errors := make(field.ErrorList, len(findings))
	for i, finding := range findings {
		errors[i] = field.Forbidden(finding.Path, finding.Message())
	}
	kind := schema.GroupKind{Group: v1alpha1.GroupVersion.Group, Kind: "FAPIApplication"}
	return apierrors.NewInvalid(kind, name, errors)
}

func rulesOf(findings []clientmetadata.Finding) []string {
	rules := make([]string, len(findings))
	for i, finding := range findings {
		rules[i] = string(finding.Rule)
	}
	return rules
}

func warn(application *v1alpha1.FAPIApplication, resolved clientmetadata.Resolved) admission.Warnings {
	var warnings admission.Warnings
	for _, advice := range clientmetadata.Advise(application, resolved) {
		warnings = append(warnings, advice.String())
	}
	return warnings
}
