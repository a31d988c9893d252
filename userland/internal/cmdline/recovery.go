// SPDX-License-Identifier: Apache-2.0

package cmdline

import (
	"slices"
	"strconv"
	"time"
)

// DefaultRebootDelay leaves time to read the console, and then lets the version before boot again.
const DefaultRebootDelay = 60 * time.Second

// Recovery is what the machine does after a failure: power off, or reboot after Delay.
type Recovery struct {
	PowerOff bool
	Delay    time.Duration
}

// RecoveryOf decides from any text, also one that Parse refuses: a failure to parse is itself a failure to recover from.
// An automated boot powers off at once; panic=N above 0 sets the delay in seconds.
func RecoveryOf(text string) Recovery {
	words := splitWords(Normalise(text))
	if slices.Contains(valuesOf(words, "dodeka.exit"), "poweroff") {
		return Recovery{PowerOff: true}
	}
	delay := DefaultRebootDelay
	for _, v := range valuesOf(words, "panic") {
		if n, err := strconv.ParseInt(v, 10, 32); err == nil && n > 0 {
			delay = time.Duration(n) * time.Second
		}
	}
	return Recovery{Delay: delay}
}

// KeepsKernelLog says that the user asked to see kernel messages on the console.
func KeepsKernelLog(text string) bool {
	words := splitWords(Normalise(text))
	return slices.Contains(words, "debug") || slices.Contains(words, "ignore_loglevel") || len(valuesOf(words, "loglevel")) > 0
}

// SetsPanic says that the command line itself sets the kernel's panic timeout.
func SetsPanic(text string) bool {
	return len(valuesOf(splitWords(Normalise(text)), "panic")) > 0
}
