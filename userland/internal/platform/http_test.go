// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

func spaced(values any) string { return strings.Trim(fmt.Sprint(values), "[]") }

func check(t *testing.T, s subject, found Metadata, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if string(found.Config) != s.config || found.Hostname != s.hostname || spaced(found.PublicIPs) != s.ips || found.Facts.ProviderID != s.provider || found.Facts.Platform != s.platform {
		t.Errorf("got %+v with %q", found, found.Config)
	}
	var links []string
	if found.Network != nil {
		for _, link := range found.Network.Links {
			links = append(links, link.Name)
		}
	}
	if strings.Join(links, " ") != s.links {
		t.Errorf("links %q", links)
	}
}

func read(t *testing.T, s subject, timeout time.Duration) (Metadata, error) {
	t.Helper()
	reader, err := New(s.platform, s.options(start(t, s.service)))
	if err != nil || reader.Name() != s.platform {
		t.Fatalf("reader %v, %v", reader, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return reader.Read(ctx)
}

// TestReaders puts each platform before each behaviour of its service.
func TestReaders(t *testing.T) {
	const long, short = 90 * time.Second, 300 * time.Millisecond
	elsewhere := &service{answers: map[string]string{}}
	elsewhereURL := start(t, elsewhere)
	behaviours := []struct {
		name    string
		timeout time.Duration
		before  func() func(http.ResponseWriter, *http.Request) bool
		want    func(t *testing.T, s subject, found Metadata, err error)
	}{
		{"happy", long, nil, check},
		{"not found", long, answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(404) }), func(t *testing.T, s subject, found Metadata, err error) {
			if len(found.Config) > 0 || err != nil && !errors.Is(err, ErrNone) {
				t.Errorf("got %q, %v", found.Config, err)
			}
		}},
		{"forbidden", long, answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }), func(t *testing.T, s subject, found Metadata, err error) {
			if err == nil || !strings.Contains(err.Error(), "403 Forbidden") {
				t.Errorf("got %v", err)
			}
		}},
		{"fails at first", long, firstFails, check},
		{"fails always", short, answer(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }), func(t *testing.T, s subject, found Metadata, err error) {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		}},
		{"closes the connection", short, answer(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }), func(t *testing.T, s subject, found Metadata, err error) {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		}},
		{"huge", long, answer(func(w http.ResponseWriter, _ *http.Request) {
			chunk := make([]byte, 1<<20)
			for range 6 {
				_, _ = w.Write(chunk)
			}
		}), func(t *testing.T, s subject, found Metadata, err error) {
			if err == nil || !strings.Contains(err.Error(), "the answer is over") {
				t.Errorf("got %v", err)
			}
		}},
		{"slow", short, answer(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }), func(t *testing.T, s subject, found Metadata, err error) {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		}},
		{"drips", short, answer(func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				_, _ = w.Write([]byte("a"))
				_ = http.NewResponseController(w).Flush()
				time.Sleep(10 * time.Millisecond)
			}
		}), func(t *testing.T, s subject, found Metadata, err error) {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		}},
		{"redirects elsewhere", long, answer(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhereURL+r.URL.Path, http.StatusTemporaryRedirect)
		}), func(t *testing.T, s subject, found Metadata, err error) {
			if !errors.Is(err, errRedirect) || len(elsewhere.asked) > 0 {
				t.Errorf("got %v, asked %v", err, elsewhere.asked)
			}
		}},
		{"redirects in circles", long, answer(func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path, http.StatusFound) }),
			func(t *testing.T, s subject, found Metadata, err error) {
				if !errors.Is(err, errRedirect) {
					t.Errorf("got %v", err)
				}
			}},
		{"garbage", long, answer(func(w http.ResponseWriter, _ *http.Request) {
			noise := make([]byte, 3000)
			for i := range noise {
				noise[i] = byte(rand.Uint32())
			}
			_, _ = w.Write(noise)
		}), func(t *testing.T, s subject, found Metadata, err error) {
			if errors.Is(err, context.DeadlineExceeded) {
				t.Error("garbage is asked for again and again")
			}
			if err == nil && found.Hostname != "" && found.Network != nil && len(found.Network.Links) > 0 {
				t.Errorf("got %+v", found)
			}
		}},
	}
	for _, b := range behaviours {
		for _, s := range subjects() {
			t.Run(b.name+", "+s.platform, func(t *testing.T) {
				if b.before != nil {
					s.service.before = b.before()
				}
				found, err := read(t, s, b.timeout)
				b.want(t, s, found, err)
			})
		}
	}
}

func answer(handle func(http.ResponseWriter, *http.Request)) func() func(http.ResponseWriter, *http.Request) bool {
	return func() func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool { handle(w, r); return true }
	}
}

// firstFails answers the first request of each path with an error that may pass.
func firstFails() func(http.ResponseWriter, *http.Request) bool {
	var mutex sync.Mutex
	seen := map[string]int{}
	return func(w http.ResponseWriter, r *http.Request) bool {
		mutex.Lock()
		defer mutex.Unlock()
		seen[r.URL.Path]++
		if seen[r.URL.Path] > 2 {
			return false
		}
		w.WriteHeader([]int{500, 429}[seen[r.URL.Path]-1])
		return true
	}
}

func TestFetchFollowsARedirectOnTheSameHost(t *testing.T) {
	s := &service{answers: map[string]string{"/b": "x"}}
	s.before = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/a" {
			http.Redirect(w, r, "/b", http.StatusMovedPermanently)
		}
		return r.URL.Path == "/a"
	}
	if data, err := quick.get(context.Background(), request{url: start(t, s) + "/a"}); err != nil || string(data) != "x" {
		t.Errorf("got %q, %v", data, err)
	}
}

func TestFetchUsesNoProxy(t *testing.T) {
	proxy := &service{}
	url := start(t, proxy)
	for _, name := range []string{"http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"} {
		t.Setenv(name, url)
	}
	if quick.client().Transport.(*http.Transport).Proxy != nil {
		t.Error("the client has a proxy")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	_, err := Fetcher{FirstDelay: time.Second}.get(ctx, request{url: "http://192.0.2.1/"}) // TEST-NET-1: nobody is there
	if err == nil || len(proxy.asked) > 0 {
		t.Errorf("got %v, proxy asked %v", err, proxy.asked)
	}
}

func TestErrorsDoNotShowCredentials(t *testing.T) {
	redirecting := start(t, &service{before: func(w http.ResponseWriter, r *http.Request) bool {
		http.Redirect(w, r, "http://192.0.2.1/?token=secret", http.StatusFound)
		return true
	}})
	for _, url := range []string{"http://127.0.0.1:1", redirecting} {
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		_, err := quick.get(ctx, request{url: strings.Replace(url, "://", "://user:secret@", 1) + "/path?token=secret"})
		cancel()
		if err == nil || strings.Contains(err.Error(), "secret") || !strings.Contains(err.Error(), url+"/path") {
			t.Errorf("got %v", err)
		}
	}
}

func TestAWSAsksForATokenOnce(t *testing.T) {
	for _, s := range subjects() {
		if s.platform != "aws" {
			continue
		}
		if _, err := read(t, s, 10*time.Second); err != nil {
			t.Fatal(err)
		}
		if got := s.service.count("/latest/api/token"); got != 1 {
			t.Errorf("%d tokens", got)
		}
	}
}
