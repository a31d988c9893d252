// SPDX-License-Identifier: Apache-2.0

package settings

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"

	"github.com/siderolabs/talos/pkg/machinery/config"
	"github.com/siderolabs/talos/pkg/machinery/config/configloader"

	"dodeka/userland/internal/yamltree"
)

// MaxBytes bounds a configuration after decompression; it is also the longest message that gRPC takes by default.
const MaxBytes = 4 << 20

// Parsed is a configuration that was read but not validated: every field is known and none is refused.
type Parsed struct {
	Provider config.Provider // read-only; its bytes are the text as sent, decompressed
	Warnings []string        // fields that have no effect here
}

// Parse reads a configuration, plain or compressed with gzip. The error is *Invalid and lists all problems.
func Parse(data []byte) (Parsed, error) {
	text, err := expand(data)
	if err != nil {
		return Parsed{}, invalid([]Problem{{Text: err.Error()}})
	}
	roots, err := yamltree.Parse(text)
	if err != nil {
		return Parsed{}, invalid([]Problem{{Text: oneLine(err.Error())}})
	}
	if len(roots) == 0 {
		return Parsed{}, invalid([]Problem{{Text: "the configuration is empty"}})
	}
	all, problems := split(roots)
	var warnings []string
	for _, d := range all {
		problems = append(problems, unknownFields(d)...)
		unsupported, idle := unsupportedFields(d)
		problems, warnings = append(problems, unsupported...), append(warnings, idle...)
	}
	if err := invalid(problems); err != nil {
		return Parsed{}, err
	}
	provider, err := load(text)
	if err != nil {
		return Parsed{}, invalid([]Problem{{Text: oneLine(err.Error())}})
	}
	return Parsed{provider, warnings}, nil
}

// load keeps a panic of the decoders from ending PID 1.
func load(text []byte) (provider config.Provider, err error) {
	defer func() {
		if p := recover(); p != nil {
			provider, err = nil, fmt.Errorf("the configuration cannot be read: %v", p)
		}
	}()
	return configloader.NewFromBytes(text)
}

// expand decompresses without trusting the length that the sender claims.
func expand(data []byte) ([]byte, error) {
	tooLarge := fmt.Errorf("the configuration is over %d bytes", MaxBytes)
	if len(data) > MaxBytes {
		return nil, tooLarge
	}
	if bytes.HasPrefix(data, []byte{0x28, 0xb5, 0x2f, 0xfd}) {
		return nil, errors.New("the configuration is compressed with zstd: send it plain or with gzip")
	}
	if !bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		return data, nil
	}
	reader, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("gzip: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(reader, MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("gzip: %w", err)
	}
	if len(text) > MaxBytes {
		return nil, tooLarge
	}
	return text, nil
}

// complete says whether a configuration is enough to leave maintenance mode.
func complete(provider config.Provider) bool { return provider != nil && provider.CompleteForBoot() }
