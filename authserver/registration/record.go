package registration

import (
	"crypto/sha256"
	"encoding/hex"
	"regexp"
)

// Owner says on whose behalf a client is registered. It holds no object's UID,
// so a cluster restored from a backup keeps its clients.
type Owner struct {
	// Installation identifies the operator's installation.
	Installation string `json:"installation"`
	Namespace    string `json:"namespace"`
	Name         string `json:"name"`
}

// OwnerPartForm is what IsOwnerPart takes, in words.
const OwnerPartForm = "letters, digits, '-', '.', '_' and ':', at most 253"

// ownerPart fits Kubernetes names and UIDs, and keeps installation/namespace/name unambiguous.
var ownerPart = regexp.MustCompile(`^[A-Za-z0-9]([-A-Za-z0-9._:]{0,251}[A-Za-z0-9])?$`)

// IsOwnerPart tells whether the text can be an owner's installation, namespace or name.
func IsOwnerPart(text string) bool { return ownerPart.MatchString(text) }

// String names the owner for messages: installation/namespace/name.
func (o Owner) String() string { return o.Installation + "/" + o.Namespace + "/" + o.Name }

// Request is the body of PUT /clients/{client_id} on the private listener.
type Request struct {
	Owner Owner `json:"owner"`
	// PreviousOwner, where it is stated, is whose client this may still be: it is taken over from nobody else.
	PreviousOwner *Owner `json:"previous_owner,omitempty"`
	// Generation is the owner's own count of its changes (metadata.generation of a FAPIApplication).
	Generation int64    `json:"generation"`
	Metadata   Metadata `json:"metadata"`
}

// NoRevision is that of a client that the server does not hold.
const NoRevision = 0

// Summary is a row of the listing: enough to see drift without reading a client.
type Summary struct {
	ClientID   string `json:"client_id"`
	Owner      Owner  `json:"owner"`
	Generation int64  `json:"generation"`
	// Revision only grows, over all clients of the server.
	Revision int64 `json:"revision"`
	// ContentHash is ContentHash of the stated metadata.
	ContentHash string `json:"content_hash"`
}

// Record is what the private listener answers about one client.
type Record struct {
	Summary
	// Issuer is the issuer identifier of the server that keeps the client.
	Issuer string `json:"issuer"`
	// Metadata is in force: stated values with defaults filled in.
	Metadata Metadata `json:"metadata"`
}

// Page is one page of the listing, ordered by client_id.
type Page struct {
	Clients []Summary `json:"clients"`
	// Issuer is the issuer identifier of the server that keeps the clients.
	Issuer string `json:"issuer"`
	// Revision is that of the latest write or deletion of any client before the page
	// was read: as long as it stays, so does the whole listing.
	Revision int64 `json:"revision"`
	// NextCursor asks for the next page; empty on the last one.
	NextCursor string `json:"next_cursor,omitempty"`
}

// ContentHash is the SHA-256 of the metadata's canonical form, hexadecimal.
func ContentHash(m Metadata) (string, error) {
	encoded, err := m.Encode()
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(encoded)
	return hex.EncodeToString(sum[:]), nil
}
