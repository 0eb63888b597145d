package v1alpha1

// ConditionAccepted says whether the rule book admits the spec.
//
// Reasons when True:
//   - Accepted
//
// Reasons when False:
//   - Refused
//   - ReferenceNotFound, ReferenceNotGranted (a ConfigMap with trust anchors)
//
// Reasons when Unknown:
//   - Pending
const ConditionAccepted = "Accepted"

// ConditionKeysReady says whether the client's public keys are known and fit for registration.
//
// Reasons when True:
//   - KeysResolved
//   - NotNeeded
//
// Reasons when False:
//   - ReferenceNotFound
//   - ReferenceNotLabeled (a Secret)
//   - ReferenceNotGranted (a Secret or ConfigMap of another namespace)
//   - InvalidKeys
//   - PrivateKeyInJWKS
//   - UnknownKey
//   - OwnedByAnother (the Secret for managed keys)
//
// Reasons when Unknown:
//   - Pending
const ConditionKeysReady = "KeysReady"

// ConditionCertificateReady says whether the client has a valid certificate that the operator takes care of.
//
// Reasons when True:
//   - Issued
//   - NotNeeded
//
// Reasons when False:
//   - Issuing
//   - IssuerNotFound
//   - IssuerNotReady
//   - IssuanceFailed
//   - ServerUnavailable (which certificates it holds has to be known first)
//   - OwnedByAnother (the Certificate or its Secret)
//
// Reasons when Unknown:
//   - Pending
const ConditionCertificateReady = "CertificateReady"

// ConditionRegistered says whether the server holds the client as this generation of the spec means it, and every replica of
// it serves the client.
//
// Reasons when True:
//   - Registered
//
// Reasons when False:
//   - RejectedByServer
//   - ServerUnavailable
//   - InstallationNotAllowed
//   - NotServed
//   - OwnedByAnother (the client identifier)
//   - DeletionFailed
//
// Reasons when Unknown:
//   - Pending
const ConditionRegistered = "Registered"

// ConditionBindingReady says whether the Secret that tells software of the client how to reach the server is there and up to date.
//
// Reasons when True:
//   - Bound
//   - NotNeeded
//
// Reasons when False:
//   - ServerUnavailable
//   - InvalidServerCA
//   - OwnedByAnother (the Secret)
//
// Reasons when Unknown:
//   - Pending
const ConditionBindingReady = "BindingReady"

// ConditionReady sums up: True when Accepted, KeysReady, CertificateReady, Registered and BindingReady are True and the client is
// not suspended.
//
// Reasons when True:
//   - Ready
//
// Reasons when False:
//   - Suspended
//   - Deleting
//   - the reason of the first of the five conditions that is not True
const ConditionReady = "Ready"

// ConditionStalled is present, and True, while only a person can help: nothing is tried again until the spec or what it
// names changes (kstatus).
//
// Reasons when True:
//   - the reason of the condition that is final: Refused, InvalidKeys, PrivateKeyInJWKS, UnknownKey, RejectedByServer or
//     OwnedByAnother
const ConditionStalled = "Stalled"

// ConditionReconciling is present, and True, while the operator is at work or will try again by itself (kstatus).
//
// Reasons when True:
//   - Deleting
//   - the reason of the condition that is waited for: Pending, Issuing, ReferenceNotFound, ReferenceNotLabeled,
//     ReferenceNotGranted, IssuerNotFound, IssuerNotReady, IssuanceFailed, ServerUnavailable, InstallationNotAllowed, NotServed,
//     InvalidServerCA or DeletionFailed
const ConditionReconciling = "Reconciling"

// Reasons that several conditions share.
const (
	// ReasonPending means that an earlier step has to succeed first.
	ReasonPending = "Pending"
	// ReasonNotNeeded means that the application uses no such keys, certificate or binding, so nothing is missing.
	ReasonNotNeeded = "NotNeeded"
	// ReasonReferenceNotFound means that a Secret or ConfigMap that the spec names, or its key, is not there. The message names it;
	// the operator goes on as soon as it appears.
	ReasonReferenceNotFound = "ReferenceNotFound"
	// ReasonReferenceNotLabeled means that a Secret that the spec names lacks the label fapi-operator.io/application, and that nothing
	// of it was read. The message says how to label it; the operator goes on as soon as it is.
	ReasonReferenceNotLabeled = "ReferenceNotLabeled"
	// ReasonReferenceNotGranted means that a Secret or ConfigMap of another namespace is not granted to this one, or is not there:
	// which of both is not told. The message says what it needs; the operator goes on as soon as it has it.
	ReasonReferenceNotGranted = "ReferenceNotGranted"
	// ReasonOwnedByAnother means that the client identifier, Secret or Certificate belongs to somebody else and is left untouched.
	// The message names the owner.
	ReasonOwnedByAnother = "OwnedByAnother"
)

