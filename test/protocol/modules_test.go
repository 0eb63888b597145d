package protocol

// The OpenID Foundation's conformance suite (5.2.4), and which tests here hold
// what it demands of an authorization server: its modules by their names, without
// the prefix fapi2-security-profile-final-, and the rows of what they demand, by
// names of our own. A test is named as go test names it; of a subtest one element
// is enough that stands in the code. A test of another package has the package's
// directory before it.

// suiteModules are the modules of the plans for plain_fapi, by what switches them on.
var suiteModules = map[string][]string{
	"always": {
		"discovery-end-point-verification", "happy-flow", "user-rejects-authentication",
		"ensure-authorization-request-without-state-success", "access-token-type-header-case-sensitivity",
		"ensure-different-state-inside-and-outside-request-object", "ensure-authorization-request-with-long-state",
		"state-only-outside-request-object-not-used", "ensure-request-object-without-redirect-uri-fails",
		"plain-fapi-tolerate-unregistered-redirect-uri", "ensure-unsigned-authorization-request-without-using-par-fails",
		"ensure-redirect-uri-in-authorization-request", "ensure-response-type-code-idtoken-fails",
		"ensure-response-type-token-fails", "ensure-client-id-in-token-endpoint", "ensure-holder-of-key-required",
		"ensure-authorization-code-is-bound-to-client", "attempt-reuse-authorization-code-after-one-second",
		"ensure-token-endpoint-fails-with-expired-auth-code", "refresh-token",
		"par-ensure-reused-request-uri-prior-to-auth-completion-succeeds", "par-attempt-reuse-request_uri",
		"par-attempt-to-use-expired-request_uri", "par-attempt-to-use-request_uri-for-different-client",
		"par-authorization-request-containing-request_uri-form-param", "par-attempt-invalid-http-method",
		"par-ensure-pkce-required", "ensure-pkce-code-verifier-required", "incorrect-pkce-code-verifier-rejected",
		"par-plain-pkce-rejected", "par-without-duplicate-parameters",
	},
	"openid=openid_connect": {
		"ensure-authorization-request-without-nonce-success", "ensure-authorization-request-with-64-char-nonce-success",
		"ensure-other-scope-order-succeeds", "test-claims-parameter-identity-claims",
		"ensure-different-nonce-inside-and-outside-request-object", "ensure-authorization-request-with-long-nonce",
	},
	"sender_constrain=dpop": {
		"check-dpop-proof-nbf-exp", "ensure-dpopproof-with-iat-10seconds-before-succeeds",
		"ensure-dpopproof-with-iat-10seconds-after-succeeds", "ensure-mismatched-dpop-jkt-fails",
		"ensure-token-endpoint-fails-with-mismatched-dpop-proof-jkt", "ensure-token-endpoint-fails-with-mismatched-dpop-jkt",
		"ensure-dpopproof-at-par-endpoint-binding-success", "ensure-dpop-auth-code-binding-success", "dpop-negative-tests",
	},
	"client_auth_type=private_key_jwt": {
		"ensure-signed-client-assertion-with-RS256-fails", "ensure-client-assertion-in-token-endpoint",
		"ensure-client-assertion-with-exp-is-5-minutes-in-past-fails", "ensure-client-assertion-with-wrong-aud-fails",
		"ensure-client-assertion-with-no-sub-fails",
		"par-ensure-jwt-client-assertions-nbf-8-seconds-in-the-future-is-accepted",
		"par-ensure-jwt-client-assertions-nbf-over-60-seconds-in-the-future-fails", "par-test-array-as-audience-fails",
		"par-test-par-endpoint-url-as-audience-fails", "par-test-token-endpoint-url-as-audience-fails",
	},
	"fapi_request_method=signed_non_repudiation": {
		"ensure-request-object-with-multiple-aud-succeeds", "ensure-request-object-with-nbf-8-seconds-in-the-future-is-accepted",
		"ensure-request-object-without-exp-fails", "ensure-request-object-without-nbf-fails",
		"ensure-expired-request-object-fails", "ensure-request-object-with-bad-aud-fails",
		"ensure-request-object-with-exp-over-60-fails", "ensure-request-object-with-nbf-over-60-fails",
		"ensure-signed-request-object-with-RS256-fails", "ensure-request-object-signature-algorithm-is-not-none",
		"ensure-request-object-with-invalid-signature-fails", "ensure-matching-key-in-authorization-request",
		"ensure-unsigned-request-at-par-endpoint-fails", "par-authorization-request-containing-request_uri",
	},
}

