// One node's links on one layer: ids of other slots and their number.
//
// Thread safety: one writer, any number of readers, no locks. The ids and the
// degree are accessed as atomics. A reader that runs beside Assign() may see a
// mix of old and new ids, or one id twice; it never sees an id that was not a
// link of this node at some time. Every id is stored with release and loaded
// with acquire: a list is rewritten in place while a reader still holds the
// older degree, so what stands behind a new id (its row, its own links) has to
// become visible through the id itself. On x86 these are plain moves.

#ifndef ENGRAM_ENGINE_INDEX_LINK_LIST_H_
#define ENGRAM_ENGINE_INDEX_LINK_LIST_H_

#include <atomic>
#include <cstdint>

#include "absl/types/span.h"
#include "storage/base/check.h"

namespace engram::index {

// A view; the memory belongs to the NodeStore and never moves.
class LinkList {
 public:
  LinkList(uint32_t* degree, uint32_t* ids, uint32_t capacity)
      : degree_(degree), ids_(ids), capacity_(capacity) {}

  uint32_t capacity() const { return capacity_; }

  uint32_t degree() const {
    return std::atomic_ref<uint32_t>(*degree_).load(std::memory_order_acquire);
  }

  // `i` must be below a degree() that this list has had.
  uint32_t id(uint32_t i) const {
    return std::atomic_ref<uint32_t>(ids_[i]).load(std::memory_order_acquire);
  }

  // The rest is for the writer.

  void Assign(absl::Span<const uint32_t> ids) {
    ENGRAM_CHECK(ids.size() <= capacity_);
    for (uint32_t i = 0; i < ids.size(); ++i) Replace(i, ids[i]);
    StoreDegree(static_cast<uint32_t>(ids.size()));
  }

  void Append(uint32_t id) {
    const uint32_t old_degree = degree();
    ENGRAM_CHECK(old_degree < capacity_);
    Replace(old_degree, id);
    StoreDegree(old_degree + 1);
  }

  void Replace(uint32_t i, uint32_t id) {
    std::atomic_ref<uint32_t>(ids_[i]).store(id, std::memory_order_release);
  }

 private:
  void StoreDegree(uint32_t degree) {
    std::atomic_ref<uint32_t>(*degree_).store(degree,
                                              std::memory_order_release);
  }

  uint32_t* degree_;
  uint32_t* ids_;
  uint32_t capacity_;
};

}  // namespace engram::index

#endif  // ENGRAM_ENGINE_INDEX_LINK_LIST_H_
