// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/sys/unix"
)

// umountCommand accepts "umount [-f] [-l] target". A symbolic link as the last part of the path is not followed, so that
// nobody who can write a volume's directory chooses what is unmounted.
func umountCommand(arguments []string, k kernel, stdout io.Writer) error {
	flags, target, options := unix.UMOUNT_NOFOLLOW, "", true
	for _, word := range arguments {
		switch {
		case !options || !strings.HasPrefix(word, "-"):
			if target != "" {
				return usageError(fmt.Sprintf("%q: expected one mount point", word))
			}
			target = word
		case word == "--":
			options = false
		case word == "-f" || word == "--force":
			flags |= unix.MNT_FORCE
		case word == "-l" || word == "--lazy":
			flags |= unix.MNT_DETACH
		case word == "-V" || word == "--version":
			_, err := fmt.Fprintln(stdout, "umount of Dodeka: umount2(2) only")
			return err
		case ignored[word]:
		default:
			return usageError(fmt.Sprintf("option %q is not known", word))
		}
	}
	if target == "" {
		return usageError("no mount point is given")
	}
	err := k.Unmount(target, flags)
	if errors.Is(err, unix.EINVAL) {
		return notMounted{failure{target, "", err}}
	}
	return wrap(target, "", err)
}

// notMounted has the words by which mount-utils knows a program that tells a path that is not a mount point.
type notMounted struct{ failure }

func (f notMounted) Error() string { return f.target + ": not mounted." }
