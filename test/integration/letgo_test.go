package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/yaml"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/controllers"
)

// othersFinalizer is somebody else's.
const othersFinalizer = "example.com/backup"

// operatorLabels are those of the operator's Deployments and pods.
var operatorLabels = map[string]string{"app.kubernetes.io/name": "fapi-operator", "app.kubernetes.io/instance": "fapi-operator", "app.kubernetes.io/component": "operator"}

// otherShard is a second Deployment of the operator.
const otherShard = "fapi-operator-2"

// openClassBank serves a class of its own, which is the namespace's name: what is let
// go here is nobody else's.
func openClassBank(t *testing.T) *bank {
	t.Helper()
	b := openBranch(t, fapi.Limits{})
	b.serverClass = b.namespace
	b.startOperator(t)
	return b
}

// Uninstalled as the hook of the chart does it, by the program and with the hook's
// rights: nothing is stuck, what is not ours stays as it is, and an operator that is
// installed again goes on where the first one ended.
func TestOperatorProgramLetsGoOfItsApplications(t *testing.T) {
	t.Parallel()
	b := openClassBank(t)
	b.create(t, "planner", dpopSpec)
	b.create(t, "leaving", dpopSpec)
	b.createUnserved(t, "unserved")
	for _, name := range []string{"planner", "leaving"} {
		b.awaitReady(t, name)
	}
	b.hold(t, "planner")
	b.stop() // Its webhook, too, which stays configured and fails closed:
	if _, err := b.TryKubectl(t, "patch", "--namespace", b.namespace, "fapiapp/planner", "--type=merge", "--patch", `{"spec":{"clientName":"Planner"}}`); err == nil {
		t.Error("a change of a spec was admitted while the webhook was down")
	}
	b.delete(t, "leaving")
	deployments := b.deployOperators(t, "fapi-operator", otherShard)
	pod := b.createEndingPod(t)

	command := b.startLetGo(t)
	for _, deployment := range deployments {
		b.awaitScaledDown(t, deployment)
	}
	b.requireFinalizers(t, "planner", controllers.Finalizer, othersFinalizer) // An operator may still be at work.
	b.release(t, pod)
	if err := command.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, command.Stderr)
	}
	b.awaitGone(t, "leaving")
	b.requireFinalizers(t, "planner", othersFinalizer)
	b.requireFinalizers(t, "unserved", controllers.Finalizer)
	lines := linesOf(t, command.Stderr.(*bytes.Buffer).Bytes())
	requireLine(t, lines, "its client stays registered", map[string]any{"application": b.namespace + "/planner", "clientID": b.namespace + ".planner", "beingDeleted": false})
	requireLine(t, lines, "stays registered as an orphan", map[string]any{"application": b.namespace + "/leaving", "clientID": b.namespace + ".leaving", "beingDeleted": true})
	requireLine(t, lines[len(lines)-1:], "let go of the applications", map[string]any{"letGo": 2.0, "clientsThatStayRegistered": 2.0, "orphanedClients": 1.0, "notLetGo": 0.0})
	b.requireClient(t, b.namespace+".planner")
	b.requireClient(t, b.namespace+".leaving")

	revision, registrations := b.server.revision(t), b.server.faults.count(registerClient)
	b.startOperator(t)
	b.eventually(t, "the operator has its finalizer back", func(context.Context) error {
		if !controllerutil.ContainsFinalizer(b.get(t, "planner"), controllers.Finalizer) {
			return errors.New("it is not there")
		}
		return nil
	})
	b.awaitReady(t, "planner")
	b.stop()
	if b.server.revision(t) != revision || b.server.faults.count(registerClient) != registrations {
		t.Error("the client was registered anew")
	}

	if output, err := b.letGoCommand(t).CombinedOutput(); err != nil {
		t.Fatalf("once more: %v\n%s", err, output)
	}
	b.unhold(t, "planner")
	b.unhold(t, "unserved")
	b.requireNamespaceCanGo(t)
}

