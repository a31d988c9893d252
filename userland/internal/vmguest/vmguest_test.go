// SPDX-License-Identifier: Apache-2.0

package vmguest

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// vmx is the other side of the port, with variables, and with a defect when a test wants one.
type vmx struct {
	t         *testing.T
	variables map[string]string
	failing   uint32 // step that is refused, from 1; 0: none
	claimed   uint32 // size of the reply, in place of the true one

	request []byte
	wanted  int
	reply   []byte
	closed  int
}

const channelID, cookieHigh, cookieLow = 5, 0x1234, 0x5678

func (v *vmx) call(r *registers) {
	step := r.cx >> 16
	if r.ax != magic || r.cx&0xffff != message || r.dx&0xffff != ioPort {
		v.t.Fatalf("call with %+v", r)
	}
	if step != open && (r.dx>>16 != channelID || r.si != cookieHigh || r.di != cookieLow) {
		v.t.Fatalf("step %d of another channel: %+v", step, r)
	}
	r.cx = succeeded
	if step+1 == v.failing {
		r.cx = 0
	}
	switch step {
	case open:
		if r.bx != rpci|withCookie {
			v.t.Fatalf("opened with %#x", r.bx)
		}
		r.dx, r.si, r.di = channelID<<16, cookieHigh, cookieLow
	case sendSize:
		v.wanted = int(r.bx)
	case sendPayload:
		v.request = binary.LittleEndian.AppendUint32(v.request, r.bx)
		if len(v.request) >= v.wanted {
			v.answer(string(v.request[:v.wanted]))
		}
	case receiveSize:
		r.cx |= hasReply
		r.bx, r.dx = uint32(len(v.reply)), sendSize<<16
		if v.claimed != 0 {
			r.bx = v.claimed
		}
	case receivePayload:
		var chunk [4]byte
		v.reply = v.reply[copy(chunk[:], v.reply):]
		r.bx, r.dx = binary.LittleEndian.Uint32(chunk[:]), sendPayload<<16
	case closeChannel:
		v.closed++
	}
}

func (v *vmx) answer(request string) {
	value, found := v.variables[strings.TrimPrefix(request, "info-get guestinfo.")]
	v.reply = []byte("0 No value found")
	if found {
		v.reply = []byte("1 " + value)
	}
	if request == "info-get guestinfo.locked" {
		v.reply = []byte("0 Permission denied")
	}
}

func TestVariablesOfAnyLengthAreRead(t *testing.T) {
	for _, value := range []string{"", "a", "ab", "abc", strings.Repeat("0123456789", 30_000)} {
		v := &vmx{t: t, variables: map[string]string{"talos.config": value}}
		got, err := variable(t.Context(), v.call, "talos.config")
		if got != value || err != nil || v.closed != 1 {
			t.Errorf("%d bytes of %d, %v, closed %d times", len(got), len(value), err, v.closed)
		}
	}
}

func TestWhatIsNotThereIsNone(t *testing.T) {
	if _, err := variable(t.Context(), (&vmx{t: t}).call, "talos.config"); !errors.Is(err, ErrNone) {
		t.Errorf("got %v", err)
	}
	if _, err := variable(t.Context(), (&vmx{t: t}).call, "locked"); err == nil || !strings.Contains(err.Error(), "Permission denied") {
		t.Errorf("got %v", err)
	}
	if _, err := variable(t.Context(), (&vmx{t: t}).call, "a b"); err == nil {
		t.Error("a name with a space is asked for")
	}
	if hypervisor() != signature {
		if _, err := Variable(t.Context(), "talos.config"); !errors.Is(err, ErrNone) {
			t.Errorf("got %v", err)
		}
	}
}

func TestARefusalAtAnyStepIsAnError(t *testing.T) {
	for step := open; step < closeChannel; step++ {
		v := &vmx{t: t, variables: map[string]string{"x": "abcdef"}, failing: step + 1}
		if _, err := variable(t.Context(), v.call, "x"); !errors.Is(err, errRefused) {
			t.Errorf("step %d: %v", step, err)
		}
		if want := min(int(step), 1); v.closed != want {
			t.Errorf("step %d: closed %d times", step, v.closed)
		}
	}
	v := &vmx{t: t, variables: map[string]string{"x": "abcdef"}, claimed: 1 << 30}
	if _, err := variable(t.Context(), v.call, "x"); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("got %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := variable(ended, (&vmx{t: t}).call, "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// The instruction itself is known to be the one that VMware answers: everybody else refuses it to a program.
func TestTheInstructionReadsAPort(t *testing.T) {
	if os.Getenv("VMGUEST_READ_PORT") != "" {
		backdoor(&registers{ax: magic, cx: 0x0a, dx: ioPort})
		return
	}
	if hypervisor() == signature {
		return
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	again := exec.Command(program, "-test.run", "^TestTheInstructionReadsAPort$")
	again.Env = append(os.Environ(), "VMGUEST_READ_PORT=1")
	output, err := again.CombinedOutput()
	if err == nil || !strings.Contains(string(output), "SIGSEGV") || !strings.Contains(string(output), "port_amd64.s") {
		t.Errorf("%v: %s", err, output)
	}
}
