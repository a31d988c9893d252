// SPDX-License-Identifier: Apache-2.0

package settings

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/cosi-project/runtime/pkg/state"
	"github.com/cosi-project/runtime/pkg/state/impl/inmem"
	"github.com/cosi-project/runtime/pkg/state/impl/namespaced"
	"github.com/siderolabs/talos/pkg/machinery/config/encoder"
	"github.com/siderolabs/talos/pkg/machinery/config/generate"
	"github.com/siderolabs/talos/pkg/machinery/config/machine"
	resources "github.com/siderolabs/talos/pkg/machinery/resources/config"
)

// worker is what the stock client makes for a worker, without the keys, which take seconds to make.
const worker = `version: v1alpha1
debug: false
persist: true
machine:
    type: worker
    token: aaaaaa.aaaaaaaaaaaaaaaa
    ca:
        crt: LS0tCg==
        key: ""
    certSANs: []
    kubelet:
        image: ghcr.io/siderolabs/kubelet:v1.35.0
    install:
        wipe: false
    features:
        diskQuotaSupport: true
        kubePrism:
            enabled: true
            port: 7445
cluster:
    id: oIlC5YTXn3y-NuTIWxkU5O7cLkVHDFq927Zg7vcj1k8=
    secret: m/RQIr/ZnIyod5ERC8mBSX2DoVl4n4zjSWMK0PG8INQ=
    controlPlane:
        endpoint: https://10.0.0.1:6443
    clusterName: demo
    token: bbbbbb.bbbbbbbbbbbbbbbb
---
apiVersion: v1alpha1
kind: HostnameConfig
auto: stable
`

// generated is what the stock client makes for a cluster, keys included.
var generated = sync.OnceValue(func() map[machine.Type]string {
	texts := map[machine.Type]string{}
	input, err := generate.NewInput("demo", "https://10.0.0.1:6443", "1.35.0")
	if err != nil {
		panic(err)
	}
	for _, kind := range []machine.Type{machine.TypeControlPlane, machine.TypeWorker} {
		provider, err := input.Config(kind)
		if err != nil {
			panic(err)
		}
		text, err := provider.EncodeBytes(encoder.WithComments(encoder.CommentsDisabled))
		if err != nil {
			panic(err)
		}
		texts[kind] = string(text)
	}
	return texts
})

// whole is a worker's configuration with lines added below machine.
func whole(lines ...string) []byte {
	text := worker
	for _, line := range lines {
		if strings.Contains(line, "hostname:") { // machinery refuses both
			text, _, _ = strings.Cut(text, "---\n")
		}
		text = strings.Replace(text, "\nmachine:\n", "\nmachine:\n    "+line+"\n", 1)
	}
	return []byte(text)
}

func newState() state.State { return state.WrapCore(namespaced.NewState(inmem.Build)) }

// logged collects log lines.
type logged struct {
	mutex sync.Mutex
	lines []string
}

func (l *logged) log(format string, arguments ...any) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.lines = append(l.lines, fmt.Sprintf(format, arguments...))
}

func (l *logged) has(part string) bool {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return strings.Contains(strings.Join(l.lines, "\n"), part)
}

// textOf is the configuration that a resource holds, or "".
func textOf(t *testing.T, st state.State, id string) string {
	t.Helper()
	r, err := st.Get(context.Background(), resources.NewMachineConfigWithID(nil, id).Metadata())
	if state.IsNotFoundError(err) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	text, err := r.(*resources.MachineConfig).Provider().Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func static(name, text string) Source {
	return Source{Name: name, Read: func(context.Context) ([]byte, error) { return []byte(text), nil }}
}

func problemsOf(err error) []Problem {
	if refusal := (*Invalid)(nil); errors.As(err, &refusal) {
		return refusal.Problems
	}
	return nil
}

func kindOf(err error) Kind {
	if refusal := (*Refused)(nil); errors.As(err, &refusal) {
		return refusal.Kind
	}
	return -1
}
