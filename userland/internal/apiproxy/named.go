// SPDX-License-Identifier: Apache-2.0

package apiproxy

import (
	"github.com/siderolabs/grpc-proxy/proxy"
	"github.com/siderolabs/talos/pkg/machinery/api/common"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// Field numbers that all answers of the aggregated services share. Spec: machinery's common.proto: an answer is
// `repeated Message messages = 1`, a message or an item of a stream begins with `Metadata metadata = 1`.
const (
	messagesField = 1
	metadataField = 1
)

// named adds to each answer which machine it comes from. It works on the encoded bytes: the proxy knows no types.
type named struct {
	proxy.Backend
	target string
}

func (n named) String() string { return n.target }

// AppendInfo relies on protobuf's merging: a field that appears twice in a message is merged, so the metadata is
// appended to what there is.
func (n named) AppendInfo(streaming bool, answer []byte) ([]byte, error) {
	info, err := n.metadata(nil)
	if err != nil || streaming {
		return append(answer, info...), err
	}
	return mapMessages(answer, func(message []byte) []byte { return append(message, info...) })
}

// BuildError makes an answer of an error, so that one machine's failure does not hide the answers of others.
func (n named) BuildError(streaming bool, failure error) ([]byte, error) {
	info, err := n.metadata(failure)
	if err != nil || streaming {
		return info, err
	}
	answer := protowire.AppendTag(nil, messagesField, protowire.BytesType)
	return protowire.AppendBytes(answer, info), nil
}

// metadata returns a whole message of which only the metadata field is there.
func (n named) metadata(failure error) ([]byte, error) {
	m := &common.Metadata{Hostname: n.target}
	if failure != nil {
		m.Error, m.Status = failure.Error(), status.Convert(failure).Proto()
	}
	encoded, err := proto.Marshal(m)
	if err != nil {
		return nil, err
	}
	return protowire.AppendBytes(protowire.AppendTag(nil, metadataField, protowire.BytesType), encoded), nil
}

// mapMessages changes each element of the repeated field and copies other fields as they are.
func mapMessages(answer []byte, change func([]byte) []byte) ([]byte, error) {
	var out []byte
	for len(answer) > 0 {
		number, kind, size := protowire.ConsumeTag(answer)
		if size < 0 {
			return nil, protowire.ParseError(size)
		}
		rest := protowire.ConsumeFieldValue(number, kind, answer[size:])
		if rest < 0 {
			return nil, protowire.ParseError(rest)
		}
		field := answer[:size+rest]
		if number == messagesField && kind == protowire.BytesType {
			message, _ := protowire.ConsumeBytes(answer[size:])
			out = protowire.AppendTag(out, number, kind)
			out = protowire.AppendBytes(out, change(append([]byte(nil), message...)))
		} else {
			out = append(out, field...)
		}
		answer = answer[size+rest:]
	}
	return out, nil
}
