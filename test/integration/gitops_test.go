package integration

import (
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	lua "github.com/yuin/gopher-lua"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/fapi-operator/fapi-operator/api/v1alpha1"
	"github.com/fapi-operator/fapi-operator/authserver/fapi"
)

// What Argo CD's health check, as it ships, and Flux's kstatus make of an
// application in each state that the operator leaves it in.
func TestGitOpsToolsSeeTheStateOfAnApplication(t *testing.T) {
	t.Parallel()
	for name, state := range map[string]struct {
		reach  func(t *testing.T) (*bank, *v1alpha1.FAPIApplication)
		health string
		flux   status.Status
	}{
		"nobody has looked": {notLookedAt, "Progressing", status.InProgressStatus},
		"ready":             {ready, "Healthy", status.CurrentStatus},
		"changed since":     {changedSince, "Progressing", status.InProgressStatus},
		"refused":           {refusedByServer, "Degraded", status.FailedStatus},
		"waiting":           {waitingForServer, "Progressing", status.InProgressStatus},
		"suspended":         {suspended, "Suspended", status.InProgressStatus},
		"being deleted":     {beingDeleted, "Progressing", status.TerminatingStatus},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, application := state.reach(t)
			object := b.unstructured(t, application)
			if health, message := argoCDHealth(t, object); health != state.health || message == "" {
				t.Errorf("Argo CD: %s (%s), want %s", health, message, state.health)
			}
			result, err := status.Compute(object)
			if err != nil {
				t.Fatal(err)
			}
			if result.Status != state.flux {
				t.Errorf("Flux: %s (%s), want %s", result.Status, result.Message, state.flux)
			}
		})
	}
}

func notLookedAt(t *testing.T) (*bank, *v1alpha1.FAPIApplication) {
	b := openBranch(t, fapi.Limits{})
	return b, b.create(t, "planner", dpopSpec)
}

func ready(t *testing.T) (*bank, *v1alpha1.FAPIApplication) {
	b := openBank(t)
	b.create(t, "planner", dpopSpec)
	return b, b.awaitReady(t, "planner")
}

func changedSince(t *testing.T) (*bank, *v1alpha1.FAPIApplication) {
	b, _ := ready(t)
	b.stop()
	b.uninstallWebhook(t, "integration-"+b.namespace)
	b.change(t, "planner", func(a *v1alpha1.FAPIApplication) { a.Spec.ClientName = "Another name" })
	return b, b.get(t, "planner")
}

func refusedByServer(t *testing.T) (*bank, *v1alpha1.FAPIApplication) {
	b := openBranch(t, fapi.Limits{Scopes: []string{}})
	b.startOperator(t)
	b.create(t, "planner", dpopSpec)
	return b, b.awaitCondition(t, "planner", v1alpha1.ConditionStalled, v1alpha1.ReasonRejectedByServer)
}

func waitingForServer(t *testing.T) (*bank, *v1alpha1.FAPIApplication) {
	b := openBank(t)
	b.server.faults.set(cut)
	b.create(t, "planner", dpopSpec)
	return b, b.awaitCondition(t, "planner", v1alpha1.ConditionReady, v1alpha1.ReasonServerUnavailable)
}

func suspended(t *testing.T) (*bank, *v1alpha1.FAPIApplication) {
	b, _ := ready(t)
	b.change(t, "planner", func(a *v1alpha1.FAPIApplication) { a.Spec.Suspended = new(true) })
	return b, b.awaitCondition(t, "planner", v1alpha1.ConditionReady, v1alpha1.ReasonSuspended)
}

func beingDeleted(t *testing.T) (*bank, *v1alpha1.FAPIApplication) {
	b, _ := ready(t)
	b.server.faults.set(cut)
	b.delete(t, "planner")
	return b, b.awaitCondition(t, "planner", v1alpha1.ConditionReady, v1alpha1.ReasonDeleting)
}

func (b *bank) unstructured(t *testing.T, application *v1alpha1.FAPIApplication) *unstructured.Unstructured {
	t.Helper()
	object := &unstructured.Unstructured{}
	object.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("FAPIApplication"))
	if err := b.kube.Get(t.Context(), client.ObjectKeyFromObject(application), object); err != nil {
		t.Fatal(err)
	}
	return object
}

// argoCDHealth runs the check of config/argocd as Argo CD does: the object is the
// global obj, and a table with status and message comes back.
func argoCDHealth(t *testing.T, object *unstructured.Unstructured) (health, message string) {
	t.Helper()
	settings := &corev1.ConfigMap{}
	if err := yaml.UnmarshalStrict(readFile(t, root, "config", "argocd", "argocd-cm.yaml"), settings); err != nil {
		t.Fatal(err)
	}
	script := settings.Data["resource.customizations.health."+v1alpha1.GroupVersion.Group+"_FAPIApplication"]
	// Argo CD opens these libraries alone, unless told otherwise.
	machine := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer machine.Close()
	for _, open := range []lua.LGFunction{lua.OpenBase, lua.OpenTable, lua.OpenString} {
		machine.Push(machine.NewFunction(open))
		machine.Call(0, 0)
	}
	machine.SetGlobal("obj", luaValue(machine, runtime.DeepCopyJSON(object.Object)))
	if err := machine.DoString(script); err != nil {
		t.Fatal(err)
	}
	result, ok := machine.Get(-1).(*lua.LTable)
	if !ok {
		t.Fatalf("the health check gives %v, and no table", machine.Get(-1))
	}
	return machine.GetField(result, "status").String(), machine.GetField(result, "message").String()
}

func luaValue(machine *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case map[string]any:
		table := machine.NewTable()
		for name, member := range value {
			table.RawSetString(name, luaValue(machine, member))
		}
		return table
	case []any:
		table := machine.NewTable()
		for _, element := range value {
			table.Append(luaValue(machine, element))
		}
		return table
	case string:
		return lua.LString(value)
	case bool:
		return lua.LBool(value)
	case int64:
		return lua.LNumber(value)
	case float64:
		return lua.LNumber(value)
	}
	return lua.LNil
}
