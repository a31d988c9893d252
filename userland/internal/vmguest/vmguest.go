// SPDX-License-Identifier: Apache-2.0

// Package vmguest reads the variables that VMware's hypervisor has for a guest ("guestinfo."). A program asks for them
// with an instruction that reads an I/O port: the hypervisor answers it in place of a device, whatever privileges the
// program has. Anywhere else the instruction is a fault, so it is executed only where CPUID names that hypervisor.
// Spec: the backdoor, message and RPCI sources of open-vm-tools, of which this is the low-bandwidth way: 4 bytes a call.
package vmguest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
)

// ErrNone says that there is no such variable.
var ErrNone = errors.New("the hypervisor has no such variable")

const (
	magic        = 0x564d5868 // "VMXh"
	ioPort       = 0x5658
	message      = 0x1e // command: a message of a channel
	rpci         = 0x49435052
	withCookie   = 0x80000000
	signature    = "VMwareVMware"
	maxReply     = 2 << 20
	succeeded    = 1 << 16 // in the answer's cx
	hasReply     = 2 << 16
	acknowledged = 1
	chunkBytes   = 4
)

// Steps of a message.
const (
	open uint32 = iota
	sendSize
	sendPayload
	receiveSize
	receivePayload
	receiveStatus
	closeChannel
)

// registers are those of a call, and of its answer.
type registers struct{ ax, bx, cx, dx, si, di uint32 }

// port is the hypervisor.
type port func(*registers)

var one sync.Mutex // the hypervisor has few channels, and boot has time

// Variable returns the value of "guestinfo." + name. Where there is no VMware, there is no variable.
func Variable(ctx context.Context, name string) (string, error) {
	if hypervisor() != signature {
		return "", ErrNone
	}
	return variable(ctx, backdoor, name)
}

func variable(ctx context.Context, p port, name string) (string, error) {
	if strings.ContainsAny(name, " \x00") {
		return "", fmt.Errorf("%q cannot be the name of a variable", name)
	}
	one.Lock()
	defer one.Unlock()
	c, err := openChannel(p)
	if err != nil {
		return "", err
	}
	defer c.close()
	if err := c.send(ctx, "info-get guestinfo."+name); err != nil {
		return "", err
	}
	reply, err := c.receive(ctx)
	if err != nil {
		return "", err
	}
	if value, found := strings.CutPrefix(reply, "1 "); found {
		return value, nil
	}
	if strings.HasPrefix(reply, "0 No value found") {
		return "", ErrNone
	}
	return "", fmt.Errorf("the hypervisor answers %.80q", reply)
}

// channel is a conversation of one request and one reply.
type channel struct {
	port   port
	id     uint32
	si, di uint32 // the hypervisor's cookie
}

var errRefused = errors.New("the hypervisor refuses the conversation")

func openChannel(p port) (*channel, error) {
	r := registers{ax: magic, bx: rpci | withCookie, cx: open<<16 | message, dx: ioPort}
	p(&r)
	if r.cx&succeeded == 0 {
		return nil, errRefused
	}
	return &channel{port: p, id: r.dx >> 16, si: r.si, di: r.di}, nil
}

func (c *channel) call(step, bx uint32) registers {
	r := registers{ax: magic, bx: bx, cx: step<<16 | message, dx: c.id<<16 | ioPort, si: c.si, di: c.di}
	c.port(&r)
	return r
}

func (c *channel) close() { c.call(closeChannel, 0) }

func (c *channel) send(ctx context.Context, text string) error {
	if c.call(sendSize, uint32(len(text))).cx&succeeded == 0 {
		return errRefused
	}
	for rest := []byte(text); len(rest) > 0; rest = rest[min(chunkBytes, len(rest)):] {
		if err := ctx.Err(); err != nil {
			return err
		}
		var chunk [chunkBytes]byte
		copy(chunk[:], rest)
		if c.call(sendPayload, binary.LittleEndian.Uint32(chunk[:])).cx&succeeded == 0 {
			return errRefused
		}
	}
	return nil
}

func (c *channel) receive(ctx context.Context) (string, error) {
	r := c.call(receiveSize, 0)
	if r.cx&succeeded == 0 || r.cx&hasReply == 0 || r.dx>>16 != sendSize {
		return "", errRefused
	}
	size := int(r.bx)
	if size > maxReply {
		return "", fmt.Errorf("the hypervisor's reply has %d bytes, expected at most %d", size, maxReply)
	}
	reply := make([]byte, 0, size+chunkBytes)
	for len(reply) < size {
		if err := ctx.Err(); err != nil {
			return "", err
		}
		r := c.call(receivePayload, acknowledged)
		if r.cx&succeeded == 0 || r.dx>>16 != sendPayload {
			return "", errRefused
		}
		reply = binary.LittleEndian.AppendUint32(reply, r.bx)
	}
	if c.call(receiveStatus, acknowledged).cx&succeeded == 0 {
		return "", errRefused
	}
	return string(reply[:size]), nil
}
