package main

import (
	"slices"
	"strings"
	"testing"
)

func load(t *testing.T) []group {
	t.Helper()
	groups, err := loadPlans()
	if err != nil {
		t.Fatal(err)
	}
	return groups
}

// words are the variants' words in a plan's name, in their order there. Client
// credentials are never OpenID Connect, although the suite wants that said.
func words(v variant) string {
	short := map[string]string{
		"private_key_jwt": "pkjwt", "plain_oauth": "oauth", "openid_connect": "oidc",
		"signed_non_repudiation": "signed", "plain_response": "plain",
	}
	if v.forClients() {
		v.OpenID = ""
	}
	var found []string
	for _, word := range []string{v.ClientAuth, v.Sender, v.OpenID, v.Requests, v.Responses, v.RequestsType} {
		if short[word] != "" {
			word = short[word]
		}
		if word != "" {
			found = append(found, word)
		}
	}
	return strings.Join(found, "-")
}

func TestAPlansNameSaysItsVariants(t *testing.T) {
	prefixes := map[string]string{
		"fapi2-security-profile-final-test-plan plain_fapi":                    "sp-",
		"fapi2-message-signing-final-test-plan plain_fapi":                     "ms-",
		"fapi2-security-profile-final-test-plan fapi_client_credentials_grant": "cc-",
	}
	for _, group := range load(t) {
		for _, plan := range group.Combinations {
			if want := prefixes[group.Plan+" "+plan.Variant.Profile] + words(plan.Variant); plan.Name != want {
				t.Errorf("%s is %s by its variants", plan.Name, want)
			}
		}
	}
}

func TestEveryCombinationOfPlainFAPIHasAPlan(t *testing.T) {
	var got []string
	for _, group := range load(t) {
		got = append(got, names(group.Combinations)...)
	}
	for _, auth := range []string{"pkjwt", "mtls"} {
		for _, sender := range []string{"mtls", "dpop"} {
			for _, tail := range []string{"", "-signed-plain", "-signed-jarm", "-unsigned-jarm"} {
				for _, openID := range []string{"oauth", "oidc"} {
					prefix := "ms-"
					if tail == "" {
						prefix = "sp-"
					}
					wantOnce(t, got, prefix+auth+"-"+sender+"-"+openID+tail)
					wantOnce(t, got, prefix+auth+"-"+sender+"-"+openID+tail+"-rar")
				}
			}
			wantOnce(t, got, "cc-"+auth+"-"+sender)
		}
	}
}

func wantOnce(t *testing.T, plans []string, name string) {
	t.Helper()
	found := 0
	for _, plan := range plans {
		if plan == name {
			found++
		}
	}
	if found != 1 {
		t.Errorf("there are %d plans %s, want 1", found, name)
	}
}

func TestPlansAreChosenByNameAndPattern(t *testing.T) {
	chosen, err := choosePlans(load(t), []string{"sp-mtls-dpop-*-rar", "cc-pkjwt-mtls"})
	if want := []string{"sp-mtls-dpop-oauth-rar", "sp-mtls-dpop-oidc-rar", "cc-pkjwt-mtls"}; err != nil || !slices.Equal(names(chosen), want) {
		t.Errorf("chose %v, %v; want %v", names(chosen), err, want)
	}
	all, err := choosePlans(load(t), nil)
	if err != nil || len(all) != 2*(8+24)+4 {
		t.Errorf("without a pattern: %d plans, %v", len(all), err)
	}
	if _, err := choosePlans(load(t), []string{"sp-pkjwt-dpop"}); err == nil || !strings.Contains(err.Error(), "sp-pkjwt-dpop-oidc") {
		t.Errorf("an unknown plan: %v, want an error that lists the plans", err)
	}
}

func TestScopesSuitTheVariant(t *testing.T) {
	for _, group := range load(t) {
		for _, plan := range group.Combinations {
			asksForIdentity := slices.Contains(strings.Fields(plan.Variant.scope()), "openid")
			if asksForIdentity != plan.Variant.usesOpenID() {
				t.Errorf("%s asks for %q", plan.Name, plan.Variant.scope())
			}
		}
	}
}
