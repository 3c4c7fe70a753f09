// What a space knows of each slot of its graph.

#ifndef ENGRAM_ENGINE_SPACE_SLOT_TABLE_H_
#define ENGRAM_ENGINE_SPACE_SLOT_TABLE_H_

#include <atomic>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "engine/space/tail.h"
#include "storage/base/stable_vector.h"

namespace engram::space {

// A version that is in the graph. Constant once published, but for remove_lsn,
// for which the comment at TailEntry::remove_lsn holds.
struct SlotInfo {
  Lsn lsn = 0;
  absl::string_view id;  // in the space's IdArena
  std::atomic<Lsn> remove_lsn{kNeverRemoved};

  // Whether a search that sees the state as of `snapshot` sees this version.
  bool VisibleAt(Lsn snapshot) const {
    return remove_lsn.load(std::memory_order_relaxed) > snapshot;
  }
};

using SlotTable = StableVector<SlotInfo>;

}  // namespace engram::space

#endif  // ENGRAM_ENGINE_SPACE_SLOT_TABLE_H_
