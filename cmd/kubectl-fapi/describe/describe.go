// Package describe writes how a FAPIApplication is, for people: what it waits
// for first, then all that its status says.
package describe

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/cmd/kubectl-fapi/terminal"
)

// labelWidth is the width of the column before a value.
const labelWidth = 20

// conditionTypes in the order in which an application goes through them.
var conditionTypes = []string{
	v1alpha1.ConditionAccepted, v1alpha1.ConditionKeysReady, v1alpha1.ConditionCertificateReady, v1alpha1.ConditionRegistered,
	v1alpha1.ConditionBindingReady, v1alpha1.ConditionReady,
}

// Write writes the application and its events as they are at a time.
func Write(out io.Writer, application *v1alpha1.FAPIApplication, events []corev1.Event, now time.Time) error {
	text := &page{now: now}
	text.summary(application)
	text.conditions(application.Status.Conditions)
	text.settings(application.Status.Effective)
	text.keys(application.Status.Keys)
	text.certificate(application.Status.Certificate)
	text.registration(application.Status.Registration)
	text.binding(application.Status.Binding)
	text.events(events)
	_, err := io.WriteString(out, text.String())
	return err
}

// page is the text as it grows.
type page struct {
	strings.Builder
	now time.Time
}

// row writes a label and a value, which goes on below itself where it is long.
// What is empty has no row.
func (p *page) row(label, value string) {
	for i, line := range terminal.Wrap(value, terminal.Width-labelWidth) {
		if i > 0 {
			label = ""
		}
		_, _ = fmt.Fprintf(p, "%-*s%s\n", labelWidth, label, line) // a Builder takes everything
	}
}

func (p *page) heading(title string) { p.WriteString("\n" + title + "\n") }

func (p *page) summary(application *v1alpha1.FAPIApplication) {
	p.row("Name", application.Name)
	p.row("Namespace", application.Namespace)
	p.row("Server class", application.Spec.ServerClassName)
	p.row("Client ID", application.Status.ClientID)
	p.row("Profile", application.Status.Profile)
	p.row("Created", p.since(&application.CreationTimestamp))
	p.row("Being deleted", p.since(application.DeletionTimestamp))
	p.row("Waits for", waitsFor(application))
}

// waitsFor says what has to happen before the client can be used.
func waitsFor(application *v1alpha1.FAPIApplication) string {
	status := application.Status
	ready := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady)
	stalled := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionStalled)
	switch {
	case ready == nil:
		return "the operator, which has not looked at it yet: is one of this server class running?"
	case status.ObservedGeneration != application.Generation:
		return fmt.Sprintf("the operator, which has not looked at generation %d yet; what follows is about generation %d", application.Generation, status.ObservedGeneration)
	case ready.Status == metav1.ConditionTrue:
		return "nothing: the client can be used"
	case stalled != nil && stalled.Status == metav1.ConditionTrue:
		return "a person, since nothing is tried again: " + stalled.Reason + ": " + stalled.Message
	}
	return ready.Reason + ": " + ready.Message
}

func (p *page) conditions(conditions []metav1.Condition) {
	if len(conditions) == 0 {
		return
	}
	p.heading("Conditions")
	for _, name := range conditionTypes {
		if condition := meta.FindStatusCondition(conditions, name); condition != nil {
			p.row("  "+name, fmt.Sprintf("%s, %s, for %s", condition.Status, condition.Reason, p.age(condition.LastTransitionTime.Time)))
			if condition.Status != metav1.ConditionTrue {
				p.row("", condition.Message)
			}
		}
	}
}

func (p *page) settings(effective *v1alpha1.EffectiveSettings) {
	if effective == nil {
		return
	}
	p.heading("Settings in force")
	p.row("  Grant types", strings.Join(effective.GrantTypes, ", "))
	p.row("  Response types", strings.Join(effective.ResponseTypes, ", "))
	p.row("  Authentication", join(effective.TokenEndpointAuthMethod, effective.TokenEndpointAuthSigningAlg))
	p.row("  Access tokens", join(boundTo(effective.SenderConstraint), validFor(effective.AccessTokenLifetime)))
	p.row("  PKCE", effective.PKCEMethod)
	p.row("  Requests", requests(effective))
	p.row("  Responses", signedWith("authorization responses in JWT form", effective.AuthorizationResponseSigningAlg))
	p.row("  ID tokens", signedWith("", effective.IDTokenSigningAlg))
	p.row("  Scopes", strings.Join(effective.Scopes, " "))
	p.row("  Details types", strings.Join(effective.AuthorizationDetailsTypes, " "))
}

func join(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(part string) bool { return part == "" }), ", ")
}

