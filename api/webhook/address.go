package webhook

import (
	"errors"
	"fmt"
	"net/netip"
	"syscall"
)

// errPrivate means that a receiver's address is not a public one.
var errPrivate = errors.New("the receiver's address is not public (WEBHOOK_ALLOW_PRIVATE=1 allows it)")

// refusePrivate is a net.Dialer's Control: it sees the address that is about to
// be dialled, after names were resolved, so that no name can lead inside.
func refusePrivate(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %.60q", errPrivate, address)
	}
	if !public(to.Addr()) {
		return fmt.Errorf("%w: %s", errPrivate, to.Addr())
	}
	return nil
}

// special are address blocks that are routed to no public host, or to one that
// translates them into another address, which could be any.
var special = prefixes(
	"0.0.0.0/8",       // this network
	"100.64.0.0/10",   // carrier-grade NAT
	"192.0.0.0/24",    // protocol assignments
	"192.0.2.0/24",    // documentation
	"192.88.99.0/24",  // 6to4 relays
	"198.18.0.0/15",   // benchmarks
	"198.51.100.0/24", // documentation
	"203.0.113.0/24",  // documentation
	"240.0.0.0/4",     // reserved, and broadcast
	"2001::/23",       // protocol assignments: Teredo, ORCHID
	"2001:db8::/32",   // documentation
	"2002::/16",       // 6to4
	"3fff::/20",       // documentation
)

// global is where IPv6 has its public addresses. What lies outside, NAT64
// (64:ff9b::/96 and 64:ff9b:1::/48), IPv4-compatible and site-local addresses
// among them, is not public.
var global = netip.MustParsePrefix("2000::/3")

// public reports whether an address is one that anybody may be sent to.
func public(a netip.Addr) bool {
	a = a.Unmap() // ::ffff:127.0.0.1 is 127.0.0.1
	if !a.IsValid() || a.Zone() != "" || !a.IsGlobalUnicast() || a.IsPrivate() || a.Is6() && !global.Contains(a) {
		return false
	}
	for _, p := range special {
		if p.Contains(a) {
			return false
		}
	}
	return true
}

func prefixes(texts ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(texts))
	for i, s := range texts {
		out[i] = netip.MustParsePrefix(s)
	}
	return out
}
