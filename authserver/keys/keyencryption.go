package keys

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
)

const (
	// keyEncryptionKeyBytes: AES-256.
	keyEncryptionKeyBytes = 32
	// maxKeyFileBytes bounds the file that is read; our own choice: a thousand keys.
	maxKeyFileBytes = 64 << 10
)

const howToMakeOne = "a line is 32 random bytes in base64, as `openssl rand -base64 32` prints them"

// KeyEncryptionKeys seal the server's keys. The first one seals; all of them
// open, so that a new one can be put in front of the old. It prints nothing of
// the keys.
type KeyEncryptionKeys struct {
	keys             []keyEncryptionKey
	readableByOthers bool
}

// keyEncryptionKey is an AES-256-GCM key that draws a random nonce of 96 bits for
// each sealing (NIST SP 800-38D, 8.2.2).
type keyEncryptionKey struct {
	id   string
	aead cipher.AEAD
	// extracted is what other keys are derived from: HKDF's pseudorandom key (RFC 5869, 2.2).
	extracted []byte
}

// derivedKeyBytes: as many as HMAC-SHA256 and AES-256 take.
const derivedKeyBytes = 32

// GenerateKeyEncryptionKey makes a key as a line of the file that
// ReadKeyEncryptionKeys reads, without the line's end. It is a secret.
func GenerateKeyEncryptionKey() string {
	raw := make([]byte, keyEncryptionKeyBytes)
	_, _ = rand.Read(raw) // crypto/rand.Read never fails; it ends the process instead.
	return base64.StdEncoding.EncodeToString(raw)
}

// ReadKeyEncryptionKeys reads a file with one 256-bit key a line, in base64
// (RFC 4648, 4). Blank lines are skipped. Errors name the line and never show it.
//
// A file that every user may read is no error: Kubernetes mounts a Secret with
// mode 0644 unless told otherwise, into a container where nobody else is. Where
// it is an accident, on a shared machine, ReadableByOthers lets the caller say so.
func ReadKeyEncryptionKeys(path string) (KeyEncryptionKeys, error) {
	keys, err := readKeyFile(path)
	if err != nil {
		return KeyEncryptionKeys{}, fmt.Errorf("read key encryption keys from %s: %w", path, err)
	}
	return keys, nil
}

// Derive gives a 256-bit secret for the purpose from each of the keys, in their
// order (HKDF with SHA-256, RFC 5869). Every process with the same file derives
// the same; nothing is learnt from one purpose about another, or about the keys.
func (k KeyEncryptionKeys) Derive(purpose string) ([][]byte, error) {
	derived := make([][]byte, len(k.keys))
	for i, key := range k.keys {
		var err error
		if derived[i], err = hkdf.Expand(sha256.New, key.extracted, purpose, derivedKeyBytes); err != nil {
			return nil, fmt.Errorf("derive a key for %s: %w", purpose, err)
		}
	}
	return derived, nil
}

// ReadableByOthers tells whether the file's mode lets every user of the machine read it.
func (k KeyEncryptionKeys) ReadableByOthers() bool { return k.readableByOthers }

// String tells the identifiers of the keys.
func (k KeyEncryptionKeys) String() string {
	var ids []string
	for _, key := range k.keys {
		ids = append(ids, key.id)
	}
	return "key encryption keys " + strings.Join(ids, ", ")
}

// GoString hides the keys from %#v.
func (k KeyEncryptionKeys) GoString() string { return k.String() }

func readKeyFile(path string) (keys KeyEncryptionKeys, err error) {
	file, err := os.Open(path)
	if err != nil {
		return keys, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	info, err := file.Stat()
	if err != nil {
		return keys, err
	}
	content, err := io.ReadAll(io.LimitReader(file, maxKeyFileBytes+1))
	if err != nil {
		return keys, err
	}
	if len(content) > maxKeyFileBytes {
		return keys, fmt.Errorf("the file is larger than %d bytes; %s", maxKeyFileBytes, howToMakeOne)
	}
	keys, err = parseKeyEncryptionKeys(string(content))
	keys.readableByOthers = info.Mode().Perm()&0o004 != 0
	return keys, err
}

func parseKeyEncryptionKeys(text string) (KeyEncryptionKeys, error) {
	var keys KeyEncryptionKeys
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		key, err := parseKeyEncryptionKey(line)
		if err != nil {
			return KeyEncryptionKeys{}, fmt.Errorf("line %d: %w", number, err)
		}
		if _, known := keys.byID(key.id); known {
			return KeyEncryptionKeys{}, fmt.Errorf("line %d: the key stands in the file twice; remove one of them", number)
		}
		keys.keys = append(keys.keys, key)
	}
	if len(keys.keys) == 0 {
		return KeyEncryptionKeys{}, errors.New("there is no key in it; " + howToMakeOne)
	}
	return keys, nil
}

func parseKeyEncryptionKey(line string) (keyEncryptionKey, error) {
	raw, err := base64.StdEncoding.Strict().DecodeString(line)
	if err != nil {
		return keyEncryptionKey{}, errors.New("not base64; " + howToMakeOne)
	}
	if len(raw) != keyEncryptionKeyBytes {
		return keyEncryptionKey{}, fmt.Errorf("%d bytes; %s", len(raw), howToMakeOne)
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		return keyEncryptionKey{}, errors.New("not an AES-256 key")
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return keyEncryptionKey{}, err
	}
	extracted, err := hkdf.Extract(sha256.New, raw, nil)
	return keyEncryptionKey{id: keyEncryptionKeyID(raw), aead: aead, extracted: extracted}, err
}

// keyEncryptionKeyID names a key by a short digest, so that a sealed key says
// what opens it. A digest of 256 random bits gives nothing away.
func keyEncryptionKeyID(raw []byte) string {
	const idBytes = 9
	sum := sha256.Sum256(append([]byte("key encryption key identifier\x00"), raw...))
	return base64.RawURLEncoding.EncodeToString(sum[:idBytes])
}

func (k KeyEncryptionKeys) byID(id string) (keyEncryptionKey, bool) {
	for _, key := range k.keys {
		if key.id == id {
			return key, true
		}
	}
	return keyEncryptionKey{}, false
}
