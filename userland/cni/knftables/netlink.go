// SPDX-License-Identifier: Apache-2.0

package knftables

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/google/nftables"
	"github.com/google/nftables/userdata"
	"golang.org/x/sys/unix"
)

var tableFamilies = map[Family]nftables.TableFamily{
	IPv4Family: nftables.TableFamilyIPv4,
	IPv6Family: nftables.TableFamilyIPv6,
	InetFamily: nftables.TableFamilyINet,
}

var hooks = map[BaseChainHook]*nftables.ChainHook{
	PreroutingHook:  nftables.ChainHookPrerouting,
	OutputHook:      nftables.ChainHookOutput,
	PostroutingHook: nftables.ChainHookPostrouting,
}

var priorities = map[BaseChainPriority]*nftables.ChainPriority{
	DNATPriority: nftables.ChainPriorityNATDest,
	SNATPriority: nftables.ChainPriorityNATSource,
}

// netlinkTable is a table of the kernel in this network namespace.
type netlinkTable struct {
	family Family
	table  *nftables.Table
}

// New returns an Interface to a table, which need not exist. It fails where the kernel has no nftables.
func New(family Family, table string) (Interface, error) {
	kernelFamily, known := tableFamilies[family]
	if !known {
		return nil, fmt.Errorf("family %q: expected ip, ip6 or inet", family)
	}
	conn, err := nftables.New()
	if err != nil {
		return nil, err
	}
	if _, err := conn.ListTablesOfFamily(kernelFamily); err != nil {
		return nil, fmt.Errorf("the kernel's nftables: %w", err)
	}
	return &netlinkTable{family: family, table: &nftables.Table{Name: table, Family: kernelFamily}}, nil
}

func (t *netlinkTable) NewTransaction() *Transaction { return &Transaction{} }

func (t *netlinkTable) Run(_ context.Context, tx *Transaction) error {
	if len(tx.operations) == 0 {
		return nil
	}
	conn, err := nftables.New()
	if err != nil {
		return err
	}
	for _, op := range tx.operations {
		if err := t.queue(conn, op); err != nil {
			return err
		}
	}
	return conn.Flush()
}

// queue adds one change to the connection's batch.
func (t *netlinkTable) queue(conn *nftables.Conn, op operation) error {
	switch object := op.object.(type) {
	case *Table:
		if op.verb == add {
			conn.AddTable(t.table)
			return nil
		}
	case *Chain:
		switch op.verb {
		case add:
			return t.addChain(conn, object)
		case flush:
			conn.FlushChain(&nftables.Chain{Name: object.Name, Table: t.table})
			return nil
		}
	case *Rule:
		switch op.verb {
		case add:
			return t.addRule(conn, object)
		case remove:
			return t.deleteRule(conn, object)
		}
	}
	return fmt.Errorf("change %d of %T: expected one that plugins make", op.verb, op.object)
}

func (t *netlinkTable) addChain(conn *nftables.Conn, chain *Chain) error {
	made := &nftables.Chain{Name: chain.Name, Table: t.table}
	if chain.Type != nil || chain.Hook != nil || chain.Priority != nil {
		if chain.Type == nil || chain.Hook == nil || chain.Priority == nil {
			return fmt.Errorf("chain %q: expected type, hook and priority together", chain.Name)
		}
		made.Type = nftables.ChainType(*chain.Type)
		made.Hooknum, made.Priority = hooks[*chain.Hook], priorities[*chain.Priority]
		if *chain.Type != NATType || made.Hooknum == nil || made.Priority == nil {
			return fmt.Errorf("chain %q: expected type nat, a known hook and a known priority", chain.Name)
		}
	}
	conn.AddChain(made)
	return nil
}

func (t *netlinkTable) addRule(conn *nftables.Conn, rule *Rule) error {
	expressions, err := compile(t.family, rule.Rule)
	if err != nil {
		return err
	}
	made := &nftables.Rule{
		Table: t.table,
		Chain: &nftables.Chain{Name: rule.Chain, Table: t.table},
		Exprs: expressions,
	}
	if rule.Comment != nil {
		if len(*rule.Comment) > CommentLengthMax {
			return fmt.Errorf("comment of %d bytes: expected at most %d", len(*rule.Comment), CommentLengthMax)
		}
		made.UserData = userdata.AppendString(nil, userdata.TypeComment, *rule.Comment)
	}
	conn.AddRule(made)
	return nil
}

func (t *netlinkTable) deleteRule(conn *nftables.Conn, rule *Rule) error {
	if rule.Handle == nil {
		return errors.New("a rule to delete has no handle")
	}
	chain := &nftables.Chain{Name: rule.Chain, Table: t.table}
	return conn.DelRule(&nftables.Rule{Table: t.table, Chain: chain, Handle: uint64(*rule.Handle)})
}

func (t *netlinkTable) ListRules(_ context.Context, chain string) ([]*Rule, error) {
	conn, err := nftables.New()
	if err != nil {
		return nil, err
	}
	found, err := conn.GetRules(t.table, &nftables.Chain{Name: chain, Table: t.table})
	if errors.Is(err, unix.ENOENT) {
		return nil, fmt.Errorf("chain %q of table %q: %w", chain, t.table.Name, os.ErrNotExist)
	}
	if err != nil {
		return nil, err
	}
	rules := make([]*Rule, 0, len(found))
	for _, rule := range found {
		handle := int(rule.Handle)
		listed := &Rule{Chain: chain, Handle: &handle}
		if comment, has := userdata.GetString(rule.UserData, userdata.TypeComment); has {
			listed.Comment = &comment
		}
		rules = append(rules, listed)
	}
	return rules, nil
}
