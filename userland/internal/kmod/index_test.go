// SPDX-License-Identifier: Apache-2.0

package kmod

import (
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// release is a small /lib/modules/<release>.
func release(extra map[string]string) fstest.MapFS {
	files := map[string]string{
		"modules.dep": `
kernel/fs/fat/vfat.ko: kernel/fs/fat/fat.ko
kernel/fs/fat/fat.ko:
kernel/drivers/usb/host/xhci-pci.ko: kernel/drivers/usb/host/xhci-hcd.ko kernel/drivers/usb/core/usbcore.ko
kernel/drivers/usb/host/xhci-hcd.ko: kernel/drivers/usb/core/usbcore.ko
kernel/drivers/usb/core/usbcore.ko:
kernel/drivers/net/r8169.ko:
kernel/drivers/net/phy/realtek.ko:
kernel/drivers/net/e1000.ko:
`,
		"modules.alias": `
# a comment
alias fs-vfat vfat
alias pci:v*d*sv*sd*bc0Csc03i30* xhci_pci
alias pci:v000010ECd00008168sv*sd*bc*sc*i* r8169
alias pci:v00008086d0000100Esv*sd*bc*sc*i* e1000
alias cpu:type:x86,ven*fam*mod*:feature:*0099* vfat
alias crypto-crc32c crc32c_generic
alias platform:gone not_shipped
`,
		"modules.softdep": "softdep r8169 pre: realtek platform:gone\n",
		"modules.builtin": "kernel/crypto/crc32c_generic.ko\n",
	}
	for name, text := range extra {
		files[name] = text
	}
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return fsys
}

func testIndex(t *testing.T) *Index {
	t.Helper()
	x, err := ReadIndex(release(nil))
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestResolve(t *testing.T) {
	tests := []struct {
		name, ask string
		want      []string
		known     bool
	}{
		{"module name", "vfat", []string{"vfat"}, true},
		{"dash for underscore", "xhci-pci", []string{"xhci_pci"}, true},
		{"exact alias", "fs-vfat", []string{"vfat"}, true},
		{"pci device", "pci:v000010ECd00008168sv00001849sd00008168bc02sc00i00", []string{"r8169"}, true},
		{"pci class", "pci:v00001B36d0000000Dsv00001AF4sd00001100bc0Csc03i30", []string{"xhci_pci"}, true},
		{"cpu feature", "cpu:type:x86,ven0000fam0006mod0001:feature:,0001,0099,00A0", []string{"vfat"}, true},
		{"alias of a built-in module", "crypto-crc32c", nil, true},
		{"alias of a module that is not shipped", "platform:gone", nil, false},
		{"unknown device", "pci:v0000DEADd0000BEEFsv00000000sd00000000bc02sc00i00", nil, false},
		{"a path is no name", "../vfat", nil, false},
		{"a file is no name", "kernel/fs/fat/vfat.ko", nil, false},
	}
	x := testIndex(t)
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			got, known := x.Resolve(tc.ask)
			if !slices.Equal(got, tc.want) || known != tc.known {
				t.Errorf("got %v %v, want %v %v", got, known, tc.want, tc.known)
			}
		})
	}
}

func TestOrderPutsDependenciesFirst(t *testing.T) {
	tests := []struct {
		module string
		want   []step
	}{
		{"xhci_pci", []step{{"usbcore", false}, {"xhci_hcd", false}, {"xhci_pci", false}}},
		{"r8169", []step{{"realtek", true}, {"r8169", false}}},
		{"fat", []step{{"fat", false}}},
	}
	x := testIndex(t)
	for _, tc := range tests {
		if got := x.order(tc.module); !slices.Equal(got, tc.want) {
			t.Errorf("%s: got %v, want %v", tc.module, got, tc.want)
		}
	}
}

func TestOrderEndsOnACycle(t *testing.T) {
	x, err := ReadIndex(release(map[string]string{"modules.dep": "a.ko: b.ko\nb.ko: a.ko\n"}))
	if err != nil {
		t.Fatal(err)
	}
	if got := x.order("a"); !slices.Equal(got, []step{{"b", false}, {"a", false}}) {
		t.Errorf("got %v", got)
	}
}

