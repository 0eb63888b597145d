package main

import (
	"slices"
	"testing"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
)

func TestAdmissionPolicyIsThereOnRequest(t *testing.T) {
	t.Parallel()
	for values, classes := range map[string][]string{
		"": nil,
		"operator: {admissionPolicy: {enabled: true}}":                      {`object.spec.?serverClassName.orValue("") == ""`},
		`operator: {serverClass: "a\"b", admissionPolicy: {enabled: true}}`: {`object.spec.?serverClassName.orValue("") == "a\"b"`},
	} {
		installed := install(t, values)
		var found []string
		for name, policy := range all[admissionregistrationv1.ValidatingAdmissionPolicy](t, installed, "ValidatingAdmissionPolicy") {
			for _, condition := range policy.Spec.MatchConditions {
				if condition.Name == "server-class" {
					found = append(found, condition.Expression)
				}
			}
			binding := all[admissionregistrationv1.ValidatingAdmissionPolicyBinding](t, installed, "ValidatingAdmissionPolicyBinding")[name]
			if binding.Spec.PolicyName != name || !slices.Equal(binding.Spec.ValidationActions, []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny}) {
				t.Errorf("policy %s is bound by %+v", name, binding.Spec)
			}
		}
		if !slices.Equal(found, classes) {
			t.Errorf("%q: policies for the classes %q, want %q", values, found, classes)
		}
	}
}
