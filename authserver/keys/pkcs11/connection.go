//go:build pkcs11

package pkcs11

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/miekg/pkcs11"
)

const (
	// maxSessions bounds the calls of one server process that the token works on at
	// once; our own choice. A token may allow fewer.
	maxSessions = 16
	// sessionWait is how long a call waits for one of them; our own choice, below
	// what clients wait for an answer.
	sessionWait = 5 * time.Second
	// maxPINBytes bounds what is read of the file; our own choice.
	maxPINBytes = 1 << 10
)

var (
	errNotConnected = errors.New("the token does not answer; see that the module's device or service is there")
	errClosed       = errors.New("the token is closed, since the server ends")
	errBusy         = fmt.Errorf("all sessions were busy for %s", sessionWait)
)

// connection is a set of sessions in which the token's user is logged in.
type connection struct {
	module *pkcs11.Ctx
	slot   uint
	idle   chan pkcs11.SessionHandle
	// handles are the private keys that have been found, by CKA_ID: they last as long
	// as the login does.
	handles sync.Map
	// objects is locked for writing while a key is made or destroyed, and for reading
	// while keys are looked for: SoftHSM fails where both happen at once. Signing
	// with a key that has been found does not wait.
	objects sync.RWMutex
}

// session is what one call at a time has.
type session struct {
	*connection
	handle pkcs11.SessionHandle
}

// connect finds the token in the module, which has begun, and logs in.
func (t *token) connect() (*connection, error) {
	pin, err := t.readPIN()
	if err != nil {
		return nil, err
	}
	slot, count, err := t.findSlot()
	if err != nil {
		return nil, err
	}
	c := &connection{module: t.module, slot: slot, idle: make(chan pkcs11.SessionHandle, count)}
	for range count {
		handle, err := t.module.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION|pkcs11.CKF_RW_SESSION)
		if err != nil {
			return nil, errors.Join(t.failed("open a session", err), t.module.CloseAllSessions(slot))
		}
		c.idle <- handle
	}
	// All sessions of a process are logged in with one (PKCS #11, C_Login).
	if err := c.lend(func(s session) error { return t.logIn(s, pin) }); err != nil {
		return nil, errors.Join(err, t.module.CloseAllSessions(slot))
	}
	return c, nil
}

func (t *token) logIn(s session, pin string) error {
	err := t.module.Login(s.handle, pkcs11.CKU_USER, pin)
	if isOneOf(err, pkcs11.CKR_PIN_INCORRECT, pkcs11.CKR_PIN_INVALID, pkcs11.CKR_PIN_LEN_RANGE, pkcs11.CKR_PIN_LOCKED, pkcs11.CKR_PIN_EXPIRED) {
		t.refusedPIN = pin
		return t.failed("log in", fmt.Errorf("the PIN in %s is refused: %w", t.settings.PINFile, err))
	}
	if err != nil {
		return t.failed("log in", err)
	}
	return nil
}

// readPIN keeps a PIN that was refused from being tried again.
func (t *token) readPIN() (string, error) {
	file, err := os.Open(t.settings.PINFile)
	if err != nil {
		return "", err
	}
	defer func() { _ = file.Close() }() // Nothing was written that closing could lose.
	content, err := io.ReadAll(io.LimitReader(file, maxPINBytes))
	if err != nil {
		return "", err
	}
	pin := strings.TrimRight(string(content), "\r\n")
	if pin == "" || strings.ContainsAny(pin, "\r\n\x00") {
		return "", fmt.Errorf("%s does not hold a PIN; write the PIN of the token's user there, in one line", t.settings.PINFile)
	}
	if pin == t.refusedPIN {
		return "", fmt.Errorf("the PIN in %s was refused, and is not tried again until the file changes: tokens lock themselves after a few wrong ones", t.settings.PINFile)
	}
	return pin, nil
}

// findSlot also tells how many sessions to open.
func (t *token) findSlot() (slot uint, sessions int, err error) {
	slots, err := t.module.GetSlotList(true)
	if err != nil {
		return 0, 0, t.failed("list the slots", err)
	}
	var labels []string
	for _, slot := range slots {
		info, err := t.module.GetTokenInfo(slot)
		if err != nil {
			continue // Another slot's fault, unless no token is found.
		}
		if info.Label == t.settings.TokenLabel {
			return slot, sessionsOf(info), nil
		}
		labels = append(labels, info.Label)
	}
	return 0, 0, fmt.Errorf("%s has no token with the label %q (it has %q); correct keys.pkcs11.tokenLabel, or see that the device is there", t.settings.ModuleFile, t.settings.TokenLabel, labels)
}

func sessionsOf(token pkcs11.TokenInfo) int {
	if token.MaxRwSessionCount == pkcs11.CK_EFFECTIVELY_INFINITE || token.MaxRwSessionCount > maxSessions {
		return maxSessions
	}
	return int(token.MaxRwSessionCount)
}

// lend gives one of the sessions to a call, once it is free.
func (c *connection) lend(do func(session) error) error {
	select {
	case handle := <-c.idle:
		defer func() { c.idle <- handle }()
		return do(session{c, handle})
	case <-time.After(sessionWait):
		return errBusy
	}
}

func (c *connection) mechanisms() (map[uint]bool, error) {
	list, err := c.module.GetMechanismList(c.slot)
	if err != nil {
		return nil, err
	}
	mechanisms := make(map[uint]bool, len(list))
	for _, mechanism := range list {
		mechanisms[mechanism.Mechanism] = true
	}
	return mechanisms, nil
}

// check sees that the token is there, and its user logged in.
func (s session) check() error {
	if _, err := s.module.GetTokenInfo(s.slot); err != nil {
		return err
	}
	info, err := s.module.GetSessionInfo(s.handle)
	if err == nil && info.State != pkcs11.CKS_RW_USER_FUNCTIONS {
		return pkcs11.Error(pkcs11.CKR_USER_NOT_LOGGED_IN)
	}
	return err
}

// isLost tells whether a new connection may help.
func isLost(err error) bool {
	return errors.Is(err, errNotConnected) || isOneOf(err,
		pkcs11.CKR_CRYPTOKI_NOT_INITIALIZED, pkcs11.CKR_DEVICE_ERROR, pkcs11.CKR_DEVICE_REMOVED, pkcs11.CKR_FUNCTION_FAILED,
		pkcs11.CKR_GENERAL_ERROR, pkcs11.CKR_OPERATION_ACTIVE, pkcs11.CKR_SESSION_CLOSED, pkcs11.CKR_SESSION_HANDLE_INVALID,
		pkcs11.CKR_SLOT_ID_INVALID, pkcs11.CKR_TOKEN_NOT_PRESENT, pkcs11.CKR_TOKEN_NOT_RECOGNIZED, pkcs11.CKR_USER_NOT_LOGGED_IN)
}

func isOneOf(err error, codes ...uint) bool {
	code, ok := errors.AsType[pkcs11.Error](err)
	return ok && slices.Contains(codes, uint(code))
}
