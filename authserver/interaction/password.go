package interaction

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"
)

// What HashPassword uses: the second recommended option of RFC 9106, section 4,
// for environments with less memory.
const (
	hashPasses    = 3
	hashMemoryKiB = 64 << 10
	hashThreads   = 4
	hashSaltBytes = 16
	hashTagBytes  = 32
)

// What a users' file may hold. The lower bounds are the weakest setting of the
// OWASP Password Storage Cheat Sheet (7 MiB, 5 passes) and the salt and tag of
// RFC 9106, 3.1; the upper ones keep one login from exhausting the server.
const (
	minHashMemoryKiB = 7 << 10
	minHashWork      = minHashMemoryKiB * 5 // KiB times passes
	maxHashMemoryKiB = 256 << 10
	maxHashPasses    = 16
	maxHashThreads   = 16
	minSaltBytes     = 16
	minTagBytes      = 16
	maxHashField     = 64 // bytes of salt and of tag
)

// passwordHash is an argon2id hash with what is needed to compute it again.
type passwordHash struct {
	memoryKiB uint32
	passes    uint32
	threads   uint8
	salt      []byte
	tag       []byte
}

// HashPassword gives the password's argon2id hash in PHC string format, under a
// fresh salt.
func HashPassword(password string) string {
	hash := passwordHash{memoryKiB: hashMemoryKiB, passes: hashPasses, threads: hashThreads}
	hash.salt = make([]byte, hashSaltBytes)
	_, _ = rand.Read(hash.salt) // crypto/rand.Read never fails; it ends the process instead.
	hash.tag = hash.compute(password, hashTagBytes)
	return hash.String()
}

func (h passwordHash) compute(password string, tagBytes int) []byte {
	return argon2.IDKey([]byte(password), h.salt, h.passes, h.memoryKiB, h.threads, uint32(tagBytes))
}

// matches costs the same whether or not it does.
func (h passwordHash) matches(password string) bool {
	return subtle.ConstantTimeCompare(h.tag, h.compute(password, len(h.tag))) == 1
}

// String is the PHC string format.
func (h passwordHash) String() string {
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.memoryKiB, h.passes, h.threads,
		base64.RawStdEncoding.EncodeToString(h.salt), base64.RawStdEncoding.EncodeToString(h.tag))
}

var errHashFormat = errors.New("is not an argon2id hash in PHC string format ($argon2id$v=19$m=65536,t=3,p=4$salt$hash)")

// parsePasswordHash accepts the canonical spelling alone. Its errors do not
// repeat the text.
func parsePasswordHash(text string) (passwordHash, error) {
	fields := strings.Split(text, "$")
	if len(fields) != 6 {
		return passwordHash{}, errHashFormat
	}
	var hash passwordHash
	_, parametersErr := fmt.Sscanf(fields[3], "m=%d,t=%d,p=%d", &hash.memoryKiB, &hash.passes, &hash.threads)
	var saltErr, tagErr error
	hash.salt, saltErr = base64.RawStdEncoding.DecodeString(fields[4])
	hash.tag, tagErr = base64.RawStdEncoding.DecodeString(fields[5])
	if errors.Join(parametersErr, saltErr, tagErr) != nil || hash.String() != text {
		return passwordHash{}, errHashFormat
	}
	return hash, hash.requireBounds()
}

func (h passwordHash) requireBounds() error {
	switch {
	case h.memoryKiB < minHashMemoryKiB || uint64(h.memoryKiB)*uint64(h.passes) < minHashWork || h.threads == 0:
		return fmt.Errorf("is too weak: use m=%d,t=%d,p=%d", hashMemoryKiB, hashPasses, hashThreads)
	case h.memoryKiB > maxHashMemoryKiB || h.passes > maxHashPasses || h.threads > maxHashThreads:
		return fmt.Errorf("costs too much: m may be %d, t %d and p %d at most", maxHashMemoryKiB, maxHashPasses, maxHashThreads)
	case !fieldLengthAllowed(h.salt, minSaltBytes) || !fieldLengthAllowed(h.tag, minTagBytes):
		return fmt.Errorf("needs a salt and a tag of %d to %d bytes", minSaltBytes, maxHashField)
	}
	return nil
}

func fieldLengthAllowed(field []byte, least int) bool {
	return len(field) >= least && len(field) <= maxHashField
}
