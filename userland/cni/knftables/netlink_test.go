// SPDX-License-Identifier: Apache-2.0

package knftables

import (
	"context"
	"strings"
	"testing"

	"github.com/google/nftables"
)

// table is one without a kernel behind it: batches are queued and never sent.
func table() *netlinkTable {
	return &netlinkTable{family: IPv4Family, table: &nftables.Table{Name: "t", Family: nftables.TableFamilyIPv4}}
}

func TestQueueRefuses(t *testing.T) {
	for _, test := range []struct {
		name string
		op   operation
		want string
	}{
		{"half a base chain", operation{add, &Chain{Name: "c", Type: PtrTo(NATType)}}, "together"},
		{"another type", operation{add, &Chain{
			Name: "c", Type: PtrTo(BaseChainType("filter")), Hook: PtrTo(OutputHook), Priority: PtrTo(DNATPriority),
		}}, "type nat"},
		{"another hook", operation{add, &Chain{
			Name: "c", Type: PtrTo(NATType), Hook: PtrTo(BaseChainHook("forward")), Priority: PtrTo(DNATPriority),
		}}, "known hook"},
		{"a rule in words it does not know", operation{add, &Rule{Chain: "c", Rule: "counter"}}, "counter"},
		{"a long comment", operation{add, &Rule{Chain: "c", Comment: PtrTo(strings.Repeat("x", 129))}}, "at most 128"},
		{"a rule without a handle", operation{remove, &Rule{Chain: "c"}}, "no handle"},
		{"an end of the table", operation{remove, &Table{}}, "expected one that plugins make"},
		{"an end of a chain", operation{remove, &Chain{Name: "c"}}, "expected one that plugins make"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := table().queue(&nftables.Conn{}, test.op)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want an error with %q", err, test.want)
			}
		})
	}
}

func TestRunDoesNothingForAnEmptyTransaction(t *testing.T) {
	if err := table().Run(context.Background(), table().NewTransaction()); err != nil {
		t.Error(err)
	}
}

func TestNewRefusesAnotherFamily(t *testing.T) {
	if _, err := New("bridge", "t"); err == nil || !strings.Contains(err.Error(), "expected ip, ip6 or inet") {
		t.Errorf("got %v", err)
	}
}
