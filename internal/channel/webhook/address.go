package webhook

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
)

// Allowed are the inner networks and hosts that may be sent to. The zero Allowed
// lets nothing but the public internet through.
type Allowed struct {
	Networks []netip.Prefix
	Hosts    []string // lower case, without a port
}

// ParseAllowed reads a list of networks (10.1.0.0/16), addresses and names of
// hosts, divided by commas or spaces.
func ParseAllowed(list string) (a Allowed, err error) {
	for _, item := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' }) {
		if p, err := netip.ParsePrefix(item); err == nil {
			a.Networks = append(a.Networks, p.Masked())
		} else if ip, err := netip.ParseAddr(item); err == nil {
			a.Networks = append(a.Networks, netip.PrefixFrom(ip, ip.BitLen()))
		} else if strings.ContainsAny(item, "/:*[]") {
			return Allowed{}, cx.E(cx.Invalid, "", fmt.Sprintf("%q is no network such as 10.1.0.0/16, no address and no name of a host", item))
		} else {
			a.Hosts = append(a.Hosts, strings.ToLower(strings.TrimSuffix(item, ".")))
		}
	}
	return a, nil
}

// addressError is an address that nothing is sent to.
type addressError struct{ ip netip.Addr }

func (e *addressError) Error() string {
	return fmt.Sprintf("%s is not a public address; to send there, name it or its host in the setting webhook.allow_networks", e.ip)
}

// dial connects. The address is judged when the connection is made, after names
// have been resolved, so that no name can lead inside, whatever it resolves to and
// however often.
func (a Allowed) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(a.Hosts, strings.ToLower(strings.TrimSuffix(host, "."))) {
		d.Control = func(_, address string, _ syscall.RawConn) error { return a.judge(address) }
	}
	return d.DialContext(ctx, network, address)
}

// judge refuses an address of the form ip:port that may not be sent to.
func (a Allowed) judge(address string) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	ip := at.Addr().Unmap()
	if IsPublic(ip) || slices.ContainsFunc(a.Networks, func(p netip.Prefix) bool { return p.Contains(ip.WithZone("")) }) {
		return nil
	}
	return &addressError{ip}
}

// notPublic are the special ranges of IPv4 (RFC 6890 and the registry of IANA) and
// those inside the public range of IPv6.
var notPublic = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
	"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
)

var (
	publicIPv6 = netip.MustParsePrefix("2000::/3")
	nat64      = netip.MustParsePrefix("64:ff9b::/96") // holds an IPv4 address in its last 32 bits
)

func prefixes(all ...string) (out []netip.Prefix) {
	for _, s := range all {
		out = append(out, netip.MustParsePrefix(s))
	}
	return out
}

// IsPublic reports whether ip is an address of the public internet.
func IsPublic(ip netip.Addr) bool {
	ip = ip.Unmap()
	if nat64.Contains(ip) {
		b := ip.As16()
		ip = netip.AddrFrom4([4]byte(b[12:]))
	}
	if !ip.IsValid() || ip.Zone() != "" || ip.Is6() && !publicIPv6.Contains(ip) {
		return false
	}
	return !slices.ContainsFunc(notPublic, func(p netip.Prefix) bool { return p.Contains(ip) })
}
