package controllers

import (
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
)

// maxNoteBytes is the size of the largest note that events.k8s.io/v1 takes.
const maxNoteBytes = 1024

// tell records an event for each step whose outcome changed, once the status
// that says so is written.
func (r *Reconciler) tell(p *passage) {
	for _, step := range steps {
		after := meta.FindStatusCondition(p.status.Conditions, step)
		before := meta.FindStatusCondition(p.application.Status.Conditions, step)
		if isNews(before, after) {
			r.event(p, eventType(after), after.Reason, step, after.Message)
		}
	}
}

// isNews leaves out what only waits, what was never needed, and the steps that go
// well on the way to the registration: thousands of applications that are applied at
// once make one event each.
func isNews(before, after *metav1.Condition) bool {
	switch {
	case after == nil || after.Status == metav1.ConditionUnknown || after.Reason == v1alpha1.ReasonNotNeeded:
		return false
	case after.Status == metav1.ConditionTrue && after.Type != v1alpha1.ConditionRegistered:
		return before != nil && before.Status == metav1.ConditionFalse
	}
	return before == nil || before.Status != after.Status || before.Reason != after.Reason
}

func eventType(condition *metav1.Condition) string {
	if condition.Status == metav1.ConditionTrue || condition.Reason == v1alpha1.ReasonIssuing {
		return corev1.EventTypeNormal
	}
	return corev1.EventTypeWarning
}

func (r *Reconciler) event(p *passage, kind, reason, action, note string) {
	r.Events.Eventf(p.application, nil, kind, reason, action, "%s", shorten(note, maxNoteBytes))
}

// shorten cuts between characters.
func shorten(text string, size int) string {
	if len(text) <= size {
		return text
	}
	const ellipsis = "..."
	end := size - len(ellipsis)
	for end > 0 && !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + ellipsis
}
