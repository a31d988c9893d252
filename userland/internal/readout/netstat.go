// SPDX-License-Identifier: Apache-2.0

package readout

import (
	"context"
	"encoding/hex"
	"errors"
	"io/fs"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/siderolabs/talos/pkg/machinery/api/machine"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Netstat lists the sockets of /proc/net that the request asks for, and with its pid feature the process that holds
// each. Of network namespaces only the machine's own is read. A protocol that the kernel lacks has no sockets.
// Spec: Linux Documentation/networking/proc_net_tcp.rst.
func Netstat(ctx context.Context, root Root, request *machine.NetstatRequest) (*machine.NetstatResponse, error) {
	if len(request.GetNetns().GetNetns()) > 0 {
		return nil, status.Error(codes.Unimplemented, "sockets of other network namespaces are not listed")
	}
	accept, err := socketFilter(request.GetFilter())
	if err != nil {
		return nil, err
	}
	answer := &machine.Netstat{}
	for _, protocol := range wantedProtocols(request) {
		table, err := readBounded(filepath.Join(root.Proc, "net", protocol))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, asStatus(err)
		}
		for line := range strings.Lines(string(table)) {
			if record, err := parseSocket(protocol, line); err == nil && accept(record) {
				answer.Connectrecord = append(answer.Connectrecord, record)
			}
		}
	}
	if request.GetFeature().GetPid() {
		if err := nameHolders(ctx, root, answer.GetConnectrecord()); err != nil {
			return nil, asStatus(err)
		}
	}
	return &machine.NetstatResponse{Messages: []*machine.Netstat{answer}}, nil
}

func wantedProtocols(request *machine.NetstatRequest) []string {
	if netns := request.GetNetns(); netns != nil && !netns.GetHostnetwork() {
		return nil
	}
	var names []string
	l4 := request.GetL4Proto()
	for _, protocol := range []struct {
		name   string
		wanted bool
	}{
		{"tcp", l4.GetTcp()}, {"tcp6", l4.GetTcp6()},
		{"udp", l4.GetUdp()}, {"udp6", l4.GetUdp6()},
		{"udplite", l4.GetUdplite()}, {"udplite6", l4.GetUdplite6()},
		{"raw", l4.GetRaw()}, {"raw6", l4.GetRaw6()},
	} {
		if protocol.wanted {
			names = append(names, protocol.name)
		}
	}
	return names
}

func socketFilter(filter machine.NetstatRequest_Filter) (func(*machine.ConnectRecord) bool, error) {
	isConnected := func(r *machine.ConnectRecord) bool { return r.GetRemoteport() != 0 }
	switch filter {
	case machine.NetstatRequest_ALL:
		return func(*machine.ConnectRecord) bool { return true }, nil
	case machine.NetstatRequest_CONNECTED:
		return isConnected, nil
	case machine.NetstatRequest_LISTENING:
		return func(r *machine.ConnectRecord) bool { return !isConnected(r) }, nil
	default:
		return nil, invalid("filter: found %d, expected 0, 1 or 2", filter)
	}
}

var errSocketFormat = errors.New("unexpected format of a socket table")

// parseSocket reads one line: "sl local rem st tx:rx tr:when retrnsmt uid timeout inode ref pointer ...".
func parseSocket(protocol, line string) (*machine.ConnectRecord, error) {
	fields := strings.Fields(line)
	if len(fields) < 12 || !strings.HasSuffix(fields[0], ":") {
		return nil, errSocketFormat
	}
	numbers := numberReader{}
	queues, timer := pair(fields[4]), pair(fields[5])
	record := &machine.ConnectRecord{
		L4Proto:  protocol,
		State:    machine.ConnectRecord_State(numbers.read(fields[3], 16)),
		Txqueue:  numbers.read(queues[0], 16),
		Rxqueue:  numbers.read(queues[1], 16),
		Tr:       machine.ConnectRecord_TimerActive(numbers.read(timer[0], 16)),
		Retrnsmt: numbers.read(fields[6], 16),
		Uid:      uint32(numbers.read(fields[7], 10)),
		Timeout:  numbers.read(fields[8], 10),
		Inode:    numbers.read(fields[9], 10),
		Ref:      numbers.read(fields[10], 10),
		Process:  &machine.ConnectRecord_Process{}, // a client that asked for holders reads it unseen
	}
	record.Timerwhen = numbers.read(timer[1], 16)
	// Zero for every reader without the right to see kernel addresses; "-" never occurs.
	record.Pointer, _ = strconv.ParseUint(fields[11], 16, 64)
	local, localErr := parseEndpoint(fields[1])
	remote, remoteErr := parseEndpoint(fields[2])
	record.Localip, record.Localport = local.Addr().String(), uint32(local.Port())
	record.Remoteip, record.Remoteport = remote.Addr().String(), uint32(remote.Port())
	return record, errors.Join(numbers.err, localErr, remoteErr)
}

type numberReader struct{ err error }

func (r *numberReader) read(text string, base int) uint64 {
	number, err := strconv.ParseUint(text, base, 64)
	r.err = errors.Join(r.err, err)
	return number
}

func pair(field string) [2]string {
	first, second, _ := strings.Cut(field, ":")
	return [2]string{first, second}
}

// parseEndpoint reads an address of four or sixteen bytes and a port. The kernel prints each group of four bytes as a
// number of the processor, so on the little-endian machines that Dodeka has they stand in reverse.
func parseEndpoint(field string) (netip.AddrPort, error) {
	hexAddress, hexPort, _ := strings.Cut(field, ":")
	raw, err := hex.DecodeString(hexAddress)
	if err != nil || (len(raw) != 4 && len(raw) != 16) {
		return netip.AddrPort{}, errSocketFormat
	}
	for group := range slices.Chunk(raw, 4) {
		slices.Reverse(group)
	}
	port, err := strconv.ParseUint(hexPort, 16, 16)
	address, _ := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(address, uint16(port)), err
}
