package interaction

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
)

// ErrWrongCredentials means that no such user, or another password. Which of the two is
// not told, by the answer nor by the time that it takes.
var ErrWrongCredentials = errors.New("the username or the password is wrong")

// maxConcurrentHashes bounds the memory of logins: at 64 MiB each, 128 MiB. More
// logins wait. Our own choice.
const maxConcurrentHashes = 2

// maxPasswordBytes is the longest password that is looked at; our own choice far
// above the 64 characters of NIST SP 800-63B-4, 3.1.1.2.
const maxPasswordBytes = 1024

// User is a local user.
type User struct {
	Username string
	// Subject is the "sub" claim; it starts with ~.
	Subject string
	Claims  Claims
}

// DisplayName is what a page calls the person.
func (u User) DisplayName() string {
	if u.Claims.Name != "" {
		return u.Claims.Name
	}
	return u.Username
}

type localUser struct {
	User
	hash passwordHash
}

// Users are the local users. It never changes and is safe for concurrent use.
type Users struct {
	all        []localUser
	byUsername map[string]int // index into all
	bySubject  map[string]int
	hashing    chan struct{} // holds one element for each hash that is being computed
	seed       maphash.Seed
}

func newUsers() *Users {
	return &Users{
		byUsername: make(map[string]int),
		bySubject:  make(map[string]int),
		hashing:    make(chan struct{}, maxConcurrentHashes),
		seed:       maphash.MakeSeed(),
	}
}

func (u *Users) add(entry userEntry) error {
	user, err := entry.user()
	if err != nil {
		return err
	}
	if _, taken := u.byUsername[user.Username]; taken {
		return fmt.Errorf("username %s stands twice", user.Username)
	}
	if _, taken := u.bySubject[user.Subject]; taken {
		return fmt.Errorf("subject %s of %s belongs to another user too", user.Subject, user.Username)
	}
	u.byUsername[user.Username] = len(u.all)
	u.bySubject[user.Subject] = len(u.all)
	u.all = append(u.all, user)
	return nil
}

// BySubject gives the user with the subject.
func (u *Users) BySubject(subject string) (User, bool) {
	i, known := u.bySubject[subject]
	if !known {
		return User{}, false
	}
	return u.all[i].User, true
}

// Authenticate gives the user whose password this is; else ErrWrongCredentials,
// or the context's error when it ends while waiting for a turn.
func (u *Users) Authenticate(ctx context.Context, username, password string) (User, error) {
	// Without users there is none whose hash could be a decoy, and nobody to hide.
	if len(u.all) == 0 || len(password) > maxPasswordBytes {
		return User{}, ErrWrongCredentials
	}
	select {
	case u.hashing <- struct{}{}:
		defer func() { <-u.hashing }()
	case <-ctx.Done():
		return User{}, ctx.Err()
	}
	i, known := u.byUsername[username]
	if !known {
		i = u.decoy(username)
	}
	if matches := u.all[i].hash.matches(password); !known || !matches {
		return User{}, ErrWrongCredentials
	}
	return u.all[i].User, nil
}

// decoy picks the user whose hash is computed in place of an unknown one's,
// always the same for a name. So a stranger's name costs what a user's name
// costs, also when the file's hashes differ in their parameters.
func (u *Users) decoy(username string) int {
	return int(maphash.String(u.seed, username) % uint64(len(u.all)))
}
