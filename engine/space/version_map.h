// Which version of each id is current.

#ifndef ENGRAM_ENGINE_SPACE_VERSION_MAP_H_
#define ENGRAM_ENGINE_SPACE_VERSION_MAP_H_

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"
#include "absl/strings/string_view.h"
#include "engine/space/slot_table.h"
#include "engine/space/tail.h"
#include "storage/base/mapped_allocator.h"

namespace engram::space {

// Where a version stands: in the tail, or in a slot. One word.
class VersionRef {
 public:
  static VersionRef InTail(TailEntry* entry) {
    return VersionRef(reinterpret_cast<uintptr_t>(entry));
  }
  static VersionRef InSlot(uint32_t slot) {
    return VersionRef((uintptr_t{slot} << 1) | kSlotBit);
  }

  // nullptr if it stands in a slot.
  TailEntry* entry() const {
    return (word_ & kSlotBit) != 0 ? nullptr
                                   : reinterpret_cast<TailEntry*>(word_);
  }
  // Only if entry() is nullptr.
  uint32_t slot() const { return static_cast<uint32_t>(word_ >> 1); }

 private:
  // No entry has an odd address.
  static constexpr uintptr_t kSlotBit = 1;
  static_assert(alignof(TailEntry) > 1);
  static_assert(sizeof(uintptr_t) == 8);

  explicit VersionRef(uintptr_t word) : word_(word) {}

  uintptr_t word_;
};

// Holds a hash and a VersionRef for each id, 16 bytes, and no id: that stands
// where the version does. The hash spares reading it when the table grows.
//
// Not thread-safe. What a reference leads to must keep its id for as long as
// the reference is in the map.
class VersionMap {
 public:
  // `slots` must outlive the map.
  explicit VersionMap(const SlotTable& slots)
      : slots_(slots), entries_(0, Hash(), Equal{&slots}) {}

  std::optional<VersionRef> Find(absl::string_view id) const {
    const auto it = entries_.find(KeyOf(id));
    if (it == entries_.end()) return std::nullopt;
    return it->ref;
  }

  // `ref` leads to `id`.
  void Put(absl::string_view id, VersionRef ref) {
    const Key key = KeyOf(id);
    const auto it = entries_.find(key);
    if (it != entries_.end()) {
      it->ref = ref;
    } else {
      entries_.insert(Entry{key.hash, ref});
    }
  }

  void Erase(absl::string_view id) {
    const auto it = entries_.find(KeyOf(id));
    if (it != entries_.end()) entries_.erase(it);
  }

  size_t size() const { return entries_.size(); }

  uint64_t memory_bytes() const {
    return entries_.capacity() * (sizeof(Entry) + 1);  // and a control byte
  }

  // Calls `visit` with each id, in no order.
  template <typename Visit>
  void ForEachId(Visit visit) const {
    for (const Entry& entry : entries_) visit(IdOf(slots_, entry.ref));
  }

  // Calls `visit` with each reference, and the id that it leads to, in no
  // order.
  template <typename Visit>
  void ForEach(Visit visit) const {
    for (const Entry& entry : entries_) {
      visit(IdOf(slots_, entry.ref), entry.ref);
    }
  }

 private:
  struct Entry {
    uint64_t hash;
    mutable VersionRef ref;  // the id it leads to never changes
  };
  struct Key {
    uint64_t hash;
    absl::string_view id;
  };

  static absl::string_view IdOf(const SlotTable& slots, VersionRef ref) {
    return ref.entry() != nullptr ? ref.entry()->record.id
                                  : slots[ref.slot()].id();
  }
  static Key KeyOf(absl::string_view id) {
    return {absl::Hash<absl::string_view>{}(id), id};
  }

  struct Hash {
    using is_transparent = void;
    // Hashed once more by the table otherwise; these bits are good as they are.
    size_t operator()(const Entry& entry) const { return entry.hash; }
    size_t operator()(const Key& key) const { return key.hash; }
  };
  struct Equal {
    using is_transparent = void;
    const SlotTable* slots;

    bool operator()(const Entry& a, const Key& b) const {
      return a.hash == b.hash && IdOf(*slots, a.ref) == b.id;
    }
    bool operator()(const Entry& a, const Entry& b) const {
      return a.hash == b.hash && IdOf(*slots, a.ref) == IdOf(*slots, b.ref);
    }
  };

  const SlotTable& slots_;
  absl::flat_hash_set<Entry, Hash, Equal, MappedAllocator<Entry>> entries_;
};

}  // namespace engram::space

#endif  // ENGRAM_ENGINE_SPACE_VERSION_MAP_H_
