// The reading half of SpaceState.

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "engine/space/space_state.h"
#include "schema/key_layout.h"
#include "storage/base/check.h"

namespace engram::space {
namespace {

// Attempts of Get() to find a record where it was a moment ago.
constexpr int kGetAttemptsMax = 100;

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

absl::Status InRecord(absl::string_view space, absl::string_view family,
                      absl::string_view id, const absl::Status& status) {
  return absl::Status(status.code(),
                      absl::StrCat("space \"", space, "\", column family ",
                                   family, ": the saved record of id \"", id,
                                   "\": ", status.message()));
}

}  // namespace

std::vector<Hit> SpaceState::Search(absl::Span<const float> query, uint32_t k,
                                    uint32_t ef_search) const {
  searches_.fetch_add(1, std::memory_order_relaxed);
  // One moment: what is visible at `snapshot` is in `pin` or in the graph.
  TailPin pin;
  Lsn snapshot = 0;
  Lsn tail_first_lsn = 0;
  size_t live = 0;
  {
    MutexLock lock(mutex_);
    pin = tail_.Pin(tail_.count());
    snapshot = published_lsn_;
    tail_first_lsn =
        tail_.front() != nullptr ? tail_.front()->record.lsn : snapshot + 1;
    live = current_.size();
  }
  const auto accept = [&](uint32_t slot) {
    const SlotInfo& info = slots_[slot];
    return info.lsn < tail_first_lsn && info.VisibleAt(snapshot);
  };
  std::vector<Hit> tail_hits;
  ScanTail(pin, snapshot, query, k, &tail_hits);

  std::vector<index::Neighbor> found;
  // Acquire pairs with the release of BuildGraphIfLarge(): all links are there.
  const bool use_graph = graph_ready_.load(std::memory_order_acquire);
  if (use_graph) {
    index::Scratch scratch;
    graph_.Search(query, k, ef_search, accept, scratch, &found);
  }
  const size_t wanted = std::min<size_t>(k, live);
  if (use_graph && found.size() + tail_hits.size() < wanted) {
    exact_fallbacks_.fetch_add(1, std::memory_order_relaxed);
  }
  if (!use_graph || found.size() + tail_hits.size() < wanted) {
    graph_.ScanExact(query, 0, graph_.slot_count(), k, accept, &found);
  }
  std::vector<Hit> hits = std::move(tail_hits);
  for (const index::Neighbor& neighbor : found) {
    const SlotInfo& info = slots_[neighbor.slot];
    hits.push_back({std::string(info.id), neighbor.distance, info.lsn});
  }
  KeepNearest(k, &hits);
  return hits;
}

void SpaceState::ScanTail(const TailPin& pin, Lsn snapshot,
                          absl::Span<const float> query, uint32_t k,
                          std::vector<Hit>* hits) const {
  std::vector<const TailEntry*> visible;
  std::vector<const float*> rows;
  std::vector<float> inverse_norms;
  for (const TailEntry* entry : pin.Entries()) {
    if (entry->record.type != schema::RecordType::kObserve ||
        entry->remove_lsn.load(std::memory_order_relaxed) <= snapshot) {
      continue;
    }
    visible.push_back(entry);
    rows.push_back(entry->record.vector.data());
    inverse_norms.push_back(entry->inverse_norm);
  }
  if (visible.empty()) return;
  std::vector<float> distances(visible.size());
  const index::VectorDistance& distance = graph_.distance();
  distance.DistancesToRows(distance.Prepare(query), rows.data(),
                           inverse_norms.data(), rows.size(), distances.data());
  std::vector<uint32_t> order(visible.size());
  for (uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  const size_t keep = std::min<size_t>(k, order.size());
  std::partial_sort(order.begin(), order.begin() + static_cast<ptrdiff_t>(keep),
                    order.end(), [&distances](uint32_t a, uint32_t b) {
                      if (distances[a] != distances[b]) {
                        return distances[a] < distances[b];
                      }
                      return a < b;
                    });
  for (size_t i = 0; i < keep; ++i) {
    const TailEntry& entry = *visible[order[i]];
    hits->push_back(
        {std::string(entry.id), distances[order[i]], entry.record.lsn});
  }
}

absl::StatusOr<StoredObservation> SpaceState::Get(
    absl::string_view id, const kv::Store* store) const {
  // A checkpoint may move the record from memory to RocksDB while we look, and
  // a write may replace it; then look again.
  for (int attempt = 0; attempt < kGetAttemptsMax; ++attempt) {
    StoredObservation stored;
    stored.id = std::string(id);
    schema::RecordView record;
    std::shared_ptr<const wal::Group> group;
    std::string family;
    uint32_t slot = 0;
    {
      MutexLock lock(mutex_);
      const auto it = current_.find(id);
      if (it == current_.end()) {
        return absl::NotFoundError(
            absl::StrCat("space \"", name(), "\" holds no id \"", id, "\""));
      }
      const Version& version = it->second;
      stored.lsn = version.lsn;
      slot = version.slot;
      family = family_;
      if (version.entry != nullptr) {
        record = version.entry->record;
        group = version.entry->group;
      } else if (const auto unsaved = unsaved_.find(slot);
                 unsaved != unsaved_.end()) {
        record = unsaved->second.record;
        group = unsaved->second.group;
      } else if (const auto saving = saving_.find(slot);
                 saving != saving_.end()) {
        record = saving->second.record;
        group = saving->second.group;
      }
    }
    if (group != nullptr) {
      stored.vector.assign(record.vector.begin(), record.vector.end());
      stored.payload = std::string(record.payload);
      stored.timestamp_us = record.timestamp_us;
      return stored;
    }
    ENGRAM_CHECK(store != nullptr);
    const absl::StatusOr<std::string> value =
        store->Get(family, schema::RecordKey(id));
    if (absl::IsNotFound(value.status())) continue;
    if (!value.ok()) {
      return InRecord(name(), family, id, value.status());
    }
    absl::StatusOr<schema::Record> saved =
        schema::DecodeRecordValue(this->id(), *value);
    if (!saved.ok()) {
      return InRecord(name(), family, id, saved.status());
    }
    if (saved->lsn != stored.lsn) continue;
    const absl::Span<const float> row = graph_.row(slot);
    stored.vector.assign(row.begin(), row.end());
    stored.payload = std::move(saved->payload);
    stored.timestamp_us = saved->timestamp_us;
    return stored;
  }
  if (dropped_lsn() != 0) {
    return absl::NotFoundError(
        absl::StrCat("space \"", name(), "\" was dropped"));
  }
  return InRecord(name(), this->family(), id,
                  absl::DataLossError("is missing"));
}

std::vector<std::string> SpaceState::ListIds() const {
  std::vector<std::string> ids;
  {
    MutexLock lock(mutex_);
    ids.reserve(current_.size());
    for (const auto& [id, version] : current_) ids.emplace_back(id);
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

SpaceStats SpaceState::GetStats(Lsn log_lsn) const {
  SpaceStats stats;
  stats.id = description_.id;
  stats.name = description_.name;
  stats.options.dimension = description_.dimension;
  stats.options.metric = static_cast<Metric>(description_.metric);
  stats.options.M = description_.M;
  stats.options.ef_construction = description_.ef_construction;
  stats.has_graph = graph_ready_.load(std::memory_order_acquire);
  stats.nodes = graph_.slot_count();
  stats.searches = searches_.load(std::memory_order_relaxed);
  stats.exact_fallbacks = exact_fallbacks_.load(std::memory_order_relaxed);
  stats.nodes_reattached = reattached_.load(std::memory_order_relaxed);
  stats.checkpoints = checkpoints_.load(std::memory_order_relaxed);
  stats.pending_bytes = gate_.bytes();
  MutexLock lock(mutex_);
  stats.live_records = current_.size();
  stats.pending_records = tail_.count();
  stats.unsaved_bytes = unsaved_bytes_ + saving_bytes_;
  stats.acknowledged_lsn = std::max(published_lsn_, log_lsn);
  stats.indexed_lsn = tail_.count() == 0 ? stats.acknowledged_lsn
                                         : tail_.front()->record.lsn - 1;
  stats.checkpoint_lsn =
      first_unsaved_lsn_ == 0 ? stats.indexed_lsn : first_unsaved_lsn_ - 1;
  return stats;
}

uint64_t SpaceState::pending_records() const {
  MutexLock lock(mutex_);
  return tail_.count();
}

bool SpaceState::IsIndexed(Lsn lsn) const {
  MutexLock lock(mutex_);
  return tail_.front() == nullptr || tail_.front()->record.lsn > lsn;
}

bool SpaceState::IsCheckpointed(Lsn lsn) const {
  MutexLock lock(mutex_);
  return first_unsaved_lsn_ == 0 || first_unsaved_lsn_ > lsn;
}

}  // namespace engram::space
