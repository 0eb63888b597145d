// Package dpop verifies DPoP proofs (RFC 9449): that the sender of this very
// request holds the key whose thumbprint tokens are bound to.
package dpop

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/authserver/store"
)

// Verifier verifies proofs. It is safe for concurrent use.
type Verifier struct {
	// Replay remembers the proofs that were accepted.
	Replay store.SingleUse
	// Nonces are demanded of every proof; nil demands none.
	Nonces *Nonces
	Now    func() time.Time
}

// Proof is a verified DPoP proof.
type Proof struct {
	// JKT is the SHA-256 thumbprint of the key that the sender holds (RFC 9449, 6.1).
	JKT string
}

// Verify judges the values of a request's DPoP header fields. urls are all the
// names under which the endpoint is published. accessToken is the one that the
// request presents, and boundTo the thumbprint of the key that it is bound to;
// both are empty at the server's own endpoints.
//
// A proof by another key than boundTo is not remembered, so that whoever has got
// hold of an access token cannot fill the store: the JKT of the answer differs
// then, and the caller refuses the request (RFC 9449, 4.3-12).
//
// It refuses with invalid_dpop_proof and the check of RFC 9449, 4.3 that failed,
// with use_dpop_nonce when all that comes before the nonce is right, or with
// server_error when the store cannot tell whether the proof was used. A proof
// that is refused is not used up.
func (v *Verifier) Verify(ctx context.Context, proofs []string, method string, urls []string, accessToken, boundTo string) (Proof, *oauth.Error) {
	facts := fapi.DPoPProof{Headers: len(proofs), Method: method, URLs: urls, AccessToken: accessToken, Now: v.Now()}
	jkt := readProof(&facts, proofs)
	v.judgeNonce(&facts)
	if refusal := fapi.CheckDPoPProof(facts); refusal != nil {
		return Proof{}, refusal
	}
	if boundTo != "" && jkt != boundTo {
		return Proof{JKT: jkt}, nil
	}
	fresh, err := v.Replay.UseOnce(ctx, store.SpaceDPoPProof, proofDigest(jkt, *facts.Claims.ID), v.forgetAt(facts))
	if err != nil {
		return Proof{}, &oauth.Error{Code: oauth.ServerError, Cause: fmt.Errorf("remember the DPoP proof: %w", err)}
	}
	facts.Replayed = !fresh
	if refusal := fapi.CheckDPoPProof(facts); refusal != nil {
		return Proof{}, refusal
	}
	return Proof{JKT: jkt}, nil
}

// VerifyRequest verifies the request's DPoP proof and gives its key's thumbprint;
// "" when no proof was sent. baseURLs are the addresses under which the request's
// receiver is published, without a trailing slash: htu is compared with them and
// never with the Host header, which a proxy may have changed. accessToken and
// boundTo are Verify's.
func (v *Verifier) VerifyRequest(r *http.Request, baseURLs []string, accessToken, boundTo string) (jkt string, refusal *oauth.Error) {
	proofs := r.Header.Values("DPoP")
	if len(proofs) == 0 {
		return "", nil
	}
	urls := make([]string, len(baseURLs))
	for i, base := range baseURLs {
		urls[i] = base + r.URL.EscapedPath()
	}
	proof, refusal := v.Verify(r.Context(), proofs, r.Method, urls, accessToken, boundTo)
	return proof.JKT, refusal
}

// readProof fills in what the proof says, and gives the thumbprint of its key
// once that key has verified the signature.
func readProof(facts *fapi.DPoPProof, proofs []string) (jkt string) {
	if len(proofs) != 1 {
		return ""
	}
	if len(proofs[0]) > fapi.MaxDPoPProofLength {
		facts.Fault = fmt.Errorf("%w: a DPoP proof of more than %d characters", jose.ErrMalformed, fapi.MaxDPoPProofLength)
		return ""
	}
	unverified, err := jose.ParseSigned(proofs[0], jose.SignatureAlgorithms())
	if err != nil {
		facts.Fault = err
		return ""
	}
	facts.TypeIsDPoP = unverified.TypeIs(oauth.TypeDPoP)
	facts.HasKey = unverified.EmbeddedKey() != nil
	verified, err := unverified.VerifyWithEmbeddedKey()
	if err != nil {
		facts.Fault = err
		return ""
	}
	facts.Fault = verified.Claims(&facts.Claims)
	return verified.Key().Thumbprint()
}

func (v *Verifier) judgeNonce(facts *fapi.DPoPProof) {
	facts.NonceDemanded = v.Nonces != nil
	facts.NonceAccepted = facts.NonceDemanded && facts.Claims.Nonce != nil && v.Nonces.accepts(*facts.Claims.Nonce)
}

// proofDigest separates the jti values of one key from those of all others.
func proofDigest(jkt, id string) oauth.Digest {
	return sha256.Sum256([]byte(jkt + " " + id))
}

// forgetAt is when the proof would be refused for its age, or for its nonce's, and
// a moment more for replicas whose clocks differ.
func (v *Verifier) forgetAt(facts fapi.DPoPProof) time.Time {
	refusedFrom := facts.Claims.IssuedAt.Time().Add(fapi.DPoPProofWindow)
	if facts.NonceAccepted {
		refusedFrom = facts.Now.Add(2 * v.Nonces.Lifetime) // in its own window and the next
	}
	return refusedFrom.Add(fapi.PastSkew)
}
