// SPDX-License-Identifier: Apache-2.0

package settings

import "strings"

type support int

const (
	honoured support = iota
	moot             // this OS always does so, whatever the value
	ignored          // has no effect here; a warning says so
	refused          // leaving it out silently would be unsafe, or somebody would wait for it in vain
)

// row says what becomes of one field or document kind, and of everything below it that has no row of its own. A field
// that is refused or ignored may be there with a neutral value (false, null, empty).
type row struct {
	path    string // "machine.type", "LinkConfig", "VolumeConfig.encryption"; * is any list item or map key
	support support
	live    bool // a change is in force without a reboot
	why     string
}

const noCluster = "machines form no cluster yet: each runs the pods of machine.pods by itself"

// fields is the one table of what we make of a v1alpha1 document; documents, below, that of all other kinds. A test
// fails when machinery has a field or kind without a row.
var fields = []row{
	{"version", honoured, true, ""},
	{"debug", ignored, true, "there is no debug mode; see talosctl dmesg and logs"},
	{"persist", moot, true, ""},

	{"machine.type", honoured, false, ""},
	{"machine.token", honoured, false, ""},
	{"machine.ca", honoured, true, ""},
	{"machine.acceptedCAs", honoured, true, ""},
	{"machine.certSANs", honoured, true, ""},
	{"machine.controlPlane", honoured, true, ""},
	{"machine.kubelet", honoured, true, ""},
	{"machine.kubelet.image", ignored, true, "the kubelet of the image runs"},
	{"machine.kubelet.extraMounts", ignored, true, "the kubelet runs on the machine itself and sees all of its directories"},
	{"machine.kubelet.nodeIP", ignored, true, noCluster},
	{"machine.kubelet.registerWithFQDN", ignored, true, noCluster},
	{"machine.kubelet.skipNodeRegistration", moot, true, ""},
	{"machine.kubelet.credentialProviderConfig", refused, true, "the image has no credential provider"},
	{"machine.pods", honoured, false, ""},
	{"machine.network", honoured, true, ""},
	{"machine.network.kubespan", refused, true, "KubeSpan is not there: traffic between nodes would not be encrypted"},
	{"machine.network.interfaces.*.wireguard", refused, true, "WireGuard is not there: traffic would not be encrypted"},
	{"machine.network.interfaces.*.bridge", refused, true, "bridges are not made"},
	{"machine.network.interfaces.*.bridgePort", refused, true, "bridges are not made"},
	{"machine.network.interfaces.*.vip", refused, true, "shared addresses are not announced"},
	{"machine.network.interfaces.*.vlans.*.vip", refused, true, "shared addresses are not announced"},
	{"machine.disks", refused, false, "data disks are not partitioned: what belongs there would fill the system disk"},
	{"machine.install", honoured, true, ""},
	{"machine.install.image", ignored, true, "the image that is running is installed"},
	{"machine.install.extraKernelArgs", refused, true, "the command line is signed with the image: put it into the profile"},
	{"machine.install.extensions", refused, true, "extensions are part of the image: put them into the profile"},
	{"machine.install.bootloader", moot, true, ""},
	{"machine.install.legacyBIOSSupport", moot, true, ""},
	{"machine.install.grubUseUKICmdline", moot, true, ""},
	{"machine.files", refused, false, "files are not written"},
	{"machine.env", refused, false, "services do not get an environment"},
	{"machine.time", honoured, true, ""},
	{"machine.sysctls", refused, true, "kernel parameters are not set"},
	{"machine.sysfs", refused, true, "kernel parameters are not set"},
	{"machine.registries", honoured, true, ""},
	{"machine.registries.config.*.auth.identityToken", refused, true, "registries are not asked by token: write username and password"},
	{"machine.systemDiskEncryption", refused, false, "disks are not encrypted: data would lie in the clear"},
	{"machine.features", moot, false, ""},
	{"machine.features.stableHostname", honoured, false, ""},
	{"machine.features.kubernetesTalosAPIAccess", refused, true, "pods get no access to the machine API"},
	{"machine.features.kubePrism", ignored, true, "there is no local balancer for the Kubernetes API"},
	{"machine.features.hostDNS", ignored, true, "there is no DNS cache on the host; pods use the resolvers themselves"},
	{"machine.features.imageCache", refused, true, "there is no image cache"},
	{"machine.features.nodeAddressSortAlgorithm", ignored, true, "addresses are sorted by family and value"},
	{"machine.udev", refused, false, "there is no udev: device names come from the kernel"},
	{"machine.logging", refused, true, "logs are not sent: they would be missed where they are expected"},
	{"machine.kernel", refused, true, "modules are loaded as the hardware asks for them"},
	{"machine.seccompProfiles", refused, true, "profiles are not written: pods that name one would not start"},
	{"machine.baseRuntimeSpecOverrides", refused, false, "containers start with the built-in limits"},
	{"machine.nodeLabels", ignored, true, noCluster},
	{"machine.nodeAnnotations", ignored, true, noCluster},
	{"machine.nodeTaints", ignored, true, noCluster},

	{"cluster", honoured, true, ""}, // clients get name, endpoint and certificates; the row of the token says what is not done
	{"cluster.token", ignored, true, noCluster},
	{"cluster.inlineManifests", ignored, true, noCluster},
	{"cluster.extraManifests", ignored, true, noCluster},
	{"cluster.network.cni", honoured, false, ""},
	{"cluster.network.podSubnets", honoured, false, ""},
	{"cluster.etcd", honoured, false, ""},
	{"cluster.discovery", ignored, true, "members do not look for each other through a discovery service"},
	{"cluster.externalCloudProvider", refused, true, "there is no support for a cloud controller"},
}