func boundTo(constraint v1alpha1.SenderConstraint) string {
	if constraint == "" {
		return ""
	}
	return "bound by " + string(constraint)
}

func validFor(lifetime *metav1.Duration) string {
	if lifetime == nil {
		return ""
	}
	return "valid for " + lifetime.Duration.String()
}

func requests(effective *v1alpha1.EffectiveSettings) string {
	var demands []string
	if effective.RequirePushedAuthorizationRequests {
		demands = append(demands, "pushed")
	}
	if effective.RequireSignedRequestObject {
		demands = append(demands, "signed with "+effective.RequestObjectSigningAlg)
	}
	return strings.Join(demands, ", ")
}

func signedWith(what, algorithm string) string {
	if algorithm == "" {
		return ""
	}
	return strings.TrimSpace(what + " signed with " + algorithm)
}

func (p *page) keys(keys *v1alpha1.KeysStatus) {
	if keys == nil {
		return
	}
	p.heading("Keys")
	p.row("  Source", string(keys.Source))
	p.row("  Secret", keys.SecretName)
	for i, kid := range keys.KeyIDs {
		label := ""
		if i == 0 {
			label = "  Key IDs"
		}
		p.row(label, kid)
	}
	p.managedKeys(keys.Managed)
}

func (p *page) managedKeys(keys *v1alpha1.ManagedKeysStatus) {
	if keys == nil {
		return
	}
	p.row("  In use", join(keys.KeyID, keys.Algorithm))
	p.row("  Since", p.since(keys.Created))
	p.row("  Next rotation", p.until(keys.NextRotation))
	for _, former := range keys.Former {
		p.row("  Registered until", join(p.until(&former.RegisteredUntil), former.KeyID))
	}
	for _, kid := range keys.Revoked {
		p.row("  Revoked", kid)
	}
}

func (p *page) certificate(certificate *v1alpha1.CertificateStatus) {
	if certificate == nil {
		return
	}
	p.heading("Certificate")
	p.row("  Secret", certificate.SecretName)
	p.row("  Ends", p.until(certificate.NotAfter))
	p.row("  Serial number", certificate.SerialNumber)
	p.row("  x5t#S256", certificate.Thumbprint)
	for _, former := range certificate.Former {
		p.row("  Registered until", join(p.until(&former.RegisteredUntil), former.Thumbprint))
	}
}

func (p *page) registration(registration *v1alpha1.RegistrationStatus) {
	if registration == nil {
		return
	}
	p.heading("Registration")
	p.row("  Issuer", registration.Issuer)
	p.row("  Revision", fmt.Sprint(registration.Revision))
	p.row("  Last changed", p.since(registration.LastRegistered))
	p.row("  Digest", registration.ContentHash)
}

func (p *page) binding(binding *v1alpha1.BindingStatus) {
	if binding == nil {
		return
	}
	p.heading("Binding")
	p.row("  Secret", binding.Name)
}

// events are written in their order in time, the last ones last.
func (p *page) events(events []corev1.Event) {
	if len(events) == 0 {
		return
	}
	p.heading("Events")
	events = slices.Clone(events)
	slices.SortStableFunc(events, func(a, b corev1.Event) int { return lastSeen(a).Compare(lastSeen(b)) })
	for _, event := range events {
		p.row("  "+p.age(lastSeen(event))+" ago", fmt.Sprintf("%s %s%s: %s", event.Type, event.Reason, times(event), event.Message))
	}
}

// lastSeen reads an event of either API: those of events.k8s.io have a series.
func lastSeen(event corev1.Event) time.Time {
	switch {
	case event.Series != nil:
		return event.Series.LastObservedTime.Time
	case !event.LastTimestamp.IsZero():
		return event.LastTimestamp.Time
	}
	return event.EventTime.Time
}

func times(event corev1.Event) string {
	count := event.Count
	if event.Series != nil {
		count = event.Series.Count
	}
	if count <= 1 {
		return ""
	}
	return fmt.Sprintf(" (%d times)", count)
}

func (p *page) age(at time.Time) string { return duration.HumanDuration(p.now.Sub(at)) }

func (p *page) since(at *metav1.Time) string {
	if at.IsZero() {
		return ""
	}
	return fmt.Sprintf("%s (%s ago)", at.UTC().Format(time.RFC3339), p.age(at.Time))
}

func (p *page) until(at *metav1.Time) string {
	switch {
	case at.IsZero():
		return ""
	case at.Time.Before(p.now):
		return fmt.Sprintf("%s (ended %s ago)", at.UTC().Format(time.RFC3339), p.age(at.Time))
	}
	return fmt.Sprintf("%s (in %s)", at.UTC().Format(time.RFC3339), duration.HumanDuration(at.Sub(p.now)))
}
