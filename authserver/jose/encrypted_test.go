package jose_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
)

// encryptionKeys has one key for each algorithm.
var encryptionKeys = sync.OnceValue(func() map[jose.KeyManagementAlgorithm]*jose.DecryptionKey {
	keys := map[jose.KeyManagementAlgorithm]*jose.DecryptionKey{}
	for _, alg := range jose.KeyManagementAlgorithms() {
		keys[alg] = must(jose.GenerateDecryptionKey(alg))
	}
	return keys
})

func decrypt(compact string, keys ...*jose.DecryptionKey) ([]byte, error) {
	return jose.Decrypt(compact, keys, jose.KeyManagementAlgorithms(), jose.ContentEncryptions())
}

func TestMessagesOfTheSpecificationDecrypt(t *testing.T) {
	t.Parallel()
	var vectors struct {
		Plaintext string
		Messages  []struct {
			Clause  string
			Key     json.RawMessage
			Compact string
		}
	}
	if err := json.Unmarshal(must(os.ReadFile("testdata/rfc7520.json")), &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors.Messages) != 3 {
		t.Fatalf("%d messages, want 3", len(vectors.Messages))
	}
	for _, message := range vectors.Messages {
		key, err := jose.ParsePrivateDecryptionKey(message.Key)
		if err != nil {
			t.Fatalf("%s: %v", message.Clause, err)
		}
		plaintext, err := decrypt(message.Compact, key)
		if err != nil {
			t.Errorf("%s: %v", message.Clause, err)
		}
		if diff := cmp.Diff(vectors.Plaintext, string(plaintext)); diff != "" {
			t.Errorf("%s:\n%s", message.Clause, diff)
		}
	}
}

func TestEveryCombinationEncryptsAndDecrypts(t *testing.T) {
	t.Parallel()
	for alg, key := range encryptionKeys() {
		for _, enc := range jose.ContentEncryptions() {
			compact, err := jose.Encrypt([]byte("content"), "JWT", key.Public(), alg, enc)
			if err != nil {
				t.Errorf("%s with %s: %v", alg, enc, err)
				continue
			}
			want := members{"alg": string(alg), "enc": string(enc), "kid": key.KeyID(), "cty": "JWT"}
			if diff := cmp.Diff(want, decodePart(t, compact, 0).without("epk")); diff != "" {
				t.Errorf("%s with %s: header\n%s", alg, enc, diff)
			}
			plaintext, err := decrypt(compact, key)
			if err != nil || string(plaintext) != "content" {
				t.Errorf("%s with %s: %q, error %v", alg, enc, plaintext, err)
			}
		}
	}
}

func TestEncryptionToEveryCurve(t *testing.T) {
	t.Parallel()
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		private := must(ecdsa.GenerateKey(curve, rand.Reader))
		key, err := jose.ParsePrivateDecryptionKey(jwkOf(&private.PublicKey).with("d", b64(must(private.Bytes()))).json())
		if err != nil {
			t.Fatal(err)
		}
		for _, alg := range []jose.KeyManagementAlgorithm{jose.ECDHES, jose.ECDHESA128KW, jose.ECDHESA256KW} {
			plaintext, err := decrypt(must(jose.Encrypt([]byte("content"), "", key.Public(), alg, jose.A128GCM)), key)
			if err != nil || string(plaintext) != "content" {
				t.Errorf("%s on %s: %q, error %v", alg, curve.Params().Name, plaintext, err)
			}
		}
	}
}

func TestGreatestSignedTokenFitsIntoAnEncryptedOne(t *testing.T) {
	t.Parallel()
	key := encryptionKeys()[jose.RSAOAEP]
	nested := strings.Repeat("x", jose.MaxSignedBytes)
	if _, err := decrypt(must(jose.Encrypt([]byte(nested), "JWT", key.Public(), jose.RSAOAEP, jose.A256CBCHS512)), key); err != nil {
		t.Error(err)
	}
}

func TestEncryptRefusesWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	rsaKey, ecKey := encryptionKeys()[jose.RSAOAEP].Public(), encryptionKeys()[jose.ECDHES].Public()
	signing := generated(t, jose.ES256).Public()
	cases := map[string]struct {
		key  jose.PublicKey
		alg  jose.KeyManagementAlgorithm
		enc  jose.ContentEncryption
		want error
	}{
		"RSA1_5":                {rsaKey, "RSA1_5", jose.A128GCM, jose.ErrAlgorithm},
		"dir":                   {rsaKey, "dir", jose.A128GCM, jose.ErrAlgorithm},
		"A192GCM":               {rsaKey, jose.RSAOAEP, "A192GCM", jose.ErrAlgorithm},
		"key of another type":   {ecKey, jose.RSAOAEP, jose.A128GCM, jose.ErrNoKey},
		"key for another alg":   {rsaKey, jose.RSAOAEP256, jose.A128GCM, jose.ErrNoKey},
		"key for signing":       {signing, jose.ECDHES, jose.A128GCM, jose.ErrNoKey},
		"key that was not made": {jose.PublicKey{}, jose.ECDHES, jose.A128GCM, jose.ErrNoKey},
	}
	for name, tc := range cases {
		if _, err := jose.Encrypt([]byte("x"), "", tc.key, tc.alg, tc.enc); !errors.Is(err, tc.want) {
			t.Errorf("%s: error %v, want %v", name, err, tc.want)
		}
	}
}

// withoutHeader is what follows the header of a compact serialization, its dot included.
func withoutHeader(compact string) string {
	_, rest, _ := strings.Cut(compact, ".")
	return "." + rest
}

// withHeader puts another header before a real message.
func withHeader(header members, compact string) string {
	return b64(header.json()) + withoutHeader(compact)
}

func TestEncryptedHeaderAbuseIsRefused(t *testing.T) {
	t.Parallel()
	key := encryptionKeys()[jose.ECDHESA256KW]
	good := must(jose.Encrypt([]byte("x"), "", key.Public(), jose.ECDHESA256KW, jose.A256GCM))
	header := decodePart(t, good, 0)
	part := strings.Split(good, ".")
	raw := func(text string) string { return b64([]byte(text)) + withoutHeader(good) }
	cases := map[string]struct {
		compact string
		want    error
	}{
		"RSA1_5":              {withHeader(header.with("alg", "RSA1_5"), good), jose.ErrAlgorithm},
		"dir":                 {withHeader(header.with("alg", "dir"), good), jose.ErrAlgorithm},
		"A128KW":              {withHeader(header.with("alg", "A128KW"), good), jose.ErrAlgorithm},
		"A256GCMKW":           {withHeader(header.with("alg", "A256GCMKW"), good), jose.ErrAlgorithm},
		"PBES2":               {withHeader(header.with("alg", "PBES2-HS256+A128KW").with("p2c", 1<<30), good), jose.ErrAlgorithm},
		"ECDH-ES+A192KW":      {withHeader(header.with("alg", "ECDH-ES+A192KW"), good), jose.ErrAlgorithm},
		"A192GCM":             {withHeader(header.with("enc", "A192GCM"), good), jose.ErrAlgorithm},
		"A192CBC-HS384":       {withHeader(header.with("enc", "A192CBC-HS384"), good), jose.ErrAlgorithm},
		"no alg":              {withHeader(header.without("alg"), good), jose.ErrAlgorithm},
		"no enc":              {withHeader(header.without("enc"), good), jose.ErrAlgorithm},
		"zip":                 {withHeader(header.with("zip", "DEF"), good), jose.ErrMalformed},
		"crit":                {withHeader(header.with("crit", []string{"exp"}), good), jose.ErrMalformed},
		"alg is a number":     {withHeader(header.with("alg", 1), good), jose.ErrMalformed},
		"enc is a number":     {withHeader(header.with("enc", 1), good), jose.ErrMalformed},
		"kid is a number":     {withHeader(header.with("kid", 1), good), jose.ErrMalformed},
		"member twice":        {raw(`{"alg":"dir","alg":"ECDH-ES+A256KW","enc":"A256GCM"}`), jose.ErrMalformed},
		"header is no object": {raw(`[]`), jose.ErrMalformed},
		"jwk is private":      {withHeader(header.with("jwk", jwkOf(&p256Key().PublicKey).with("d", "AA")), good), jose.ErrMalformed},
		"four parts":          {strings.Join(part[:4], "."), jose.ErrMalformed},
		"signed token":        {token(members{"alg": "ES256"}, claims, p256Key()), jose.ErrMalformed},
		"JSON serialization":  {`{"protected":"` + part[0] + `"}`, jose.ErrMalformed},
		"line break":          {good + "\n", jose.ErrMalformed},
		"empty":               {"", jose.ErrMalformed},
		"no encrypted key":    {strings.Join([]string{part[0], "", part[2], part[3], part[4]}, "."), jose.ErrMalformed},
		"short tag":           {strings.Join([]string{part[0], part[1], part[2], part[3], b64(make([]byte, 12))}, "."), jose.ErrMalformed},
		"long tag":            {strings.Join([]string{part[0], part[1], part[2], part[3], b64(make([]byte, 32))}, "."), jose.ErrMalformed},
		"larger than bound":   {good + strings.Repeat("A", jose.MaxEncryptedBytes), jose.ErrMalformed},
		"another header":      {withHeader(header.with("typ", "x"), good), jose.ErrDecryption},
		"no epk":              {withHeader(header.without("epk"), good), jose.ErrDecryption},
		"epk is private":      {withHeader(header.with("epk", jwkOf(&p256Key().PublicKey).with("d", b64(must(p256Key().Bytes())))), good), jose.ErrDecryption},
		"epk off the curve":   {withHeader(header.with("epk", members{"kty": "EC", "crv": "P-256", "x": b64(make([]byte, 32)), "y": b64(make([]byte, 32))}), good), jose.ErrDecryption},
		"epk on other curve":  {withHeader(header.with("epk", jwkOf(&must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)).PublicKey)), good), jose.ErrDecryption},
		"epk is RSA":          {withHeader(header.with("epk", jwkOf(&rsaKey().PublicKey)), good), jose.ErrDecryption},
		"short nonce":         {strings.Join([]string{part[0], part[1], b64(make([]byte, 8)), part[3], part[4]}, "."), jose.ErrDecryption},
		"other tag":           {strings.Join([]string{part[0], part[1], part[2], part[3], b64(make([]byte, 16))}, "."), jose.ErrDecryption},
		"other encrypted key": {strings.Join([]string{part[0], b64(make([]byte, 40)), part[2], part[3], part[4]}, "."), jose.ErrDecryption},
	}
	for name, tc := range cases {
		if _, err := decrypt(tc.compact, key); !errors.Is(err, tc.want) {
			t.Errorf("%s: error %v, want %v", name, err, tc.want)
		}
	}
	if _, err := decrypt(good, key); err != nil {
		t.Errorf("the message itself: %v", err)
	}
}

