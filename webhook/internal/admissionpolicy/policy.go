package main

import (
	"fmt"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/fapi-operator/fapi-operator/api/clientmetadata"
	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

const preface = "# Made from the rule book by go generate ./webhook; do not edit.\n"

// document is the policy in YAML, without a status.
func document(webhookManifest []byte) ([]byte, error) {
	var webhooks admissionregistrationv1.ValidatingWebhookConfiguration
	if err := yaml.UnmarshalStrict(webhookManifest, &webhooks); err != nil {
		return nil, fmt.Errorf("read the webhook's manifest: %w", err)
	}
	if len(webhooks.Webhooks) != 1 {
		return nil, fmt.Errorf("the manifest has %d webhooks: the policy is to match what one matches", len(webhooks.Webhooks))
	}
	spec, err := policyLike(webhooks.Webhooks[0])
	if err != nil {
		return nil, err
	}
	text, err := yaml.Marshal(struct {
		metav1.TypeMeta `json:",inline"`
		Metadata        map[string]string                                     `json:"metadata"`
		Spec            admissionregistrationv1.ValidatingAdmissionPolicySpec `json:"spec"`
	}{
		metav1.TypeMeta{APIVersion: admissionregistrationv1.SchemeGroupVersion.String(), Kind: "ValidatingAdmissionPolicy"},
		map[string]string{"name": webhooks.Webhooks[0].Name},
		spec,
	})
	return append([]byte(preface), text...), err
}

// serverClass matches the applications of the installation that serves those
// without a class; the chart writes another class in place of the last text.
var serverClass = admissionregistrationv1.MatchCondition{Name: "server-class", Expression: `object.spec.?serverClassName.orValue("") == ""`}

// policyLike matches what the webhook matches, changes of specs and nothing that
// is being deleted, and leaves other classes alone as the webhook does.
func policyLike(webhook admissionregistrationv1.ValidatingWebhook) (admissionregistrationv1.ValidatingAdmissionPolicySpec, error) {
	spec := admissionregistrationv1.ValidatingAdmissionPolicySpec{
		FailurePolicy:    new(admissionregistrationv1.Fail),
		MatchConstraints: &admissionregistrationv1.MatchResources{MatchPolicy: webhook.MatchPolicy},
		MatchConditions:  append(webhook.MatchConditions, serverClass),
	}
	for _, rule := range webhook.Rules {
		spec.MatchConstraints.ResourceRules = append(spec.MatchConstraints.ResourceRules,
			admissionregistrationv1.NamedRuleWithOperations{RuleWithOperations: rule})
	}
	known := variables{}
	for _, rule := range fapi.ConditionalRules() {
		spec.Validations = append(spec.Validations, admissionregistrationv1.Validation{
			Expression: known.condition(rule.Condition),
			Message:    message(rule.RuleText),
			Reason:     new(metav1.StatusReasonInvalid),
		})
	}
	var err error
	spec.Variables, err = known.definitions()
	return spec, err
}

// message is what the webhook says of the same rule.
func message(rule fapi.RuleText) string {
	violation := registration.Violation{Rule: rule.ID, Clause: rule.Clause, Member: rule.Member, Demand: rule.Demand, Remedy: rule.Remedy}
	return clientmetadata.Locate([]registration.Violation{violation})[0].String()
}
