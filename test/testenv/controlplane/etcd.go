package controlplane

import (
	"context"
	"net"
	"path/filepath"
)

// etcdSocket is where etcd listens, in its working directory: nobody without
// access to the control plane's folder reaches it, and no port can be taken.
const etcdSocket = "etcd.sock"

// startEtcd starts etcd without fsync: objects survive the end of the process,
// but not that of the machine.
func (c *ControlPlane) startEtcd(ctx context.Context) error {
	const client, peer = "unix://" + etcdSocket, "unix://etcd-peer.sock"
	p, err := c.run("etcd",
		"--data-dir=etcd",
		"--unsafe-no-fsync",
		"--log-level=warn",
		"--listen-client-urls="+client,
		"--advertise-client-urls="+client,
		"--listen-peer-urls="+peer,
		"--initial-advertise-peer-urls="+peer,
		"--initial-cluster=default="+peer,
	)
	if err != nil {
		return err
	}
	return p.AwaitReady(ctx, c.dialEtcd)
}

func (c *ControlPlane) dialEtcd(ctx context.Context) error {
	connection, err := (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(c.files.data(), etcdSocket))
	if err != nil {
		return err
	}
	return connection.Close()
}
