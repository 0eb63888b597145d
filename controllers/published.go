package controllers

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// publication is what the server publishes, and whom its clients may trust: the same
// for all applications.
type publication struct {
	issuer      string
	metadataURL string
	endpoints   registration.Endpoints
	// authorities may have issued the server's certificate, in PEM; empty where
	// clients trust those of their system.
	authorities string
}

// published is the publication as it was last read. Whoever needs it first reads it
// for all applications; from then on the drift watch looks whether it has changed.
type published struct {
	mutex sync.Mutex
	known *publication
}

// errServerCA: the operator's own file cannot be read, which says nothing of the server.
var errServerCA = errors.New("read the authorities of the server's certificate (--self-test-ca-file)")

// published gives the publication, and reads it where nobody has.
func (r *Reconciler) published(ctx context.Context) (publication, error) {
	r.publication.mutex.Lock()
	defer r.publication.mutex.Unlock()
	if r.publication.known == nil {
		read, err := r.readPublication(ctx)
		if err != nil {
			return publication{}, err
		}
		r.publication.known = &read
	}
	return *r.publication.known, nil
}

// hasPublishedAnew reads the publication again, where somebody uses it.
func (r *Reconciler) hasPublishedAnew(ctx context.Context) (bool, error) {
	r.publication.mutex.Lock()
	defer r.publication.mutex.Unlock()
	if r.publication.known == nil {
		return false, nil
	}
	read, err := r.readPublication(ctx)
	if err != nil || read == *r.publication.known {
		return false, err
	}
	r.publication.known = &read
	return true, nil
}

func (r *Reconciler) readPublication(ctx context.Context) (publication, error) {
	authorities, err := readAuthorities(r.ServerCAFile)
	if err != nil {
		return publication{}, fmt.Errorf("%w: %w", errServerCA, err)
	}
	told, err := r.Registrar.Server(ctx)
	countCall("server", err)
	if err == nil && (told.MetadataURL == "" || !told.Endpoints.IsComplete()) {
		err = errors.New("the server does not tell its endpoints; upgrade it to the operator's version")
	}
	return publication{issuer: told.Issuer, metadataURL: told.MetadataURL, endpoints: told.Endpoints, authorities: authorities}, err
}

// readAuthorities takes nothing but certificates from the file.
func readAuthorities(file string) (string, error) {
	if file == "" {
		return "", nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	certificates, err := parseCertificates(text)
	if err != nil {
		return "", fmt.Errorf("%s: %w", file, err)
	}
	var authorities bytes.Buffer
	for _, certificate := range certificates {
		if err := pem.Encode(&authorities, &pem.Block{Type: "CERTIFICATE", Bytes: certificate.Raw}); err != nil {
			return "", err
		}
	}
	return authorities.String(), nil
}
