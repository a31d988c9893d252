// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// recorder is a kernel that notes the calls and answers as the test says.
type recorder struct {
	calls   []string
	answers []error // of the next calls; then success
	has     uintptr
}

func (r *recorder) answer(call string) error {
	r.calls = append(r.calls, call)
	if len(r.answers) == 0 {
		return nil
	}
	err := r.answers[0]
	r.answers = r.answers[1:]
	return err
}

func (r *recorder) Mount(source, target, kind string, flags uintptr, data string) error {
	return r.answer(fmt.Sprintf("mount %q %q %q %#x %q", source, target, kind, flags, data))
}

func (r *recorder) Unmount(target string, flags int) error {
	return r.answer(fmt.Sprintf("umount %q %#x", target, flags))
}

func (r *recorder) ReadFile(path string) ([]byte, error) {
	return map[string][]byte{
		"/proc/filesystems": []byte("nodev\tsysfs\n\text4\n\tvfat\n"),
		"/proc/self/mounts": []byte("tmpfs /run/a\\040b tmpfs rw,nosuid 0 0\n"),
	}[path], nil
}

func (r *recorder) Statfs(string) (uintptr, error) { return r.has, nil }

func (r *recorder) Resolve(host string) (string, error) {
	if host == "nowhere" {
		return "", errors.New("no such host")
	}
	return "192.0.2.1", nil
}

const (
	bindFlag  = unix.MS_BIND
	bindAgain = unix.MS_BIND | unix.MS_REMOUNT
)

func call(source, target, kind string, flags uintptr, data string) string {
	return fmt.Sprintf("mount %q %q %q %#x %q", source, target, kind, flags, data)
}

// The first rows are the calls that k8s.io/mount-utils makes: MakeMountArgsSensitiveWithMountFlags after
// MakeBindOptsSensitive, and its umount calls.
func TestCalls(t *testing.T) {
	const all = unix.MS_RDONLY | unix.MS_NODEV | unix.MS_NOEXEC | unix.MS_NOSUID | unix.MS_RELATIME
	tests := []struct {
		line  string
		calls []string
	}{
		{"mount -t tmpfs -o size=65536,noexec tmpfs /t", []string{call("tmpfs", "/t", "tmpfs", unix.MS_NOEXEC, "size=65536")}},
		{"mount -o bind /s /t", []string{call("/s", "/t", "", bindFlag, "")}},
		{"mount -o bind,_netdev /s /t", []string{call("/s", "/t", "", bindFlag, "")}},
		{"mount -o bind,remount,ro,nodev,noexec,nosuid,relatime /s /t", []string{call("/s", "/t", "", bindAgain|all, "")}},
		{"mount --no-canonicalize -o bind /proc/7/fd/9 /t", []string{call("/proc/7/fd/9", "/t", "", bindFlag, "")}},
		{"mount -t ext4 -o rw,defaults /dev/sdb /t", []string{call("/dev/sdb", "/t", "ext4", 0, "")}},
		{"mount -t xfs -o nouuid,noatime,context=\"a:b,c\" /dev/sdb /t", []string{call("/dev/sdb", "/t", "xfs", unix.MS_NOATIME, "nouuid,context=\"a:b,c\"")}},
		{"umount /t", []string{`umount "/t" 0x8`}},
		{"umount -f /t", []string{`umount "/t" 0x9`}},
		{"/sbin/umount -l -- -t", []string{`umount "-t" 0xa`}},
		{"mount --bind -o ro /s /t", []string{call("/s", "/t", "", bindFlag, ""), call("", "/t", "", bindAgain|unix.MS_RDONLY, "")}},
		{"mount --rbind /s /t --make-rslave", []string{call("/s", "/t", "", bindFlag|unix.MS_REC, ""), call("none", "/t", "", unix.MS_SLAVE|unix.MS_REC, "")}},
		{"mount --make-rshared /t", []string{call("none", "/t", "", unix.MS_SHARED|unix.MS_REC, "")}},
		{"mount -o rprivate /t", []string{call("none", "/t", "", unix.MS_PRIVATE|unix.MS_REC, "")}},
		{"mount -o remount,rw,exec /t", []string{call("", "/t", "", unix.MS_REMOUNT|unix.MS_NOSUID, "")}},
		{"mount /dev/sdb /t", []string{call("/dev/sdb", "/t", "ext4", unix.MS_SILENT, "")}},
		{"mount -ttmpfs --options=ro,x-a=b tmpfs -- -t", []string{call("tmpfs", "-t", "tmpfs", unix.MS_RDONLY, "")}},
		{"mount -t nfs -o hard,nfsvers=4.1 host:/a /t", []string{call("host:/a", "/t", "nfs", 0, "hard,vers=4.1,addr=192.0.2.1")}},
	}
	for _, tc := range tests {
		k := &recorder{has: unix.MS_RDONLY | unix.MS_NOEXEC | unix.MS_NOSUID}
		var out, errs strings.Builder
		if code := run(strings.Fields(tc.line), k, &out, &errs); code != 0 || out.Len()+errs.Len() != 0 {
			t.Errorf("%s: exit %d, %s%s", tc.line, code, out.String(), errs.String())
		}
		if !slices.Equal(k.calls, tc.calls) {
			t.Errorf("%s:\n got %v\nwant %v", tc.line, k.calls, tc.calls)
		}
	}
}

