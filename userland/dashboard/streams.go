// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"strings"

	"github.com/siderolabs/talos/pkg/machinery/api/common"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"google.golang.org/protobuf/types/known/anypb"

	"dodeka/userland/internal/dashboardview"
	"dodeka/userland/internal/screen"
)

const (
	maxFollowed = 16      // logs of services
	maxPartial  = 4 << 10 // bytes of a line that is not complete
	allEvents   = -1      // those of the past tell the phase
)

// followEvents takes the phase from the events, and the hint that services changed.
func (s *sources) followEvents(ctx context.Context) error {
	stream, err := s.machine.Events(ctx, &machine.EventsRequest{TailEvents: allEvents})
	if err != nil {
		return err
	}
	for {
		event, err := stream.Recv()
		if err != nil {
			return err
		}
		s.takeEvent(event.GetData())
	}
}

func (s *sources) takeEvent(data *anypb.Any) {
	payload, err := data.UnmarshalNew()
	if err != nil {
		return // the first message has none, and a newer API may have others
	}
	switch e := payload.(type) {
	case *machine.PhaseEvent:
		if e.Action == machine.PhaseEvent_START {
			s.model.change(func(v *dashboardview.View) { v.Phase = e.Phase })
		}
	case *machine.SequenceEvent:
		if e.GetError() != nil {
			s.model.change(func(v *dashboardview.View) { v.Phase = e.Sequence + " failed: " + e.Error.GetMessage() })
		}
	case *machine.ServiceStateEvent:
		select {
		case s.refresh <- struct{}{}:
		default: // one is already waiting
		}
	}
}

// followKernel shows the kernel's log, which holds what PID 1 says as well. What was shown before the API restarted is
// not shown again.
func (s *sources) followKernel(ctx context.Context) error {
	stream, err := s.machine.Dmesg(ctx, &machine.DmesgRequest{Follow: true, Tail: s.kernelShown})
	if err != nil {
		return err
	}
	return s.takeLines(stream, func(line string) string {
		s.kernelShown = true
		return kernelText(line)
	})
}

// kernelText leaves out "facility: priority: [time]: ", and the lines that tell what this screen shows anyway.
func kernelText(line string) string {
	if _, text, ok := strings.Cut(line, "]: "); ok {
		line = text
	}
	if strings.HasPrefix(line, screen.LinePrefix) {
		return ""
	}
	return line
}

// followLog shows what a service writes, once for each service.
func (s *sources) followLog(ctx context.Context, id string) {
	if s.logs[id] || len(s.logs) == maxFollowed {
		return
	}
	s.logs[id] = true
	go s.keep(ctx, func(ctx context.Context) error {
		stream, err := s.machine.Logs(ctx, &machine.LogsRequest{Namespace: "system", Id: id, Follow: true, TailLines: 0})
		if err != nil {
			return err
		}
		return s.takeLines(stream, func(line string) string { return id + ": " + line })
	})
}

// takeLines puts the lines of a stream into the log. What a line is may be split over messages.
func (s *sources) takeLines(stream interface {
	Recv() (*common.Data, error)
}, show func(string) string) error {
	var partial []byte
	for {
		data, err := stream.Recv()
		if err != nil {
			return err
		}
		partial = append(partial, data.GetBytes()...)
		whole := bytes.LastIndexByte(partial, '\n') + 1
		if whole == 0 && len(partial) > maxPartial {
			whole = len(partial)
		}
		var lines []string
		for line := range strings.Lines(string(partial[:whole])) {
			if text := show(strings.TrimRight(line, "\r\n")); text != "" {
				lines = append(lines, text)
			}
		}
		partial = bytes.Clone(partial[whole:])
		if len(lines) > 0 {
			s.model.addLog(lines...)
		}
	}
}
