package scale

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/jose"
)

// spec is a client that needs nothing but its registration: DPoP, with a key of its own.
const spec = `
grantTypes: [authorization_code, refresh_token]
redirectURIs: ["https://app.example.com/callback"]
scopes: [openid, accounts]
clientAuthentication: {method: private_key_jwt}
accessToken: {senderConstraint: DPoP}
`

// writers is how many applications are written at a time: as many as the operator
// reconciles (controllers.concurrentReconciles).
const writers = 4

// patience bounds every wait, by the number of applications that are waited for.
func patience(count int) time.Duration { return time.Minute + time.Duration(count)*50*time.Millisecond }

// newApplication is a manifest with a key of its own.
func newApplication(t *testing.T, namespace, name string) *v1alpha1.FAPIApplication {
	t.Helper()
	application := &v1alpha1.FAPIApplication{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	if err := yaml.UnmarshalStrict([]byte(spec), &application.Spec); err != nil {
		t.Fatal(err)
	}
	key, err := jose.GenerateSigningKey(jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	set, err := json.Marshal(jose.NewKeySet(key.Public()))
	if err != nil {
		t.Fatal(err)
	}
	application.Spec.Keys = &v1alpha1.Keys{Source: v1alpha1.KeySourceJWKS, JWKS: &apiextensionsv1.JSON{Raw: set}}
	return application
}

// inParallel does what there is to do with each application, and tells how long it took.
func inParallel(t *testing.T, all []*v1alpha1.FAPIApplication, do func(*v1alpha1.FAPIApplication) error) time.Duration {
	t.Helper()
	began := time.Now()
	queue := make(chan *v1alpha1.FAPIApplication)
	var working sync.WaitGroup
	for range writers {
		working.Go(func() {
			for application := range queue {
				if err := do(application); err != nil {
					t.Errorf("%s: %v", application.Name, err)
				}
			}
		})
	}
	for _, application := range all {
		queue <- application
	}
	close(queue)
	working.Wait()
	return time.Since(began)
}

// readiness is which generation of each application is Ready, by a watch.
type readiness struct {
	mutex sync.Mutex
	ready map[client.ObjectKey]int64
	// missing are the generations that are waited for.
	missing map[client.ObjectKey]int64
	changed chan struct{}
}

func watchReadiness(t *testing.T, config *rest.Config, scheme *runtime.Scheme) *readiness {
	t.Helper()
	r := &readiness{ready: map[client.ObjectKey]int64{}, changed: make(chan struct{}, 1)}
	watched, err := cache.New(config, cache.Options{Scheme: scheme})
	if err != nil {
		t.Fatal(err)
	}
	informer, err := watched.GetInformer(t.Context(), &v1alpha1.FAPIApplication{}, cache.BlockUntilSynced(false))
	if err != nil {
		t.Fatal(err)
	}
	_, err = informer.AddEventHandler(toolscache.ResourceEventHandlerFuncs{
		AddFunc:    r.note,
		UpdateFunc: func(_, object any) { r.note(object) },
		DeleteFunc: r.forget,
	})
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = watched.Start(t.Context()) }() // It ends with the test.
	if !watched.WaitForCacheSync(t.Context()) {
		t.Fatal("the applications are not watched")
	}
	return r
}

func (r *readiness) note(object any) {
	application := object.(*v1alpha1.FAPIApplication)
	if !meta.IsStatusConditionTrue(application.Status.Conditions, v1alpha1.ConditionReady) {
		return
	}
	key, generation := client.ObjectKeyFromObject(application), application.Status.ObservedGeneration
	r.mutex.Lock()
	r.ready[key] = generation
	if generation >= r.missing[key] {
		delete(r.missing, key)
	}
	r.mutex.Unlock()
	r.signal()
}

// forget: an application that is gone is Ready as no generation.
func (r *readiness) forget(object any) {
	application, isKnown := object.(*v1alpha1.FAPIApplication)
	if !isKnown {
		return // Missed by the watch; no test here loses its watch and goes on.
	}
	r.mutex.Lock()
	delete(r.ready, client.ObjectKeyFromObject(application))
	r.mutex.Unlock()
	r.signal()
}

func (r *readiness) signal() {
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// awaitGone waits until the application is there no more.
func (r *readiness) awaitGone(t *testing.T, application *v1alpha1.FAPIApplication) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience(1))
	defer cancel()
	for r.knows(application) {
		select {
		case <-ctx.Done():
			t.Fatalf("%s is not gone", application.Name)
		case <-r.changed:
		}
	}
}

func (r *readiness) knows(application *v1alpha1.FAPIApplication) bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	_, known := r.ready[client.ObjectKeyFromObject(application)]
	return known
}

// await waits until all are Ready as they were written.
func (r *readiness) await(t *testing.T, all ...*v1alpha1.FAPIApplication) {
	t.Helper()
	r.miss(all)
	ctx, cancel := context.WithTimeout(t.Context(), patience(len(all)))
	defer cancel()
	for left := r.left(); left > 0; left = r.left() {
		select {
		case <-ctx.Done():
			t.Fatalf("%d of %d applications were not Ready within %v", left, len(all), patience(len(all)))
		case <-r.changed:
		}
	}
}

func (r *readiness) miss(all []*v1alpha1.FAPIApplication) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.missing = map[client.ObjectKey]int64{}
	for _, application := range all {
		if key := client.ObjectKeyFromObject(application); r.ready[key] < application.Generation {
			r.missing[key] = application.Generation
		}
	}
}

func (r *readiness) left() int {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return len(r.missing)
}

// crowd makes manifests in some namespaces.
func crowd(t *testing.T, namespaces []string, name string, count int) []*v1alpha1.FAPIApplication {
	t.Helper()
	all := make([]*v1alpha1.FAPIApplication, count)
	for i := range all {
		all[i] = newApplication(t, namespaces[i%len(namespaces)], fmt.Sprintf("%s-%d", name, i))
	}
	return all
}