// What cannot be let go is named, the rest is let go, and another attempt finishes.
func TestLetGoNamesWhatItCouldNotLetGo(t *testing.T) {
	t.Parallel()
	b := openClassBank(t)
	b.createReady(t, 5)
	b.stop()
	var log bytes.Buffer
	end, disturb := b.newLetGo(t, &log)
	disturb.patch = func(object client.Object) error {
		if object.GetName() == "app-3" {
			return apierrors.NewInternalError(errors.New("etcd is full"))
		}
		return nil
	}
	if err := end.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "keep the finalizer "+controllers.Finalizer+", and cannot be deleted: 1;") {
		t.Errorf("the end says %v", err)
	}
	if !strings.Contains(log.String(), "etcd is full") || !strings.Contains(log.String(), b.namespace+"/app-3") {
		t.Errorf("neither the application nor the reason is in the log:\n%s", &log)
	}
	b.requireLeft(t, "app-3")
	disturb.patch = nil
	if err := end.Run(t.Context()); err != nil {
		t.Error(err)
	}
	b.requireLeft(t)
}

// Page by page, beside others who write: an application that changes meanwhile is let
// go as it has become, and one that goes meanwhile is no failure.
func TestLetGoOfManyBesideOthersWhoWrite(t *testing.T) {
	t.Parallel()
	b := openClassBank(t)
	b.createReady(t, 7)
	b.stop()
	var log bytes.Buffer
	end, disturb := b.newLetGo(t, &log)
	disturb.page = 2
	disturbed := map[string]bool{}
	disturb.patch = func(object client.Object) error {
		name := object.GetName()
		switch {
		case disturbed[name]:
		case name == "app-1":
			b.hold(t, name)
		case name == "app-4":
			b.delete(t, name)
			b.change(t, name, func(a *v1alpha1.FAPIApplication) { a.Finalizers = nil })
		}
		disturbed[name] = true
		return nil
	}
	if err := end.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.requireLeft(t)
	b.requireFinalizers(t, "app-1", othersFinalizer)
	requireLine(t, linesOf(t, log.Bytes()), "let go of the applications", map[string]any{"letGo": 6.0, "notLetGo": 0.0})
	if want := 4; disturb.pages < want {
		t.Errorf("all were listed in %d pages, want at least %d", disturb.pages, want)
	}
	b.unhold(t, "app-1")
}

// In namespaces that are not served, those alone are let go that are registered at this
// installation's server: other operators let go of theirs.
func TestLetGoOfWhatIsServedOrRegisteredHere(t *testing.T) {
	t.Parallel()
	b := openBranch(t, fapi.Limits{})
	b.serverClass, b.selected = b.namespace, map[string]string{}
	b.labelNamespace(t, "fapi=yes")
	for name, test := range map[string]struct {
		namespaces []string
		selector   string
		issuer     string
		left       bool
	}{
		"all":           {},
		"listed":        {namespaces: []string{"elsewhere", b.namespace}},
		"not listed":    {namespaces: []string{"elsewhere"}, issuer: issuer, left: true},
		"selected":      {selector: "fapi=yes", issuer: issuer},
		"not selected":  {selector: "fapi=no", issuer: issuer, left: true},
		"selected once": {selector: "fapi=no", issuer: "https://auth.elsewhere.example"},
	} {
		application := strings.ReplaceAll(name, " ", "-")
		b.createRegisteredElsewhere(t, application)
		end, _ := b.newLetGo(t, &bytes.Buffer{})
		end.Namespaces, end.Issuer = test.namespaces, test.issuer
		if test.selector != "" {
			end.NamespaceSelector = parseSelector(t, test.selector)
		}
		if err := end.Run(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if left := controllerutil.ContainsFinalizer(b.get(t, application), controllers.Finalizer); left != test.left {
			t.Errorf("%s: left alone: %v", name, left)
		}
		b.change(t, application, func(a *v1alpha1.FAPIApplication) { a.Finalizers = nil })
	}
}

// A pod that does not end may still be an operator at work, and a Deployment that is not
// scaled down yet may make one: nothing is let go, and the log says what is waited for.
func TestNothingIsLetGoWhileTheOperatorMayBeAtWork(t *testing.T) {
	t.Parallel()
	b := openBranch(t, fapi.Limits{})
	b.serverClass = b.namespace
	b.createRegisteredElsewhere(t, "planner")
	b.deployOperators(t, "fapi-operator")
	pod := b.createEndingPod(t)
	end, disturb := b.newLetGo(t, &bytes.Buffer{})
	disturb.deployment = func(deployment *appsv1.Deployment) { deployment.Status.ObservedGeneration = 0 }
	end.Patience = time.Millisecond
	if err := end.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "fapi-operator: the operator has not ended in time") {
		t.Errorf("while a Deployment is not scaled down, the end says %v", err)
	}
	b.requireFinalizers(t, "planner", controllers.Finalizer)

	disturb.deployment = nil
	b.awaitScaledDown(t, "fapi-operator")
	if err := end.Run(t.Context()); err == nil || !strings.Contains(err.Error(), pod+": the operator has not ended in time; a node that does not answer keeps its pods") {
		t.Errorf("while a pod is left, the end says %v", err)
	}
	b.requireFinalizers(t, "planner", controllers.Finalizer)

	b.failPod(t, pod) // As an eviction leaves it.
	end.Patience = patience
	if err := end.Run(t.Context()); err != nil {
		t.Error(err)
	}
	b.requireFinalizers(t, "planner")
	b.release(t, pod)
}