func TestDirectKeyAgreementHasNoEncryptedKey(t *testing.T) {
	t.Parallel()
	key := encryptionKeys()[jose.ECDHES]
	part := strings.Split(must(jose.Encrypt([]byte("x"), "", key.Public(), jose.ECDHES, jose.A256GCM)), ".")
	part[1] = "AAAA"
	if _, err := decrypt(strings.Join(part, "."), key); !errors.Is(err, jose.ErrMalformed) {
		t.Errorf("error %v, want ErrMalformed", err)
	}
}

func TestDecryptAllowsWhatTheCallerAllows(t *testing.T) {
	t.Parallel()
	key := encryptionKeys()[jose.RSAOAEP]
	compact := must(jose.Encrypt([]byte("x"), "", key.Public(), jose.RSAOAEP, jose.A256GCM))
	cases := map[string]struct {
		algs []jose.KeyManagementAlgorithm
		encs []jose.ContentEncryption
	}{
		"nothing":     {nil, nil},
		"another alg": {[]jose.KeyManagementAlgorithm{jose.RSAOAEP256}, jose.ContentEncryptions()},
		"another enc": {jose.KeyManagementAlgorithms(), []jose.ContentEncryption{jose.A128GCM}},
	}
	for name, tc := range cases {
		if _, err := jose.Decrypt(compact, []*jose.DecryptionKey{key}, tc.algs, tc.encs); !errors.Is(err, jose.ErrAlgorithm) {
			t.Errorf("%s: error %v, want ErrAlgorithm", name, err)
		}
	}
	rsa15 := withHeader(decodePart(t, compact, 0).with("alg", "RSA1_5"), compact)
	_, err := jose.Decrypt(rsa15, []*jose.DecryptionKey{key}, []jose.KeyManagementAlgorithm{"RSA1_5"}, jose.ContentEncryptions())
	if !errors.Is(err, jose.ErrAlgorithm) {
		t.Errorf("RSA1_5 that the caller names: error %v, want ErrAlgorithm", err)
	}
}

