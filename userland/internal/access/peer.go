// SPDX-License-Identifier: Apache-2.0

package access

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/siderolabs/talos/pkg/machinery/role"
	"golang.org/x/sys/unix"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
)

// Trust says what the user id of a process on the machine's own socket stands for.
type Trust int

// The kinds of trust. Nobody is refused the connection itself.
const (
	Nobody       Trust = iota
	Administer         // all roles: PID 1 and what it starts as root
	Proxy              // apid: the roles that it passes on, or itself
	IssueCerts         // trustd: only itself
	ReadOnly           // the dashboard
	ReadAndWrite       // tests: roles as passed on, administrator without them
)

// User ids of the processes that init starts without root.
const (
	APIDUser      = 50
	TrustdUser    = 51
	DashboardUser = 52
)

// TrustOf is the trust in each user id of a running system.
func TrustOf(uid uint32) Trust {
	switch uid {
	case 0:
		return Administer
	case APIDUser:
		return Proxy
	case TrustdUser:
		return IssueCerts
	case DashboardUser:
		return ReadOnly
	}
	return Nobody
}

// PeerInfo is what the kernel says about the process at the other end of a socket.
type PeerInfo struct {
	credentials.CommonAuthInfo
	UID   uint32
	PID   int32
	Trust Trust
}

// AuthType implements credentials.AuthInfo.
func (PeerInfo) AuthType() string { return "peercred" }

// socketCredentials asks the kernel who connected (SO_PEERCRED, unix(7)); there is nothing to encrypt on a unix socket.
type socketCredentials struct {
	trust func(uid uint32) Trust
}

// SocketCredentials returns the server side's credentials of a unix socket.
func SocketCredentials(trust func(uid uint32) Trust) credentials.TransportCredentials {
	return socketCredentials{trust}
}

func (c socketCredentials) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	socket, ok := conn.(*net.UnixConn)
	if !ok {
		return nil, nil, fmt.Errorf("connection is %T, expected a unix socket", conn)
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return nil, nil, err
	}
	var who *unix.Ucred
	var asked error
	if err := raw.Control(func(fd uintptr) { who, asked = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); err != nil {
		return nil, nil, err
	}
	if asked != nil {
		return nil, nil, fmt.Errorf("ask who connected: %w", asked)
	}
	info := PeerInfo{
		CommonAuthInfo: credentials.CommonAuthInfo{SecurityLevel: credentials.PrivacyAndIntegrity},
		UID:            who.Uid, PID: who.Pid, Trust: c.trust(who.Uid),
	}
	if info.Trust == Nobody {
		return nil, nil, fmt.Errorf("user %d may not use the machine API", who.Uid)
	}
	return conn, info, nil
}

func (c socketCredentials) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("BUG: these are the credentials of a server")
}

func (c socketCredentials) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "peercred"}
}

func (c socketCredentials) Clone() credentials.TransportCredentials { return c }

func (c socketCredentials) OverrideServerName(string) error { return nil }

// identify turns the kernel's answer and the metadata of a call into who calls.
func identify(ctx context.Context) Identity {
	from, _ := peer.FromContext(ctx)
	if from == nil {
		return Identity{Roles: role.Zero}
	}
	info, _ := from.AuthInfo.(PeerInfo)
	md, _ := metadata.FromIncomingContext(ctx)
	return identityOf(info.Trust, md)
}

func identityOf(trust Trust, md metadata.MD) Identity {
	passed, found := rolesIn(md)
	self := func(c Component) bool {
		values := md.Get(selfKey)
		return !found && len(values) == 1 && values[0] == string(c)
	}
	switch trust {
	case Administer:
		return Identity{Roles: admins}
	case ReadOnly:
		return Identity{Roles: role.MakeSet(role.Reader)}
	case IssueCerts:
		return Identity{Roles: role.Zero, Self: Trustd}
	case Proxy, ReadAndWrite:
		switch {
		case found:
			return Identity{Roles: passed}
		case self(APID):
			return Identity{Roles: role.Zero, Self: APID}
		case trust == ReadAndWrite:
			return Identity{Roles: admins}
		}
	}
	return Identity{Roles: role.Zero}
}
