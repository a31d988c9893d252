// SPDX-License-Identifier: Apache-2.0

package fat32

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
)

// node is a directory, or a file when file is set.
type node struct {
	name     string
	short    string
	long     []byte
	file     *File
	children []*node
	bytes    int64 // of the file, or of the directory's entries
	first    int64 // cluster; 0 for an empty file
}

// buildTree makes the directories that the paths name, and every entry's names.
func buildTree(files []File) (*node, error) {
	root := &node{}
	for i := range files {
		at := root
		parts := strings.Split(files[i].Path, "/")
		for _, part := range parts[:len(parts)-1] {
			at = at.directory(part)
			if at.file != nil {
				return nil, fmt.Errorf("%s is a file and a directory", part)
			}
		}
		name := parts[len(parts)-1]
		if at.child(name) != nil {
			return nil, fmt.Errorf("%s is there twice", files[i].Path)
		}
		at.children = append(at.children, &node{name: name, file: &files[i], bytes: files[i].Size})
	}
	return root, root.measure(entryBytes) // the root has a label entry
}

func (n *node) child(name string) *node {
	i := slices.IndexFunc(n.children, func(c *node) bool { return strings.EqualFold(c.name, name) })
	if i < 0 {
		return nil
	}
	return n.children[i]
}

func (n *node) directory(name string) *node {
	if found := n.child(name); found != nil {
		return found
	}
	made := &node{name: name}
	n.children = append(n.children, made)
	return made
}

func (n *node) measure(own int64) (err error) {
	taken := map[string]bool{}
	n.bytes = own
	for _, c := range n.children {
		if c.long, c.short, err = nameEntries(c.name, taken); err != nil {
			return err
		}
		n.bytes += int64(len(c.long)) + entryBytes
		if c.file == nil {
			if err := c.measure(2 * entryBytes); err != nil { // "." and ".."
				return err
			}
		}
	}
	return nil
}

// writeDirectory writes a directory and those below it; parent is the cluster that ".." names, 0 for the root.
func (v *volume) writeDirectory(n *node, parent int64) error {
	var out []byte
	if n.short == "" {
		out = v.entry(fmt.Sprintf("%-11s", v.options.Label), attrLabel, 0, 0)
	} else {
		out = append(v.entry(".          ", attrDir, n.first, 0), v.entry("..         ", attrDir, parent, 0)...)
	}
	own := n.first
	if n.short == "" {
		own = 0
	}
	for _, c := range n.children {
		attribute, size := byte(attrDir), int64(0)
		if c.file != nil {
			attribute, size = attrArchive, c.bytes
		}
		out = append(append(out, c.long...), v.entry(c.short, attribute, c.first, size)...)
		if c.file == nil {
			if err := v.writeDirectory(c, own); err != nil {
				return err
			}
		}
	}
	_, err := v.storage.WriteAt(out, v.offset(n.first))
	return err
}

func (v *volume) entry(short string, attribute byte, cluster, size int64) []byte {
	e := make([]byte, entryBytes)
	t := v.options.Time.UTC()
	date := uint16(max(0, t.Year()-1980)&0x7f<<9 | int(t.Month())<<5 | t.Day())
	clock := uint16(t.Hour()<<11 | t.Minute()<<5 | t.Second()/2)
	copy(e, short)
	e[11] = attribute
	le := binary.LittleEndian
	le.PutUint16(e[14:], clock) // made
	le.PutUint16(e[16:], date)
	le.PutUint16(e[18:], date) // read
	le.PutUint16(e[20:], uint16(cluster>>16))
	le.PutUint16(e[22:], clock) // written
	le.PutUint16(e[24:], date)
	le.PutUint16(e[26:], uint16(cluster))
	le.PutUint32(e[28:], uint32(size))
	return e
}

// writeReserved writes FSInfo and the backups, and after a flush the boot sector.
func (v *volume) writeReserved() error {
	g := v.geometry
	boot, info := v.bootSector(), v.infoSector()
	for _, at := range []struct {
		sector int64
		bytes  []byte
	}{{1, info}, {6, boot}, {7, info}, {0, boot}} {
		if at.sector == 0 {
			if err := v.storage.Sync(); err != nil {
				return err
			}
		}
		if _, err := v.storage.WriteAt(at.bytes, at.sector*g.sector); err != nil {
			return err
		}
	}
	return v.storage.Sync()
}

func (v *volume) bootSector() []byte {
	g, out, le := v.geometry, make([]byte, v.geometry.sector), binary.LittleEndian
	copy(out, "\xeb\x58\x90MSWIN4.1")
	le.PutUint16(out[11:], uint16(g.sector))
	out[13] = byte(g.cluster / g.sector)
	le.PutUint16(out[14:], uint16(g.reserved))
	out[16] = tables
	out[21] = 0xf8              // media
	le.PutUint16(out[24:], 63)  // sectors of a track, nominal
	le.PutUint16(out[26:], 255) // heads, nominal
	le.PutUint32(out[28:], v.options.HiddenSectors)
	le.PutUint32(out[32:], uint32(g.sectors))
	le.PutUint32(out[36:], uint32(g.table))
	le.PutUint32(out[44:], firstCluster) // the root's
	le.PutUint16(out[48:], 1)            // FSInfo
	le.PutUint16(out[50:], 6)            // backup
	out[64], out[66] = 0x80, 0x29
	le.PutUint32(out[67:], v.options.ID)
	copy(out[71:], fmt.Sprintf("%-11sFAT32   ", v.options.Label))
	copy(out[90:], "\xcd\x18\xf4\xeb\xfd") // try the next device, else halt
	out[510], out[511] = 0x55, 0xaa
	return out
}

func (v *volume) infoSector() []byte {
	out, le := make([]byte, v.geometry.sector), binary.LittleEndian
	le.PutUint32(out, 0x4161_5252)
	le.PutUint32(out[484:], 0x6141_7272)
	le.PutUint32(out[488:], uint32(v.geometry.clusters-(v.next-firstCluster)))
	le.PutUint32(out[492:], uint32(v.next-1))
	le.PutUint32(out[508:], 0xaa55_0000)
	return out
}
