package scale

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
)

// admissions is how many answers of each webhook are timed.
const admissions = 1000

// validatePath is the webhook's (config/webhook/manifests.yaml).
const validatePath = "/validate-fapi-operator-io-v1alpha1-fapiapplication"

// admittance is a webhook and who asks it, on connections that stay open as the API
// server's do.
type admittance struct {
	url    string
	client *http.Client
}

func (o *operator) admittance() admittance {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: o.webhookTrust, MinVersion: tls.VersionTLS12}, ForceAttemptHTTP2: true}
	return admittance{fmt.Sprintf("https://127.0.0.1:%d%s", o.webhookPort, validatePath), &http.Client{Transport: transport}}
}

// emptyAdmittance is a webhook of the same frame that admits without a look.
func emptyAdmittance(t *testing.T) admittance {
	t.Helper()
	handler, err := admission.StandaloneWebhook(&admission.Webhook{
		Handler: admission.HandlerFunc(func(context.Context, admission.Request) admission.Response { return admission.Allowed("") }),
	}, admission.StandaloneOptions{})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(handler)
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	return admittance{server.URL, server.Client()}
}

// timeAdmission times the answers for new and for changed applications, next to those
// of a webhook that does nothing: what is above them is the webhook's own.
func (b *bank) timeAdmission(t *testing.T, when string) {
	t.Helper()
	const limit = 5 * time.Millisecond // of the 99th percentile, on a machine that does nothing else.
	operators, empty := b.operator.admittance(), emptyAdmittance(t)
	b.awaitAdmittance(t, operators)
	var took, least times
	for _, application := range crowd(t, b.namespaces, "asked", admissions/2) {
		for _, review := range []admissionv1.AdmissionReview{reviewOfNew(t, application), reviewOfChanged(t, application)} {
			took = append(took, operators.mustAdmit(t, review))
			least = append(least, empty.mustAdmit(t, review))
		}
	}
	figures.add("admission "+when, took.String(), fmt.Sprintf("p99 under %v above an empty webhook's", limit))
	figures.add("an empty webhook's", least.String(), "")
	if above := took.percentile(50) - least.percentile(50); above > limit {
		t.Errorf("%s, the median of admission is %v above that of an empty webhook", when, above)
	}
}

func (b *bank) awaitAdmittance(t *testing.T, asked admittance) {
	t.Helper()
	review := reviewOfNew(t, newApplication(t, b.namespaces[0], "first"))
	ctx, cancel := context.WithTimeout(t.Context(), startTime)
	defer cancel()
	if err := b.operator.running.AwaitReady(ctx, func(ctx context.Context) error { return asked.admit(ctx, review) }); err != nil {
		t.Fatal(err)
	}
}

func (a admittance) mustAdmit(t *testing.T, review admissionv1.AdmissionReview) time.Duration {
	t.Helper()
	began := time.Now()
	if err := a.admit(t.Context(), review); err != nil {
		t.Fatal(err)
	}
	return time.Since(began)
}

func (a admittance) admit(ctx context.Context, review admissionv1.AdmissionReview) error {
	body, err := json.Marshal(review)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, a.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := a.client.Do(request)
	if err != nil {
		return err
	}
	answer, err := io.ReadAll(response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return err
	}
	var verdict admissionv1.AdmissionReview
	if err := json.Unmarshal(answer, &verdict); err != nil || verdict.Response == nil || !verdict.Response.Allowed {
		return fmt.Errorf("the webhook does not admit: %s %s", response.Status, answer)
	}
	return nil
}

func reviewOfNew(t *testing.T, application *v1alpha1.FAPIApplication) admissionv1.AdmissionReview {
	t.Helper()
	return review(application, admissionv1.AdmissionRequest{Operation: admissionv1.Create, Object: raw(t, application)})
}

func reviewOfChanged(t *testing.T, application *v1alpha1.FAPIApplication) admissionv1.AdmissionReview {
	t.Helper()
	changed := application.DeepCopy()
	changed.Spec.Scopes = []string{"openid"}
	return review(application, admissionv1.AdmissionRequest{Operation: admissionv1.Update, Object: raw(t, changed), OldObject: raw(t, application)})
}

func review(application *v1alpha1.FAPIApplication, request admissionv1.AdmissionRequest) admissionv1.AdmissionReview {
	group := v1alpha1.GroupVersion
	request.UID = types.UID(application.Name)
	request.Kind = metav1.GroupVersionKind{Group: group.Group, Version: group.Version, Kind: "FAPIApplication"}
	request.Resource = metav1.GroupVersionResource{Group: group.Group, Version: group.Version, Resource: "fapiapplications"}
	request.Namespace, request.Name = application.Namespace, application.Name
	return admissionv1.AdmissionReview{
		TypeMeta: metav1.TypeMeta{APIVersion: admissionv1.SchemeGroupVersion.String(), Kind: "AdmissionReview"},
		Request:  &request,
	}
}

func raw(t *testing.T, application *v1alpha1.FAPIApplication) runtime.RawExtension {
	t.Helper()
	stated := application.DeepCopy()
	stated.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("FAPIApplication"))
	encoded, err := json.Marshal(stated)
	if err != nil {
		t.Fatal(err)
	}
	return runtime.RawExtension{Raw: encoded}
}

// times are how long something took, each time.
type times []time.Duration

func (t times) percentile(percent int) time.Duration {
	return slices.Sorted(slices.Values(t))[len(t)*percent/100]
}

func (t times) String() string {
	const digits = 10 * time.Microsecond
	return fmt.Sprintf("median %v, p99 %v", t.percentile(50).Round(digits), t.percentile(99).Round(digits))
}
