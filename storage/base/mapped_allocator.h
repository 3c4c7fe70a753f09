// An allocator for tables whose memory goes back to the system when they are
// freed.

#ifndef ENGRAM_STORAGE_BASE_MAPPED_ALLOCATOR_H_
#define ENGRAM_STORAGE_BASE_MAPPED_ALLOCATOR_H_

#include <sys/mman.h>

#include <cstddef>
#include <memory>
#include <type_traits>

#include "storage/base/check.h"

namespace engram {

// A standard allocator. Blocks of kMappedBytesMin and more are mappings of
// their own.
//
// For what is big and short-lived, or doubles, on threads other than the main
// one: glibc keeps what such a thread has freed at the end of its arena, up to
// 64 MiB, resident for ever (malloc_trim() does not touch it either). A table
// of 50,000 unsaved records left 15 MB behind that way: 310 bytes a vector.
template <typename T>
class MappedAllocator {
 public:
  using value_type = T;
  using propagate_on_container_move_assignment = std::true_type;
  using is_always_equal = std::true_type;

  static constexpr size_t kMappedBytesMin = size_t{128} << 10;

  MappedAllocator() = default;
  template <typename U>
  MappedAllocator(const MappedAllocator<U>&) {}  // NOLINT: as the standard asks

  T* allocate(size_t count) {
    const size_t bytes = count * sizeof(T);
    if (bytes < kMappedBytesMin) return std::allocator<T>().allocate(count);
    void* const memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    // As with operator new: without memory there is no way on.
    ENGRAM_CHECK(memory != MAP_FAILED);
    return static_cast<T*>(memory);
  }

  void deallocate(T* block, size_t count) {
    const size_t bytes = count * sizeof(T);
    if (bytes < kMappedBytesMin) {
      std::allocator<T>().deallocate(block, count);
    } else {
      ENGRAM_CHECK(::munmap(block, bytes) == 0);
    }
  }

  friend bool operator==(const MappedAllocator&, const MappedAllocator&) {
    return true;
  }
};

// Gets the pages of the first `bytes` of a block of MappedAllocator at once.
// The block is new: it may hold zeros afterwards.
inline void PopulatePages(void* block, size_t bytes) {
  if (bytes < MappedAllocator<char>::kMappedBytesMin) return;
  if (::madvise(block, bytes, MADV_POPULATE_WRITE) == 0) return;
  // Before Linux 5.14.
  constexpr size_t kPageBytes = 4096;
  auto* const pages = static_cast<volatile char*>(block);
  for (size_t i = 0; i < bytes; i += kPageBytes) pages[i] = 0;
}

}  // namespace engram

#endif  // ENGRAM_STORAGE_BASE_MAPPED_ALLOCATOR_H_
