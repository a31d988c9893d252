// SPDX-License-Identifier: Apache-2.0

package verityhash

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// seal makes an image as the factory does: data, superblock, levels with the root's first.
func seal(data []byte) (image []byte, rootHash string) {
	var leaves []byte
	for at := 0; at < len(data); at += blockBytes {
		sum := sha256.Sum256(data[at : at+blockBytes])
		leaves = append(leaves, sum[:]...)
	}
	root, levels := buildTree(leaves)
	image = append(bytes.Clone(data), make([]byte, blockBytes)...)
	for i := len(levels) - 1; i >= 0; i-- {
		image = append(image, levels[i]...)
	}
	return image, hex.EncodeToString(root)
}

func pattern(blocks int) []byte {
	data := make([]byte, blocks*blockBytes)
	for i := range data {
		data[i] = byte(i>>12 ^ i)
	}
	return data
}

func TestCheck(t *testing.T) {
	for _, blocks := range []int{1, 2, 128, 129} {
		data := pattern(blocks)
		image, root := seal(data)
		if err := Check(bytes.NewReader(append(image, 1, 2, 3)), uint64(blocks), root); err != nil {
			t.Errorf("%d blocks: %v", blocks, err)
		}
		for _, at := range []int{0, len(data) - 1, len(image) - 1} {
			if blocks == 1 && at == len(image)-1 {
				continue // a single block has no tree, and the superblock is not checked
			}
			damaged := bytes.Clone(image)
			damaged[at] ^= 1
			if err := Check(bytes.NewReader(damaged), uint64(blocks), root); !errors.Is(err, ErrMismatch) {
				t.Errorf("%d blocks, damage at %d: %v", blocks, at, err)
			}
		}
		if err := Check(bytes.NewReader(image[:len(image)-1]), uint64(blocks), root); err == nil {
			t.Errorf("%d blocks: a short image passed", blocks)
		}
	}
	for _, blocks := range []uint64{0, 1 << 40} {
		if err := Check(bytes.NewReader(nil), blocks, ""); err == nil {
			t.Errorf("%d blocks passed", blocks)
		}
	}
}

func TestVeritysetupAgrees(t *testing.T) {
	if _, err := exec.LookPath("veritysetup"); err != nil {
		t.Skip("veritysetup is missing")
	}
	path := filepath.Join(t.TempDir(), "image")
	data := pattern(300)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("veritysetup", "format", "--salt=-", "--data-blocks=300", "--hash-offset=1228800", path, path).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	root := regexp.MustCompile(`Root hash:\s+([0-9a-f]{64})`).FindSubmatch(out)
	image, err := os.ReadFile(path)
	if err != nil || root == nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := Check(bytes.NewReader(image), 300, string(root[1])); err != nil {
		t.Error(err)
	}
}
