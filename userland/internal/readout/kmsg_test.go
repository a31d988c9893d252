// SPDX-License-Identifier: Apache-2.0

package readout

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

func TestParseRecord(t *testing.T) {
	boot := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	cases := []struct {
		name, raw, want string
	}{
		{"kernel", "6,339,5140900,-;NET: Registered protocol family 10\n", "kern:    info: [2026-01-02T03:04:10.1409Z]: NET: Registered protocol family 10\n"},
		{"with a caller and details", "4,1,0,-,caller=T1;pci: x\n SUBSYSTEM=pci\n", "kern: warning: [2026-01-02T03:04:05Z]: pci: x\n SUBSYSTEM=pci\n"},
		{"of a program", "12,1,0,-;dodeka: phase ready\n", "user: warning: [2026-01-02T03:04:05Z]: dodeka: phase ready\n"},
		{"of a facility without a name", "4000,1,0,-;x\n", "500:   emerg: [2026-01-02T03:04:05Z]: x\n"},
		{"letters of two bytes", `6,1,0,-;\xc2\xb5s` + "\n", "kern:    info: [2026-01-02T03:04:05Z]: µs\n"},
		{"a backslash", `6,1,0,-;a\x5cb` + "\n", "kern:    info: [2026-01-02T03:04:05Z]: a\\b\n"},
		{"control characters stay as they are", `6,1,0,-;\x1b[2J\x07` + "\n", `kern:    info: [2026-01-02T03:04:05Z]: \x1b[2J\x07` + "\n"},
		{"half a letter stays as it is", `6,1,0,-;\xc2.` + "\n", `kern:    info: [2026-01-02T03:04:05Z]: \xc2.` + "\n"},
	}
	for _, c := range cases {
		record, err := parseRecord(c.raw)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if diff := cmp.Diff(c.want, record.format(boot)); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
	for _, raw := range []string{"", ";", "6,1,2;x", "x,1,2,-;x", "6,1,99999999999999999999,-;x", "-6,1,2,-;x", "6,1,2,-"} {
		if _, err := parseRecord(raw); !errors.Is(err, errRecordFormat) {
			t.Errorf("%q: found %v", raw, err)
		}
	}
}

func FuzzParseRecord(f *testing.F) {
	f.Add("6,1,0,-;a\\x5cb\n")
	f.Fuzz(func(t *testing.T, raw string) {
		record, err := parseRecord(raw)
		if err != nil {
			return
		}
		line := record.format(time.Unix(0, 0))
		steers := func(r rune) bool { return r < ' ' && r != '\n' || r == 0x7f }
		if strings.ContainsFunc(line, steers) && !strings.ContainsFunc(raw, steers) || utf8.ValidString(raw) && !utf8.ValidString(line) {
			t.Fatalf("%q gives %q", raw, line)
		}
	})
}

// fakeLog is a socket of records, which the device's reads resemble: a record a call, EAGAIN when there is none.
func fakeLog(t *testing.T, records ...string) (reader *os.File, writer int) {
	t.Helper()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_NONBLOCK, 0)
	must(t, err)
	for _, record := range records {
		_, err := unix.Write(pair[1], []byte(record))
		must(t, err)
	}
	reader = os.NewFile(uintptr(pair[0]), "log")
	t.Cleanup(func() { _ = reader.Close(); _ = unix.Close(pair[1]) })
	return reader, pair[1]
}

func TestEachRecordEndsWhereTheLogEnds(t *testing.T) {
	log, _ := fakeLog(t, "a", "b")
	var got []string
	err := eachRecord(log, false, func(raw string) error { got = append(got, raw); return nil })
	if err != nil || !cmp.Equal(got, []string{"a", "b"}) {
		t.Errorf("found %q, %v", got, err)
	}
}

func TestEachRecordFollowsUntilTheLogIsClosed(t *testing.T) {
	log, writer := fakeLog(t, "a")
	ctx, cancel := context.WithCancel(context.Background())
	context.AfterFunc(ctx, func() { _ = log.Close() })
	var got []string
	err := eachRecord(log, true, func(raw string) error {
		if got = append(got, raw); raw == "b" {
			cancel()
			return nil
		}
		_, err := unix.Write(writer, []byte("b"))
		return err
	})
	if err == nil || !cmp.Equal(got, []string{"a", "b"}) {
		t.Errorf("found %q, %v", got, err)
	}
}

func TestEachRecordEndsWithTheClient(t *testing.T) {
	log, _ := fakeLog(t, "a", "b")
	gone := errors.New("client is gone")
	if err := eachRecord(log, true, func(string) error { return gone }); !errors.Is(err, gone) {
		t.Errorf("found %v", err)
	}
}