func TestRefusals(t *testing.T) {
	tests := []struct{ line, text string }{
		{"mount -t", `mount: option "-t" needs a value`},
		{"mount -x /t", `option "-x" is not known`},
		{"mount --make-odd /t", `option "--make-odd" is not known`},
		{"mount -o loop /s /t", `option "loop" is not supported`},
		{"mount -a", `option "-a" is not known`},
		{"mount -r", "no mount point is given"},
		{"mount a b c", "3 paths are given"},
		{"mount /t", "no source is given, and there is no fstab"},
		{"mount -o bind /t", "a bind mount needs a source"},
		{"mount UUID=x /t", "labels and UUIDs are not looked up"},
		{"mount -t ext4,xfs /s /t", "expected one file system"},
		{"mount -t notmpfs /s /t", "expected one file system"},
		{"mount -t nfs host /t", "expected host:/path"},
		{"mount -t nfs a:b:/c /t", "expected host:/path"},
		{"mount -t nfs -o vers=3 host:/a /t", `NFS version "3" is not supported`},
		{"mount -t nfs -o addr=1.2.3.4 host:/a /t", `option "addr" is found out`},
		{"umount", "umount: no mount point is given"},
		{"umount a b", "expected one mount point"},
		{"umount -R a", `option "-R" is not known`},
	}
	for _, tc := range tests {
		k := &recorder{}
		var out, errs strings.Builder
		if code := run(strings.Fields(tc.line), k, &out, &errs); code != exitUsage || !strings.Contains(errs.String(), tc.text) || len(k.calls) != 0 {
			t.Errorf("%s: exit %d, %q, calls %v", tc.line, code, errs.String(), k.calls)
		}
	}
}

func TestFailures(t *testing.T) {
	tests := []struct {
		line    string
		answers []error
		code    int
		text    string
		calls   int
	}{
		{"umount /t", []error{unix.EINVAL}, exitFailed, "umount: /t: not mounted.\n", 1},
		{"umount /t", []error{unix.EBUSY}, exitFailed, "umount: /t: device or resource busy.\n", 1},
		{"umount /t", []error{unix.EPERM}, exitUsage, "umount: /t: operation not permitted.\n", 1},
		{"mount -t ext4 /s /t", []error{unix.ENOENT}, exitFailed, "mount: /t: mount failed: no such file or directory.\n", 1},
		{"mount -o bind,ro /s /t", []error{nil, unix.EPERM}, exitUsage, "mount: /t: bind mount failed: operation not permitted.\n", 3},
		{"mount /s /t", []error{unix.EINVAL, unix.EINVAL, unix.EINVAL}, exitFailed, "mount: /t: mount failed: invalid argument.\n", 3},
		{"mount /s /t", []error{unix.EINVAL, unix.ENOENT}, exitFailed, "mount: /t: mount failed: no such file or directory.\n", 2},
		{"mount -t nfs nowhere:/a /t", nil, exitSystem, "mount: /t: no such host\n", 0},
		{"mount -t nfs h:/a /t", []error{unix.EPROTONOSUPPORT, nil}, 0, "", 2},
		{"mount --make-private /t", []error{unix.EINVAL}, exitFailed, "mount: /t: change of propagation failed: invalid argument.\n", 1},
	}
	for _, tc := range tests {
		k := &recorder{answers: tc.answers}
		var out, errs strings.Builder
		if code := run(strings.Fields(tc.line), k, &out, &errs); code != tc.code || errs.String() != tc.text || len(k.calls) != tc.calls {
			t.Errorf("%s: exit %d, %q, calls %v", tc.line, code, errs.String(), k.calls)
		}
	}
}

