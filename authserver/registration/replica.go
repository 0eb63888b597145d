package registration

import "time"

// Replica is what one replica of the server tells of itself, to callers that may
// register clients. None of it is secret.
type Replica struct {
	// Issuer is the issuer identifier that the replica serves.
	Issuer string `json:"issuer"`
	// MTLSBaseURL is where clients with a certificate come (RFC 8705, 5).
	MTLSBaseURL string `json:"mtls_base_url"`
	// MetadataURL is where the server publishes its metadata (OpenID Connect
	// Discovery, 4), and Endpoints are those of it, as they are published there.
	MetadataURL string    `json:"metadata_url"`
	Endpoints   Endpoints `json:"endpoints"`
	// Host is the name of the host or pod that the replica runs on. With StartedAt
	// it identifies the process.
	Host      string    `json:"host"`
	StartedAt time.Time `json:"started_at"`
	// Version is that of the program.
	Version string       `json:"version"`
	Store   ReplicaStore `json:"store"`
	// ClientRevision is the revision of the clients that the replica serves: it
	// knows every registration up to this one.
	ClientRevision int64 `json:"client_revision"`
	// Keys are the server's own, as the replica finds them in its store: by use and
	// algorithm, oldest first.
	Keys []ReplicaKey `json:"keys"`
}

// ReplicaStore says in which form the replica keeps its state.
type ReplicaStore struct {
	Backend string `json:"backend"` // sqlite or postgres
	// SchemaVersion is the newest that the program knows. It had brought the store
	// to it when it started; another version of the program may have gone further.
	SchemaVersion int64 `json:"schema_version"`
}

// ReplicaKey is a public key of the server's. The same key has the same values at
// every replica.
type ReplicaKey struct {
	ID        string    `json:"id"`    // use, algorithm and generation
	KeyID     string    `json:"kid"`   // RFC 7517, 4.5
	Use       string    `json:"use"`   // RFC 7517, 4.2
	Algorithm string    `json:"alg"`   // RFC 7517, 4.4
	State     string    `json:"state"` // next, current or previous
	CreatedAt time.Time `json:"created_at"`
	// TakesOverAt is zero for the oldest key of its use and algorithm, DoneAt for the
	// newest, and SuccessorAt for all but the newest.
	TakesOverAt time.Time `json:"takes_over_at,omitzero"`
	DoneAt      time.Time `json:"done_at,omitzero"`
	SuccessorAt time.Time `json:"successor_at,omitzero"`
}
