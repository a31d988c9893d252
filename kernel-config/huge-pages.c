/* SPDX-License-Identifier: GPL-2.0-only
 *
 * Preloaded into the compiler, asks for huge pages where it asks for memory. A C file of the kernel needs 130 MB, nearly
 * all of it for headers, and the compiler is started anew for each: on virtual machines, where a page fault is dear, it
 * waits for faults a third of its time. Programs get the same memory, so that nothing of it reaches what they write.
 * See madvise(2), MADV_HUGEPAGE: a kernel without huge pages refuses, and that is all.
 */
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HUGE_PAGE (2UL << 20)

void *mmap(void *address, size_t length, int protection, int flags, int file, off_t offset)
{
	void *memory = (void *)syscall(SYS_mmap, address, length, protection, flags, file, offset);

	if (memory != MAP_FAILED && (flags & MAP_ANONYMOUS) && length >= HUGE_PAGE)
		madvise(memory, length, MADV_HUGEPAGE);
	return memory;
}

void *mmap64(void *address, size_t length, int protection, int flags, int file, off_t offset)
	__attribute__((alias("mmap")));
