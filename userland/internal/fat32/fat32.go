// SPDX-License-Identifier: Apache-2.0

// Package fat32 writes a whole FAT32 volume with its files in one go, as the ESP of a fresh disk needs it. Files are
// contiguous. The kernel's own driver does everything later.
// Spec: Microsoft FAT specification (fatgen103).
// Left out: reading, changing, FAT12 and FAT16, more than one volume label.
package fat32

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"dodeka/userland/internal/blockdevice"
)

const (
	tables        = 2
	firstCluster  = 2
	leastClusters = 65_541 // 16 above the border to FAT16, as the specification advises
	mostClusters  = 0x0fff_fff5
	usualCluster  = 4096
	reservedAlign = 4096
	copyBytes     = 1 << 20
)

// File is one to be written. Open is called once.
type File struct {
	Path string // "EFI/BOOT/BOOTX64.EFI"
	Size int64
	Open func() (io.ReadCloser, error)
}

// Options of a volume.
type Options struct {
	ID            uint32
	Label         string // at most 11 capital letters
	HiddenSectors uint32 // before the volume on its disk
	Time          time.Time
	Progress      func(path string, done, size int64)
}

// Place is where a file's bytes are in the volume.
type Place struct {
	Path         string
	Offset, Size int64
}

// Write formats the storage and returns where the files are. The boot sector is written last: until then there is no
// volume.
func Write(ctx context.Context, storage blockdevice.Storage, o Options, files []File) ([]Place, error) {
	g, err := geometryOf(storage.Size(), storage.SectorBytes())
	if err != nil {
		return nil, err
	}
	v := &volume{storage: storage, options: o, geometry: g, next: firstCluster}
	root, err := buildTree(files)
	if err != nil {
		return nil, err
	}
	if err := v.allocate(root); err != nil {
		return nil, err
	}
	if err := v.clearTables(); err != nil {
		return nil, err
	}
	places, err := v.writeFiles(ctx)
	if err != nil {
		return nil, err
	}
	if err := v.writeDirectory(root, 0); err != nil {
		return nil, err
	}
	if err := v.writeTables(); err != nil {
		return nil, err
	}
	return places, v.writeReserved()
}

type geometry struct {
	sector, cluster int64 // bytes
	reserved, table int64 // sectors; table: of one
	clusters        int64
	sectors         int64
}

func (g geometry) dataOffset() int64 { return (g.reserved + tables*g.table) * g.sector }

// geometryOf takes clusters of 4096 bytes, or smaller ones when FAT32 needs more of them.
func geometryOf(size, sector int64) (geometry, error) {
	for cluster := max(usualCluster, sector); cluster >= sector; cluster /= 2 {
		g := geometry{sector: sector, cluster: cluster, sectors: size / sector}
		perSector := sector / 4
		g.table = (size/cluster + firstCluster + perSector - 1) / perSector // a little more than needed
		g.reserved = 32
		for g.dataOffset()%max(reservedAlign, cluster) != 0 {
			g.reserved++
		}
		g.clusters = min((size-g.dataOffset())/cluster, mostClusters)
		if g.clusters >= leastClusters {
			if g.sectors > 0xffff_ffff {
				return geometry{}, fmt.Errorf("%d bytes are too many for FAT32", size)
			}
			return g, nil
		}
	}
	return geometry{}, fmt.Errorf("%d bytes are too few for FAT32", size)
}

// LeastBytes is a size that holds files of so many bytes, with a tenth to spare and never below FAT32's minimum.
func LeastBytes(content, sector int64) int64 {
	return max(content+content/10+4<<20, (leastClusters+2048)*max(512, sector))
}

type volume struct {
	storage  blockdevice.Storage
	options  Options
	geometry geometry
	next     int64   // free cluster
	data     int64   // first cluster behind those of the directories
	chains   []chain // in order of their clusters
	files    []*node
}

type chain struct{ first, count int64 }

// allocate gives directories their clusters first, then files.
func (v *volume) allocate(root *node) error {
	var walk func(n *node)
	walk = func(n *node) {
		n.first = v.take(max(1, v.clustersFor(n.bytes)))
		for _, child := range n.children {
			if child.file == nil {
				walk(child)
			} else {
				v.files = append(v.files, child)
			}
		}
	}
	walk(root)
	v.data = v.next
	for _, n := range v.files {
		if n.bytes > 0xffff_ffff {
			return fmt.Errorf("%s has %d bytes, too many for FAT32", n.file.Path, n.bytes)
		}
		if n.bytes > 0 {
			n.first = v.take(v.clustersFor(n.bytes))
		}
	}
	if used := v.next - firstCluster; used > v.geometry.clusters {
		return fmt.Errorf("the files need %d clusters of %d bytes, the volume has %d", used, v.geometry.cluster, v.geometry.clusters)
	}
	return nil
}

func (v *volume) clustersFor(bytes int64) int64 {
	return (bytes + v.geometry.cluster - 1) / v.geometry.cluster
}

func (v *volume) take(count int64) int64 {
	first := v.next
	v.chains = append(v.chains, chain{first, count})
	v.next += count
	return first
}

func (v *volume) offset(cluster int64) int64 {
	return v.geometry.dataOffset() + (cluster-firstCluster)*v.geometry.cluster
}

// clearTables also clears the directories' clusters.
func (v *volume) clearTables() error { return v.storage.Zero(0, v.offset(v.data)) }

func (v *volume) writeFiles(ctx context.Context) ([]Place, error) {
	var places []Place
	for _, n := range v.files {
		place := Place{Path: n.file.Path, Size: n.bytes}
		if n.bytes > 0 {
			place.Offset = v.offset(n.first)
		}
		if err := v.copyFile(ctx, *n.file, place); err != nil {
			return nil, fmt.Errorf("%s: %w", n.file.Path, err)
		}
		places = append(places, place)
	}
	return places, nil
}

func (v *volume) copyFile(ctx context.Context, file File, place Place) error {
	from, err := file.Open()
	if err != nil {
		return err
	}
	defer from.Close()
	buffer := make([]byte, copyBytes)
	for done := int64(0); done < file.Size; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n := min(copyBytes, file.Size-done)
		if _, err := io.ReadFull(from, buffer[:n]); err != nil {
			return fmt.Errorf("read: %w", err)
		}
		if _, err := v.storage.WriteAt(buffer[:n], place.Offset+done); err != nil {
			return err
		}
		done += n
		if v.options.Progress != nil {
			v.options.Progress(file.Path, done, file.Size)
		}
	}
	return nil
}

func (v *volume) writeTables() error {
	entries := make([]byte, (v.next*4+v.geometry.sector-1)/v.geometry.sector*v.geometry.sector)
	put := func(cluster int64, value uint32) { binary.LittleEndian.PutUint32(entries[cluster*4:], value) }
	put(0, 0x0fff_fff8) // the media byte
	put(1, 0x0fff_ffff) // clean, no errors
	for _, c := range v.chains {
		for i := c.first; i < c.first+c.count-1; i++ {
			put(i, uint32(i+1))
		}
		put(c.first+c.count-1, 0x0fff_ffff)
	}
	for i := range int64(tables) {
		if _, err := v.storage.WriteAt(entries, (v.geometry.reserved+i*v.geometry.table)*v.geometry.sector); err != nil {
			return err
		}
	}
	return v.storage.Sync()
}