// Reasons of Accepted.
const (
	// ReasonAccepted means that every rule admits the spec.
	ReasonAccepted = "Accepted"
	// ReasonRefused means that the spec breaks rules, which the message names. Final until the spec changes.
	ReasonRefused = "Refused"
)

// Reasons of KeysReady.
const (
	// ReasonKeysResolved means that the public keys are known.
	ReasonKeysResolved = "KeysResolved"
	// ReasonInvalidKeys means that what was found is no JSON Web Key Set, or its keys are unfit. The message says which and why.
	ReasonInvalidKeys = "InvalidKeys"
	// ReasonPrivateKeyInJWKS means that a set that should hold public keys holds a private one. It was not registered and is not
	// shown; treat the key as compromised.
	ReasonPrivateKeyInJWKS = "PrivateKeyInJWKS"
	// ReasonUnknownKey means that an annotation revokes a key that the client does not have.
	ReasonUnknownKey = "UnknownKey"
	// ReasonKeyRevoked means that a managed key was given up, with all that it obtained. It stands in an event.
	ReasonKeyRevoked = "KeyRevoked"
	// ReasonKeyRotated means that another managed key has taken the place of the former one. It stands in an event.
	ReasonKeyRotated = "KeyRotated"
)

// Reasons of CertificateReady.
const (
	// ReasonIssued means that the certificate is valid and in its Secret.
	ReasonIssued = "Issued"
	// ReasonIssuing means that cert-manager is at work on the certificate.
	ReasonIssuing = "Issuing"
	// ReasonIssuerNotFound means that the issuer that the spec names is not there.
	ReasonIssuerNotFound = "IssuerNotFound"
	// ReasonIssuerNotReady means that the issuer that the spec names cannot sign yet. The message repeats what it says of itself.
	ReasonIssuerNotReady = "IssuerNotReady"
	// ReasonIssuanceFailed means that cert-manager could not get the certificate, and tries again. The message repeats its reason.
	ReasonIssuanceFailed = "IssuanceFailed"
	// ReasonCertificateRenewed means that another certificate, which the server knows, has taken the place of the former one in the
	// Secret. It stands in an event.
	ReasonCertificateRenewed = "CertificateRenewed"
)

// Reasons of Registered.
const (
	// ReasonRegistered means that the server holds the client.
	ReasonRegistered = "Registered"
	// ReasonRejectedByServer means that the server refused the client by rules, which the message names. Final until the spec changes.
	ReasonRejectedByServer = "RejectedByServer"
	// ReasonServerUnavailable means that the server gave no answer, or none that settles the matter; the operator tries again.
	ReasonServerUnavailable = "ServerUnavailable"
	// ReasonInstallationNotAllowed means that the server does not let this operator act for its installation. Whoever runs the server
	// mends that in listeners.private.boundClientSANs; the operator tries again.
	ReasonInstallationNotAllowed = "InstallationNotAllowed"
	// ReasonNotServed means that the server holds the client, and that a replica which is ready does not serve it yet, or does not
	// tell. The message names it; the operator looks again.
	ReasonNotServed = "NotServed"
	// ReasonDeletionFailed means that the server has not confirmed that the client is gone, so this resource stays; the operator
	// tries again.
	ReasonDeletionFailed = "DeletionFailed"
)

// Reasons of BindingReady.
const (
	// ReasonBound means that the Secret is there, and says what is so.
	ReasonBound = "Bound"
	// ReasonInvalidServerCA means that the operator cannot read the file of authorities that goes into the Secret; whoever runs the
	// operator mends it. The message says what is wrong.
	ReasonInvalidServerCA = "InvalidServerCA"
)

// Reasons of Ready and of the end of an application.
const (
	// ReasonReady means that the client can be used.
	ReasonReady = "Ready"
	// ReasonSuspended means that the client is registered and stopped, as the spec asks.
	ReasonSuspended = "Suspended"
	// ReasonDeleting means that the resource is being deleted, and its client with it.
	ReasonDeleting = "Deleting"
	// ReasonRetained means that the resource went and its client stays registered, as deletionPolicy asks. It stands in an event,
	// since no condition outlives the resource.
	ReasonRetained = "Retained"
)
