package controllers

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// KeyEncryptionKeyEntry is the entry of the Secret that the authorization
	// server mounts as its keyEncryptionKeyFile: a line of 32 random bytes in base64.
	KeyEncryptionKeyEntry = "key-encryption-key"
	// BackupAnnotation tells whoever finds the Secret what hangs on it.
	BackupAnnotation = "fapi-operator.io/backup"

	keyEncryptionKeyBytes = 32
	// keyEncryptionKeyRetry lies between tries; our own choice.
	keyEncryptionKeyRetry = 5 * time.Second

	backUpThisKey = "Back up this Secret, apart from the authorization server's database. Without it the server's private keys in the database cannot be read again, and it is never made anew while it is here."
)

// +kubebuilder:rbac:groups="",namespace=system,resources=secrets,verbs=create

// KeyEncryptionKey makes the Secret with the authorization server's
// key-encryption key once, and never changes or reads one that is there.
type KeyEncryptionKey struct {
	Kube client.Writer
	// Secret says where; its namespace must exist.
	Secret types.NamespacedName
	Log    logr.Logger
}

// NeedLeaderElection leaves the work to one replica.
func (k *KeyEncryptionKey) NeedLeaderElection() bool { return true }

// Start tries until the Secret is there or ctx ends, which is no error.
func (k *KeyEncryptionKey) Start(ctx context.Context) error {
	log := k.Log.WithValues("secret", k.Secret)
	_ = wait.PollUntilContextCancel(ctx, keyEncryptionKeyRetry, true, func(ctx context.Context) (bool, error) {
		switch err := k.create(ctx); {
		case apierrors.IsAlreadyExists(err):
			return true, nil
		case err != nil:
			log.Error(err, "the Secret with the key-encryption key was not made; the authorization server waits for it")
			return false, nil
		}
		log.Info("made the key-encryption key; back up this Secret, apart from the authorization server's database")
		return true, nil
	})
	return nil
}

func (k *KeyEncryptionKey) create(ctx context.Context) error {
	return k.Kube.Create(ctx, &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:   k.Secret.Namespace,
			Name:        k.Secret.Name,
			Labels:      map[string]string{managedByLabel: FieldManager},
			Annotations: map[string]string{BackupAnnotation: backUpThisKey},
		},
		Type: corev1.SecretTypeOpaque,
		Data: map[string][]byte{KeyEncryptionKeyEntry: generateKeyEncryptionKey()},
	})
}

// generateKeyEncryptionKey is a line as authserver/keys reads it.
func generateKeyEncryptionKey() []byte {
	raw := make([]byte, keyEncryptionKeyBytes)
	_, _ = rand.Read(raw) // crypto/rand.Read never fails; it ends the process instead.
	return fmt.Appendln(nil, base64.StdEncoding.EncodeToString(raw))
}
