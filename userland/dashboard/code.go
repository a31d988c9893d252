// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"os"
	"strings"
	"time"

	"dodeka/userland/internal/dashboardview"
)

const (
	codeStep = time.Second
	maxCode  = 32 // bytes
)

// followCode reads the maintenance code from a file that only this process may read: the API's readers must not see it.
func (s *sources) followCode(ctx context.Context) error {
	if s.codeFile == "" {
		<-ctx.Done()
		return ctx.Err()
	}
	shown := ""
	return every(ctx, codeStep, func(context.Context) error {
		if code := readCode(s.codeFile); code != shown {
			shown = code
			s.model.change(func(v *dashboardview.View) { v.Code = code })
		}
		return nil
	})
}

// readCode returns nothing when there is no code now.
func readCode(path string) string {
	text, err := os.ReadFile(path)
	if err != nil || len(text) > maxCode {
		return ""
	}
	return strings.TrimSpace(string(text))
}
