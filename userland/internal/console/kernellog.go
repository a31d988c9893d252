// SPDX-License-Identifier: Apache-2.0

package console

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	emergencyOnly = "1"  // console log level: show only KERN_EMERG; a panic or an oops raises it by itself
	worst         = 3    // KERN_ERR; warnings are too many to say anything
	maxRecord     = 8192 // bytes; LOG_LINE_MAX plus the dictionary
)

// QuietKernel keeps kernel messages off the consoles and lifts the rate limit of our own lines in the kernel log.
// procRoot is "/proc".
func QuietKernel(procRoot string) {
	_ = os.WriteFile(procRoot+"/sys/kernel/printk", []byte(emergencyOnly), 0)
	_ = os.WriteFile(procRoot+"/sys/kernel/printk_devkmsg", []byte("on"), 0)
}

// Evidence returns the last kernel messages of level error or worse, oldest first, at most limit: what a failed
// phase needs on the console, as those messages were kept off it.
func Evidence(devRoot string, limit int) []string {
	fd, err := unix.Open(devRoot+"/kmsg", unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	var found []string
	record := make([]byte, maxRecord)
	for {
		n, err := unix.Read(fd, record)
		if err == unix.EPIPE || err == unix.EINTR { // EPIPE: records were overwritten meanwhile
			continue
		}
		if err != nil || n <= 0 {
			return found
		}
		if level, text, ok := parseRecord(string(record[:n])); ok && level <= worst {
			found = append(found, text)
			found = found[max(0, len(found)-limit):]
		}
	}
}

// parseRecord reads "priority,sequence,time,flags[,...];text\n dictionary". Only records of the kernel facility (0)
// count. Spec: Linux Documentation/ABI/testing/dev-kmsg.
func parseRecord(record string) (level int, text string, ok bool) {
	prefix, rest, ok := strings.Cut(record, ";")
	if !ok {
		return 0, "", false
	}
	priority, _, _ := strings.Cut(prefix, ",")
	n, err := strconv.Atoi(priority)
	if err != nil || n < 0 || n > 7 {
		return 0, "", false
	}
	text, _, _ = strings.Cut(rest, "\n")
	return n, text, true
}
