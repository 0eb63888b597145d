package v1alpha1

// ConditionRevisionsAgree says whether every ready replica serves the same registrations: whether none, asked again,
// serves less than another one has answered before.
//
// Reasons when True:
//   - RevisionsAgree
//
// Reasons when False:
//   - RevisionsDiffer
//
// Reasons when Unknown:
//   - NoReadyReplica
//   - ReplicaUnavailable
const ConditionRevisionsAgree = "RevisionsAgree"

// Reasons of a FAPIServer's Ready, which is True with reason Ready when every ready replica answers, they agree on what
// they serve, and none lags behind.
const (
	// ReasonNoReadyReplica means that the private Service leads to no replica that is ready.
	ReasonNoReadyReplica = "NoReadyReplica"
	// ReasonReplicaUnavailable means that a replica is ready, and has not told what it serves. The message names it.
	ReasonReplicaUnavailable = "ReplicaUnavailable"
	// ReasonReplicasDisagree means that replicas serve different issuers, or different base URLs for clients with a certificate.
	// The message names them.
	ReasonReplicasDisagree = "ReplicasDisagree"
	// ReasonRevisionsDiffer means that a replica does not know registrations that another one knows: it reads another store, or
	// a copy that lags behind. The message names it.
	ReasonRevisionsDiffer = "RevisionsDiffer"
)

// ReasonRevisionsAgree means that every ready replica serves the same registrations.
const ReasonRevisionsAgree = "RevisionsAgree"
