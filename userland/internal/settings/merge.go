// SPDX-License-Identifier: Apache-2.0

package settings

import (
	"fmt"
	"strings"

	"github.com/siderolabs/talos/pkg/machinery/config"
	types "github.com/siderolabs/talos/pkg/machinery/config/config"
	"github.com/siderolabs/talos/pkg/machinery/config/container"
	"github.com/siderolabs/talos/pkg/machinery/config/encoder"
	machinery "github.com/siderolabs/talos/pkg/machinery/config/merge"
)

// merge lays the documents of a later source over those of the earlier ones: same kind and name are joined field by
// field, where the later one wins; others are added. The result is a text that was read again, so it is what a restart
// would read from STATE. Neither argument changes.
func merge(held, later config.Provider) (config.Provider, error) {
	if held == nil {
		return later, nil
	}
	joined := held.Clone().Documents()
	known := map[string]types.Document{}
	for _, document := range joined {
		known[identity(document)] = document
	}
	for _, document := range later.Clone().Documents() {
		earlier, both := known[identity(document)]
		if !both {
			joined = append(joined, document)
		} else if err := machinery.Merge(earlier, document); err != nil {
			return nil, invalid([]Problem{{Path: identity(document), Text: oneLine(err.Error())}})
		}
	}
	whole, err := container.New(joined...)
	if err != nil {
		return nil, invalid(foreign(err))
	}
	text, err := whole.EncodeBytes(encoder.WithComments(encoder.CommentsDisabled))
	if err != nil {
		return nil, fmt.Errorf("encode the merged configuration: %w", err)
	}
	parsed, err := Parse(text)
	return parsed.Provider, err
}

// identity is kind and name as paths show them: LinkConfig[eth0].
func identity(document types.Document) string {
	if named, is := document.(types.NamedDocument); is && named.Name() != "" {
		return document.Kind() + "[" + oneLine(named.Name()) + "]"
	}
	return document.Kind()
}

// names lists the documents of a configuration for a log line.
func names(provider config.Provider) string {
	var all []string
	for _, document := range provider.Documents() {
		all = append(all, identity(document))
	}
	return strings.Join(all, ", ")
}
