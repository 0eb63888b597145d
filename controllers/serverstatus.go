package controllers

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// reportOn turns the replicas' answers into a status. What is the whole server's
// stays as it was last told while nobody answers.
func reportOn(before v1alpha1.FAPIServerStatus, answers []replicaAnswer, now metav1.Time) v1alpha1.FAPIServerStatus {
	status := *before.DeepCopy()
	status.ReadyReplicas, status.Replicas = 0, nil
	status.Revision = lowestRevision(answers)
	for _, answer := range answers {
		status.Replicas = append(status.Replicas, replicaStatus(answer))
		if answer.err != nil {
			continue
		}
		if status.ReadyReplicas++; status.ReadyReplicas == 1 {
			tellServer(&status, answer.told)
		}
	}
	agree := revisionsAgree(answers)
	setCondition(&status, v1alpha1.ConditionRevisionsAgree, agree, now)
	setCondition(&status, v1alpha1.ConditionReady, serverReady(answers, agree), now)
	return status
}

func setCondition(status *v1alpha1.FAPIServerStatus, condition string, v verdict, now metav1.Time) {
	meta.SetStatusCondition(&status.Conditions, metav1.Condition{
		Type: condition, Status: v.status, Reason: v.reason, Message: v.message, LastTransitionTime: now,
	})
}

func replicaStatus(answer replicaAnswer) v1alpha1.ReplicaStatus {
	status := v1alpha1.ReplicaStatus{Name: answer.name, Address: answer.address}
	if answer.err != nil {
		status.Message = lasting(answer.err)
		return status
	}
	status.Version, status.SchemaVersion = answer.told.Version, answer.told.Store.SchemaVersion
	status.Revision = new(answer.told.ClientRevision)
	return status
}

// tellServer takes over what is the same at every replica.
func tellServer(status *v1alpha1.FAPIServerStatus, told registration.Replica) {
	status.Issuer, status.MTLSBaseURL = told.Issuer, told.MTLSBaseURL
	status.Keys, status.NextKeyAt = nil, nil
	var next time.Time
	for _, key := range told.Keys {
		status.Keys = append(status.Keys, v1alpha1.ServerKeyStatus{
			KeyID: key.KeyID, Use: key.Use, Algorithm: key.Algorithm, State: key.State, CreatedAt: metav1.NewTime(key.CreatedAt).Rfc3339Copy(),
		})
		if !key.SuccessorAt.IsZero() && (next.IsZero() || key.SuccessorAt.Before(next)) {
			next = key.SuccessorAt
		}
	}
	if !next.IsZero() {
		status.NextKeyAt = new(metav1.NewTime(next).Rfc3339Copy())
	}
}

// unanswered tells why nothing is known of the whole; nil when everybody answered.
func unanswered(answers []replicaAnswer) *verdict {
	if len(answers) == 0 {
		return &verdict{status: metav1.ConditionFalse, reason: v1alpha1.ReasonNoReadyReplica, message: sentence(errNoReadyReplica)}
	}
	for _, answer := range answers {
		if answer.err != nil {
			return &verdict{status: metav1.ConditionFalse, reason: v1alpha1.ReasonReplicaUnavailable, message: fmt.Sprintf(
				"Replica %s is ready, and does not tell what it serves: %s", answer.name, lasting(answer.err))}
		}
	}
	return nil
}

func revisionsAgree(answers []replicaAnswer) verdict {
	if why := unanswered(answers); why != nil {
		why.status = metav1.ConditionUnknown
		return *why
	}
	for _, answer := range answers {
		if answer.lags {
			return fails(v1alpha1.ReasonRevisionsDiffer, fmt.Sprintf(
				"Replica %s serves revision %d, and another one revision %d. Look whether both have the same store.",
				answer.name, answer.told.ClientRevision, highestRevision(answers)))
		}
	}
	return holds(v1alpha1.ReasonRevisionsAgree, "Every ready replica serves the same registrations.")
}

// serverReady sums up.
func serverReady(answers []replicaAnswer, agree verdict) verdict {
	if why := unanswered(answers); why != nil {
		return *why
	}
	first := answers[0]
	for _, other := range answers[1:] {
		if first.told.Issuer != other.told.Issuer || first.told.MTLSBaseURL != other.told.MTLSBaseURL {
			return fails(v1alpha1.ReasonReplicasDisagree, fmt.Sprintf("Replica %s serves %s with %s, and replica %s %s with %s.",
				first.name, first.told.Issuer, first.told.MTLSBaseURL, other.name, other.told.Issuer, other.told.MTLSBaseURL))
		}
	}
	if agree.status != metav1.ConditionTrue {
		return agree
	}
	return holds(v1alpha1.ReasonReady, "Every ready replica serves the same issuer and the same registrations.")
}
