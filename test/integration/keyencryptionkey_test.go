package integration

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/keys"
	"github.com/fapi-operator/fapi-operator/controllers"
)

const keySecret = "authserver-key-encryption-key"

// What the operator makes is what the server reads, and a second start changes
// nothing, whatever the Secret holds by then.
func TestKeyEncryptionKeyIsMadeOnceAndNeverOverwritten(t *testing.T) {
	t.Parallel()
	b := openBranch(t, fapi.Limits{})
	maker := b.keyEncryptionKeyMaker(t)
	if err := maker.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	made := b.secret(t, keySecret)
	requireKeyEncryptionKey(t, made)
	if made.Annotations[controllers.BackupAnnotation] == "" {
		t.Error("the Secret does not say that it is to be backed up")
	}

	made.Data[controllers.KeyEncryptionKeyEntry] = append([]byte(keys.GenerateKeyEncryptionKey()+"\n"), made.Data[controllers.KeyEncryptionKeyEntry]...)
	if err := b.kube.Update(t.Context(), made); err != nil {
		t.Fatal(err)
	}
	if err := maker.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	if difference := cmp.Diff(made, b.secret(t, keySecret)); difference != "" {
		t.Errorf("the second start changed the Secret (-before +after):\n%s", difference)
	}
}

// A cluster that refuses the Secret, here for want of the namespace, is asked
// again; a stop ends the wait and is no error.
func TestKeyEncryptionKeyIsTriedAgain(t *testing.T) {
	t.Parallel()
	b := openBranch(t, fapi.Limits{})
	maker := b.keyEncryptionKeyMaker(t)
	b.namespace += "-later"
	maker.Secret.Namespace = b.namespace
	refused := make(chan struct{}, 1)
	maker.Log = funcr.New(func(string, string) {
		select {
		case refused <- struct{}{}:
		default:
		}
	}, funcr.Options{})

	stopped, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- maker.Start(stopped) }()
	<-refused
	stop()
	if err := <-ended; err != nil {
		t.Errorf("a stop is an error: %v", err)
	}

	go func() { ended <- maker.Start(t.Context()) }()
	<-refused
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: b.namespace}}
	if err := b.kube.Create(t.Context(), namespace); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	requireKeyEncryptionKey(t, b.secret(t, keySecret))
}

// keyEncryptionKeyMaker has the operator's rights and no other.
func (b *bank) keyEncryptionKeyMaker(t *testing.T) *controllers.KeyEncryptionKey {
	t.Helper()
	kube, err := client.New(b.asOperator(t), client.Options{Scheme: scheme(t)})
	if err != nil {
		t.Fatal(err)
	}
	return &controllers.KeyEncryptionKey{
		Kube: kube, Secret: types.NamespacedName{Namespace: b.namespace, Name: keySecret}, Log: logr.Discard(),
	}
}

// requireKeyEncryptionKey reads the entry as the server does, from a file.
func requireKeyEncryptionKey(t *testing.T, secret *corev1.Secret) {
	t.Helper()
	file := filepath.Join(t.TempDir(), controllers.KeyEncryptionKeyEntry)
	if err := os.WriteFile(file, secret.Data[controllers.KeyEncryptionKeyEntry], 0o400); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.ReadKeyEncryptionKeys(file); err != nil {
		t.Error(err)
	}
	if bytes.Count(secret.Data[controllers.KeyEncryptionKeyEntry], []byte("\n")) != 1 {
		t.Error("the key is not one line")
	}
}