func TestOutput(t *testing.T) {
	for line, want := range map[string]string{
		"mount": "tmpfs on /run/a b type tmpfs (rw,nosuid)\n", "mount -l": "tmpfs on /run/a b type tmpfs (rw,nosuid)\n",
		"mount --version": "mount of Dodeka: mount(2) only\n", "umount -V": "umount of Dodeka: umount2(2) only\n",
	} {
		var out strings.Builder
		if code := run(strings.Fields(line), &recorder{}, &out, &out); code != 0 || out.String() != want {
			t.Errorf("%s: exit %d, %q", line, code, out.String())
		}
	}
}

// TestRealMounts runs the programs in a mount namespace of their own, where that may be made.
func TestRealMounts(t *testing.T) {
	if dir := os.Getenv("MOUNT_TEST_DIR"); dir != "" {
		realMounts(t, dir)
		return
	}
	cmd := exec.Command("/proc/self/exe", "-test.run=^TestRealMounts$")
	cmd.Env = []string{"MOUNT_TEST_DIR=" + t.TempDir()}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWNS}
	if text, err := cmd.CombinedOutput(); errors.Is(err, unix.EPERM) {
		t.Skip(err)
	} else if err != nil {
		t.Errorf("%v\n%s", err, text)
	}
}

func realMounts(t *testing.T, dir string) {
	source, target := filepath.Join(dir, "s"), filepath.Join(dir, "t")
	for _, step := range []struct {
		line string
		code int
	}{
		{"mount --make-rprivate /", 0},
		{"umount " + dir, exitFailed},
		{"mount -t tmpfs -o size=64k,mode=0700 tmpfs " + source, 0},
		{"mount -o bind " + source + " " + target, 0},
		{"mount -o bind,remount,ro,nosuid " + source + " " + target, 0},
		{"mount -o remount,bind,nodev " + target, 0},
	} {
		os.Mkdir(source, 0o755)
		os.Mkdir(target, 0o755)
		var out strings.Builder
		if code := run(strings.Fields(step.line), system{}, &out, &out); code != step.code {
			t.Fatalf("%s: exit %d, %s", step.line, code, out.String())
		}
	}
	flags, err := system{}.Statfs(target)
	if want := uintptr(unix.MS_RDONLY | unix.MS_NOSUID | unix.MS_NODEV); err != nil || flags&want != want {
		t.Errorf("flags %#x, %v", flags, err)
	}
	if err := os.WriteFile(filepath.Join(source, "x"), nil, 0o600); err != nil {
		t.Errorf("the source became read-only: %v", err)
	}
	link := filepath.Join(dir, "link")
	os.Symlink(target, link)
	var out strings.Builder
	if code := run([]string{"umount", link}, system{}, &out, &out); code != exitFailed {
		t.Errorf("umount of a link: exit %d, %s", code, out.String())
	}
}

func FuzzParseMount(f *testing.F) {
	f.Add("-t tmpfs -o size=1,ro tmpfs /t")
	f.Add("--make-rshared /")
	f.Fuzz(func(t *testing.T, line string) {
		r, err := parseMount(strings.Fields(line))
		if err == nil && !r.list && !r.version && r.target == "" {
			t.Fatalf("no mount point in %q", line)
		}
	})
}
