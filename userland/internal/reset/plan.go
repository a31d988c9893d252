// SPDX-License-Identifier: Apache-2.0

package reset

import (
	"encoding/json"
	"fmt"
	"slices"
)

// Labels that may be wiped one by one, in the order of wiping: keys and configuration first, so that what is left of a
// reset that was cut short cannot be used; META last, as it holds the plan.
var labels = []string{"STATE", "EPHEMERAL", "META"}

const maxDisks = 64

// plan is what META keeps until everything is done.
type plan struct {
	Partitions []string `json:"partitions,omitempty"`
	Disks      []string `json:"disks,omitempty"` // stable names where there are any: sdb may be sdc after a reboot
	Whole      bool     `json:"whole,omitempty"` // the system disk
}

func (p plan) check() error {
	for _, label := range p.Partitions {
		if !slices.Contains(labels, label) {
			return fmt.Errorf("partition %q cannot be wiped, expected one of %q", label, labels)
		}
	}
	if len(p.Disks) > maxDisks {
		return fmt.Errorf("%d disks, expected at most %d", len(p.Disks), maxDisks)
	}
	if len(p.Partitions) == 0 && len(p.Disks) == 0 && !p.Whole {
		return fmt.Errorf("nothing to wipe was named")
	}
	return nil
}

// has tells whether a partition goes, by name or with its disk.
func (p plan) has(label string) bool { return p.Whole || slices.Contains(p.Partitions, label) }

func (p plan) encode() (string, error) {
	text, err := json.Marshal(p)
	return string(text), err
}

func decode(text string) (plan, error) {
	var p plan
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		return plan{}, fmt.Errorf("reset plan in META: %w", err)
	}
	return p, p.check()
}
