// Which spaces stay in memory.

#include <malloc.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "engine/db/db_impl.h"
#include "storage/base/status_macros.h"

namespace engram::internal {
namespace {

// Down to this part of the budget, so that the next space to be loaded does not
// push out another one at once.
constexpr double kKeptShare = 0.9;

// Spaces that are saved together to be evicted: a catalog for each would cost
// more than the spaces.
constexpr size_t kSavedTogether = 64;

// Of a space that is cold and idle: its state, backlog and names, 5 KB measured
// with 10,000 spaces; its histograms come with use.
constexpr uint64_t kBytesPerSpace = 8000;

// What was freed lies in the allocator's arenas, between what was not; so much
// is worth the walk through them, of some milliseconds, that gives whole pages
// back to the system.
constexpr uint64_t kTrimmedBytes = uint64_t{16} << 20;

void TrimAllocator() {
#ifdef __GLIBC__
  ::malloc_trim(0);
#endif
}

struct Resident {
  space::SpaceEntry entry;
  uint64_t bytes = 0;
  int64_t last_used_micros = 0;
};

}  // namespace

void DbImpl::RequestMemoryCheck() {
  if (options_.memory_budget_bytes == 0) return;
  {
    MutexLock lock(progress_mutex_);
    memory_check_requested_ = true;
  }
  checkpoint_work_.NotifyOne();
}

uint64_t DbImpl::MemoryInUse() const {
  uint64_t bytes = store_->MemoryBytes();
  for (const space::SpaceEntry& entry : registry_.All()) {
    bytes += entry.state->resident_bytes() + entry.state->record_bytes() +
             kBytesPerSpace;
  }
  return bytes;
}

// What all spaces take while they are cold cannot be freed, so a budget that is
// hardly more leaves a little room for indexes.
uint64_t DbImpl::MemoryBudget() const {
  return std::max<uint64_t>(options_.memory_budget_bytes,
                            registry_.size() * kBytesPerSpace * 5 / 4);
}

bool DbImpl::HasRoomToLoad() {
  if (options_.memory_budget_bytes == 0 || MemoryInUse() <= MemoryBudget()) {
    return true;
  }
  RequestMemoryCheck();
  return false;
}

// Evicts the spaces that were not used for the longest time until what is in
// use fits into the budget again; what they have not saved is saved first.
absl::Status DbImpl::KeepMemoryBudget() {
  if (options_.memory_budget_bytes == 0) return absl::OkStatus();
  const uint64_t counted = memory_gate_.BeginCheck();
  uint64_t used = MemoryInUse();
  const absl::Status status = EvictDownFrom(&used);
  memory_gate_.EndCheck(counted, used);
  return status;
}

absl::Status DbImpl::EvictDownFrom(uint64_t* used_bytes) {
  const uint64_t budget = MemoryBudget();
  uint64_t& used = *used_bytes;
  if (used <= budget) return absl::OkStatus();
  const auto wanted =
      static_cast<uint64_t>(kKeptShare * static_cast<double>(budget));
  std::vector<Resident> residents;
  for (space::SpaceEntry& entry : registry_.All()) {
    const uint64_t bytes = entry.state->resident_bytes();
    if (bytes == 0) continue;
    const int64_t last_used_micros = entry.state->last_used_micros();
    residents.push_back({std::move(entry), bytes, last_used_micros});
  }
  std::sort(residents.begin(), residents.end(),
            [](const Resident& a, const Resident& b) {
              return a.last_used_micros < b.last_used_micros;
            });
  // The one that was used last stays, however large it is: somebody wants it,
  // and would load it again.
  if (!residents.empty()) residents.pop_back();
  size_t next = 0;
  const uint64_t used_before = used;
  while (used > wanted && next < residents.size()) {
    const size_t end = std::min(next + kSavedTogether, residents.size());
    size_t chosen = next;
    uint64_t freed = 0;
    std::vector<space::SpaceEntry> unsaved;
    for (; chosen < end && used - std::min(used, freed) > wanted; ++chosen) {
      const space::SpaceEntry& entry = residents[chosen].entry;
      freed += residents[chosen].bytes + entry.state->record_bytes();
      if (entry.state->HasUnsaved()) unsaved.push_back(entry);
    }
    if (!unsaved.empty()) {
      ENGRAM_RETURN_IF_ERROR(CheckpointSpaces(
          unsaved, published_lsn_.load(std::memory_order_acquire)));
    }
    for (; next < chosen; ++next) residents[next].entry.state->Evict();
    // What was saved is gone from memory, too.
    used = MemoryInUse();
  }
  if (used + kTrimmedBytes < used_before) TrimAllocator();
  return absl::OkStatus();
}

}  // namespace engram::internal
