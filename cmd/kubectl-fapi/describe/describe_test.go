package describe_test

import (
	"bytes"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/cmd/kubectl-fapi/describe"
	"github.com/fapi-operator/fapi-operator/cmd/kubectl-fapi/terminal"
)

var now = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) metav1.Time { return metav1.NewTime(now.Add(-d)) }

func written(t *testing.T, application *v1alpha1.FAPIApplication, events ...corev1.Event) string {
	t.Helper()
	var out bytes.Buffer
	if err := describe.Write(&out, application, events, now); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if length := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); length > terminal.Width {
			t.Errorf("a line of %d characters: %q", length, line)
		}
	}
	return out.String()
}

func condition(name string, status metav1.ConditionStatus, reason, message string) metav1.Condition {
	return metav1.Condition{Type: name, Status: status, Reason: reason, Message: message, LastTransitionTime: ago(3 * time.Minute)}
}

func waiting() *v1alpha1.FAPIApplication {
	notAfter := metav1.NewTime(now.Add(60 * 24 * time.Hour))
	registered := ago(time.Hour)
	application := &v1alpha1.FAPIApplication{}
	application.Namespace, application.Name, application.Generation = "retail", "budget", 2
	application.CreationTimestamp = ago(2 * time.Hour)
	application.Status = v1alpha1.FAPIApplicationStatus{
		ObservedGeneration: 2, ClientID: "retail.budget", Profile: "FAPI2 Security Profile",
		Effective: &v1alpha1.EffectiveSettings{
			GrantTypes: []string{"authorization_code", "refresh_token"}, ResponseTypes: []string{"code"}, TokenEndpointAuthMethod: "private_key_jwt",
			TokenEndpointAuthSigningAlg: "ES256", SenderConstraint: "DPoP", AccessTokenLifetime: &metav1.Duration{Duration: 5 * time.Minute},
			RequirePushedAuthorizationRequests: true, PKCEMethod: "S256", Scopes: []string{"openid", "accounts"}, IDTokenSigningAlg: "ES256",
		},
		Keys: &v1alpha1.KeysStatus{
			Source: v1alpha1.KeySourceManaged, SecretName: "budget-keys", KeyIDs: []string{"one", "two"},
			Managed: &v1alpha1.ManagedKeysStatus{
				KeyID: "two", Algorithm: "ES256", Created: &registered, NextRotation: &notAfter,
				Former: []v1alpha1.FormerKey{{KeyID: "one", RegisteredUntil: notAfter}}, Revoked: []string{"zero"},
			},
		},
		Certificate: &v1alpha1.CertificateStatus{
			SecretName: "budget-mtls", NotAfter: &notAfter, SerialNumber: "0a", Thumbprint: "x5t",
			Former: []v1alpha1.FormerCertificate{{Thumbprint: "x5t-before", RegisteredUntil: notAfter}},
		},
		Registration: &v1alpha1.RegistrationStatus{Issuer: "https://auth.bank.example", Revision: 7, LastRegistered: &registered, ContentHash: strings.Repeat("a", 64)},
		Binding:      &v1alpha1.BindingStatus{Name: "budget-binding"},
		Conditions: []metav1.Condition{
			condition("BindingReady", "True", "Bound", ""), condition("Registered", "True", "Registered", ""), condition("Accepted", "True", "Accepted", ""),
			condition("CertificateReady", "False", "Issuing", "cert-manager is at work"), condition("Ready", "False", "Issuing", "cert-manager is at work"),
			condition("Reconciling", "True", "Issuing", "cert-manager is at work"),
		},
	}
	return application
}

