// SPDX-License-Identifier: Apache-2.0

// Command spdx-reader reads SPDX 2.3 documents with the Linux Foundation's own library, validates them, and prints what
// it found as JSON, one line a document: counts, the digest of the described package, and the digest of all files.
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"sort"

	spdxjson "github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx/v2/common"
	"github.com/spdx/tools-golang/spdx/v2/v2_3"
	"github.com/spdx/tools-golang/spdxlib"
)

type summary struct {
	Version       string `json:"version"`
	Packages      int    `json:"packages"`
	Files         int    `json:"files"`
	Relationships int    `json:"relationships"`
	Licences      int    `json:"licences"`
	Described     string `json:"described"`
	FileList      string `json:"fileList"`
}

func main() {
	for _, name := range os.Args[1:] {
		found, err := read(name)
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
			os.Exit(1)
		}
		line, err := json.Marshal(found)
		if err != nil {
			panic(err)
		}
		fmt.Println(string(line))
	}
}

func read(name string) (*summary, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	// Into this very version, so that nothing is converted on the way.
	document := &v2_3.Document{}
	if err := spdxjson.ReadInto(file, document); err != nil {
		return nil, err
	}
	if err := spdxlib.ValidateDocument(document); err != nil {
		return nil, err
	}
	ids, err := spdxlib.GetDescribedPackageIDs(document)
	if err != nil {
		return nil, err
	}
	if len(ids) != 1 {
		return nil, fmt.Errorf("%d described packages", len(ids))
	}
	found := &summary{
		Version:       document.SPDXVersion,
		Packages:      len(document.Packages),
		Files:         len(document.Files),
		Relationships: len(document.Relationships),
		Licences:      len(document.OtherLicenses),
		FileList:      listFiles(document.Files),
	}
	for _, p := range document.Packages {
		if p.PackageSPDXIdentifier == ids[0] {
			found.Described = sumOf(p.PackageChecksums, common.SHA256)
		}
	}
	return found, nil
}

// listFiles names all files and their SHA-256 by one digest.
func listFiles(files []*v2_3.File) string {
	lines := make([]string, 0, len(files))
	for _, f := range files {
		lines = append(lines, fmt.Sprintf("%s %s\n", sumOf(f.Checksums, common.SHA256), f.FileName))
	}
	sort.Strings(lines)
	sum := sha256.New()
	for _, line := range lines {
		sum.Write([]byte(line))
	}
	return hex.EncodeToString(sum.Sum(nil))
}

func sumOf(sums []common.Checksum, algorithm common.ChecksumAlgorithm) string {
	for _, sum := range sums {
		if sum.Algorithm == algorithm {
			return sum.Value
		}
	}
	return ""
}