func TestLetGoWithoutTheDefinitionFindsNothing(t *testing.T) {
	t.Parallel()
	b := openBranch(t, fapi.Limits{})
	unknown := runtime.NewScheme()
	gone := schema.GroupVersion{Group: "gone.example.com", Version: "v1"}
	unknown.AddKnownTypes(gone, &v1alpha1.FAPIApplication{}, &v1alpha1.FAPIApplicationList{})
	metav1.AddToGroupVersion(unknown, gone)
	if err := clientgoscheme.AddToScheme(unknown); err != nil {
		t.Fatal(err)
	}
	kube, err := client.NewWithWatch(b.Config, client.Options{Scheme: unknown})
	if err != nil {
		t.Fatal(err)
	}
	end, _ := b.newLetGo(t, &bytes.Buffer{})
	end.Kube = kube
	if err := end.Run(t.Context()); err != nil {
		t.Error(err)
	}
}

// disturbance is what happens between the end of an operator and the API server.
type disturbance struct {
	page  int64 // the longest page; 0: as long as is asked for
	pages int   // of applications that were asked for
	// deployment is changed as it is read.
	deployment func(*appsv1.Deployment)
	patch      func(client.Object) error
}

// newLetGo has the hook's rights.
func (b *bank) newLetGo(t *testing.T, log *bytes.Buffer) (*controllers.LetGo, *disturbance) {
	t.Helper()
	kube, err := client.NewWithWatch(b.asHook(t), client.Options{Scheme: scheme(t)})
	if err != nil {
		t.Fatal(err)
	}
	disturb := &disturbance{}
	return &controllers.LetGo{
		Kube: interceptor.NewClient(kube, interceptor.Funcs{
			List: func(ctx context.Context, kube client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
				if _, isOurs := list.(*v1alpha1.FAPIApplicationList); isOurs {
					disturb.pages++
					if disturb.page > 0 {
						options = append(options, client.Limit(disturb.page))
					}
				}
				// However short the patience, it is known what was waited for.
				err := kube.List(context.WithoutCancel(ctx), list, options...)
				if deployments, isOperators := list.(*appsv1.DeploymentList); isOperators && disturb.deployment != nil {
					for i := range deployments.Items {
						disturb.deployment(&deployments.Items[i])
					}
				}
				return err
			},
			Patch: func(ctx context.Context, kube client.WithWatch, object client.Object, patch client.Patch, options ...client.PatchOption) error {
				if disturb.patch != nil {
					if err := disturb.patch(object); err != nil {
						return err
					}
				}
				return kube.Patch(ctx, object, patch, options...)
			},
		}),
		ServerClassName:   b.serverClass,
		Operators:         labels.SelectorFromSet(operatorLabels),
		OperatorNamespace: b.namespace,
		Patience:          patience,
		Log:               logr.FromSlogHandler(slog.NewJSONHandler(log, nil)),
	}, disturb
}

