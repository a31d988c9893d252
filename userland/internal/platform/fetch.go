// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

const maxRedirects = 3

// Fetcher gets small documents over HTTP. The zero value has the limits of the running OS.
type Fetcher struct {
	Timeout    time.Duration // of one try, from dialling to the last byte; 0 is 15 seconds
	FirstDelay time.Duration // before the second try, doubled each time; 0 is one second
	MaxDelay   time.Duration // 0 is 30 seconds
	Log        func(format string, arguments ...any)
}

// request is one document. Method is GET when empty.
type request struct {
	method, url string
	header      map[string]string
	limit       int64 // bytes; 0 is MaxBytes
}

// get returns the body of a 200 answer. 404 and 204 are ErrNone, other answers below 500 are final; those from 500,
// 429, 408 and a silent network are tried again until ctx ends.
func (f Fetcher) get(ctx context.Context, r request) ([]byte, error) {
	client := f.client()
	defer client.CloseIdleConnections()
	delay := cmp.Or(f.FirstDelay, time.Second)
	for {
		body, err := f.once(ctx, client, r)
		again := (*retryable)(nil)
		if !errors.As(err, &again) {
			return body, err
		}
		if f.Log != nil {
			f.Log("%v; next try in %s", err, delay)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%w (%w)", err, ctx.Err())
		case <-time.After(delay):
		}
		delay = min(2*delay, cmp.Or(f.MaxDelay, 30*time.Second))
	}
}

// retryable marks an error that may pass.
type retryable struct{ error }

func (r *retryable) Unwrap() error { return r.error }

func (f Fetcher) once(ctx context.Context, client *http.Client, r request) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(f.Timeout, 15*time.Second))
	defer cancel()
	method := r.method
	if method == "" {
		method = http.MethodGet
	}
	ask, err := http.NewRequestWithContext(ctx, method, r.url, nil)
	if err != nil {
		return nil, err
	}
	for name, value := range r.header {
		ask.Header.Set(name, value)
	}
	answer, err := client.Do(ask)
	if errors.Is(err, errRedirect) {
		return nil, bare(r.url, err)
	}
	if err != nil {
		return nil, &retryable{bare(r.url, err)}
	}
	defer answer.Body.Close()
	if err := verdict(answer.StatusCode); err != nil {
		return nil, fmt.Errorf("%s: %w", shown(r.url), err)
	}
	return readBody(answer.Body, r)
}

func readBody(body io.Reader, r request) ([]byte, error) {
	limit := r.limit
	if limit == 0 {
		limit = MaxBytes
	}
	data, err := io.ReadAll(io.LimitReader(body, limit+1))
	if err != nil {
		return nil, &retryable{bare(r.url, err)}
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s: the answer is over %d bytes", shown(r.url), limit)
	}
	return data, nil
}

func verdict(code int) error {
	switch {
	case code == http.StatusOK:
		return nil
	case code == http.StatusNotFound || code == http.StatusNoContent:
		return ErrNone
	case code >= 500 || code == http.StatusTooManyRequests || code == http.StatusRequestTimeout:
		return &retryable{fmt.Errorf("answer %d %s", code, http.StatusText(code))}
	}
	return fmt.Errorf("answer %d %s", code, http.StatusText(code))
}

var errRedirect = errors.New("redirect refused")

// client has no proxy: metadata is on the link, and a proxy would see every secret of the machine. A redirect may
// change the path only: elsewhere somebody else would answer, or our headers would go there.
func (f Fetcher) client() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                  nil,
			DialContext:            (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
			MaxResponseHeaderBytes: 64 << 10,
			ForceAttemptHTTP2:      true,
		},
		CheckRedirect: func(next *http.Request, via []*http.Request) error {
			first := via[0].URL
			if len(via) > maxRedirects || next.URL.Host != first.Host || next.URL.Scheme != first.Scheme {
				return fmt.Errorf("%w: from %s to %s", errRedirect, first.Host, next.URL.Host)
			}
			return nil
		},
	}
}

// bare drops the URL that net/http puts into its errors, as it may have credentials, and names it without them.
func bare(address string, err error) error {
	if inner := (*url.Error)(nil); errors.As(err, &inner) {
		err = inner.Err
	}
	return fmt.Errorf("%s: %w", shown(address), err)
}

// shown is a URL without user, password and query.
func shown(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return "a URL that cannot be read"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

// optional turns "there is none" into nothing.
func optional(data []byte, err error) ([]byte, error) {
	if errors.Is(err, ErrNone) {
		return nil, nil
	}
	return data, err
}
