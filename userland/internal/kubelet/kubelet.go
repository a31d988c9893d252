// SPDX-License-Identifier: Apache-2.0

// Package kubelet has the kubelet run the pods that a machine configuration names, without a cluster: it reads them from a
// folder, and speaks to nobody but containerd. It listens on the loopback interface only, for its health.
// Source: Kubernetes, "Run a kubelet in standalone mode", "Create static Pods", kubelet.config.k8s.io/v1beta1.
package kubelet

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/siderolabs/talos/pkg/machinery/config/config"

	"dodeka/userland/internal/badfield"
	"dodeka/userland/internal/hostfiles"
	"dodeka/userland/internal/services"
)

const (
	dir        = "/run/dodeka/kubelet"
	configFile = "config.json"
	podsFolder = "pods"
	rootDir    = "/var/lib/kubelet" // on EPHEMERAL
	// The link /etc/passwd leads to it: the kubelet does not start without one, and asks whether it has an account.
	accountsFile = "passwd"
	accounts     = "root:x:0:0:root:/:/sbin/nologin\n"
)

// Check reads as much of the pods as decides whether the kubelet would take notice of them. Errors are *badfield.Error.
func Check(pods []map[string]any) error {
	known := map[string]bool{}
	for i, pod := range pods {
		path := fmt.Sprintf("machine.pods[%d]", i)
		if pod["apiVersion"] != "v1" || pod["kind"] != "Pod" {
			return badfield.At(path, "expected a Pod of apiVersion v1")
		}
		about, _ := pod["metadata"].(map[string]any)
		name, _ := about["name"].(string)
		if !isName(name) {
			return badfield.At(path+".metadata.name", "expected small letters, digits, hyphens and dots")
		}
		namespace, isThere := about["namespace"]
		if !isThere {
			namespace = "default" // as the kubelet does
		}
		if text, _ := namespace.(string); !isName(text) {
			return badfield.At(path+".metadata.namespace", "expected small letters, digits, hyphens and dots")
		}
		if _, ok := pod["spec"].(map[string]any); !ok {
			return badfield.At(path+".spec", "expected the containers and all else that the pod has")
		}
		if _, err := json.Marshal(pod); err != nil {
			return badfield.At(path, "is not JSON: "+err.Error())
		}
		id := fmt.Sprintf("%s/%s", namespace, name)
		if known[id] {
			return badfield.At(path+".metadata.name", "there is such a pod already")
		}
		known[id] = true
	}
	return nil
}

func isName(text string) bool { return hostfiles.ValidName(text) && text == strings.ToLower(text) }

// Prepare writes what the kubelet reads, and returns its arguments: none for a machine without pods.
func Prepare(m config.MachineConfig) ([]string, error) {
	if len(m.Pods()) == 0 {
		return nil, nil
	}
	return prepare(dir, m)
}

func prepare(dir string, m config.MachineConfig) ([]string, error) {
	files := map[string]any{configFile: configuration(dir, m.Kubelet())}
	for i, pod := range m.Pods() {
		files[fmt.Sprintf("%s/%d.json", podsFolder, i)] = pod
	}
	if err := writeText(filepath.Join(dir, accountsFile), accounts); err != nil {
		return nil, err
	}
	for name, content := range files {
		if err := write(filepath.Join(dir, name), content); err != nil {
			return nil, err
		}
	}
	own := []string{"--config=" + filepath.Join(dir, configFile), "--root-dir=" + rootDir, "--cert-dir=" + rootDir + "/pki"}
	return append(own, extraArgs(m.Kubelet().ExtraArgs())...), nil
}

// write keeps pods from everybody but root: there may be passwords in them. JSON is YAML.
func write(path string, content any) error {
	text, err := json.Marshal(content)
	if err != nil {
		return err
	}
	return writeText(path, string(text))
}

func writeText(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o600)
}

func configuration(dir string, k config.Kubelet) map[string]any {
	c := map[string]any{
		"apiVersion": "kubelet.config.k8s.io/v1beta1", "kind": "KubeletConfiguration",
		"staticPodPath":            filepath.Join(dir, podsFolder),
		"containerRuntimeEndpoint": "unix://" + services.ContainerdSocket,
		"enableServer":             false,
		"authentication":           map[string]any{"anonymous": map[string]any{"enabled": false}, "webhook": map[string]any{"enabled": false}},
		"authorization":            map[string]any{"mode": "AlwaysAllow"}, // of the server that is off; webhook, the default, needs a cluster
		"healthzBindAddress":       "127.0.0.1",
		"cgroupDriver":             "cgroupfs", // there is no systemd
		"cgroupRoot":               "/",
		"resolvConf":               "/etc/resolv.conf",
		"volumePluginDir":          rootDir + "/volumeplugins",
		"makeIPTablesUtilChains":   false, // there is no such program
		"failSwapOn":               false,
		"seccompDefault":           k.DefaultRuntimeSeccompProfileEnabled(),
	}
	if servers := k.ClusterDNS(); len(servers) > 0 {
		c["clusterDNS"] = servers
	}
	maps.Copy(c, k.ExtraConfig()) // machinery refuses what must not be changed
	return c
}

// extraArgs are in order, so that the same configuration starts the same process.
func extraArgs(wanted map[string][]string) (args []string) {
	for _, name := range slices.Sorted(maps.Keys(wanted)) {
		for _, value := range wanted[name] {
			args = append(args, "--"+name+"="+value)
		}
	}
	return args
}
