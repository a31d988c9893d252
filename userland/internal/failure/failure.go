// SPDX-License-Identifier: Apache-2.0

// Package failure ends a boot that cannot go on: it says what failed, shows what the kernel said, says what the machine
// does next, and does it. There is no shell to drop to.
package failure

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"dodeka/userland/internal/cmdline"
	"dodeka/userland/internal/console"
	"dodeka/userland/internal/phase"
	"dodeka/userland/internal/power"
)

const kernelLines = 6

// Report shows a failure and returns what the kernel command line, given as its raw text, wants to happen next.
func Report(out *console.Console, kernelArguments string, f *phase.Failure) (power.Action, time.Duration) {
	action, delay := power.After(cmdline.RecoveryOf(kernelArguments))
	out.Line(phase.FailedLine(f))
	for _, line := range console.Evidence("/dev", kernelLines) {
		out.Line("dodeka: kernel " + line)
	}
	out.Line(NextLine(action, delay))
	unix.Sync()
	out.Drain()
	return action, delay
}

// End reports a failure and ends the run; it does not return.
func End(out *console.Console, kernelArguments string, f *phase.Failure) {
	action, delay := Report(out, kernelArguments, f)
	time.Sleep(delay)
	power.Do(action)
	power.Forever()
}

// NextLine says what the machine does next.
func NextLine(action power.Action, delay time.Duration) string {
	if delay == 0 {
		return fmt.Sprintf("dodeka: next %s", action)
	}
	return fmt.Sprintf("dodeka: next %s in %.0f s", action, delay.Seconds())
}
