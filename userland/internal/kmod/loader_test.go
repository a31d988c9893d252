// SPDX-License-Identifier: Apache-2.0

package kmod

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// kernel records what is inserted; refuse maps a file to the error that it gives.
type kernel struct {
	mu       sync.Mutex
	inserted []string
	refuse   map[string]error
}

func (k *kernel) insert(file string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.refuse[file]; err != nil {
		return err
	}
	k.inserted = append(k.inserted, file)
	return nil
}

const (
	xhciAlias  = "pci:v00001B36d0000000Dsv00001AF4sd00001100bc0Csc03i30"
	r8169Alias = "pci:v000010ECd00008168sv00001849sd00008168bc02sc00i00"
	usbcore    = "kernel/drivers/usb/core/usbcore.ko"
	xhciHcd    = "kernel/drivers/usb/host/xhci-hcd.ko"
	xhciPci    = "kernel/drivers/usb/host/xhci-pci.ko"
	r8169File  = "kernel/drivers/net/r8169.ko"
	realtek    = "kernel/drivers/net/phy/realtek.ko"
)

func TestLoadAliasesInsertsEachModuleOnce(t *testing.T) {
	k := &kernel{}
	l := newLoader(testIndex(t), k.insert)
	for range 2 {
		if failures := l.LoadAliases([]string{xhciAlias, xhciAlias, r8169Alias, "pci:vnone"}); len(failures) > 0 {
			t.Fatal(failures)
		}
	}
	if err := l.LoadNames([]string{"usbcore", "xhci-pci", "crc32c_generic"}); err != nil {
		t.Fatal(err)
	}
	slices.Sort(k.inserted)
	want := []string{usbcore, xhciHcd, xhciPci, r8169File, realtek}
	slices.Sort(want)
	if !slices.Equal(k.inserted, want) {
		t.Errorf("inserted %v, want %v", k.inserted, want)
	}
}

func TestParametersMakeNoFirstLinks(t *testing.T) {
	for file, want := range map[string]string{
		"/lib/modules/6/kernel/drivers/net/bonding/bonding.ko": "max_bonds=0", "dummy.ko": "numdummies=0", "ifb.ko": "numifbs=0", realtek: "",
	} {
		if got := parameters(file); got != want {
			t.Errorf("%s: got %q, want %q", file, got, want)
		}
	}
}

func TestLoadFailures(t *testing.T) {
	tests := []struct {
		name   string
		refuse map[string]error
		alias  string
		want   string
	}{
		{"the driver", map[string]error{xhciPci: unix.EKEYREJECTED}, xhciAlias, "xhci_pci: key was rejected by service"},
		{"what it needs", map[string]error{usbcore: unix.ENOEXEC}, xhciAlias, "xhci_pci: needs usbcore: exec format error"},
		{"what it wants is no failure", map[string]error{realtek: unix.ENOENT}, r8169Alias, ""},
		{"no such device is no failure", map[string]error{r8169File: unix.ENODEV}, r8169Alias, ""},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			l := newLoader(testIndex(t), (&kernel{refuse: tc.refuse}).insert)
			got := ""
			for _, f := range l.LoadAliases([]string{tc.alias}) {
				got += f.Module + ": " + f.Err.Error()
			}
			if got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

func TestSkipLoadedInsertsOnlyTheRest(t *testing.T) {
	k := &kernel{}
	l := newLoader(testIndex(t), k.insert)
	l.skipLoaded("xhci_hcd 360448 1 - Live 0x0000000000000000\nusbcore 405504 2 xhci_hcd, Live 0x0\n")
	if failures := l.LoadAliases([]string{xhciAlias}); len(failures) > 0 {
		t.Fatal(failures)
	}
	if !slices.Equal(k.inserted, []string{xhciPci}) {
		t.Errorf("inserted %v", k.inserted)
	}
}

func TestDamagedSeesReadErrorsOnly(t *testing.T) {
	for refused, want := range map[error]bool{unix.EIO: true, unix.EKEYREJECTED: false, unix.ENOMEM: false} {
		l := newLoader(testIndex(t), (&kernel{refuse: map[string]error{usbcore: refused}}).insert)
		if err := Damaged(l.LoadAliases([]string{xhciAlias})); (err != nil) != want {
			t.Errorf("%v: got %v", refused, err)
		}
	}
}

func TestUnknownNamesAreErrors(t *testing.T) {
	l := newLoader(testIndex(t), (&kernel{}).insert)
	if err := l.LoadNames([]string{"vfat", "nonesuch"}); err == nil || !strings.Contains(err.Error(), `"nonesuch" is neither`) {
		t.Errorf("LoadNames: %v", err)
	}
	for _, name := range []string{"nonesuch", "../vfat", "/lib/vfat.ko"} {
		if err := l.Request(name); err == nil {
			t.Errorf("Request(%q) was served", name)
		}
	}
	if err := l.Request("crypto-crc32c"); err != nil {
		t.Errorf("a built-in module: %v", err)
	}
}

func TestNames(t *testing.T) {
	got := Names("# always\nloop\n\n dm_verity # root\n")
	if !slices.Equal(got, []string{"loop", "dm_verity"}) {
		t.Errorf("got %q", got)
	}
}
