package integration

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	cmv1 "github.com/cert-manager/cert-manager/pkg/apis/certmanager/v1"
	cmmeta "github.com/cert-manager/cert-manager/pkg/apis/meta/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/registration"
)

// changesOfAWalk is more than any walk of an application with a certificate makes.
const changesOfAWalk = 6

// life is an application whose operator is killed after one change in each walk, and
// then lives on. Before the next change is the same.
type life struct {
	name string
	at   int
	seen []string // every certificate that the application has seen
}

// An operator that is killed at any moment shows no certificate that the server does
// not know, and finds its way: to the first certificate, through a renewal, to the end
// of the overlap, and to the end of the application.
func TestOperatorKilledAtAnyMomentShowsNoCertificateThatTheServerDoesNotKnow(t *testing.T) {
	t.Parallel()
	w := openWorkshop(t)
	w.createIssuers(t)
	lives := w.beginLives(t)
	k := &killer{w: w, t: t, after: true}
	k.place()
	for _, step := range []struct {
		name    string
		prepare func()
		seen    int // certificates that the application has ever seen
		former  int // of them, those that are still registered beside the last
	}{
		{"request", func() {}, 0, 0},
		{"first certificate", func() { w.awaitRevision(t, 1) }, 1, 0},
		{"renewal", func() { w.renewAll(t, lives) }, 2, 1},
		{"end of the overlap", func() { w.advance(certificateOverlap) }, 2, 0},
	} {
		step.prepare()
		k.liveAll(step.name, lives, func(l *life) { l.seen = note(l.seen, k.requireKnown(l.name)) })
		for _, l := range lives {
			requireLife(t, step.name, w, l, step.seen, step.former)
		}
	}
	for _, l := range lives {
		w.delete(t, l.name)
	}
	k.liveAll("end", lives, func(*life) {})
	w.requireNothingLeft(t, lives)
}

func (w *workshop) beginLives(t *testing.T) []*life {
	t.Helper()
	var lives []*life
	for at := 1; at <= changesOfAWalk; at++ {
		l := &life{name: fmt.Sprintf("killed-after-%d", at), at: at}
		w.create(t, l.name, selfSignedSpec)
		lives = append(lives, l)
	}
	return lives
}

// liveAll has the operator killed and started again for each application. After the
// last change there is none to be killed after.
func (k *killer) liveAll(step string, lives []*life, look func(*life)) {
	k.t.Helper()
	killed := 0
	for _, l := range lives {
		k.look, k.at = func() { look(l) }, l.at
		if k.run(l.name) {
			killed = max(killed, l.at)
		}
		k.at = 0
		k.run(l.name)
	}
	if killed < 2 || killed == changesOfAWalk {
		k.t.Errorf("%s: the last change that the operator was killed after was number %d; want all of them to be hit, and no more", step, killed)
	}
}

func requireLife(t *testing.T, step string, w *workshop, l *life, seen, former int) {
	t.Helper()
	if seen == 0 {
		return // unless cert-manager was quick
	}
	what := fmt.Sprintf("killed after change %d of the %s", l.at, step)
	if len(l.seen) != seen {
		t.Errorf("%s: the application has seen %q", what, l.seen)
		return
	}
	held := w.certificatesHeld(t, l.name)
	requireCertificates(t, what, held, held.staged, l.seen[seen-1-former:]...)
	requireCertificateStatus(t, w.get(t, l.name), held.staged, l.seen[seen-1-former:seen-1]...)
}

// awaitRevision waits until cert-manager has issued every certificate so many times.
func (w *workshop) awaitRevision(t *testing.T, revision int) {
	t.Helper()
	w.eventually(t, fmt.Sprintf("every certificate has revision %d", revision), func(ctx context.Context) error {
		var certificates cmv1.CertificateList
		if err := w.kube.List(ctx, &certificates, client.InNamespace(w.namespace), client.HasLabels{"fapi-operator.io/application"}); err != nil {
			return err
		}
		for _, certificate := range certificates.Items {
			if certificate.Status.Revision == nil || *certificate.Status.Revision < revision || !isIssued(certificate.Status.Conditions) {
				return fmt.Errorf("certificate %s is not issued", certificate.Name)
			}
		}
		return nil
	})
}

func isIssued(conditions []cmv1.CertificateCondition) bool {
	for _, condition := range conditions {
		if condition.Type == cmv1.CertificateConditionReady {
			return condition.Status == cmmeta.ConditionTrue
		}
	}
	return false
}

func (w *workshop) renewAll(t *testing.T, lives []*life) {
	t.Helper()
	for _, l := range lives {
		w.renew(t, l.name+"-mtls")
	}
	w.awaitRevision(t, 2)
}

