// SPDX-License-Identifier: Apache-2.0

package blockdevice

// Section is a range of a storage, such as a partition before the kernel knows of it.
type Section struct {
	whole          Storage
	offset, length int64
}

// NewSection refuses a range outside of the storage.
func NewSection(whole Storage, offset, length int64) (*Section, error) {
	if err := checkRange(offset, length, whole.Size()); err != nil {
		return nil, err
	}
	return &Section{whole, offset, length}, nil
}

// Size is in bytes.
func (s *Section) Size() int64 { return s.length }

// SectorBytes is that of the whole.
func (s *Section) SectorBytes() int64 { return s.whole.SectorBytes() }

// Sync flushes the whole.
func (s *Section) Sync() error { return s.whole.Sync() }

// ReadAt reads all bytes or none.
func (s *Section) ReadAt(p []byte, offset int64) (int, error) {
	if err := checkRange(offset, int64(len(p)), s.length); err != nil {
		return 0, err
	}
	return s.whole.ReadAt(p, s.offset+offset)
}

// WriteAt never leaves the range.
func (s *Section) WriteAt(p []byte, offset int64) (int, error) {
	if err := checkRange(offset, int64(len(p)), s.length); err != nil {
		return 0, err
	}
	return s.whole.WriteAt(p, s.offset+offset)
}

// Zero never leaves the range.
func (s *Section) Zero(offset, length int64) error {
	if err := checkRange(offset, length, s.length); err != nil {
		return err
	}
	return s.whole.Zero(s.offset+offset, length)
}
