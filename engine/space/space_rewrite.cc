// The part of SpaceState that gives back what dead rows take on disk.

#include <utility>

#include "engine/space/checkpoint_rewriter.h"
#include "engine/space/space_state.h"
#include "storage/base/check.h"

namespace engram::space {
namespace {

// Of a small space it is not worth the tables.
constexpr uint64_t kDeadRowsMin = 8192;

}  // namespace

bool SpaceState::HasDeadRows() const {
  MutexLock lock(mutex_);
  return head_.slot_count > head_.live_count;
}

bool SpaceState::IsMostlyDead() const {
  MutexLock lock(mutex_);
  const uint64_t dead = head_.slot_count - head_.live_count;
  return dead > uint64_t{head_.live_count} + kDeadRowsMin;
}

absl::StatusOr<uint64_t> SpaceState::Rewrite(kv::Store* store) {
  // Nobody reads files that are about to go.
  MutexLock load_lock(load_mutex_);
  schema::Head head;
  std::string family;
  std::vector<bool> kept;
  {
    MutexLock turn_lock(turn_mutex_);
    MutexLock lock(mutex_);
    ENGRAM_CHECK(saving_.empty() && saving_rows_.empty());
    if (head_.generation == 0) return 0;
    head = head_;
    family = family_;
    kept.resize(head.slot_count);
    // A removed copy in a slot may yet become a node, and needs its row then.
    const uint32_t slots = is_resident() ? index().slot_count() : 0;
    for (uint32_t slot = 0; slot < slots; ++slot) {
      const uint32_t row = index()[slot].row;
      if (row != kNoRow) kept[row] = true;
    }
    rewriting_ = true;
  }
  absl::StatusOr<RewrittenCheckpoint> rewritten =
      RewriteCheckpoint(store, family, head, NextGeneration(), kept);
  MutexLock turn_lock(turn_mutex_);
  MutexLock lock(mutex_);
  rewriting_ = false;
  if (!rewritten.ok()) return rewritten.status();
  const std::vector<uint32_t>& new_rows = rewritten->new_rows;
  const uint32_t slots = is_resident() ? index().slot_count() : 0;
  for (uint32_t slot = 0; slot < slots; ++slot) {
    SlotInfo& info = index()[slot];
    if (info.row != kNoRow) info.row = new_rows[info.row];
  }
  std::vector<uint32_t> gone_rows;
  for (const uint32_t row : gone_rows_) {
    if (new_rows[row] != kNoRow) gone_rows.push_back(new_rows[row]);
  }
  gone_rows_ = std::move(gone_rows);
  head_ = std::move(rewritten->head);
  return rewritten->bytes;
}

}  // namespace engram::space
