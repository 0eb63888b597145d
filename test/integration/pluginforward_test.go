package integration

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/streaming/pkg/httpstream"
	"k8s.io/streaming/pkg/httpstream/spdy"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/fapi-operator/fapi-operator/authserver/fapi"
	"github.com/fapi-operator/fapi-operator/authserver/listen/testca"
	"github.com/fapi-operator/fapi-operator/authserver/oauth"
	"github.com/fapi-operator/fapi-operator/test/fapitest"
)

// The real server stands where a pod of the cluster would: the API server
// forwards to its node, and only the node is made for the test. The plug-in
// demands the Service's name of the server's certificate.
func TestPluginReachesThePrivateListenerThroughTheCluster(t *testing.T) {
	t.Parallel()
	b := openBranch(t, fapi.Limits{})
	server := fapitest.Prepare(t)
	service := "private." + b.namespace + ".svc"
	server.Authority.Issue(t, testca.Leaf{DNS: []string{"localhost", service}}).Write(t, filepath.Dir(server.ConfigFile))
	server.Start(t)
	t.Cleanup(server.Stop)
	client := server.Register(t, "bank.shop", fapitest.Profile{AuthMethod: oauth.AuthPrivateKeyJWT, DPoP: true}).Client
	if _, _, err := client.Flow(t.Context(), server.Person); err != nil {
		t.Fatal(err)
	}
	b.exposePod(t, server)
	certificate, key := server.Authority.Issue(t, testca.Leaf{URIs: []string{fapitest.AdministratorSAN}}).Write(t, t.TempDir())
	ca := testca.WriteFile(t, t.TempDir(), "ca.crt", server.Authority.PEM())
	credentials := []string{"--service", b.namespace + "/private", "--cert", certificate, "--key", key, "--ca", ca}

	code, out, message := b.plugin(t, append([]string{"grants"}, credentials...)...)
	if code != 0 || !strings.Contains(out, "bank.shop") {
		t.Fatalf("exit code %d, output %q, message %q", code, out, message)
	}
	if code, out, message := b.plugin(t, append([]string{"revoke", "--client", "bank.shop", "--yes"}, credentials...)...); code != 0 || !strings.HasPrefix(out, "1 grants") {
		t.Errorf("exit code %d, output %q, message %q", code, out, message)
	}
}

// exposePod makes a Service with a pod that is ready, on a node that forwards to
// the server's private listener.
func (b *bank) exposePod(t *testing.T, server *fapitest.Server) {
	t.Helper()
	_, listener, err := net.SplitHostPort(server.PrivateAddress)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.ParseInt(listener, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	labels := map[string]string{"app": "authserver"}
	meta := func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: b.namespace, Name: name, Labels: labels}
	}
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "node-of-" + b.namespace}}
	b.createWithStatus(t, node, func() {
		node.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "127.0.0.1"}}
		node.Status.DaemonEndpoints.KubeletEndpoint.Port = startKubelet(t)
	})
	t.Cleanup(func() { _ = b.kube.Delete(context.Background(), node) })
	pod := &corev1.Pod{ObjectMeta: meta("authserver"), Spec: corev1.PodSpec{
		NodeName: node.Name, AutomountServiceAccountToken: new(false), TerminationGracePeriodSeconds: new(int64),
		Containers: []corev1.Container{{Name: "authserver", Image: "authserver", Ports: []corev1.ContainerPort{{Name: "private", ContainerPort: int32(port)}}}},
	}}
	b.createWithStatus(t, pod, func() {
		pod.Status.Phase = corev1.PodRunning
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	})
	service := &corev1.Service{ObjectMeta: meta("private"), Spec: corev1.ServiceSpec{
		Selector: labels, Ports: []corev1.ServicePort{{Port: 8445, TargetPort: intstr.FromString("private")}},
	}}
	if err := b.kube.Create(t.Context(), service); err != nil {
		t.Fatal(err)
	}
}

func (b *bank) createWithStatus(t *testing.T, object client.Object, fill func()) {
	t.Helper()
	b.eventually(t, "a "+object.GetName()+" is created", func(ctx context.Context) error { // pods wait for the namespace's service account
		return b.kube.Create(ctx, object)
	})
	fill()
	if err := b.kube.Status().Update(t.Context(), object); err != nil {
		t.Fatal(err)
	}
}

// startKubelet is the part of a node that forwards connections to pods: its
// containers are this machine.
func startKubelet(t *testing.T) int32 {
	t.Helper()
	kubelet := httptest.NewUnstartedServer(http.HandlerFunc(forwardToThisMachine))
	kubelet.TLS = &tls.Config{NextProtos: []string{"http/1.1"}} // upgrades need it
	kubelet.StartTLS()
	t.Cleanup(kubelet.Close)
	return int32(kubelet.Listener.Addr().(*net.TCPAddr).Port)
}

// forwardToThisMachine speaks the kubelet's protocol: for each connection, a
// stream for its data and one for an error, which have the same request in
// their headers.
func forwardToThisMachine(w http.ResponseWriter, r *http.Request) {
	if _, err := httpstream.Handshake(r, w, []string{portforward.PortForwardProtocolV1Name}); err != nil {
		return
	}
	streams := make(chan httpstream.Stream)
	connection := spdy.NewResponseUpgrader().UpgradeResponse(w, r, func(stream httpstream.Stream, _ <-chan struct{}) error {
		streams <- stream
		return nil
	})
	if connection == nil {
		return
	}
	defer func() { _ = connection.Close() }() // Whoever forwarded has gone.
	failures := map[string]httpstream.Stream{}
	for {
		select {
		case <-connection.CloseChan():
			return
		case stream := <-streams:
			id := stream.Headers().Get(corev1.PortForwardRequestIDHeader)
			if stream.Headers().Get(corev1.StreamType) == corev1.StreamTypeError {
				failures[id] = stream
				continue
			}
			go relay(stream, failures[id])
		}
	}
}

func relay(data, failure httpstream.Stream) {
	defer failure.Close()
	defer data.Close()
	target, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", data.Headers().Get(corev1.PortHeader)))
	if err != nil {
		_, _ = io.WriteString(failure, err.Error())
		return
	}
	defer target.Close()
	go func() {
		_, _ = io.Copy(target, data)
		_ = target.(*net.TCPConn).CloseWrite()
	}()
	_, _ = io.Copy(data, target)
}
