// What a space knows of each slot of its index.

#ifndef ENGRAM_ENGINE_SPACE_SLOT_TABLE_H_
#define ENGRAM_ENGINE_SPACE_SLOT_TABLE_H_

#include <atomic>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "engine/space/tail.h"
#include "storage/base/stable_vector.h"

namespace engram::space {

// SlotInfo::row of a version that no head lists.
inline constexpr uint32_t kNoRow = UINT32_MAX;

// The version that stands in a slot, if any. A slot changes hands: it is given
// out, filled, published, unlinked, and given out again. In between two epochs
// pass (see SpaceState), so a reader who accepted a version under its guard
// finds all of this unchanged until it lets the guard go.
struct SlotInfo {
  // 0 unless the version is published. Stored with release by whoever retires
  // its record, after the vector, the id and remove_lsn; loaded with acquire by
  // searches, which touch nothing else of a slot before.
  std::atomic<Lsn> lsn{0};

  // As at TailEntry::remove_lsn.
  std::atomic<Lsn> remove_lsn{kNeverRemoved};

  // In the space's IdArena; the slot's own.
  const char* id_data = nullptr;
  uint16_t id_size = 0;

  // Where the version stands on disk. Written by whoever has the turn and holds
  // the space's mutex; read by whoever has either.
  uint32_t row = kNoRow;

  absl::string_view id() const { return {id_data, id_size}; }

  // Whether a search that sees the state as of `snapshot`, and finds what has
  // an LSN from `tail_first_lsn` on in the tail, sees this version.
  bool VisibleAt(Lsn snapshot, Lsn tail_first_lsn) const {
    const Lsn published = lsn.load(std::memory_order_acquire);
    return published != 0 && published < tail_first_lsn &&
           remove_lsn.load(std::memory_order_relaxed) > snapshot;
  }

  // Whether it is not replaced or removed, as of `snapshot`. For whoever knows
  // that it is published.
  bool LiveAt(Lsn snapshot) const {
    return remove_lsn.load(std::memory_order_relaxed) > snapshot;
  }
};

// Every vector costs one.
static_assert(sizeof(SlotInfo) == 32);

using SlotTable = StableVector<SlotInfo>;

}  // namespace engram::space

#endif  // ENGRAM_ENGINE_SPACE_SLOT_TABLE_H_