func TestReadIndexRefusesADamagedIndex(t *testing.T) {
	tests := []struct{ name, file, text, want string }{
		{"absolute path", "modules.dep", "/etc/x.ko:\n", `modules.dep: line 1: "/etc/x.ko" is not the relative path`},
		{"path upward", "modules.dep", "a.ko: ../../x.ko\n", `"../../x.ko" is not the relative path`},
		{"compressed module", "modules.dep", "a.ko.xz:\n", `"a.ko.xz" is not the relative path of a .ko file`},
		{"no colon", "modules.dep", "a.ko\n", `modules.dep: line 1: expected "file: files"`},
		{"short alias", "modules.alias", "\nalias x\n", `modules.alias: line 2: expected "alias pattern module"`},
		{"softdep", "modules.softdep", "soft a b\n", `modules.softdep: line 1: expected "softdep module names"`},
		{"builtin", "modules.builtin", "vfat\n", `modules.builtin: line 1: "vfat" is not`},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			_, err := ReadIndex(release(map[string]string{tc.file: tc.text}))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

func TestReadIndexNeedsModulesDepOnly(t *testing.T) {
	if _, err := ReadIndex(fstest.MapFS{}); err == nil {
		t.Error("an empty directory was accepted")
	}
	only := fstest.MapFS{"modules.dep": &fstest.MapFile{Data: []byte("a.ko:\n")}}
	if x, err := ReadIndex(only); err != nil || !x.Has("a") {
		t.Errorf("modules.dep alone: %v", err)
	}
}

func TestMatch(t *testing.T) {
	tests := []struct {
		pattern, text string
		want          bool
	}{
		{"abc", "abc", true}, {"abc", "abcd", false}, {"abcd", "abc", false}, {"", "", true}, {"", "x", false},
		{"*", "", true}, {"a*", "a", true}, {"a*c", "abbbc", true}, {"a*c", "abbb", false}, {"*b*b", "abab", true},
		{"a?c", "abc", true}, {"a?c", "ac", false}, {"[a-c]x", "bx", true}, {"[a-c]x", "dx", false},
		{"[!a-c]x", "dx", true}, {"[!a-c]x", "ax", false}, {"[]a]", "]", true}, {"[a-]", "-", true},
		{"[abc", "[abc", true}, {`\*`, "*", true}, {`\*`, "x", false}, {"a/*", "a/b/c", true},
	}
	for _, tc := range tests {
		if got := match(tc.pattern, tc.text); got != tc.want {
			t.Errorf("match(%q, %q) = %v", tc.pattern, tc.text, got)
		}
	}
}

func FuzzReadIndex(f *testing.F) {
	f.Add("a.ko: b.ko\nb.ko: a.ko\n", "alias pci:v*d[0-9]* a\n", "softdep a pre: b\n", "pci:v1d2")
	f.Fuzz(func(t *testing.T, dep, alias, softdep, ask string) {
		x, err := ReadIndex(release(map[string]string{"modules.dep": dep, "modules.alias": alias, "modules.softdep": softdep}))
		if err != nil {
			return
		}
		modules, _ := x.Resolve(ask)
		for _, module := range modules {
			order := x.order(module)
			if len(order) == 0 || order[len(order)-1].module != module {
				t.Fatalf("%s is not last in %v", module, order)
			}
			if file := x.files[module]; !fs.ValidPath(file) || !strings.HasSuffix(file, ".ko") {
				t.Fatalf("file %q", file)
			}
		}
	})
}

func FuzzMatch(f *testing.F) {
	f.Add("a*[!b-c]?", "abcd")
	f.Add(`\`, `\`)
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if !strings.ContainsAny(pattern, `*?[\`) && match(pattern, text) != (pattern == text) {
			t.Fatalf("plain %q against %q", pattern, text)
		}
		if strings.HasSuffix(pattern, `\`) {
			return // the star behind it would be a star, and no wildcard
		}
		if match(pattern, text) && !match("*"+pattern+"*", "x"+text+"y") {
			t.Fatalf("%q matches %q, but not with stars around", pattern, text)
		}
	})
}
