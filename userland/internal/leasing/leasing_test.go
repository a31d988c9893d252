// SPDX-License-Identifier: Apache-2.0

package leasing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// Renewing and rebinding with messages are tested in dhcp4 and dhcp6.
func TestRunFollowsWhatExtendSays(t *testing.T) {
	tests := []struct {
		name    string
		forEver bool
		extend  error
		want    []string
	}{
		{"for ever", true, nil, []string{"0s true"}},
		{"refused", false, ErrRefused, []string{"0s true", "1m0s false", "1m0s true", "2m0s false", "2m0s true", "3m0s false", "3m0s true"}},
		{"silent", false, errors.New("silent"), []string{"0s true", "3m0s false", "3m0s true"}},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				var got []string
				k := Keeper[time.Time]{ // a lease is the moment at which it was given
					Acquire: func(context.Context) (*time.Time, error) { now := time.Now(); return &now, nil },
					Extend:  func(context.Context, *time.Time, bool) (*time.Time, error) { return nil, tc.extend },
					Times: func(l *time.Time) Times {
						if tc.forEver {
							return Times{}
						}
						return Times{Renew: l.Add(time.Minute), Rebind: l.Add(2 * time.Minute), End: l.Add(3 * time.Minute)}
					},
					Report: func(l *time.Time) { got = append(got, fmt.Sprintf("%s %v", time.Since(start), l != nil)) },
					Log:    func(string) {}, ShortestWait: 10 * time.Second,
				}
				ctx, cancel := context.WithTimeout(t.Context(), 210*time.Second)
				defer cancel()
				k.Run(ctx, nil)
				if !slices.Equal(got, tc.want) {
					t.Errorf("got %q, want %q", got, tc.want)
				}
			})
		})
	}
}
