// The removing part of SpaceState: out of the index, and slots back into use.

#include "engine/space/space_state.h"
#include "storage/base/check.h"
#include "storage/base/clock.h"

namespace engram::space {
namespace {

// The pass over the graph that finds unreachable nodes follows when a tenth of
// it has changed; it visits each node once, in microseconds.
constexpr uint64_t kReattachShare = 10;

// What an idle worker spends on removals before it looks for records again.
constexpr int64_t kTidyMicrosMax = 2'000;

}  // namespace

void SpaceState::WorkOffRemovals(size_t slots_min, int64_t micros_max) {
  const int64_t deadline = Clock::System().MonotonicMicros() + micros_max;
  std::vector<SlotVersion> versions;
  uint32_t slot = 0;
  // However long it takes, at least as many as the caller asks for: the queue
  // must not grow while searches come and go.
  while ((versions.size() < slots_min ||
          Clock::System().MonotonicMicros() < deadline) &&
         replaced_.Pop(epochs_, &slot)) {
    // Nobody is left whose snapshot is from before the version's end. Relaxed:
    // changed by the holder of the turn alone.
    SlotInfo& info = index()[slot];
    const Lsn lsn = info.lsn.load(std::memory_order_relaxed);
    ENGRAM_CHECK(lsn != 0);
    versions.push_back({slot, lsn});
    // Relaxed: a search that still reads the old value refuses it for its
    // remove_lsn. One that begins after the epoch below reads 0: it must, for
    // when that has passed the slot gets another version and remove_lsn.
    info.lsn.store(0, std::memory_order_relaxed);
    index().Unlink(slot, TurnScratch());
  }
  if (!versions.empty()) {
    Unpublish(versions);
    std::vector<uint32_t> slots;
    for (const SlotVersion& version : versions) slots.push_back(version.slot);
    unlinked_.Push(slots, epochs_->Retire());
    published_slots_.fetch_sub(slots.size(), std::memory_order_relaxed);
    unlinked_since_reattach_ += slots.size();
    if (unlinked_since_reattach_ >
        published_slots_.load(std::memory_order_relaxed) / kReattachShare) {
      Reattach();
    }
  }
  ReleaseUnlinked();
  const size_t retired = replaced_.size() + unlinked_.size();
  // Relaxed: for the stats, and a hint.
  retired_slots_.store(retired, std::memory_order_relaxed);
  untidy_.store(retired > 0 || left_flat_ != nullptr,
                std::memory_order_relaxed);
}

bool SpaceState::Tidy() {
  if (dropped_lsn() != 0) return false;
  MutexLock turn_lock(turn_mutex_);
  if (!is_resident()) return false;
  WorkOffRemovals(0, kTidyMicrosMax);
  return untidy_.load(std::memory_order_relaxed);
}

// Forgets what is known of versions that are no longer in the index.
void SpaceState::Unpublish(absl::Span<const SlotVersion> versions) {
  // Freed after the lock is released.
  std::vector<std::shared_ptr<const wal::Group>> groups;
  MutexLock lock(mutex_);
  for (const SlotVersion& version : versions) {
    SlotInfo& info = index()[version.slot];
    if (info.row != kNoRow) {
      gone_rows_.push_back(info.row);
      info.row = kNoRow;
    }
    const auto unsaved = unsaved_.find(version.lsn);
    if (unsaved == unsaved_.end()) continue;
    unsaved_bytes_ -= unsaved->second.memory_bytes();
    groups.push_back(std::move(unsaved->second.group));
    unsaved_.erase(unsaved);
  }
}

void SpaceState::ReleaseUnlinked() {
  std::vector<uint32_t> slots;
  uint32_t slot = 0;
  while (unlinked_.Pop(epochs_, &slot)) slots.push_back(slot);
  index().Release(slots);
  if (left_flat_ != nullptr && epochs_->HasPassed(left_flat_ticket_)) {
    left_flat_.reset();
  }
}

index::Scratch& SpaceState::TurnScratch() {
  if (turn_scratch_ == nullptr) {
    turn_scratch_ = std::make_unique<index::Scratch>();
  }
  return *turn_scratch_;
}

// Links nodes again that no search could reach. Linking and unlinking keep all
// within reach; what a file says need not.
void SpaceState::Reattach() {
  unlinked_since_reattach_ = 0;
  index::Graph* const graph = index().graph();
  if (graph == nullptr) return;
  const auto is_live = [this](uint32_t slot) {
    return index()[slot].LiveAt(kNeverRemoved - 1);
  };
  MutexLock link_lock(index().link_mutex());
  const uint64_t found = graph->Reattach(is_live, TurnScratch());
  reattached_.fetch_add(found, std::memory_order_relaxed);
  unreachable_.store(found == 0 ? 0 : graph->CountUnreachable(is_live),
                     std::memory_order_relaxed);
}

}  // namespace engram::space
