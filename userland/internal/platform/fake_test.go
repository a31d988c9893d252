// SPDX-License-Identifier: Apache-2.0

package platform

import (
	"context"
	"encoding/base64"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"
)

const config = "version: v1alpha1\nmachine:\n  type: worker\n"

// service is a fake metadata service: paths with queries to answers.
type service struct {
	answers map[string]string
	header  [2]string // that each GET must have
	before  func(w http.ResponseWriter, r *http.Request) (answered bool)

	mutex sync.Mutex
	asked map[string]int
}

func (s *service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.Path
	if r.URL.RawQuery != "" {
		path += "?" + r.URL.RawQuery
	}
	s.mutex.Lock()
	if s.asked == nil {
		s.asked = map[string]int{}
	}
	s.asked[path]++
	s.mutex.Unlock()
	if s.before != nil && s.before(w, r) {
		return
	}
	if s.header[0] != "" && r.Method == http.MethodGet && r.Header.Get(s.header[0]) != s.header[1] {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	answer, found := s.answers[path]
	if !found {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	_, _ = w.Write([]byte(answer))
}

func (s *service) count(path string) int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.asked[path]
}

func start(t *testing.T, s *service) string {
	t.Helper()
	server := httptest.NewServer(s)
	t.Cleanup(server.CloseClientConnections)
	t.Cleanup(server.Close)
	return server.URL
}

// volume is a medium in memory.
type volume struct {
	fs.StatFS
	closed *bool
}

func (v volume) Close() error { *v.closed = true; return nil }

// media stands in for the drives: labels (or "file:NAME") to files.
func media(t *testing.T, volumes map[string]fstest.MapFS) func(context.Context, VolumeQuery) (Volume, error) {
	return func(_ context.Context, query VolumeQuery) (Volume, error) {
		for _, key := range append(query.Labels, "file:"+query.File) {
			if files, found := volumes[strings.ToLower(key)]; found {
				closed := new(bool)
				t.Cleanup(func() {
					if !*closed {
						t.Errorf("volume %s stays open", key)
					}
				})
				return volume{files, closed}, nil
			}
		}
		return nil, fs.ErrNotExist
	}
}

func files(pairs ...string) fstest.MapFS {
	all := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		all[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return all
}

// quick has the delays of a test.
var quick = Fetcher{Timeout: 30 * time.Second, FirstDelay: time.Millisecond, MaxDelay: 5 * time.Millisecond}

func b64(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// subject is one reader with a service that answers it.
type subject struct {
	platform string
	service  *service
	options  func(url string) Options
	config   string
	hostname string
	ips      string
	provider string
	links    string
}

func endpoint(url string) Options { return Options{Endpoint: url, Fetch: quick} }

const networkV1 = `version: 1
config:
  - {type: physical, name: eth0, mac_address: "96:00:00:00:00:01", subnets: [{type: dhcp, ipv4: true}, {type: static, ipv6: true, address: "2001:db8::1/64", gateway: "fe80::1", dns_nameservers: ["2001:db8::53"]}]}
`

// subjects are all readers that ask over HTTP, with a service each.
func subjects() []subject {
	return []subject{
		{"metal", &service{answers: map[string]string{"/c/u-1/config.yaml?m=52%3A54%3A00%3A00%3A00%3A01": config}}, func(url string) Options {
			return Options{URL: url + "/c/${uuid}/config.yaml?m=${mac}", Fetch: quick, MAC: func() string { return "52:54:00:00:00:01" },
				SMBIOS: func(field string) string { return map[string]string{"product_uuid": "U-1"}[field] }}
		}, config, "", "", "", ""},
		{"nocloud", &service{answers: map[string]string{
			"/seed/meta-data": "instance-id: i-1\nlocal-hostname: host.example\nprovider-id: x://1\n", "/seed/user-data": config, "/seed/network-config": networkV1,
		}}, func(url string) Options {
			return Options{Fetch: quick, SMBIOS: func(string) string { return "ds=nocloud;s=" + url + "/seed/" }}
		}, config, "host.example", "", "x://1", "eth0"},
		{"aws", &service{header: [2]string{"X-aws-ec2-metadata-token", "tok"}, answers: map[string]string{
			"/latest/api/token": "tok\n", "/latest/user-data": config, "/latest/meta-data/local-hostname": "ip-10-0-0-1.ec2.internal", "/latest/meta-data/instance-id": "i-1",
			"/latest/meta-data/placement/availability-zone": "eu-west-1a", "/latest/meta-data/public-ipv4": "203.0.113.1", "/latest/meta-data/instance-life-cycle": "spot",
		}}, endpoint, config, "ip-10-0-0-1.ec2.internal", "203.0.113.1", "aws:///eu-west-1a/i-1", ""},
		{"gcp", &service{header: [2]string{"Metadata-Flavor", "Google"}, answers: map[string]string{
			"/computeMetadata/v1/project/project-id": "p",
			"/computeMetadata/v1/instance/?recursive=true&alt=json": `{"id":123456789012345678,"name":"vm","hostname":"vm.c.p.internal","machineType":"projects/1/machineTypes/e2",
			 "zone":"projects/1/zones/europe-west1-b","scheduling":{"preemptible":"TRUE"},"attributes":{"user-data":"version: v1alpha1\nmachine:\n  type: worker\n"},
			 "networkInterfaces":[{"accessConfigs":[{"externalIp":"203.0.113.2"}],"ipv6":["2001:db8::2"]}]}`,
		}}, endpoint, config, "vm.c.p.internal", "203.0.113.2 2001:db8::2", "gce://p/europe-west1-b/vm", ""},
		{"azure", &service{header: [2]string{"Metadata", "true"}, answers: map[string]string{
			"/metadata/instance?api-version=2021-02-01&format=json": `{"compute":{"name":"vm","location":"WestEurope","zone":"1","vmSize":"B1","osProfile":{"computerName":"host"},"userData":"` + b64(config) + `",
			 "resourceId":"/subscriptions/s/resourceGroups/GROUP/providers/Microsoft.Compute/virtualMachines/VM"},
			 "network":{"interface":[{"ipv4":{"ipAddress":[{"publicIpAddress":"203.0.113.3"},{"publicIpAddress":""}]}}]}}`,
		}}, endpoint, config, "host", "203.0.113.3", "azure:///subscriptions/s/resourceGroups/group/providers/Microsoft.Compute/virtualMachines/VM", ""},
		{"openstack", &service{answers: map[string]string{
			"/openstack/latest/meta_data.json": `{"uuid":"u-1","hostname":"host.novalocal","availability_zone":"nova"}`, "/openstack/latest/user_data": config,
			"/openstack/latest/network_data.json": `{"links":[{"id":"t","type":"ovs","ethernet_mac_address":"fa:16:3e:00:00:01","mtu":1450}],"networks":[{"link":"t","type":"ipv4","ip_address":"10.0.0.5","netmask":"255.255.255.0","gateway":"10.0.0.1"}],"services":[{"type":"dns","address":"10.0.0.2"}]}`,
		}}, func(url string) Options {
			o := endpoint(url)
			o.LinkByMAC = func(mac string) (string, bool) { return "ens3", mac == "fa:16:3e:00:00:01" }
			return o
		}, config, "host.novalocal", "", "openstack:///u-1", "ens3"},
		{"hcloud", &service{answers: map[string]string{
			"/hetzner/v1/metadata/hostname": "host", "/hetzner/v1/metadata/instance-id": "42", "/hetzner/v1/metadata/availability-zone": "fsn1-dc14",
			"/hetzner/v1/metadata/public-ipv4": "203.0.113.4", "/hetzner/v1/metadata/network-config": networkV1, "/hetzner/v1/userdata": b64(config),
		}}, endpoint, config, "host", "203.0.113.4 2001:db8::1", "hcloud://42", "eth0"},
	}
}
