// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// reserveShare is the part of memory, one in so many, that the kernel may keep free for itself.
const reserveShare = 100

var memTotal = regexp.MustCompile(`(?m)^MemTotal: +(\d+) kB$`)

// limitReserve lowers vm.min_free_kbytes to a hundredth of memory. For the sake of huge pages the kernel raises it to a
// fixed size, but at most 5 % of memory: 45 MB of 1 GiB, and half as much again is what it keeps from programs. That is
// much for a small machine, where huge pages are made on request only. A large machine keeps what its kernel chose; one
// above 160 MB of memory keeps more than a kernel without huge pages would. Spec: set_recommended_min_free_kbytes in
// mm/khugepaged.c, init_per_zone_wmark_min in mm/page_alloc.c.
func limitReserve(proc string) error {
	info, err := os.ReadFile(filepath.Join(proc, "meminfo"))
	if err != nil {
		return err
	}
	found := memTotal.FindSubmatch(info)
	if found == nil {
		return fmt.Errorf("%s/meminfo: found no MemTotal", proc)
	}
	total, err := strconv.ParseUint(string(found[1]), 10, 64)
	if err != nil {
		return fmt.Errorf("%s/meminfo: MemTotal: %w", proc, err)
	}
	setting := filepath.Join(proc, "sys/vm/min_free_kbytes")
	text, err := os.ReadFile(setting)
	if err != nil {
		return err
	}
	chosen, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return fmt.Errorf("%s: %w", setting, err)
	}
	if chosen <= total/reserveShare {
		return nil
	}
	return os.WriteFile(setting, []byte(strconv.FormatUint(total/reserveShare, 10)), 0)
}