// asHook has the operator's rights, and those of the Role that the hook brings.
func (b *bank) asHook(t *testing.T) *rest.Config {
	t.Helper()
	config := b.asOperator(t)
	role := shipped[rbacv1.Role](t, "Role")
	binding := shipped[rbacv1.RoleBinding](t, "RoleBinding")
	for i := range role.Rules {
		if rule := &role.Rules[i]; len(rule.ResourceNames) > 0 {
			rule.ResourceNames = append(rule.ResourceNames, otherShard) // As the chart adds it.
		}
	}
	role.Namespace, binding.Namespace = b.namespace, b.namespace
	binding.Subjects = []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: config.Impersonate.UserName}}
	for _, object := range []client.Object{role, binding} {
		if err := b.kube.Create(t.Context(), object); client.IgnoreAlreadyExists(err) != nil {
			t.Fatal(err)
		}
	}
	return config
}

// shipped is the one object of its kind that the hook has.
func shipped[T any](t *testing.T, kind string) *T {
	t.Helper()
	for document := range strings.SplitSeq(string(readFile(t, root, "config", "uninstall", "uninstall.yaml")), "\n---\n") {
		var is metav1.TypeMeta
		if err := yaml.Unmarshal([]byte(document), &is); err != nil {
			t.Fatal(err)
		}
		if is.Kind != kind {
			continue
		}
		object := new(T)
		if err := yaml.UnmarshalStrict([]byte(document), object); err != nil {
			t.Fatal(err)
		}
		return object
	}
	t.Fatalf("the hook has no %s", kind)
	return nil
}

// letGoCommand is the program with the hook's arguments, for this bank, and its rights.
func (b *bank) letGoCommand(t *testing.T) *exec.Cmd {
	t.Helper()
	arguments := shipped[batchv1.Job](t, "Job").Spec.Template.Spec.Containers[0].Args
	arguments = append(slices.Clone(arguments), "--operator-namespace="+b.namespace, "--server-class="+b.serverClass)
	command := exec.CommandContext(t.Context(), built(t, buildOperator), arguments...)
	command.Env = append(command.Environ(), "KUBECONFIG="+b.kubeconfigOfHook(t))
	return command
}

func (b *bank) kubeconfigOfHook(t *testing.T) string {
	t.Helper()
	config, err := clientcmd.LoadFromFile(b.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	for _, user := range config.AuthInfos {
		user.Impersonate = b.asHook(t).Impersonate.UserName
	}
	path := filepath.Join(t.TempDir(), "kubeconfig")
	if err := clientcmd.WriteToFile(*config, path); err != nil {
		t.Fatal(err)
	}
	return path
}

func (b *bank) startLetGo(t *testing.T) *exec.Cmd {
	t.Helper()
	command := b.letGoCommand(t)
	command.Stderr = &bytes.Buffer{}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			_ = command.Wait() // Its log is complete then.
			t.Log(command.Stderr)
		}
	})
	return command
}

// deployOperators makes Deployments as the chart does; no node runs their pods.
func (b *bank) deployOperators(t *testing.T, names ...string) []string {
	t.Helper()
	for _, name := range names {
		labels := maps.Clone(operatorLabels)
		labels["fapi-operator.io/shard"] = name
		pods := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "operator", Image: "operator"}}}}
		deployment := &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: name, Labels: operatorLabels},
			Spec:       appsv1.DeploymentSpec{Replicas: new(int32(2)), Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: pods},
		}
		if err := b.kube.Create(t.Context(), deployment); err != nil {
			t.Fatal(err)
		}
	}
	return names
}

func (b *bank) awaitScaledDown(t *testing.T, name string) {
	t.Helper()
	b.eventually(t, "Deployment "+name+" has no pods", func(ctx context.Context) error {
		deployment := &appsv1.Deployment{}
		if err := b.kube.Get(ctx, client.ObjectKey{Namespace: b.namespace, Name: name}, deployment); err != nil {
			return err
		}
		if *deployment.Spec.Replicas != 0 || deployment.Status.ObservedGeneration != deployment.Generation || deployment.Status.Replicas != 0 {
			return fmt.Errorf("it has %d of %d", deployment.Status.Replicas, *deployment.Spec.Replicas)
		}
		return nil
	})
}