func TestDecryptionKeyIsChosenByKidAndAlgorithm(t *testing.T) {
	t.Parallel()
	ours := encryptionKeys()[jose.ECDHES]
	other := must(jose.GenerateDecryptionKey(jose.ECDHES))
	compact := must(jose.Encrypt([]byte("x"), "", ours.Public(), jose.ECDHES, jose.A128GCM))
	unnamed := must(jose.ParseKeySet([]byte(`{"keys":[` + string(decodeKey(t, ours).without("kid").json()) + `]}`))).Keys()[0]
	withoutKid := must(jose.Encrypt([]byte("x"), "", unnamed, jose.ECDHES, jose.A128GCM))

	cases := map[string]struct {
		compact string
		keys    []*jose.DecryptionKey
		want    error
	}{
		"kid":                          {compact, []*jose.DecryptionKey{other, ours}, nil},
		"kid unknown":                  {compact, []*jose.DecryptionKey{other}, jose.ErrNoKey},
		"no keys":                      {compact, nil, jose.ErrNoKey},
		"no kid, second key":           {withoutKid, []*jose.DecryptionKey{other, ours}, nil},
		"no kid, only others":          {withoutKid, []*jose.DecryptionKey{other}, jose.ErrDecryption},
		"no kid, keys of other types":  {withoutKid, []*jose.DecryptionKey{encryptionKeys()[jose.RSAOAEP]}, jose.ErrNoKey},
		"no kid, keys for another alg": {withoutKid, []*jose.DecryptionKey{encryptionKeys()[jose.ECDHESA128KW]}, jose.ErrNoKey},
	}
	for name, tc := range cases {
		if _, err := decrypt(tc.compact, tc.keys...); !errors.Is(err, tc.want) {
			t.Errorf("%s: error %v, want %v", name, err, tc.want)
		}
	}
}

func TestDecryptionKeysAreWrittenAndReadBack(t *testing.T) {
	t.Parallel()
	for alg, key := range encryptionKeys() {
		again, err := jose.ParsePrivateDecryptionKey(must(key.MarshalPrivate()))
		if err != nil {
			t.Fatalf("%s: %v", alg, err)
		}
		if diff := cmp.Diff(string(key.Public().JSON()), string(again.Public().JSON())); diff != "" {
			t.Errorf("%s: the public key changed\n%s", alg, diff)
		}
		if key.KeyID() != key.Public().Thumbprint() || key.Public().Use() != "enc" || key.Public().Algorithm() != string(alg) {
			t.Errorf("%s: published as %s", alg, key.Public().JSON())
		}
		if _, err := decrypt(must(jose.Encrypt([]byte("x"), "", key.Public(), alg, jose.A128CBCHS256)), again); err != nil {
			t.Errorf("%s: %v", alg, err)
		}
	}
}

func TestUnfitDecryptionKeysAreRefused(t *testing.T) {
	t.Parallel()
	private := jwkOf(&p256Key().PublicKey).with("d", b64(must(p256Key().Bytes())))
	cases := map[string]struct {
		jwk  members
		want error
	}{
		"public":           {private.without("d"), jose.ErrMalformed},
		"use sig":          {private.with("use", "sig"), jose.ErrUnsupportedKey},
		"alg of signing":   {private.with("alg", "ES256"), jose.ErrUnsupportedKey},
		"alg RSA1_5":       {private.with("alg", "RSA1_5"), jose.ErrUnsupportedKey},
		"Ed25519":          {jwkOf(ed25519of().Public()).with("d", b64(ed25519of().Seed())), jose.ErrUnsupportedKey},
		"symmetric":        {members{"kty": "oct", "k": "AAAA"}, jose.ErrMalformed},
		"d of another key": {private.with("d", b64(must(otherP256().Bytes()))), jose.ErrMalformed},
	}
	for name, tc := range cases {
		if _, err := jose.ParsePrivateDecryptionKey(tc.jwk.json()); !errors.Is(err, tc.want) {
			t.Errorf("%s: error %v, want %v", name, err, tc.want)
		}
	}
	for _, alg := range []jose.KeyManagementAlgorithm{"", "RSA1_5", "dir"} {
		if _, err := jose.GenerateDecryptionKey(alg); !errors.Is(err, jose.ErrAlgorithm) {
			t.Errorf("generate for %q: error %v, want ErrAlgorithm", alg, err)
		}
	}
}

func decodeKey(t testing.TB, key *jose.DecryptionKey) members {
	t.Helper()
	var decoded members
	if err := json.Unmarshal(key.Public().JSON(), &decoded); err != nil {
		t.Fatal(err)
	}
	return decoded
}

func TestEncodedPartsAreCanonical(t *testing.T) {
	t.Parallel()
	key := encryptionKeys()[jose.RSAOAEP]
	good := must(jose.Encrypt([]byte("x"), "", key.Public(), jose.RSAOAEP, jose.A128GCM))
	tag := good[strings.LastIndex(good, ".")+1:]
	lenient, err := base64.RawURLEncoding.DecodeString(tag[:len(tag)-1] + twinOf(tag[len(tag)-1]))
	if err != nil || b64(lenient) != tag {
		t.Fatalf("the twin of %s decodes to something else", tag)
	}
	if _, err := decrypt(good[:len(good)-1]+twinOf(good[len(good)-1]), key); !errors.Is(err, jose.ErrMalformed) {
		t.Errorf("a message with a twin of its tag: error %v, want ErrMalformed", err)
	}
}
