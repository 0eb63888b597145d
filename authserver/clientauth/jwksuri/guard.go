package jwksuri

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
)

// dialer connects to public addresses, and to others only where that is
// configured. It judges the address that is really dialed, after the name was
// resolved: a name may resolve differently each time.
type dialer struct {
	guarded, open   net.Dialer
	allowedNetworks []netip.Prefix
	allowedHosts    []string
}

func newDialer(config Config) *dialer {
	d := &dialer{allowedNetworks: config.AllowedNetworks, allowedHosts: config.AllowedHosts}
	d.guarded = net.Dialer{Timeout: readTimeout, Control: d.control}
	d.open = net.Dialer{Timeout: readTimeout}
	return d
}

func (d *dialer) dialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if slices.Contains(d.allowedHosts, strings.ToLower(host)) {
		return d.open.DialContext(ctx, network, address)
	}
	return d.guarded.DialContext(ctx, network, address)
}

// control is called with each resolved address before its connection is made.
func (d *dialer) control(_, address string, _ syscall.RawConn) error {
	resolved, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("the address %s is not understood: %w", address, err)
	}
	ip := resolved.Addr().Unmap().WithZone("")
	if isPublic(ip) || slices.ContainsFunc(d.allowedNetworks, func(network netip.Prefix) bool { return network.Contains(ip) }) {
		return nil
	}
	return fmt.Errorf("the address %s is not public; an administrator can allow its network or host", ip)
}

// notPublic are the networks of IANA's special-purpose registries that the
// methods of netip.Addr do not name. The translating ones (NAT64, 6to4, Teredo)
// are among them, since they can stand for a private IPv4 address.
var notPublic = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("100.64.0.0/10"),
	netip.MustParsePrefix("192.0.0.0/24"),
	netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("192.88.99.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"),
	netip.MustParsePrefix("198.51.100.0/24"),
	netip.MustParsePrefix("203.0.113.0/24"),
	netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("::/96"),
	netip.MustParsePrefix("64:ff9b::/96"),
	netip.MustParsePrefix("64:ff9b:1::/48"),
	netip.MustParsePrefix("100::/64"),
	netip.MustParsePrefix("2001::/23"),
	netip.MustParsePrefix("2001:db8::/32"),
	netip.MustParsePrefix("2002::/16"),
	netip.MustParsePrefix("3fff::/20"),
	netip.MustParsePrefix("5f00::/16"),
	netip.MustParsePrefix("fec0::/10"),
}

// isPublic tells whether an address is one of the Internet: global unicast, and
// neither private (RFC 1918, RFC 4193), loopback, link-local (which holds the
// clouds' metadata services) nor reserved.
func isPublic(ip netip.Addr) bool {
	if !ip.IsGlobalUnicast() || ip.IsPrivate() {
		return false
	}
	return !slices.ContainsFunc(notPublic, func(network netip.Prefix) bool { return network.Contains(ip) })
}
