// SPDX-License-Identifier: Apache-2.0

package linkspec

import (
	"bytes"
	"cmp"
	"maps"
	"net"
	"path"
	"slices"
	"strconv"
	"strings"

	networkpb "github.com/siderolabs/talos/pkg/machinery/api/resource/definitions/network"
	"github.com/siderolabs/talos/pkg/machinery/cel/celenv"
	"github.com/siderolabs/talos/pkg/machinery/config/config"
	"github.com/siderolabs/talos/pkg/machinery/proto"
	"github.com/siderolabs/talos/pkg/machinery/resources/network"
)

// matching returns the names of the links that a selector of the v1alpha1 document describes, sorted. Every field that
// is given must match; a text may hold "*". An empty selector matches nothing: it is a mistake, not a wish for all.
// Bonds and VLANs carry the hardware address of a link below them, so only physical links are looked at unless the
// selector itself asks for others; and a slave carries its bond's, so its own is the one that counts.
func (b *builder) matching(s config.NetworkDeviceSelector) []string {
	var found []string
	for _, name := range slices.Sorted(maps.Keys(b.input.Links)) {
		if status := b.input.Links[name]; matches(s, status) {
			found = append(found, name)
		}
	}
	return found
}

func matches(s config.NetworkDeviceSelector, status network.LinkStatusSpec) bool {
	wanted := []struct{ pattern, value string }{
		{s.Bus(), status.BusPath},
		{s.HardwareAddress(), current(status).String()},
		{s.PermanentAddress(), permanent(status).String()},
		{s.PCIID(), status.PCIID},
		{s.KernelDriver(), status.Driver},
	}
	asked := false
	for _, w := range wanted {
		if w.pattern == "" {
			continue
		}
		asked = true
		if !globbed(w.pattern, w.value) {
			return false
		}
	}
	if s.Physical() != nil {
		return *s.Physical() == status.Physical()
	}
	return asked && status.Physical()
}

func current(status network.LinkStatusSpec) net.HardwareAddr {
	if status.MasterIndex != 0 {
		return permanent(status)
	}
	return net.HardwareAddr(status.HardwareAddr)
}

func globbed(pattern, value string) bool {
	ok, err := path.Match(strings.ToLower(pattern), strings.ToLower(value))
	return ok && err == nil
}

func permanent(status network.LinkStatusSpec) net.HardwareAddr {
	if len(status.PermanentAddr) > 0 {
		return net.HardwareAddr(status.PermanentAddr)
	}
	return net.HardwareAddr(status.HardwareAddr)
}

// aliases evaluates the LinkAliasConfig documents over the physical links, in the order of their permanent addresses so
// that the numbers of a pattern ("net%d") stay when the kernel finds the links in another order.
func (b *builder) aliases() map[string]string {
	found := map[string]string{}
	for name, status := range b.input.Links {
		for _, alias := range append([]string{status.Alias}, status.AltNames...) {
			if alias != "" {
				found[alias] = name
			}
		}
	}
	if b.input.Config == nil {
		return found
	}
	documents := slices.Clone(b.input.Config.NetworkLinkAliasConfigs())
	slices.SortFunc(documents, func(x, y config.NetworkLinkAliasConfig) int { return cmp.Compare(x.Name(), y.Name()) })
	taken := map[string]bool{}
	for _, doc := range documents {
		b.alias(doc, found, taken)
	}
	return found
}

func (b *builder) alias(doc config.NetworkLinkAliasConfig, found map[string]string, taken map[string]bool) {
	names := b.physical()
	slices.SortStableFunc(names, func(x, y string) int {
		return bytes.Compare(permanent(b.input.Links[x]), permanent(b.input.Links[y]))
	})
	var hits []string
	for _, name := range names {
		ok, err := evaluate(doc, name, b.input.Links[name])
		if err != nil {
			b.problem("link alias %s: %v", doc.Name(), err)
			return
		}
		if ok && !taken[name] {
			hits = append(hits, name)
		}
	}
	if len(hits) > 1 && !doc.IsPatternAlias() {
		b.problem("link alias %s: matches %s, expected one link", doc.Name(), strings.Join(hits, ", "))
		return
	}
	for i, name := range hits {
		alias := doc.Name()
		if doc.IsPatternAlias() {
			alias = strings.Replace(alias, "%d", strconv.Itoa(i), 1)
		}
		found[alias], taken[name] = name, true
	}
}

// physical returns the names of the physical links, sorted.
func (b *builder) physical() []string {
	names := slices.Sorted(maps.Keys(b.input.Links))
	return slices.DeleteFunc(names, func(name string) bool { return !b.input.Links[name].Physical() })
}

func evaluate(doc config.NetworkLinkAliasConfig, name string, status network.LinkStatusSpec) (bool, error) {
	link := network.NewLinkStatus(network.NamespaceName, name)
	*link.TypedSpec() = status
	var message networkpb.LinkStatusSpec
	if err := proto.ResourceSpecToProto(link, &message); err != nil {
		return false, err
	}
	selector := doc.LinkSelector()
	return selector.EvalBool(celenv.LinkLocator(), map[string]any{"link": &message})
}
