// SPDX-License-Identifier: Apache-2.0

// Package access decides who may call what: the roles of a caller, one table of methods and the roles that may call
// them, and which resources a caller may see. The roles are those that Talos documents, so that its client
// configurations mean the same here.
package access

import (
	"fmt"
	"strings"

	"github.com/siderolabs/talos/pkg/machinery/role"
)

var (
	admins    = role.MakeSet(role.Admin)
	operators = role.MakeSet(role.Admin, role.Operator)
	everyone  = role.MakeSet(role.Admin, role.Operator, role.Reader)
	metaUsers = role.MakeSet(role.Admin, role.MetaWriter)
	verifiers = role.MakeSet(role.Admin, role.Operator, role.Reader, role.ImageVerifier)
	etcdViews = role.MakeSet(role.Admin, role.Operator, role.Reader, role.EtcdBackup)
	backups   = role.MakeSet(role.Admin, role.Operator, role.EtcdBackup)
)

type row struct {
	roles   role.Set
	service string
	methods string
}

// table has every method of every service of the machine API once. ApplyConfiguration and BlockDeviceWipe are open to
// readers because a machine without configuration knows no other callers; their handlers ask for more.
var table = []row{
	{everyone, "machine.MachineService", `Version Hostname ServiceList Logs LogsContainers Dmesg Events Containers Stats
		Processes Memory CPUInfo CPUFreqStats LoadAvg SystemStat DiskStats NetworkDeviceStats Mounts Netstat List DiskUsage
		ImageList ApplyConfiguration`},
	{operators, "machine.MachineService", `ServiceStart ServiceStop ServiceRestart Restart Reboot Shutdown PacketCapture
		ImagePull EtcdAlarmDisarm EtcdDefragment`},
	{admins, "machine.MachineService", `Bootstrap Copy Read Kubeconfig Reset Rollback Upgrade GenerateClientConfiguration
		EtcdRecover EtcdRemoveMemberByID EtcdLeaveCluster EtcdForfeitLeadership
		EtcdDowngradeValidate EtcdDowngradeEnable EtcdDowngradeCancel`},
	{metaUsers, "machine.MachineService", "MetaWrite MetaDelete"},
	{etcdViews, "machine.MachineService", "EtcdMemberList EtcdStatus EtcdAlarmList"},
	{backups, "machine.MachineService", "EtcdSnapshot"},
	{everyone, "machine.ImageService", "List"},
	{verifiers, "machine.ImageService", "Verify"},
	{operators, "machine.ImageService", "Pull"},
	{admins, "machine.ImageService", "Import Remove"},
	{admins, "machine.DebugService", "ContainerRun"},
	{admins, "machine.LifecycleService", "Install Upgrade"},
	{everyone, "storage.StorageService", "Disks BlockDeviceWipe"},
	{everyone, "time.TimeService", "Time TimeCheck"},
	{everyone, "cluster.ClusterService", "HealthCheck"},
	{everyone, "inspect.InspectService", "ControllerRuntimeDependencies"},
	{everyone, "cosi.resource.State", "Get List Watch"},
	{admins, "cosi.resource.State", "Create Update Destroy"},
}

// rules is the table by full method name.
var rules = expand(table)

// RolesFor returns the roles that may call a method, given as "/service/method". A method that the table does not know
// is for nobody.
func RolesFor(method string) (role.Set, bool) {
	roles, known := rules[method]
	return roles, known
}

func expand(rows []row) map[string]role.Set {
	all := map[string]role.Set{}
	for _, r := range rows {
		for _, method := range strings.Fields(r.methods) {
			name := "/" + r.service + "/" + method
			if _, twice := all[name]; twice {
				panic(fmt.Sprintf("BUG: %s is in the table of methods twice", name))
			}
			all[name] = r.roles
		}
	}
	return all
}

// Methods is how many methods the table knows.
func Methods() int { return len(rules) }
