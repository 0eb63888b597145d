package controlplane

import (
	"fmt"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// administrators is the group that kube-apiserver lets do everything.
const administrators = "system:masters"

// writeKubeconfig issues a client certificate for a user and writes it into a
// kubeconfig, whose path it returns.
func (c *ControlPlane) writeKubeconfig(name, user string, groups ...string) (string, error) {
	client, err := c.ca.issueClient(user, groups...)
	if err != nil {
		return "", err
	}
	kubeconfig := clientcmdapi.Config{
		Clusters: map[string]*clientcmdapi.Cluster{"controlplane": {
			Server:                   fmt.Sprintf("https://127.0.0.1:%d", c.config.APIServerPort),
			CertificateAuthorityData: c.ca.pem(),
		}},
		AuthInfos: map[string]*clientcmdapi.AuthInfo{name: {
			ClientCertificateData: client.certificate,
			ClientKeyData:         client.key,
		}},
		Contexts:       map[string]*clientcmdapi.Context{name: {Cluster: "controlplane", AuthInfo: name, Namespace: "default"}},
		CurrentContext: name,
	}
	path := c.files.kubeconfig(name)
	if err := clientcmd.WriteToFile(kubeconfig, path); err != nil {
		return "", fmt.Errorf("write kubeconfig %s: %w", path, err)
	}
	return path, nil
}

// readKubeconfig makes a client configuration without client-side limits: this
// API server has no other users to protect.
func readKubeconfig(path string) (*rest.Config, error) {
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig %s: %w", path, err)
	}
	config.QPS = -1
	return config, nil
}