var documents = []row{
	{"LinkConfig", honoured, true, ""},
	{"LinkAliasConfig", honoured, true, ""},
	{"VLANConfig", honoured, true, ""},
	{"BondConfig", honoured, true, ""},
	{"DHCPv4Config", honoured, true, ""},
	{"DHCPv6Config", honoured, true, ""},
	{"HostnameConfig", honoured, true, ""},
	{"ResolverConfig", honoured, true, ""},
	{"TimeSyncConfig", honoured, true, ""},
	{"TimeSyncConfig.ptp", refused, true, "PTP devices are not read: the clock would never be set"},
	{"StaticHostConfig", honoured, true, ""},
	{"LinkConfig.addresses.*.routePriority", refused, true, "routes of addresses have the kernel's priority"},
	{"VLANConfig.addresses.*.routePriority", refused, true, "routes of addresses have the kernel's priority"},
	{"BondConfig.addresses.*.routePriority", refused, true, "routes of addresses have the kernel's priority"},
	{"BridgeConfig", refused, true, "bridges are not made"},
	{"DummyLinkConfig", honoured, true, ""},
	{"EthernetConfig", refused, true, "rings, channels and offloads are not set"},
	{"VRFConfig", refused, true, "VRFs are not made"},
	{"BlackholeRouteConfig", refused, true, "traffic that it should stop would pass"},
	{"RoutingRuleConfig", refused, true, "policy routing is not set up"},
	{"Layer2VIPConfig", refused, true, "shared addresses are not announced"},
	{"HCloudVIPConfig", refused, true, "shared addresses are not announced"},
	{"TCPProbeConfig", refused, true, "connectivity is not probed"},
	{"WireguardConfig", refused, true, "WireGuard is not there: traffic would not be encrypted"},
	{"KubeSpanConfig", refused, true, "KubeSpan is not there: traffic between nodes would not be encrypted"},
	{"KubeSpanEndpointsConfig", refused, true, "KubeSpan is not there"},
	{"NetworkDefaultActionConfig", refused, true, "there is no firewall: what it should block would pass"},
	{"NetworkRuleConfig", refused, true, "there is no firewall: what it should block would pass"},
	{"SideroLinkConfig", refused, true, "there is no tunnel: the API would be open on the LAN instead"},

	{"VolumeConfig", honoured, false, ""},
	{"VolumeConfig.encryption", refused, false, "disks are not encrypted: data would lie in the clear"},
	{"UserVolumeConfig", refused, false, "user volumes are not made: their data would fill the system disk"},
	{"RawVolumeConfig", refused, false, "raw volumes are not made"},
	{"ExistingVolumeConfig", refused, false, "existing volumes are not mounted: their data would fill the system disk"},
	{"ExternalVolumeConfig", refused, false, "external volumes are not mounted: their data would fill the system disk"},
	{"SwapVolumeConfig", refused, false, "swap is not used"},
	{"ZswapConfig", refused, false, "swap is not used"},

	{"RegistryMirrorConfig", honoured, true, ""},
	{"RegistryAuthConfig", honoured, true, ""},
	{"RegistryAuthConfig.identityToken", refused, true, "registries are not asked by token: write username and password"},
	{"RegistryTLSConfig", honoured, true, ""},
	{"ImageVerificationConfig", refused, true, "signatures of images are not checked: unsigned ones would run"},
	{"TrustedRootsConfig", refused, true, "additional roots are not trusted: connections that need them would fail"},
	{"EnvironmentConfig", refused, true, "services do not get an environment"},
	{"ExtensionServiceConfig", refused, true, "extensions have no services"},
	{"EventSinkConfig", refused, true, "events are not sent: they would be missed where they are expected"},
	{"KmsgLogConfig", refused, true, "the kernel log is not sent: it would be missed where it is expected"},
	{"WatchdogTimerConfig", refused, true, "no watchdog is armed: a hang would not end"},
	{"OOMConfig", refused, true, "memory pressure is left to the kernel"},
	{"PCIDriverRebindConfig", refused, false, "drivers are not rebound"},
}

// rowOf returns the row with the longest path that covers the given one.
func rowOf(table []row, path []string) (row, bool) {
	best, found, length := row{}, false, 0
	for _, r := range table {
		segments := strings.Split(r.path, ".")
		if len(segments) > length && covers(segments, path) {
			best, found, length = r, true, len(segments)
		}
	}
	return best, found
}

func covers(segments, path []string) bool {
	if len(segments) > len(path) {
		return false
	}
	for i, segment := range segments {
		if segment != "*" && segment != path[i] {
			return false
		}
	}
	return true
}
