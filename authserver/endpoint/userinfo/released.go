package userinfo

// claimsOfScope says which claims a scope value asks for (OpenID Connect Core, 5.4).
var claimsOfScope = map[string][]string{
	"profile": {
		"name", "family_name", "given_name", "middle_name", "nickname", "preferred_username", "profile",
		"picture", "website", "gender", "birthdate", "zoneinfo", "locale", "updated_at",
	},
	"email":   {"email", "email_verified"},
	"address": {"address"},
	"phone":   {"phone_number", "phone_number_verified"},
}

// released picks what the scope lets a client know.
func released(known map[string]any, scope []string) map[string]any {
	claims := map[string]any{}
	for _, value := range scope {
		for _, name := range claimsOfScope[value] {
			if claim, ok := known[name]; ok {
				claims[name] = claim
			}
		}
	}
	return claims
}
