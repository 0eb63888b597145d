package fapi

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fapi-operator/fapi-operator/authserver/fapi/vectors"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// vectorLimits are the limits under which the vectors are written.
var vectorLimits = Limits{TrustBundles: []string{vectors.TrustBundle}, Scopes: vectors.Scopes(), Resources: vectors.Resources(), AuthorizationDetailsTypes: vectors.AuthorizationDetailsTypes()}

func metadataOf(t *testing.T, vector vectors.Vector) registration.Metadata {
	t.Helper()
	metadata, err := registration.DecodeMetadata(vector.Metadata)
	if err != nil {
		t.Fatalf("vector %s: %v", vector.Name, err)
	}
	return metadata
}

func TestEachVectorBreaksExactlyItsRules(t *testing.T) {
	t.Parallel()
	for _, vector := range vectors.Registration() {
		t.Run(vector.Name, func(t *testing.T) {
			t.Parallel()
			client, violations := AdmitClient(metadataOf(t, vector), vectorLimits)
			rejected := registration.RejectedError{Violations: violations}
			if diff := cmp.Diff(vector.Breaks, rejected.Rules(), equateEmpty); diff != "" {
				t.Errorf("%s\nbroken rules (-want +got):\n%s", vector.Description, diff)
			}
			if admitted := client != nil; admitted != (len(vector.Breaks) == 0) {
				t.Errorf("a client was made: %v, with the violations %v", admitted, violations)
			}
		})
	}
}

var equateEmpty = cmp.FilterValues(
	func(a, b []oauth.RuleID) bool { return len(a) == 0 && len(b) == 0 },
	cmp.Comparer(func(_, _ []oauth.RuleID) bool { return true }))

// place is a rule and the member that it looks at.
type place struct {
	Rule   oauth.RuleID
	Member string
}

func TestEveryRuleHasAVectorThatBreaksItAlone(t *testing.T) {
	t.Parallel()
	broken := map[place]bool{}
	for _, vector := range vectors.Registration() {
		_, violations := AdmitClient(metadataOf(t, vector), vectorLimits)
		if len(violations) == 1 {
			broken[place{violations[0].Rule, violations[0].Member}] = true
		}
	}
	for _, rule := range RegistrationRules() {
		if !broken[place{rule.ID, rule.Member}] {
			t.Errorf("no vector breaks %s at %s alone", rule.ID, rule.Member)
		}
	}
}

func TestEveryRuleHasAVectorThatPassesIt(t *testing.T) {
	t.Parallel()
	var known, passed []oauth.RuleID
	for _, rule := range RegistrationRules() {
		known = append(known, rule.ID)
	}
	for _, vector := range vectors.Registration() {
		for _, rule := range vector.Passes {
			if !slices.Contains(known, rule) || slices.Contains(vector.Breaks, rule) {
				t.Errorf("vector %s is no example of %s that holds", vector.Name, rule)
			}
		}
		passed = append(passed, vector.Passes...)
	}
	for _, rule := range slices.Compact(known) {
		if !slices.Contains(passed, rule) {
			t.Errorf("no vector is an example of %s that holds", rule)
		}
	}
}

func TestVectorsSayWhyTheyAreNoManifest(t *testing.T) {
	t.Parallel()
	for _, vector := range vectors.Registration() {
		if vector.Manifest == (vector.ManifestReason != "") {
			t.Errorf("vector %s: manifest is %v with the reason %q", vector.Name, vector.Manifest, vector.ManifestReason)
		}
		if vector.Description == "" {
			t.Errorf("vector %s has no description", vector.Name)
		}
	}
}

func TestRulesAreComplete(t *testing.T) {
	t.Parallel()
	for _, rule := range slices.Concat(Rules(), RegistrationAdvice()) {
		for field, value := range fields(rule) {
			if value == "" {
				t.Errorf("%s (%s) has no %s", rule.ID, rule.Member, field)
			}
		}
	}
}

func fields(rule RuleText) map[string]string {
	values := map[string]string{}
	reflected := reflect.ValueOf(rule)
	for i := range reflected.NumField() {
		values[reflected.Type().Field(i).Name] = reflected.Field(i).String()
	}
	return values
}

// A clause that bears on two moments has a rule in each, with words of its own;
// within a moment an identifier means one thing.
func TestAnIdentifierMeansOneThingInAMoment(t *testing.T) {
	t.Parallel()
	type key struct {
		moment string
		id     oauth.RuleID
	}
	first := map[key]RuleText{}
	places := map[key][]string{}
	for _, rule := range slices.Concat(Rules(), RegistrationAdvice()) {
		key := key{rule.Moment, rule.ID}
		other, known := first[key]
		if known && (other.Demand != rule.Demand || other.Clause != rule.Clause || other.Remedy != rule.Remedy || other.Code != rule.Code) {
			t.Errorf("%s means two things at the moment %q", rule.ID, rule.Moment)
		}
		if slices.Contains(places[key], rule.Member) {
			t.Errorf("%s stands twice for the member %s", rule.ID, rule.Member)
		}
		first[key] = rule
		places[key] = append(places[key], rule.Member)
	}
}

// Every member that a rule names is one that a client can state.
func TestRulesNameMetadataMembers(t *testing.T) {
	t.Parallel()
	for _, rule := range slices.Concat(RegistrationRules(), RegistrationAdvice()) {
		if !slices.Contains(metadataMembers(), rule.Member) {
			t.Errorf("%s names the member %q, which client metadata does not have", rule.ID, rule.Member)
		}
	}
}

func metadataMembers() []string {
	var members []string
	metadata := reflect.TypeFor[registration.Metadata]()
	for i := range metadata.NumField() {
		name, _, _ := strings.Cut(metadata.Field(i).Tag.Get("json"), ",")
		members = append(members, name)
	}
	return members
}
