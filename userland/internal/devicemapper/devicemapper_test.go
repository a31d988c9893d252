// SPDX-License-Identifier: Apache-2.0

package devicemapper

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

var rootHash = strings.Repeat("ab", 32)

func TestSizesAreThoseOfTheKernel(t *testing.T) {
	if headerBytes != unix.SizeofDmIoctl || targetBytes != unix.SizeofDmTargetSpec {
		t.Errorf("header %d, target %d", headerBytes, targetBytes)
	}
}

// The golden bytes were written by hand from dm-ioctl.h; "|" and spaces only separate fields.
func TestEncodeTableLoad(t *testing.T) {
	got, err := encode("root", readOnly, &target{sectors: 8, kind: "verity", params: "1 /dev/loop0"})
	if err != nil {
		t.Fatal(err)
	}
	want := unhex(t, "04000000 00000000 00000000"+ // version 4.0.0
		"|70010000"+ //            data_size 368 = 312 + 56
		"|38010000"+ //            data_start 312
		"|01000000"+ //            target_count
		"|00000000"+ //            open_count
		"|01000000"+ //            flags: read-only
		"|00000000 00000000"+ //   event_nr, padding
		"|0000000000000000"+ //    dev
		"|726f6f74"+strings.Repeat("00", 124)+ // name
		"|"+strings.Repeat("00", 129+7)+ //       uuid, padding
		"|0000000000000000"+ //    sector_start
		"|0800000000000000"+ //    length
		"|00000000"+ //            status
		"|38000000"+ //            next 56
		"|76657269747900000000000000000000"+ // target_type
		"|31202f6465762f6c6f6f7030"+"00000000") // parameters, NUL, padding to 8
	if !bytes.Equal(got, want) {
		t.Errorf("got\n%x\nwant\n%x", got, want)
	}
}

func TestEncodeRefusesWhatDoesNotFit(t *testing.T) {
	long := strings.Repeat("x", 128)
	tests := []struct {
		name, device string
		target       *target
	}{
		{"empty name", "", nil},
		{"long name", long, nil},
		{"name with a slash", "a/b", nil},
		{"empty table", "a", &target{sectors: 0, kind: "verity"}},
		{"long type", "a", &target{sectors: 1, kind: "averylongtargettype"}},
		{"NUL in parameters", "a", &target{sectors: 1, kind: "verity", params: "a\x00b"}},
	}
	for _, tc := range tests {
		if _, err := encode(tc.device, 0, tc.target); err == nil {
			t.Errorf("%s was accepted", tc.name)
		}
	}
}

func TestMinorOf(t *testing.T) {
	answer := make([]byte, headerBytes)
	binary.LittleEndian.PutUint64(answer[40:], 0x05|0xfd<<8|0x1<<20) // minor 0x105, major 0xfd
	if minor, err := minorOf(answer); err != nil || minor != 0x105 {
		t.Errorf("got %#x, %v", minor, err)
	}
	if _, err := minorOf(answer[:100]); err == nil {
		t.Error("a short answer was accepted")
	}
}

func TestVerityTable(t *testing.T) {
	got := Verity{Device: "/dev/loop3", Blocks: 25, RootHash: rootHash}.target()
	want := target{200, "verity", "1 /dev/loop3 /dev/loop3 4096 4096 25 26 sha256 " + rootHash + " -"}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestVerityBytesCountsEveryLevel(t *testing.T) {
	tests := []struct{ blocks, want uint64 }{
		{1, 2},                                 // the root hash is that of the data block itself
		{2, 2 + 1 + 1},                         // one hash block
		{128, 128 + 1 + 1},                     // one full hash block
		{129, 129 + 1 + 2 + 1},                 // two hash blocks and one above
		{1 << 21, 1<<21 + 1 + 1<<14 + 128 + 1}, // three levels
	}
	for _, tc := range tests {
		if got := (Verity{Blocks: tc.blocks}).Bytes(); got != tc.want*BlockBytes {
			t.Errorf("%d blocks: got %d, want %d", tc.blocks, got/BlockBytes, tc.want)
		}
	}
}

func FuzzEncode(f *testing.F) {
	f.Add("root", uint32(1), uint64(8), "verity", "1 a")
	f.Fuzz(func(t *testing.T, name string, flags uint32, sectors uint64, kind, params string) {
		b, err := encode(name, flags, &target{sectors, kind, params})
		if err != nil {
			return
		}
		size := binary.LittleEndian.Uint32(b[12:])
		next := binary.LittleEndian.Uint32(b[headerBytes+20:])
		if int(size) != len(b) || int(next) != len(b)-headerBytes || next%8 != 0 || b[len(b)-1] != 0 {
			t.Fatalf("size %d, next %d, buffer %d", size, next, len(b))
		}
		if got := string(bytes.TrimRight(b[48:176], "\x00")); got != name {
			t.Fatalf("name %q became %q", name, got)
		}
	})
}

func unhex(t *testing.T, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.NewReplacer("|", "", " ", "").Replace(text))
	if err != nil {
		t.Fatal(err)
	}
	return b
}
