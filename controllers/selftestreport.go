package controllers

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
)

// selfTestManager owns status.selfTest, apart from the rest of the status.
const selfTestManager = FieldManager + "-self-test"

// SelfTest reports in a FAPIServer whether the certificate that a client presents
// reaches the server. All fields are required.
type SelfTest struct {
	// Kube writes the status, Uncached reads it.
	Kube     client.Client
	Uncached client.Reader
	// Name is the FAPIServer's, in which ServerReport tells where clients come.
	Name string
	Path PublicPath
	// Every is how often the path is tried when it was good the last time, Retry
	// when it was not, or when it is not known yet where clients come.
	Every, Retry time.Duration
}

// SetupWithManager makes the manager's leader run the self-test.
func (s *SelfTest) SetupWithManager(manager ctrl.Manager) error {
	if s.Kube == nil || s.Uncached == nil || s.Name == "" || s.Path.Now == nil || s.Every <= 0 || s.Retry <= 0 {
		return fmt.Errorf("the self-test is incomplete: it needs two Kubernetes clients, a name, a clock and two periods")
	}
	return ctrl.NewControllerManagedBy(manager).
		Named("selftest").
		WatchesRawSource(atOnce(reconcile.Request{NamespacedName: client.ObjectKey{Name: s.Name}})).
		WithOptions(controller.Options{
			RateLimiter: backOff(),
		}).
		Complete(s)
}

// Reconcile tries the public path once, and writes down what is new.
func (s *SelfTest) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	server := &v1alpha1.FAPIServer{}
	if err := s.Uncached.Get(ctx, request.NamespacedName, server); client.IgnoreNotFound(err) != nil {
		return ctrl.Result{}, err
	}
	if server.Status.MTLSBaseURL == "" {
		return ctrl.Result{RequeueAfter: s.Retry}, nil
	}
	outcome, err := s.Path.test(ctx, server.Status.MTLSBaseURL)
	if err != nil {
		return ctrl.Result{}, err
	}
	status := selfTestStatus(server.Status.SelfTest, outcome, metav1.NewTime(s.Path.Now()).Rfc3339Copy())
	if err := s.write(ctx, server, status); err != nil {
		return ctrl.Result{}, err
	}
	if status.Result == v1alpha1.SelfTestPassed {
		return ctrl.Result{RequeueAfter: s.Every}, nil
	}
	return ctrl.Result{RequeueAfter: s.Retry}, nil
}

func selfTestStatus(before *v1alpha1.SelfTestStatus, outcome selfTestOutcome, now metav1.Time) v1alpha1.SelfTestStatus {
	status := v1alpha1.SelfTestStatus{
		Result: v1alpha1.SelfTestFailed, Reason: outcome.reason, Message: outcome.message, LastTransitionTime: now,
	}
	if outcome.reason == v1alpha1.SelfTestCertificateArrived {
		status.Result = v1alpha1.SelfTestPassed
	}
	if before != nil && before.Result == status.Result && before.Reason == status.Reason {
		status.LastTransitionTime = before.LastTransitionTime
	}
	return status
}

// write writes the self-test's part of the status only when it says something new.
func (s *SelfTest) write(ctx context.Context, server *v1alpha1.FAPIServer, status v1alpha1.SelfTestStatus) error {
	if before := server.Status.SelfTest; before != nil && before.Result == status.Result && before.Reason == status.Reason && before.Message == status.Message {
		return nil
	}
	own := struct {
		SelfTest v1alpha1.SelfTestStatus `json:"selfTest"`
	}{status}
	configuration, err := statusConfiguration("FAPIServer", server, &own)
	if err != nil {
		return err
	}
	if err := s.Kube.Status().Apply(ctx, configuration, client.FieldOwner(selfTestManager), client.ForceOwnership); err != nil {
		return fmt.Errorf("write the self-test into FAPIServer %s: %w", s.Name, err)
	}
	return nil
}
