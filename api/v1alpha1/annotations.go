package v1alpha1

// ApplicationLabel marks the Secrets that the operator watches and reads: those that it makes, and those to which somebody puts
// it so that an application may name them. Its value is the application's name; a Secret for several carries any value.
const ApplicationLabel = "fapi-operator.io/application"

const (
	// RotateKeyAnnotation on an application rotates its managed key, once for each new value.
	RotateKeyAnnotation = "fapi-operator.io/rotate-key"

	// RevokeKeyAnnotation on an application names the kid of a managed key that
	// somebody else may have: the key leaves the registration at once, and with it
	// every token and grant of the client.
	RevokeKeyAnnotation = "fapi-operator.io/revoke-key"

	// AdoptFromAnnotation on an application names the owner, as installation/namespace/name,
	// whose client it takes over, with the client's grants and tokens. A FAPIPolicy has to list that owner.
	AdoptFromAnnotation = "fapi-operator.io/adopt-from"

	// GrantedToAnnotation on a Secret or ConfigMap names the namespaces, separated by commas, whose applications may name it; a
	// single * stands for all. Applications of its own namespace need no grant.
	GrantedToAnnotation = "fapi-operator.io/granted-to"
)