// createEndingPod makes one of the operator's pods that is being deleted.
func (b *bank) createEndingPod(t *testing.T) string {
	t.Helper()
	pod := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: "fapi-operator-ending", Labels: operatorLabels, Finalizers: []string{othersFinalizer}},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "operator", Image: "operator"}}},
	}
	if err := errors.Join(b.kube.Create(t.Context(), pod), b.kube.Delete(t.Context(), pod)); err != nil {
		t.Fatal(err)
	}
	return pod.Name
}

func (b *bank) failPod(t *testing.T, pod string) {
	t.Helper()
	b.Kubectl(t, "patch", "--namespace", b.namespace, "pod/"+pod, "--subresource=status", "--type=merge", "--patch", `{"status":{"phase":"Failed"}}`)
}

func (b *bank) release(t *testing.T, pod string) {
	t.Helper()
	b.Kubectl(t, "patch", "--namespace", b.namespace, "pod/"+pod, "--type=merge", "--patch", `{"metadata":{"finalizers":null}}`)
}

// createUnserved makes an application of another class, which its operator has registered.
func (b *bank) createUnserved(t *testing.T, name string) {
	t.Helper()
	application := b.application(name, merge(t, dpopSpec, `serverClassName: other`))
	controllerutil.AddFinalizer(application, controllers.Finalizer)
	if err := b.kube.Create(t.Context(), application); err != nil {
		t.Fatal(err)
	}
}

// hold has somebody else put a finalizer on.
func (b *bank) hold(t *testing.T, name string) {
	t.Helper()
	b.change(t, name, func(a *v1alpha1.FAPIApplication) { controllerutil.AddFinalizer(a, othersFinalizer) })
}

func (b *bank) unhold(t *testing.T, name string) {
	t.Helper()
	b.change(t, name, func(a *v1alpha1.FAPIApplication) { a.Finalizers = nil })
}

func (b *bank) requireFinalizers(t *testing.T, name string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, b.get(t, name).Finalizers, cmpopts.SortSlices(strings.Compare)); diff != "" {
		t.Errorf("%s has other finalizers (-want +got):\n%s", name, diff)
	}
}

// requireLeft: these alone have the operator's finalizer.
func (b *bank) requireLeft(t *testing.T, want ...string) {
	t.Helper()
	var applications v1alpha1.FAPIApplicationList
	if err := b.kube.List(t.Context(), &applications, client.InNamespace(b.namespace)); err != nil {
		t.Fatal(err)
	}
	var left []string
	for i := range applications.Items {
		if controllerutil.ContainsFinalizer(&applications.Items[i], controllers.Finalizer) {
			left = append(left, applications.Items[i].Name)
		}
	}
	if !slices.Equal(left, want) {
		t.Errorf("%v have the finalizer, want %v", left, want)
	}
}

// requireNamespaceCanGo: what a team does that has had enough.
func (b *bank) requireNamespaceCanGo(t *testing.T) {
	t.Helper()
	b.Kubectl(t, "delete", "namespace", b.namespace, "--wait", "--timeout=60s")
}

func linesOf(t *testing.T, log []byte) (lines []map[string]any) {
	t.Helper()
	for line := range bytes.Lines(log) {
		var read map[string]any
		if err := json.Unmarshal(line, &read); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		lines = append(lines, read)
	}
	return lines
}

func requireLine(t *testing.T, lines []map[string]any, message string, attributes map[string]any) {
	t.Helper()
	for _, line := range lines {
		if text, _ := line["msg"].(string); !strings.Contains(text, message) {
			continue
		}
		same := true
		for name, want := range attributes {
			same = same && line[name] == want
		}
		if same {
			return
		}
	}
	t.Errorf("no line says %q of %v:\n%v", message, attributes, lines)
}

func parseSelector(t *testing.T, text string) labels.Selector {
	t.Helper()
	selector, err := labels.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return selector
}