func TestEverythingThatTheStatusSaysIsWritten(t *testing.T) {
	t.Parallel()
	seen := corev1.Event{Type: "Normal", Reason: "Registered", Message: "revision 7", LastTimestamp: ago(time.Hour), Count: 1}
	series := corev1.Event{Type: "Warning", Reason: "Issuing", Message: "still", Series: &corev1.EventSeries{Count: 4, LastObservedTime: metav1.NewMicroTime(now.Add(-time.Minute))}}
	want := `Name                budget
Namespace           retail
Client ID           retail.budget
Profile             FAPI2 Security Profile
Created             2026-11-28T10:00:00Z (120m ago)
Waits for           Issuing: cert-manager is at work

Conditions
  Accepted          True, Accepted, for 3m
  CertificateReady  False, Issuing, for 3m
                    cert-manager is at work
  Registered        True, Registered, for 3m
  BindingReady      True, Bound, for 3m
  Ready             False, Issuing, for 3m
                    cert-manager is at work

Settings in force
  Grant types       authorization_code, refresh_token
  Response types    code
  Authentication    private_key_jwt, ES256
  Access tokens     bound by DPoP, valid for 5m0s
  PKCE              S256
  Requests          pushed
  ID tokens         signed with ES256
  Scopes            openid accounts

Keys
  Source            Managed
  Secret            budget-keys
  Key IDs           one
                    two
  In use            two, ES256
  Since             2026-11-28T11:00:00Z (60m ago)
  Next rotation     2027-01-27T12:00:00Z (in 60d)
  Registered until  2027-01-27T12:00:00Z (in 60d), one
  Revoked           zero

Certificate
  Secret            budget-mtls
  Ends              2027-01-27T12:00:00Z (in 60d)
  Serial number     0a
  x5t#S256          x5t
  Registered until  2027-01-27T12:00:00Z (in 60d), x5t-before

Registration
  Issuer            https://auth.bank.example
  Revision          7
  Last changed      2026-11-28T11:00:00Z (60m ago)
  Digest            ` + strings.Repeat("a", 64) + `

Binding
  Secret            budget-binding

Events
  60m ago           Normal Registered: revision 7
  60s ago           Warning Issuing (4 times): still
`
	if diff := cmp.Diff(want, written(t, waiting(), series, seen)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestWhatAnApplicationWaitsFor(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*v1alpha1.FAPIApplication)
		want   string
	}{
		"nobody looked": {func(a *v1alpha1.FAPIApplication) { a.Status = v1alpha1.FAPIApplicationStatus{ObservedGeneration: -1} }, "which has not looked at it yet"},
		"changed since": {func(a *v1alpha1.FAPIApplication) { a.Generation = 3 }, "has not looked at generation 3 yet"},
		"ready": {func(a *v1alpha1.FAPIApplication) {
			a.Status.Conditions = []metav1.Condition{condition("Ready", "True", "Ready", "")}
		}, "nothing: the client can be used"},
		"stalled": {func(a *v1alpha1.FAPIApplication) {
			a.Status.Conditions = append(a.Status.Conditions, condition("Stalled", "True", "Refused", "rule X"))
		}, "a person, since nothing is tried again: Refused: rule X"},
	} {
		application := waiting()
		test.change(application)
		if got := strings.Join(strings.Fields(written(t, application)), " "); !strings.Contains(got, test.want) {
			t.Errorf("%s: no %q in %s", name, test.want, got)
		}
	}
}

func TestEndedCertificateIsTold(t *testing.T) {
	t.Parallel()
	application := waiting()
	ended := ago(2 * time.Hour)
	application.Status.Certificate.NotAfter = &ended
	if got := written(t, application); !strings.Contains(got, "(ended 120m ago)") {
		t.Errorf("written %s", got)
	}
}

// A message may be long, and may hold what another server answered.
func TestMessagesStayTextOfBoundedWidth(t *testing.T) {
	t.Parallel()
	application := waiting()
	application.Status.Conditions = []metav1.Condition{condition("Ready", "False", "ServerUnavailable", "\x1b[31m"+strings.Repeat("long message ", 30)+strings.Repeat("x", 300))}
	if got := written(t, application); strings.Contains(got, "\x1b") {
		t.Errorf("an escape sequence reaches the terminal: %q", got)
	}
}
