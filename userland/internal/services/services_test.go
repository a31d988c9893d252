// SPDX-License-Identifier: Apache-2.0

package services

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cosi-project/runtime/pkg/state"
	"github.com/cosi-project/runtime/pkg/state/impl/inmem"
	"github.com/cosi-project/runtime/pkg/state/impl/namespaced"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"golang.org/x/sys/unix"
	"google.golang.org/protobuf/proto"

	"dodeka/userland/internal/logs"
	"dodeka/userland/internal/reaper"
)

const patience = 3 * time.Minute

// The test binary is the process of the services under test.
func TestMain(m *testing.M) {
	if behave := os.Getenv("SERVICE_TEST"); behave != "" {
		behaviours[behave]()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

var behaviours = map[string]func(){
	"hello": func() { fmt.Println("hello"); fmt.Fprintln(os.Stderr, "error") },
	"fail":  func() { os.Exit(3) },
	"sleep": func() { fmt.Println("up"); time.Sleep(time.Hour) },
	"deaf": func() {
		signal.Ignore(unix.SIGTERM)
		fmt.Println("deaf")
		time.Sleep(time.Hour)
	},
	"parent": func() { // leaves a child that holds the output and is deaf
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = []string{"SERVICE_TEST=deaf"}
		cmd.Stdout = os.Stdout
		_ = cmd.Start()
		fmt.Printf("child %d\n", cmd.Process.Pid)
		time.Sleep(time.Hour)
	},
	"rights": func() {
		text, _ := os.ReadFile("/proc/self/status")
		for line := range strings.Lines(string(text)) {
			name, value, _ := strings.Cut(line, ":")
			if slices.Contains([]string{"Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs"}, name) {
				fmt.Println(name, strings.Join(strings.Fields(value), " "))
			}
		}
		session, _ := unix.Getsid(0)
		stdin, _ := os.Readlink("/proc/self/fd/0")
		oom, _ := os.ReadFile("/proc/self/oom_score_adj")
		dir, _ := os.Getwd()
		fmt.Println("leader", session == os.Getpid(), "stdin", stdin, "dir", dir, "oom", strings.TrimSpace(string(oom)), "env", len(os.Environ()))
		_, err := os.NewFile(3, "terminal").WriteString("drawn")
		fmt.Println("terminal", err)
	},
}

func command(behaviour string) Command {
	return Command{Path: "/proc/self/exe", Env: []string{"SERVICE_TEST=" + behaviour}, Privileged: os.Getuid() != 0,
		UID: uint32(os.Getuid()), GID: uint32(os.Getgid())}
}

// journal is the publisher, and waits for what is published.
type journal struct {
	mu      sync.Mutex
	entries []string
	changed chan struct{}
}

func (j *journal) Publish(_ string, payload proto.Message) {
	e := payload.(*machine.ServiceStateEvent)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = append(j.entries, e.Service+" "+e.Action.String()+" "+e.Message)
	close(j.changed)
	j.changed = make(chan struct{})
}

func (j *journal) all() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return slices.Clone(j.entries)
}

// await waits for count entries that begin with the text.
func (j *journal) await(t *testing.T, prefix string, count int) {
	t.Helper()
	deadline := time.After(patience)
	for {
		j.mu.Lock()
		found := 0
		for _, e := range j.entries {
			if strings.HasPrefix(e, prefix) {
				found++
			}
		}
		changed := j.changed
		j.mu.Unlock()
		if found >= count {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("%q came %d times, want %d; events:\n%s", prefix, found, count, strings.Join(j.all(), "\n"))
		}
	}
}

type bench struct {
	*Supervisor
	journal *journal
	logs    *logs.Manager
	state   state.State
}

// needRights skips a test that starts processes where nobody may hand them other rights, as in a container without
// capabilities.
func needRights(t *testing.T) {
	t.Helper()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		t.Fatal(err)
	}
	// A user namespace that an ordinary user made has one user id, and no groups.
	if text, _ := os.ReadFile("/proc/self/setgroups"); strings.HasPrefix(string(text), "deny") {
		t.Skip("starting a service needs other user ids")
	}
	for _, one := range []uint{unix.CAP_SETGID, unix.CAP_SETUID, unix.CAP_SETPCAP} {
		if data[0].Effective&(1<<one) == 0 {
			t.Skip("starting a service needs CAP_SETGID, CAP_SETUID and CAP_SETPCAP")
		}
	}
}

func newBench(t *testing.T, definitions ...Definition) *bench {
	t.Helper()
	for _, d := range definitions {
		if d.Run == nil {
			needRights(t)
		}
	}
	b := &bench{
		journal: &journal{changed: make(chan struct{})}, logs: logs.NewManager(1 << 16),
		state: state.WrapCore(namespaced.NewState(inmem.Build)),
	}
	b.Supervisor = New(Options{
		State: b.state, Events: b.journal, Logs: b.logs, Reaper: reaper.New(), Log: func(string, ...any) {},
		Backoff: Backoff{First: time.Millisecond, Most: 8 * time.Millisecond, Stable: time.Hour},
	})
	if err := b.Add(definitions...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := b.StopAll(ctx); err != nil {
			t.Error(err)
		}
	})
	return b
}

func (b *bench) start(t *testing.T, ids ...string) {
	t.Helper()
	for _, id := range ids {
		if err := b.Start(context.Background(), id); err != nil {
			t.Fatal(err)
		}
	}
}

// lines reads the log of a service until it has so many lines.
func (b *bench) lines(t *testing.T, id string, count int) []string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	r, err := b.logs.Reader(ctx, id, logs.Options{Follow: true, TailLines: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var lines []string
	for s := bufio.NewScanner(r); len(lines) < count && s.Scan(); {
		lines = append(lines, s.Text())
	}
	if len(lines) < count {
		t.Fatalf("log of %s: %q", id, lines)
	}
	return lines
}

func gone(pid int) bool {
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
		if err != nil || strings.Contains(string(text), ") Z ") {
			return true
		}
	}
	return false
}

func untilDone(ctx context.Context, _ io.Writer) error {
	<-ctx.Done()
	return ctx.Err()
}
