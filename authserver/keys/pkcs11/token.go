//go:build pkcs11

package pkcs11

import (
	"context"
	"crypto"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/miekg/pkcs11"

	"github.com/fapi-operator/fapi-operator/authserver/jose"
	"github.com/fapi-operator/fapi-operator/authserver/keys"
)

const (
	// reconnectInterval is the least time between two attempts to reach a token
	// that does not answer; our own choice.
	reconnectInterval = time.Second
	// custodian is the name of any token in the store's rows. A token that was restored
	// from its backup may have another label: a key is known by its public half.
	custodian = "pkcs11"
	// keyIDBytes is the length of a key's CKA_ID: random, so that no two keys have the same.
	keyIDBytes = 16
)

// token is the keys.Custodian of one token. A process has a module once, since a
// module knows only processes, so that no two tokens of it can
// be open at once.
type token struct {
	settings   Settings
	module     *pkcs11.Ctx
	mechanisms map[uint]bool

	// using is locked for reading while the module works, and for writing while the
	// connection is made anew: nothing may be under way when a module is ended.
	using sync.RWMutex
	// connection is nil while there is none, and for good once the token is closed.
	connection *connection
	closed     bool
	// attemptedAt is when it was last tried to make one, and fault what came of it.
	attemptedAt time.Time
	fault       error
	// refusedPIN is not tried again: tokens lock themselves after some wrong ones.
	refusedPIN string
}

// Open connects to the token. Nothing of the PIN is in its errors.
func Open(settings Settings) (keys.Custodian, error) {
	module := pkcs11.New(settings.ModuleFile)
	if module == nil {
		return nil, fmt.Errorf("the PKCS #11 module %s cannot be loaded; is it a library for this system, and is all that it needs installed?", settings.ModuleFile)
	}
	t := &token{settings: settings, module: module}
	if err := t.open(); err != nil {
		module.Destroy()
		return nil, err
	}
	return t, nil
}

func (t *token) open() error {
	err := t.module.Initialize()
	if errors.Is(err, pkcs11.Error(pkcs11.CKR_CRYPTOKI_ALREADY_INITIALIZED)) {
		return fmt.Errorf("the PKCS #11 module %s is in use in this process already; a process has one token of a module", t.settings.ModuleFile)
	}
	if err != nil {
		return t.failed("start the module", err)
	}
	if t.connection, err = t.connect(); err != nil {
		return errors.Join(err, t.module.Finalize())
	}
	t.attemptedAt = time.Now()
	t.mechanisms, err = t.connection.mechanisms()
	if err != nil {
		return errors.Join(t.failed("ask for the token's mechanisms", err), t.module.Finalize())
	}
	return nil
}

// Close ends the connection and the module.
func (t *token) Close() error {
	t.using.Lock()
	defer t.using.Unlock()
	t.connection, t.closed = nil, true
	err := t.module.Finalize() // It ends the sessions (PKCS #11, C_Finalize).
	t.module.Destroy()
	if errors.Is(err, pkcs11.Error(pkcs11.CKR_CRYPTOKI_NOT_INITIALIZED)) {
		return nil // The token was lost.
	}
	return err
}

// Name implements keys.Custodian.
func (t *token) Name() string { return custodian }

// Makes implements keys.Custodian.
func (t *token) Makes(alg jose.SignatureAlgorithm) bool {
	kind, known := keyTypes[alg]
	return known && t.mechanisms[kind.generation] && t.mechanisms[kind.signature]
}

