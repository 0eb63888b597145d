package jose

import (
	"encoding/json"
	"fmt"
	"slices"

	gojose "github.com/go-jose/go-jose/v4"
)

// MaxEncryptedBytes bounds a compact JWE: that of the greatest signed JWT, nested (RFC 7519, 5.2), with its header and
// encrypted key. Our own choice.
const MaxEncryptedBytes = 2 * MaxSignedBytes

// Encrypt writes a JWE in compact serialization with the headers alg, enc, the key's kid and, unless it is empty, cty
// ("JWT" for a nested JWT). It never compresses.
// Errors: ErrAlgorithm, and ErrNoKey when the key does not fit alg.
func Encrypt(plaintext []byte, contentType string, key PublicKey, alg KeyManagementAlgorithm, enc ContentEncryption) (string, error) {
	if !slices.Contains(KeyManagementAlgorithms(), alg) || !slices.Contains(ContentEncryptions(), enc) {
		return "", fmt.Errorf("encrypt: %w", ErrAlgorithm)
	}
	if !key.CanEncrypt(alg) {
		return "", fmt.Errorf("encrypt: %w %s", ErrNoKey, alg)
	}
	options := &gojose.EncrypterOptions{}
	if contentType != "" {
		options.WithContentType(gojose.ContentType(contentType))
	}
	recipient := gojose.Recipient{Algorithm: gojose.KeyAlgorithm(alg), Key: key.jwk.Key, KeyID: key.KeyID()}
	encrypter, err := gojose.NewEncrypter(gojose.ContentEncryption(enc), recipient, options)
	if err != nil {
		return "", fmt.Errorf("encrypt with %s: %w", alg, err)
	}
	jwe, err := encrypter.Encrypt(plaintext)
	if err != nil {
		return "", fmt.Errorf("encrypt with %s: %w", alg, err)
	}
	return jwe.CompactSerialize()
}

// Decrypt reads a JWE in compact serialization and decrypts it with the keys that have its kid (all, if it has none)
// and fit its algorithm, eight at the most. crit and zip are refused; jku, x5u and jwk are ignored. Algorithms outside
// the closed sets stay refused even when algs or encs name them.
// Errors: ErrMalformed, ErrAlgorithm, ErrNoKey, ErrDecryption.
func Decrypt(compact string, keys []*DecryptionKey, algs []KeyManagementAlgorithm, encs []ContentEncryption) ([]byte, error) {
	header, err := readEncrypted(compact, algs, encs)
	if err != nil {
		return nil, fmt.Errorf("JWE: %w", err)
	}
	jwe, err := gojose.ParseEncryptedCompact(compact,
		[]gojose.KeyAlgorithm{gojose.KeyAlgorithm(header.alg)}, []gojose.ContentEncryption{gojose.ContentEncryption(header.enc)})
	if err != nil { // go-jose's errors may quote the header
		return nil, fmt.Errorf("JWE header: %w: a member has a wrong type", ErrMalformed)
	}
	candidates := slices.DeleteFunc(slices.Clone(keys), func(key *DecryptionKey) bool {
		return !key.public.CanEncrypt(header.alg) || (header.keyID != "" && key.KeyID() != header.keyID)
	})
	return decryptWithAny(jwe, candidates)
}

func decryptWithAny(jwe *gojose.JSONWebEncryption, candidates []*DecryptionKey) ([]byte, error) {
	if len(candidates) == 0 || len(candidates) > maxCandidates {
		return nil, fmt.Errorf("JWE: %w its kid and alg", ErrNoKey)
	}
	for _, key := range candidates {
		if plaintext, err := jwe.Decrypt(key.private.Key); err == nil {
			return plaintext, nil
		}
	}
	return nil, fmt.Errorf("JWE: %w", ErrDecryption)
}

type encryptionHeader struct {
	alg   KeyManagementAlgorithm
	enc   ContentEncryption
	keyID string
}

func readEncrypted(compact string, algs []KeyManagementAlgorithm, encs []ContentEncryption) (encryptionHeader, error) {
	parts, err := splitCompact(compact, 5, MaxEncryptedBytes)
	if err != nil {
		return encryptionHeader{}, err
	}
	members, err := readHeader(parts[0])
	if err != nil {
		return encryptionHeader{}, err
	}
	header, err := readEncryptionHeader(members, algs, encs)
	if err != nil {
		return encryptionHeader{}, err
	}
	return header, checkEncryptedParts(header, parts[1], parts[4])
}

func readEncryptionHeader(
	members map[string]json.RawMessage, algs []KeyManagementAlgorithm, encs []ContentEncryption,
) (encryptionHeader, error) {
	algName, err := stringMember(members, "alg")
	if err != nil {
		return encryptionHeader{}, err
	}
	encName, err := stringMember(members, "enc")
	if err != nil {
		return encryptionHeader{}, err
	}
	keyID, err := stringMember(members, "kid")
	if err != nil {
		return encryptionHeader{}, err
	}
	alg, algKnown := ParseKeyManagementAlgorithm(algName)
	enc, encKnown := ParseContentEncryption(encName)
	if !algKnown || !encKnown || !slices.Contains(algs, alg) || !slices.Contains(encs, enc) {
		return encryptionHeader{}, fmt.Errorf("%w: use alg %q and enc %q", ErrAlgorithm, algs, encs)
	}
	return encryptionHeader{alg: alg, enc: enc, keyID: keyID}, nil
}

// checkEncryptedParts checks two lengths that go-jose leaves open: the encrypted key is empty exactly in direct key
// agreement (RFC 7516, 5.2, step 10), and the tag has its one length.
func checkEncryptedParts(header encryptionHeader, encryptedKey, tag []byte) error {
	if (len(encryptedKey) == 0) != (header.alg == ECDHES) {
		return fmt.Errorf("%w: the encrypted key is empty with ECDH-ES, and only with it", ErrMalformed)
	}
	if len(tag) != header.enc.tagBytes() {
		return fmt.Errorf("%w: the authentication tag has a wrong length", ErrMalformed)
	}
	return nil
}
