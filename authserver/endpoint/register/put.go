package register

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/fapi-operator/fapi-operator/authserver/endpoint"
	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
	"github.com/fapi-operator/fapi-operator/authserver/store"
)

// put creates or replaces a client, if the rule book admits it.
func (h *Handler) put(r *http.Request) (endpoint.Reply, error) {
	write, err := readWrite(r)
	if err != nil {
		return endpoint.Reply{}, err
	}
	if err := h.mayActFor(r, write.Owner, write.PreviousOwner); err != nil {
		return endpoint.Reply{}, err
	}
	if err := h.admit(write.Metadata); err != nil {
		return endpoint.Reply{}, err
	}
	before, err := h.Store.Client(r.Context(), write.Metadata.ClientID)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return endpoint.Reply{}, err
	}
	write.Now = h.Now()
	after, created, err := h.Store.PutClient(r.Context(), write)
	if err != nil {
		return endpoint.Reply{}, h.refused(r, err)
	}
	h.auditWrite(r, before, after)
	status := http.StatusOK
	if created {
		status = http.StatusCreated
	}
	return endpoint.Reply{Status: status, Revision: after.Revision, Body: h.record(after)}, nil
}

// admit asks the rule book, whose verdict here is the one that counts.
func (h *Handler) admit(metadata registration.Metadata) error {
	_, violations := fapi.AdmitClient(metadata, h.Limits)
	if len(violations) == 0 {
		return nil
	}
	refused := endpoint.Refuse(http.StatusUnprocessableEntity, rejectionCode(violations), "the client breaks %d rules; see violations", len(violations))
	refused.Body.Violations = violations
	return refused
}

// rejectionCode is invalid_redirect_uri where nothing else is wrong (RFC 7591, 3.2.2).
func rejectionCode(violations []registration.Violation) oauth.ErrorCode {
	for _, violation := range violations {
		if violation.Member != "redirect_uris" {
			return oauth.InvalidClientMetadata
		}
	}
	return oauth.InvalidRedirectURI
}

// readWrite reads the request into what the store is to write.
func readWrite(r *http.Request) (store.ClientWrite, error) {
	var write store.ClientWrite
	if err := readPreconditions(r.Header, &write); err != nil {
		return write, err
	}
	body, err := readJSON(r)
	if err != nil {
		return write, err
	}
	var request registration.Request
	if err := registration.Decode(body, &request); err != nil {
		return write, endpoint.Malformed("%v", err)
	}
	if err := checkRequest(r.PathValue("client_id"), &request); err != nil {
		return write, err
	}
	write.Owner, write.Generation, write.Metadata = request.Owner, request.Generation, request.Metadata
	if request.PreviousOwner != nil {
		write.PreviousOwner = *request.PreviousOwner
	}
	return write, nil
}

// checkRequest checks what is around the metadata, and fills in the client_id.
func checkRequest(clientID string, request *registration.Request) error {
	if err := checkOwner(request.Owner); err != nil {
		return err
	}
	if previous := request.PreviousOwner; previous != nil {
		if err := checkOwner(*previous); err != nil {
			return err
		}
	}
	if request.Generation < 0 {
		return endpoint.Malformed("generation is negative; count the owner's changes up from 1")
	}
	if stated := request.Metadata.ClientID; stated != "" && stated != clientID {
		return endpoint.Malformed("metadata.client_id differs from the path; leave it out, or write the same")
	}
	request.Metadata.ClientID = clientID
	return nil
}

func checkOwner(owner registration.Owner) error {
	for _, part := range []struct{ name, value string }{
		{"installation", owner.Installation}, {"namespace", owner.Namespace}, {"name", owner.Name},
	} {
		if !registration.IsOwnerPart(part.value) {
			return endpoint.Malformed("the owner's %s is missing or malformed; write %s", part.name, registration.OwnerPartForm)
		}
	}
	return nil
}

func readJSON(r *http.Request) ([]byte, error) {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/json" {
		return nil, endpoint.Refuse(http.StatusUnsupportedMediaType, registration.UnsupportedMediaType, "send the request as application/json")
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, registration.MaxBytes+1))
	if err != nil {
		return nil, endpoint.Malformed("the request's body ended early")
	}
	if len(body) > registration.MaxBytes {
		return nil, endpoint.Refuse(http.StatusRequestEntityTooLarge, registration.DocumentTooLarge, "at most %d bytes are read", registration.MaxBytes)
	}
	return body, nil
}

// readPreconditions takes If-None-Match: * (create only) or If-Match: "<revision>"
// (replace what was read), RFC 9110, 13.1. Without either, the owner alone guards
// the client.
func readPreconditions(header http.Header, write *store.ClientWrite) error {
	noneMatch, match := header.Values("If-None-Match"), header.Values("If-Match")
	switch {
	case len(noneMatch)+len(match) == 0:
		return nil
	case len(noneMatch)+len(match) > 1:
		return endpoint.Malformed("send one of If-Match and If-None-Match, once")
	case len(noneMatch) == 1:
		write.MustNotExist = true
		if noneMatch[0] != "*" {
			return endpoint.Malformed("the only If-None-Match that is known is *")
		}
		return nil
	}
	revision, err := parseEntityTag(match[0])
	write.MatchRevision = revision
	return err
}

func parseEntityTag(tag string) (int64, error) {
	digits, quoted := strings.CutPrefix(tag, `"`)
	digits, closed := strings.CutSuffix(digits, `"`)
	revision, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || !quoted || !closed || revision < 1 {
		return 0, endpoint.Malformed("If-Match is not an ETag of this API; send the client's revision in double quotes")
	}
	return revision, nil
}
