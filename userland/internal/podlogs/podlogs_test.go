// SPDX-License-Identifier: Apache-2.0

package podlogs

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dodeka/userland/internal/logs"
)

var app = Container{Namespace: "default", Pod: "web", UID: "0-1", Name: "app"}

// put writes files of the container and returns the folder of all pods.
func put(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	folder := filepath.Join(dir, "default_web_0-1", "app")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestTheLastStartIsRead(t *testing.T) {
	long := strings.Repeat(strings.Repeat("x", 99)+"\n", 1000)
	dir := put(t, map[string]string{"9.log": "old\n", "10.log": long + "one\ntwo\nthree", "10.log.20260101": "rotated\n", "x.log": "no\n"})
	for lines, want := range map[int32]string{
		-1: long + "one\ntwo\nthree", 0: "", 1: "three", 2: "two\nthree", 503: long[50000:] + "one\ntwo\nthree",
		1_000_000: long + "one\ntwo\nthree",
	} {
		reader, err := Open(t.Context(), dir, app, logs.Options{TailLines: lines})
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(reader)
		if err != nil || string(text) != want {
			t.Errorf("%d lines: got %d bytes (%v), want %d", lines, len(text), err, len(want))
		}
		_ = reader.Close()
	}
}

func TestALineBreakAtTheEndBeginsNoLine(t *testing.T) {
	reader, err := Open(t.Context(), put(t, map[string]string{"0.log": "one\ntwo\n\n"}), app, logs.Options{TailLines: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if text, err := io.ReadAll(reader); err != nil || string(text) != "two\n\n" {
		t.Errorf("%q (%v)", text, err)
	}
}

func TestFollowingGoesOnBehindARotation(t *testing.T) {
	dir := put(t, map[string]string{"0.log": "one\n"})
	path := filepath.Join(dir, "default_web_0-1/app/0.log")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	reader, err := Open(ctx, dir, app, logs.Options{Follow: true, TailLines: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	lines := bufio.NewReader(reader)
	expect := func(want string) {
		t.Helper()
		if got, err := lines.ReadString('\n'); err != nil || got != want {
			t.Fatalf("got %q (%v), want %q", got, err, want)
		}
	}
	expect("one\n")
	old, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	_, err = old.WriteString("two\n")
	err = errors.Join(err, os.Rename(path, path+".20260101"), os.WriteFile(path, []byte("three\n"), 0o644))
	if err != nil {
		t.Fatal(err)
	}
	expect("two\n")
	expect("three\n")
	cancel()
	if _, err := lines.ReadString('\n'); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestAPipeIsNoLog(t *testing.T) {
	dir := put(t, nil)
	if err := unix.Mkfifo(filepath.Join(dir, "default_web_0-1/app/0.log"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), dir, app, logs.Options{}); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("got %v", err)
	}
}

func TestAPipeInPlaceOfALogIsNotRead(t *testing.T) {
	dir := put(t, map[string]string{"0.log": "first\n"})
	ctx, cancel := context.WithCancel(t.Context())
	reader, err := Open(ctx, dir, app, logs.Options{Follow: true, TailLines: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	path := filepath.Join(dir, "default_web_0-1/app/0.log")
	if err := errors.Join(os.Remove(path), unix.Mkfifo(path, 0o600)); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(reader)
	if line, err := lines.ReadString('\n'); line != "first\n" {
		t.Errorf("%q, %v", line, err)
	}
	time.AfterFunc(2*poll, cancel)
	if _, err := lines.ReadByte(); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestWhatIsNoContainerHasNoLog(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	outside := put(t, nil)
	if err := os.Symlink(secret, filepath.Join(outside, "default_web_0-1/app/0.log")); err != nil {
		t.Fatal(err)
	}
	if reader, err := Open(t.Context(), outside, app, logs.Options{}); err == nil {
		_ = reader.Close()
		t.Error("a link out of the folder was followed")
	}
	dir := put(t, nil)
	for _, c := range []Container{app, {Namespace: "..", Name: "app"}, {"default", "web", "0-1", "../../x"}, {"a/b", "c", "d", "e"}, {"default", "web", "0-1", ""}} {
		if _, err := Open(t.Context(), dir, c, logs.Options{}); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v: %v", c, err)
		}
	}
}