// moduleTests are the tests that hold what a module demands.
var moduleTests = map[string][]string{
	"discovery-end-point-verification": {"TestDiscovery", "TestMetadataDocument", "TestJWKS", "TestPublishedKeysAreStrong"},
	"happy-flow": {
		"TestHappyFlow", "TestSecondClient", "TestRequestShapes/long-state-and-nonce", "TestResponses", "TestEntropy", "TestIDToken",
		"TestTLSProbes", "TestResourceRequests/accept-anything", "TestResourceRequestsRefused/token-in-query", "TestStolenAccessToken",
	},
	"user-rejects-authentication":                              {"TestUserRejectsAuthentication", "TestAuthorizationResponseMembers/access_denied"},
	"ensure-authorization-request-without-state-success":       {"TestAuthorizationResponse/ensure-authorization-request-without-state-success"},
	"access-token-type-header-case-sensitivity":                {"TestResource/access-token-type-header-case-sensitivity", "TestResourceRequests/scheme-case-inverted", "TestDPoPAccepted/scheme-case-inverted"},
	"ensure-different-state-inside-and-outside-request-object": {"TestParametersBesideTheRequestURI/ensure-different-state-inside-and-outside-request-object"},
	"ensure-authorization-request-with-long-state":             {"TestAuthorizationResponse/ensure-authorization-request-with-long-state"},
	"state-only-outside-request-object-not-used":               {"TestParametersBesideTheRequestURI/state-only-outside-request-object-not-used"},
	"ensure-request-object-without-redirect-uri-fails":         {"TestRequestObject/ensure-request-object-without-redirect-uri-fails", "TestPushedRequestRefused/ensure-redirect-uri-in-authorization-request"},
	"plain-fapi-tolerate-unregistered-redirect-uri":            {"TestPushedRequestRefused/plain-fapi-tolerate-unregistered-redirect-uri"},
	"ensure-unsigned-authorization-request-without-using-par-fails": {
		"TestAuthorizationRequestRefused/ensure-unsigned-authorization-request-without-using-par-fails"},
	"ensure-redirect-uri-in-authorization-request":       {"TestPushedRequestRefused/ensure-redirect-uri-in-authorization-request"},
	"ensure-response-type-code-idtoken-fails":            {"TestPushedRequestRefused/ensure-response-type-code-idtoken-fails"},
	"ensure-response-type-token-fails":                   {"TestPushedRequestRefused/ensure-response-type-token-fails"},
	"ensure-client-id-in-token-endpoint":                 {"TestClientAssertion/ensure-client-id-in-token-endpoint", "TestCertificateOfAnotherClient"},
	"ensure-holder-of-key-required":                      {"TestTokenRequestRefused/ensure-holder-of-key-required", "TestMutualTLSRefused", "TestCertificateOfAnotherClient", "TestTLSProbes"},
	"ensure-authorization-code-is-bound-to-client":       {"TestCodeIsBoundToClient", "TestCertificateOfAnotherClient"},
	"attempt-reuse-authorization-code-after-one-second":  {"TestCodeReuse"},
	"ensure-token-endpoint-fails-with-expired-auth-code": {"TestExpiry/ensure-token-endpoint-fails-with-expired-auth-code"},
	"refresh-token": {"TestHappyFlow", "TestRefreshRefused", "TestRefreshToken", "TestResponses/refresh"},
	"par-ensure-reused-request-uri-prior-to-auth-completion-succeeds": {
		"TestRequestURIIsUsedOnce/par-ensure-reused-request-uri-prior-to-auth-completion-succeeds"},
	"par-attempt-reuse-request_uri":                               {"TestRequestURIIsUsedOnce/par-attempt-reuse-request_uri"},
	"par-attempt-to-use-expired-request_uri":                      {"TestRequestURIExpiry/par-attempt-to-use-expired-request_uri"},
	"par-attempt-to-use-request_uri-for-different-client":         {"TestAuthorizationRequestRefused/par-attempt-to-use-request_uri-for-different-client"},
	"par-authorization-request-containing-request_uri-form-param": {"TestPushedRequestRefused/par-authorization-request-containing-request_uri-form-param", "TestPARAtEitherAddress"},
	"par-attempt-invalid-http-method":                             {"TestBadInput/par-attempt-invalid-http-method", "TestPARAtEitherAddress"},
	"par-ensure-pkce-required":                                    {"TestPushedRequestRefused/par-ensure-pkce-required"},
	"ensure-pkce-code-verifier-required":                          {"TestTokenRequestRefused/ensure-pkce-code-verifier-required"},
	"incorrect-pkce-code-verifier-rejected":                       {"TestTokenRequestRefused/incorrect-pkce-code-verifier-rejected"},
	"par-plain-pkce-rejected":                                     {"TestPushedRequestRefused/par-plain-pkce-rejected"},
	"par-without-duplicate-parameters":                            {"TestRequestShapes/par-without-duplicate-parameters"},

	"ensure-authorization-request-without-nonce-success":       {"TestAuthorizationResponse/ensure-authorization-request-without-nonce-success"},
	"ensure-authorization-request-with-64-char-nonce-success":  {"TestAuthorizationResponse/ensure-authorization-request-with-64-char-nonce-success"},
	"test-claims-parameter-identity-claims":                    {"TestClaimsParameterIdentityClaims", "TestNothingGoesOutUnasked", "TestMalformedClaimsParameterIsRefused"},
	"ensure-other-scope-order-succeeds":                        {"TestAuthorizationResponse/ensure-other-scope-order-succeeds"},
	"ensure-different-nonce-inside-and-outside-request-object": {"TestParametersBesideTheRequestURI/ensure-different-nonce-inside-and-outside-request-object"},
	"ensure-authorization-request-with-long-nonce":             {"TestAuthorizationResponse/ensure-authorization-request-with-long-nonce"},

	"check-dpop-proof-nbf-exp":                                   {"TestDPoPAccepted/check-dpop-proof-nbf-exp", "TestProofsAtAccounts/nbf-and-exp"},
	"ensure-dpopproof-with-iat-10seconds-before-succeeds":        {"TestDPoPAccepted/ensure-dpopproof-with-iat-10seconds-before-succeeds", "TestProofsAtAccounts/iat-10-seconds-ago"},
	"ensure-dpopproof-with-iat-10seconds-after-succeeds":         {"TestDPoPAccepted/ensure-dpopproof-with-iat-10seconds-after-succeeds", "TestProofsAtAccounts/iat-in-8-seconds"},
	"ensure-mismatched-dpop-jkt-fails":                           {"TestPushedRequestRefused/ensure-mismatched-dpop-jkt-fails"},
	"ensure-token-endpoint-fails-with-mismatched-dpop-proof-jkt": {"TestTokenRequestRefused/ensure-token-endpoint-fails-with-mismatched-dpop-proof-jkt"},
	"ensure-token-endpoint-fails-with-mismatched-dpop-jkt":       {"TestTokenEndpointMismatchedDPoPJKT"},
	"ensure-dpopproof-at-par-endpoint-binding-success":           {"TestPushedRequestAccepted/ensure-dpopproof-at-par-endpoint-binding-success"},
	"ensure-dpop-auth-code-binding-success":                      {"TestPushedRequestAccepted/ensure-dpop-auth-code-binding-success"},
	"dpop-negative-tests":                                        {"TestDPoPNegative", "TestProofsAtAccounts", "TestResourceServerRecordedProof"},

	"ensure-signed-client-assertion-with-RS256-fails":                          {"TestClientAssertion/ensure-signed-client-assertion-with-RS256-fails", "TestClientAssertionRS256IsInvalidClient"},
	"ensure-client-assertion-in-token-endpoint":                                {"TestClientAssertion/ensure-client-assertion-in-token-endpoint"},
	"ensure-client-assertion-with-exp-is-5-minutes-in-past-fails":              {"TestClientAssertion/ensure-client-assertion-with-exp-is-5-minutes-in-past-fails"},
	"ensure-client-assertion-with-wrong-aud-fails":                             {"TestClientAssertion/ensure-client-assertion-with-wrong-aud-fails"},
	"ensure-client-assertion-with-no-sub-fails":                                {"TestClientAssertion/ensure-client-assertion-with-no-sub"},
	"par-ensure-jwt-client-assertions-nbf-8-seconds-in-the-future-is-accepted": {"TestClientAssertion/par-ensure-jwt-client-assertions-nbf-8-seconds-in-the-future-is-accepted"},
	"par-ensure-jwt-client-assertions-nbf-over-60-seconds-in-the-future-fails": {"TestClientAssertion/par-ensure-jwt-client-assertions-nbf-over-60-seconds-in-the-future-fails"},
	"par-test-array-as-audience-fails":                                         {"TestClientAssertion/par-test-array-as-audience-fails"},
	"par-test-par-endpoint-url-as-audience-fails":                              {"TestClientAssertion/par-test-par-endpoint-url-as-audience-fails"},
	"par-test-token-endpoint-url-as-audience-fails":                            {"TestClientAssertion/par-test-token-endpoint-url-as-audience-fails"},

	"ensure-request-object-with-multiple-aud-succeeds":                   {"TestRequestObject/ensure-request-object-with-multiple-aud-succeeds"},
	"ensure-request-object-with-nbf-8-seconds-in-the-future-is-accepted": {"TestRequestObject/ensure-request-object-with-nbf-8-seconds-in-the-future-is-accepted"},
	"ensure-request-object-without-exp-fails":                            {"TestRequestObject/ensure-request-object-without-exp-fails"},
	"ensure-request-object-without-nbf-fails":                            {"TestRequestObject/ensure-request-object-without-nbf-fails"},
	"ensure-expired-request-object-fails":                                {"TestRequestObject/ensure-expired-request-object-fails"},
	"ensure-request-object-with-bad-aud-fails":                           {"TestRequestObject/ensure-request-object-with-bad-aud-fails"},
	"ensure-request-object-with-exp-over-60-fails":                       {"TestRequestObject/ensure-request-object-with-exp-over-60-fails"},
	"ensure-request-object-with-nbf-over-60-fails":                       {"TestRequestObject/ensure-request-object-with-nbf-over-60-fails"},
	"ensure-signed-request-object-with-RS256-fails":                      {"TestRequestObject/ensure-signed-request-object-with-RS256-fails"},
	"ensure-request-object-signature-algorithm-is-not-none":              {"TestRequestObject/ensure-request-object-signature-algorithm-is-not-none"},
	"ensure-request-object-with-invalid-signature-fails":                 {"TestRequestObject/ensure-request-object-with-invalid-signature-fails"},
	"ensure-matching-key-in-authorization-request":                       {"TestRequestObject/ensure-matching-key-in-authorization-request"},
	"ensure-unsigned-request-at-par-endpoint-fails":                      {"TestRequestObject/ensure-unsigned-request-at-par-endpoint-fails"},
	"par-authorization-request-containing-request_uri":                   {"TestRequestObject/par-authorization-request-containing-request_uri"},
}
