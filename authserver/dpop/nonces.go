package dpop

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"time"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
)

// nonceBytes is the length of a nonce before it is encoded: 128 bits, which
// nobody guesses. Our own choice; RFC 9449, 8.1 sets none.
const nonceBytes = 16

// Nonces are the nonces that the server provides (RFC 9449, 8 and 9). Nothing is
// kept of them: a nonce is the truncated HMAC-SHA256 of the window of time in
// which it is made, so that every replica with the same keys knows it. All
// clients get the same one, as often as they ask; what is used once is a proof's
// jti. It is safe for concurrent use.
type Nonces struct {
	// Keys are secrets of 256 bits that every replica has. The first makes nonces;
	// all are tried on a nonce that comes back, so that keys can rotate.
	Keys [][]byte
	// Lifetime is the length of a window. A nonce is good in its own window and
	// the next: for at least this long, and at most for twice as long.
	Lifetime time.Duration
	Now      func() time.Time
}

// Fresh is the nonce to provide now: 22 characters of base64url, all of them
// NQCHAR (RFC 9449, 8.1).
func (n *Nonces) Fresh() string { return n.of(n.Keys[0], n.window(n.Now())) }

// accepts tells whether the nonce is in force: of this window or the one before
// it, or of one that has begun by the clock of another replica already.
func (n *Nonces) accepts(nonce string) bool {
	now := n.Now()
	accepted := 0
	for _, key := range n.Keys {
		for _, at := range []time.Time{now, now.Add(-n.Lifetime), now.Add(fapi.FutureSkew)} {
			accepted |= subtle.ConstantTimeCompare([]byte(n.of(key, n.window(at))), []byte(nonce))
		}
	}
	return accepted == 1
}

// window is the start of the window that a time lies in, in seconds.
func (n *Nonces) window(at time.Time) int64 {
	seconds := int64(n.Lifetime / time.Second)
	return at.Unix() / seconds * seconds
}

func (n *Nonces) of(key []byte, window int64) string {
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write(binary.BigEndian.AppendUint64(nil, uint64(window))) // A hash never fails to write.
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:nonceBytes])
}