// Make implements keys.Custodian.
func (t *token) Make(_ context.Context, alg jose.SignatureAlgorithm, label string) (string, crypto.Signer, error) {
	kind, known := keyTypes[alg]
	if !known {
		return "", nil, jose.ErrAlgorithm
	}
	made := &signer{token: t, keyType: kind}
	err := t.use(func(s session) (err error) {
		// A second attempt finds nothing of the first under its identifier.
		made.id = make([]byte, keyIDBytes)
		_, _ = rand.Read(made.id) // crypto/rand.Read never fails; it ends the process instead.
		made.public, err = s.generate(kind, made.id, t.labelPrefix()+label)
		if err != nil {
			_ = s.destroy(made.id) // What there may be of it is nobody's.
		}
		return err
	})
	if err != nil {
		return "", nil, t.failed("make a key for "+string(alg), err)
	}
	return hex.EncodeToString(made.id), made, nil
}

// Find implements keys.Custodian.
func (t *token) Find(_ context.Context, alg jose.SignatureAlgorithm, id string) (crypto.Signer, error) {
	kind, known := keyTypes[alg]
	if !known {
		return nil, jose.ErrAlgorithm
	}
	raw, err := hex.DecodeString(id)
	if err != nil {
		return nil, keys.ErrNotInCustody
	}
	found := &signer{token: t, id: raw, keyType: kind}
	err = t.use(func(s session) (err error) {
		if _, err = s.privateKey(raw); err != nil {
			return err
		}
		found.public, err = s.publicKey(kind, raw)
		return err
	})
	if err != nil {
		return nil, t.failed("find the key "+id, err)
	}
	return found, nil
}

// Destroy implements keys.Custodian.
func (t *token) Destroy(_ context.Context, id string) error {
	raw, err := hex.DecodeString(id)
	if err != nil || len(raw) == 0 {
		return nil // No key of ours has such an identifier.
	}
	if err := t.use(func(s session) error { return s.destroy(raw) }); err != nil {
		return t.failed("destroy the key "+id, err)
	}
	return nil
}

// List implements keys.Custodian.
func (t *token) List(context.Context) (ids []string, err error) {
	err = t.use(func(s session) (err error) {
		ids, err = s.keysLabeled(t.labelPrefix())
		return err
	})
	if err != nil {
		return nil, t.failed("list the keys", err)
	}
	return ids, nil
}

// Ready implements keys.Custodian.
func (t *token) Ready(context.Context) error {
	if err := t.use(session.check); err != nil {
		return t.failed("see whether it is there", err)
	}
	return nil
}

func (t *token) labelPrefix() string { return t.settings.Owner + " " }

func (t *token) failed(do string, err error) error {
	return fmt.Errorf("PKCS #11 token %q: %s: %w", t.settings.TokenLabel, do, err)
}

// use lends a session, and once more where the token was lost, or may have been.
func (t *token) use(do func(session) error) error {
	lost, err := t.tryUse(do)
	if !isLost(err) {
		return err
	}
	if err := t.reconnect(lost, err); err != nil {
		return err
	}
	_, err = t.tryUse(do)
	return err
}

// tryUse also gives the connection that it used.
func (t *token) tryUse(do func(session) error) (*connection, error) {
	t.using.RLock()
	defer t.using.RUnlock()
	if t.connection == nil {
		return nil, errNotConnected
	}
	return t.connection, t.connection.lend(do)
}

// reconnect makes a new connection in the place of the lost one, unless another
// call has failed to just now, or it is as good as new: a token may also fail for a
// moment, as SoftHSM does while another process makes a key. The module
// begins anew, since many modules find their device again only so.
func (t *token) reconnect(lost *connection, cause error) error {
	t.using.Lock()
	defer t.using.Unlock()
	if t.closed {
		return errClosed
	}
	if t.connection != lost {
		return nil
	}
	if time.Since(t.attemptedAt) < reconnectInterval {
		if t.connection != nil {
			return nil
		}
		return errors.Join(cause, t.fault)
	}
	t.connection, t.attemptedAt = nil, time.Now()
	_ = t.module.Finalize() // It fails where the attempt of before went so far already.
	if t.fault = t.module.Initialize(); t.fault == nil {
		t.connection, t.fault = t.connect()
	}
	return t.fault
}
