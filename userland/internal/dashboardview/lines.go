// SPDX-License-Identifier: Apache-2.0

package dashboardview

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"dodeka/userland/internal/console"
	"dodeka/userland/internal/screen"
)

// Lines remembers what a line console has been told, so that it is told only what changed.
type Lines struct {
	told map[string]string // line by what it speaks of
}

// Next returns the lines that are new, in a fixed order. What is gone is told as well. Uptime, memory and logs are left
// out: they change by themselves, and would flood a slow line.
func (l *Lines) Next(v View) []string {
	now := map[string]string{"0": fmt.Sprintf("version=%s platform=%s host=%s", v.Version, v.Platform, v.Hostname)}
	now["1"] = fmt.Sprintf("stage=%s ready=%t phase=%s", v.Stage, v.Ready, v.Phase)
	if v.Code != "" {
		now["2"] = "maintenance code=" + v.Code
	}
	for _, x := range v.Links {
		now["3"+x.Name] = fmt.Sprintf("link=%s state=%q addresses=%s gateways=%s", x.Name, x.State, list(x.Addresses), list(x.Gateways))
	}
	for _, s := range v.Services {
		now["4"+s.ID] = fmt.Sprintf("service=%s state=%s health=%s", s.ID, s.State, orUnknown(s.Health.String()))
	}
	if v.Problem != "" {
		now["5"] = fmt.Sprintf("dashboard problem=%q", v.Problem)
	}
	var lines []string
	for _, key := range slices.Sorted(maps.Keys(now)) {
		if l.told[key] != now[key] {
			lines = append(lines, console.Printable(screen.LinePrefix+now[key]))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(l.told)) {
		if _, still := now[key]; !still {
			first, _, _ := strings.Cut(l.told[key], " ")
			if key == "2" {
				first = "maintenance code"
			}
			lines = append(lines, console.Printable(screen.LinePrefix+first+" gone"))
		}
	}
	l.told = now
	return lines
}

func list(values []string) string {
	if len(values) == 0 {
		return "none"
	}
	return strings.Join(values, ",")
}
