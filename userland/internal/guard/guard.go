// SPDX-License-Identifier: Apache-2.0

// Package guard keeps a defect where it is: PID 1 must outlive a panic in any part of it.
package guard

import "fmt"

// Run calls f and turns a panic into an error. It holds for the goroutine that it is called in, so one that f starts
// needs a Run of its own.
func Run(f func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("BUG: panic: %v", r)
		}
	}()
	return f()
}