// requireNothingLeft looks for what would stay of applications that are gone.
func (w *workshop) requireNothingLeft(t *testing.T, lives []*life) {
	t.Helper()
	for _, l := range lives {
		err := w.kube.Get(t.Context(), client.ObjectKey{Namespace: w.namespace, Name: l.name}, &v1alpha1.FAPIApplication{})
		if !apierrors.IsNotFound(err) || w.find(t, l.name+"-mtls-staging") != nil {
			t.Errorf("killed after change %d of the end: application %v, staging Secret %v", l.at, err, w.find(t, l.name+"-mtls-staging"))
		}
	}
	w.eventually(t, "the garbage collector has taken the rest", func(ctx context.Context) error {
		var certificates cmv1.CertificateList
		var secrets corev1.SecretList
		made := client.HasLabels{"fapi-operator.io/application"}
		err := errors.Join(w.kube.List(ctx, &certificates, client.InNamespace(w.namespace), made), w.kube.List(ctx, &secrets, client.InNamespace(w.namespace), made))
		if left := len(certificates.Items) + len(secrets.Items); left > 0 {
			err = errors.Join(err, fmt.Errorf("%d Certificates and Secrets are left", left))
		}
		return err
	})
}

// Whichever call of a renewal fails, and however, the server knows what the application
// sees, the status says nothing of the certificate that is not so, and the next walks
// find their way.
func TestWhicheverCallOfARenewalFailsTheCertificateIsKnownAndConverges(t *testing.T) {
	t.Parallel()
	for name, failure := range apiServerFailures {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, first := openWithCertificate(t, selfSignedSpec)
			before := w.remember(t)
			second := w.reissue(t, "planner-mtls", "planner-mtls-staging")
			failure.place(w)
			for at := 1; w.renewsThrough(t, &failure, at, before); at++ {
				requireCertificates(t, fmt.Sprintf("after call %d had failed", at), w.certificatesHeld(t, "planner"), second, first, second)
				requireCertificateStatus(t, w.get(t, "planner"), second, first)
				w.rewind(t, before)
			}
			if failure.calls < 8 {
				t.Errorf("only %d calls were seen", failure.calls)
			}
		})
	}
}

// renewsThrough has the call of that number fail; it tells whether there were so many.
func (w *workshop) renewsThrough(t *testing.T, b *breaker, at int, before memory) (failed bool) {
	t.Helper()
	b.at, b.calls = at, 0
	_, err := w.reconcile(t, "planner")
	if b.calls < at {
		return false
	}
	held, status := w.certificatesHeld(t, "planner"), w.get(t, "planner").Status
	if !slices.Contains(held.registered, held.shown) {
		t.Errorf("call %d: the application sees %s, and registered are %q", at, held.shown, held.registered)
	}
	isWritten := !equality.Semantic.DeepEqual(status, before.status)
	if isWritten && meta.IsStatusConditionTrue(status.Conditions, v1alpha1.ConditionCertificateReady) && status.Certificate.Thumbprint != held.shown {
		t.Errorf("call %d: the status tells of %s, and the application sees %s", at, status.Certificate.Thumbprint, held.shown)
	}
	b.at = 0
	if err != nil {
		w.walk(t, "planner")
	}
	w.walk(t, "planner")
	return true
}

// memory is what there was at a moment: what the application saw, what was registered,
// and the status.
type memory struct {
	secret   *corev1.Secret
	metadata registration.Metadata
	status   v1alpha1.FAPIApplicationStatus
}

func (w *workshop) remember(t *testing.T) memory {
	t.Helper()
	record, err := w.server.client(t, w.namespace+".planner")
	if err != nil {
		t.Fatal(err)
	}
	return memory{w.secret(t, "planner-mtls"), record.Metadata, w.get(t, "planner").Status}
}

// rewind makes it so again.
func (w *workshop) rewind(t *testing.T, before memory) {
	t.Helper()
	secret := w.secret(t, "planner-mtls")
	secret.Data, secret.Annotations = before.secret.Data, before.secret.Annotations
	application := w.get(t, "planner")
	application.Status = before.status
	_, err := w.reconciler.Registrar.Register(t.Context(), w.namespace+".planner", registration.NoRevision, registration.Request{
		Owner: ownerOf(w.namespace, "planner"), Generation: application.Generation, Metadata: before.metadata,
	})
	if err := errors.Join(err, w.kube.Update(t.Context(), secret), w.kube.Status().Update(t.Context(), application)); err != nil {
		t.Fatal(err)
	}
}
