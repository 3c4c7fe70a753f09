// The searching part of SpaceState.

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "engine/space/space_state.h"
#include "engine/space/tail_scan.h"
#include "storage/base/clock.h"
#include "storage/base/status_macros.h"

namespace engram::space {
namespace {

bool Nearer(const Hit& a, const Hit& b) {
  if (a.distance != b.distance) return a.distance < b.distance;
  return a.lsn < b.lsn;
}

// Keeps the k nearest, in order.
void KeepNearest(uint32_t k, std::vector<Hit>* hits) {
  const size_t keep = std::min<size_t>(k, hits->size());
  std::partial_sort(hits->begin(), hits->begin() + static_cast<ptrdiff_t>(keep),
                    hits->end(), Nearer);
  hits->resize(keep);
}

}  // namespace

struct SpaceState::SearchView {
  absl::Span<const float> query;
  SpaceIndex* index = nullptr;
  TailPin pin;
  std::shared_ptr<const DeadLetters::EntryList> dead_letters;  // or null
  Lsn snapshot = 0;
  Lsn tail_first_lsn = 0;
  size_t live = 0;
};

absl::StatusOr<std::vector<Hit>> SpaceState::Search(
    absl::Span<const float> query, const SearchOptions& options,
    SearchStats* stats) {
  const int64_t start = Clock::System().MonotonicMicros();
  SearchStats unread;
  if (stats == nullptr) stats = &unread;
  *stats = SearchStats();
  searches_.fetch_add(1, std::memory_order_relaxed);
  // Relaxed: any recent time will do.
  last_used_micros_.store(start, std::memory_order_relaxed);
  // Before the snapshot, until the last id is copied: no version that the
  // snapshot shows leaves its slot meanwhile.
  index::EpochDomain::Guard guard = epochs_->Enter();
  SearchView view;
  view.query = query;
  while (view.index == nullptr) {
    if (!is_resident()) {
      // Nobody may wait for us while we read files.
      guard.Leave();
      ENGRAM_RETURN_IF_ERROR(EnsureResident());
      guard = epochs_->Enter();
    }
    // One moment: what is visible at `snapshot` is in `pin`, in the index or
    // among the dead letters.
    MutexLock lock(mutex_);
    view.index = index_.load(std::memory_order_relaxed);
    view.pin = tail_.Pin(tail_.count());
    view.dead_letters = dead_letters_.Entries();
    view.snapshot = published_lsn_;
    view.tail_first_lsn = tail_.front() != nullptr ? tail_.front()->record.lsn
                                                   : view.snapshot + 1;
    view.live = versions_.size();
  }
  std::vector<Hit> hits;
  ScanTail(view, options.k, &hits, stats);
  SearchIndex(view, options, guard.scratch(), &hits, stats);
  KeepNearest(options.k, &hits);
  stats->micros =
      static_cast<uint64_t>(Clock::System().MonotonicMicros() - start);
  return hits;
}

void SpaceState::SearchIndex(const SearchView& view,
                             const SearchOptions& options,
                             index::Scratch& scratch, std::vector<Hit>* hits,
                             SearchStats* stats) const {
  const auto accept = [&](uint32_t slot) {
    return view.index->slots()[slot].VisibleAt(view.snapshot,
                                               view.tail_first_lsn);
  };
  std::vector<index::Neighbor> found;
  // Only now: slots that the snapshot shows may be in the graph alone if one
  // was there at that moment.
  const index::Graph* const graph = view.index->graph();
  if (graph == nullptr) {
    stats->plan = SearchPlan::kFlat;
    stats->distances +=
        view.index->flat().ScanExact(view.query, options.k, accept, &found);
  } else {
    bool complete = false;
    if (!options.exact) {
      index::WalkStats walk;
      graph->Search(view.query, options.k, options.ef_search, accept, scratch,
                    &found, &walk);
      stats->plan = walk.filtered ? SearchPlan::kFiltered : SearchPlan::kGraph;
      stats->distances += walk.distances;
      stats->hops += walk.hops;
      const size_t wanted = std::min<size_t>(options.k, view.live);
      complete = found.size() + hits->size() >= wanted;
      if (!complete) exact_fallbacks_.fetch_add(1, std::memory_order_relaxed);
    }
    if (!complete) {
      stats->plan = SearchPlan::kExact;
      const auto accept_and_count = [&](uint32_t slot) {
        if (!accept(slot)) return false;
        ++stats->distances;
        return true;
      };
      const uint32_t end =
          std::min(graph->slot_count(), view.index->slot_count());
      graph->ScanExact(view.query, 0, end, options.k, accept_and_count, scratch,
                       &found);
    }
  }
  for (const index::Neighbor& neighbor : found) {
    const SlotInfo& info = view.index->slots()[neighbor.slot];
    // Relaxed: accepted before, and unchanged under the guard.
    hits->push_back({std::string(info.id()), neighbor.distance,
                     info.lsn.load(std::memory_order_relaxed)});
  }
}

void SpaceState::ScanTail(const SearchView& view, uint32_t k,
                          std::vector<Hit>* hits, SearchStats* stats) const {
  if (k == 0) return;
  TailScan scan(distance_, tail_codec_, view.query, k, view.snapshot);
  if (view.dead_letters != nullptr) {
    for (const auto& entry : *view.dead_letters) scan.Add(*entry);
  }
  scan.Add(view.pin);
  stats->tail_distances = scan.compared();
  for (const TailScan::Found& found : scan.Finish()) {
    const schema::RecordView& record = found.entry->record;
    hits->push_back({std::string(record.id), found.distance, record.lsn});
  }
}

}  // namespace engram::space
