// Lists of the nodes that link to a node which does not link back.
//
// Together with the neighbors that do link back, which its own list tells,
// these are a node's in-neighbors. Most links go both ways, so only the others
// are written down: a few bytes a node instead of about eighty.

#ifndef ENGRAM_ENGINE_INDEX_ONE_WAY_LINKS_H_
#define ENGRAM_ENGINE_INDEX_ONE_WAY_LINKS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/types/span.h"

namespace engram::index {

// Many small lists in a few pages of memory. A list is named by a handle that
// its owner keeps and that changes as it grows; kEmpty has no memory.
//
//   block := count u32   id u32 ...      2^(class + 2) words, class in the
//                                        handle
//
// Thread safety: none; the graph's writer's own.
class OneWayLinks {
 public:
  using Handle = uint32_t;
  static constexpr Handle kEmpty = 0;
  static constexpr size_t kCountMax = 8191;  // ids of one list

  // `id` must not be in the list, and the list shorter than kCountMax.
  void Add(Handle* list, uint32_t id);

  // False if `id` is not in the list.
  bool Remove(Handle* list, uint32_t id);

  // Puts `new_id` in the place of `old_id`, which must be there.
  void Replace(Handle list, uint32_t old_id, uint32_t new_id);

  void Clear(Handle* list);

  // Valid until a list is changed.
  absl::Span<const uint32_t> ids(Handle list) const;

  size_t count(Handle list) const {
    return list == kEmpty ? 0 : block(list)[0];
  }

  // May be asked by any thread.
  uint64_t memory_bytes() const {
    return bytes_.load(std::memory_order_relaxed);
  }

 private:
  static constexpr uint32_t kClasses = 12;  // of 4 to 8,192 words
  static constexpr uint32_t kClassBits = 4;
  static constexpr size_t kPageWords = 8192;
  using Page = std::array<uint32_t, kPageWords>;

  static uint32_t ClassOf(Handle list) { return list >> (32 - kClassBits); }
  static size_t Words(uint32_t size_class) { return size_t{4} << size_class; }

  // Handles count in units of the smallest block, from 1.
  const uint32_t* block(Handle list) const {
    const size_t word = ((list & ((1u << (32 - kClassBits)) - 1)) - 1) * 4;
    return pages_[word / kPageWords]->data() + word % kPageWords;
  }
  uint32_t* block(Handle list) {
    const size_t word = ((list & ((1u << (32 - kClassBits)) - 1)) - 1) * 4;
    return pages_[word / kPageWords]->data() + word % kPageWords;
  }

  Handle Allocate(uint32_t size_class);
  void Free(Handle list) { free_[ClassOf(list)].push_back(list); }

  std::vector<std::unique_ptr<Page>> pages_;
  size_t used_words_ = 0;  // of all pages; the rest of the last one is free
  std::array<std::vector<Handle>, kClasses> free_;
  std::atomic<uint64_t> bytes_{0};  // a count; order does not matter
};

}  // namespace engram::index

#endif  // ENGRAM_ENGINE_INDEX_ONE_WAY_LINKS_H_
