// SPDX-License-Identifier: Apache-2.0

package knftables

import (
	"context"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// TestKernel hands the plugins' changes to the kernel, in a network namespace that ends with the test's thread. Where
// the test may not make one it is skipped.
func TestKernel(t *testing.T) {
	runtime.LockOSThread()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		t.Skipf("no network namespace: %v", err)
	}
	ctx := context.Background()
	for _, test := range []struct {
		name   string
		family Family
		rules  []string
	}{
		{"ports of IPv4", IPv4Family, []string{
			"fib daddr type local jump other",
			"ip daddr 192.0.2.1 udp dport 53 dnat to 10.1.2.3:5353",
			"tcp dport 8080 dnat to 10.1.2.3:80",
		}},
		{"ports of IPv6", IPv6Family, []string{
			"ip6 daddr 2001:db8::1 sctp dport 99 dnat to [fd00::1]:99",
			"tcp dport 8080 dnat to [fd00::1]:80",
		}},
		{"masquerading", InetFamily, []string{
			"ip daddr == 224.0.0.0/4 return", "ip6 daddr == ff00::/8 return", "goto other",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			runtime.LockOSThread()
			if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
				t.Fatal(err)
			}
			nft, err := New(test.family, "t")
			if err != nil {
				t.Skip(err)
			}
			tx := nft.NewTransaction()
			tx.Add(&Table{})
			tx.Add(&Chain{Name: "other"})
			tx.Add(&Chain{
				Name: "base", Type: PtrTo(NATType), Hook: PtrTo(PreroutingHook), Priority: PtrTo(DNATPriority),
			})
			tx.Flush(&Chain{Name: "base"})
			for _, rule := range test.rules {
				tx.Add(&Rule{Chain: "base", Rule: rule, Comment: PtrTo(rule)})
			}
			for range 2 { // the second time replaces what the first has made
				if err := nft.Run(ctx, tx); err != nil {
					t.Fatal(err)
				}
			}
			listed, err := nft.ListRules(ctx, "base")
			if err != nil || len(listed) != len(test.rules) {
				t.Fatalf("got %d rules and %v, want %d", len(listed), err, len(test.rules))
			}
			end := nft.NewTransaction()
			for i, rule := range listed {
				if rule.Comment == nil || *rule.Comment != test.rules[i] {
					t.Errorf("rule %d has the comment %v, want %q", i, rule.Comment, test.rules[i])
				}
				end.Delete(rule)
			}
			if err := nft.Run(ctx, end); err != nil {
				t.Fatal(err)
			}
			if left, err := nft.ListRules(ctx, "base"); err != nil || len(left) != 0 {
				t.Errorf("%d rules are left, %v", len(left), err)
			}
		})
	}
}
