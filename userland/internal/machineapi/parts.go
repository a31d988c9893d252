// SPDX-License-Identifier: Apache-2.0

package machineapi

import (
	"context"
	"io"
	"time"

	"github.com/cosi-project/runtime/pkg/controller/runtime"
	"github.com/cosi-project/runtime/pkg/state"
	"github.com/siderolabs/talos/pkg/machinery/api/machine"

	"dodeka/userland/internal/access"
	"dodeka/userland/internal/containerd"
	"dodeka/userland/internal/events"
	"dodeka/userland/internal/logs"
	"dodeka/userland/internal/readout"
	"dodeka/userland/internal/settings"
)

// Parts is what the API works with. State and Events are needed; a method whose part is nil says that the machine
// cannot do it.
type Parts struct {
	State      state.State
	Controller *runtime.Runtime // shows its graph
	Events     *events.Stream
	Settings   Configurer
	Gate       Gate
	Services   Services
	Logs       Logs
	Sequences  Sequences
	Versions   Versions
	Meta       func() Meta        // nil until there is a META partition
	Containerd *containerd.Client // nil where there is none, as on a development host
	// Etcd returns the database, or why there is none; nil where there cannot be one.
	Etcd func() (Etcd, error)
	// AskTime returns how far the machine's clock is behind a time server's.
	AskTime func(ctx context.Context, server string) (time.Duration, error)
	Root    readout.Root
	About   About
	Trust   func(uid uint32) access.Trust // nil for access.TrustOf
	Log     func(format string, values ...any)
}

// About is what the machine says of itself.
type About struct {
	Version  string // as on the kernel command line
	Digest   string // of the root image
	Platform string
	Mode     string // "metal", "cloud"
}

// Configurer holds the machine configuration; *settings.Manager is one.
type Configurer interface {
	Apply(ctx context.Context, request settings.Request) (settings.Outcome, error)
	Complete() bool
}

// Gate lets a first configuration in from somebody who is not known. It returns what is to be stored.
type Gate interface {
	Admit(data []byte) ([]byte, error)
}

// Services is the supervisor.
type Services interface {
	List() []*machine.ServiceInfo
	Operable(id string) error
	Start(ctx context.Context, id string) error
	Stop(ctx context.Context, id string) error
	Restart(ctx context.Context, id string) error
}

// Logs are the services' output.
type Logs interface {
	IDs() []string
	Reader(ctx context.Context, id string, options logs.Options) (io.ReadCloser, error)
}

// Sequences ends the run, or wipes the machine. Each returns when the sequence has begun.
type Sequences interface {
	Reboot(ctx context.Context, actor string, mode machine.RebootRequest_Mode) error
	Shutdown(ctx context.Context, actor string, force bool) error
	Reset(ctx context.Context, actor string, request *machine.ResetRequest) error
}

// VersionImage is an image of containerd that brings a version.
type VersionImage struct {
	Namespace string
	Name      string
	Fetch     bool // from its registry, for this time only; otherwise it is there
}

// Versions are those of the system on the machine's disk.
type Versions interface {
	// Upgrade puts the version that an image brings beside the running one. The next boot tries it.
	Upgrade(ctx context.Context, from VersionImage, progress func(message string)) error
	// Install puts the running version onto a disk.
	Install(ctx context.Context, disk string, progress func(message string)) error
	// Rollback has the next boot start the version before.
	Rollback(ctx context.Context) error
}

// Meta is the key-value store that outlives the configuration.
type Meta interface {
	Set(tag uint8, value string) error
	Delete(tag uint8) error
}

// Etcd is the cluster's database on this machine; *etcd.Service is one. Its errors are gRPC statuses.
type Etcd interface {
	Bootstrap(ctx context.Context, fromSnapshot, skipHashCheck bool) error
	Recover(next func() ([]byte, error)) error
	Snapshot(ctx context.Context, send func([]byte) error) error
	Members(ctx context.Context, local bool) ([]*machine.EtcdMember, error)
	Status(ctx context.Context) (*machine.EtcdMemberStatus, error)
	Alarms(ctx context.Context) ([]*machine.EtcdMemberAlarm, error)
	Disarm(ctx context.Context) ([]*machine.EtcdMemberAlarm, error)
	Defragment(ctx context.Context) error
}
