// SPDX-License-Identifier: Apache-2.0

package readout

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Names of facilities and priorities as syslog(3) numbers them.
var (
	facilities = [...]string{
		"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
		"ntp", "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
	}
	priorities = [...]string{"emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"}
)

// kernelRecord is one record of /dev/kmsg.
type kernelRecord struct {
	facility, priority string
	sinceBoot          time.Duration
	text               string // with the kernel's own newline at its end, and a line for each of the record's details
}

var errRecordFormat = errors.New("unexpected format of a kernel log record")

// parseRecord reads "level,sequence,microseconds,flags[,...];text\n key=value\n...".
// Any process with the right to write the log chooses the level, so that a number without a name is shown as it is.
// Spec: Linux Documentation/ABI/testing/dev-kmsg.
func parseRecord(raw string) (kernelRecord, error) {
	prefix, text, found := strings.Cut(raw, ";")
	fields := strings.Split(prefix, ",")
	if !found || len(fields) < 4 {
		return kernelRecord{}, errRecordFormat
	}
	level, levelErr := strconv.ParseUint(fields[0], 10, 31)
	microseconds, timeErr := strconv.ParseInt(fields[2], 10, 54) // a Duration counts nanoseconds
	if err := errors.Join(levelErr, timeErr); err != nil {
		return kernelRecord{}, errRecordFormat
	}
	record := kernelRecord{
		facility:  strconv.FormatUint(level>>3, 10),
		priority:  priorities[level&7],
		sinceBoot: time.Duration(microseconds) * time.Microsecond,
		text:      unescapeRecord(text),
	}
	if facility := int(level >> 3); facility < len(facilities) {
		record.facility = facilities[facility]
	}
	return record, nil
}

// format gives the line that clients print after the name of the machine.
func (r kernelRecord) format(bootTime time.Time) string {
	at := bootTime.Add(r.sinceBoot).UTC().Format(time.RFC3339Nano)
	return fmt.Sprintf("%s: %7s: [%s]: %s", r.facility, r.priority, at, r.text)
}

// unescapeRecord undoes the kernel's \xNN where that gives text. Control characters stay escaped, and so do bytes that
// are no UTF-8: a log line must not steer the terminal of whoever reads it.
func unescapeRecord(text string) string {
	var out strings.Builder
	for len(text) > 0 {
		raw, length := unescapeRun(text)
		switch {
		case length == 0:
			out.WriteByte(text[0])
			length = 1
		case utf8.Valid(raw) && isPrintable(string(raw)):
			out.Write(raw)
		default:
			out.WriteString(text[:length])
		}
		text = text[length:]
	}
	return out.String()
}

// unescapeRun decodes the escapes that text begins with, and says how many bytes of text they are.
func unescapeRun(text string) (raw []byte, length int) {
	for {
		code, ok := hexEscape(text[length:])
		if !ok {
			return raw, length
		}
		raw = append(raw, code)
		length += len(`\x00`)
	}
}

func hexEscape(text string) (byte, bool) {
	if len(text) < 4 || text[0] != '\\' || text[1] != 'x' {
		return 0, false
	}
	code, err := strconv.ParseUint(text[2:4], 16, 8)
	return byte(code), err == nil
}

func isPrintable(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return !strconv.IsPrint(r) })
}
