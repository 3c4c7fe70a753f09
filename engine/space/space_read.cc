// The reading part of SpaceState, but for searches.

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "engine/space/part_reader.h"
#include "engine/space/space_state.h"
#include "schema/key_layout.h"
#include "storage/base/check.h"
#include "storage/base/status_macros.h"

namespace engram::space {
namespace {

// Attempts of Get() to find a record where it was a moment ago.
constexpr int kGetAttemptsMax = 100;
constexpr int kGetWaitsMax = 10'000;  // for a checkpoint to end

// Between attempts that wait for a checkpoint; together as long as ten batches
// of a worker, behind which the checkpoint's last step may have to wait.
constexpr absl::Duration kGetPause = absl::Milliseconds(1);

absl::Status InRecord(absl::string_view space, absl::string_view family,
                      absl::string_view id, const absl::Status& status) {
  return absl::Status(status.code(),
                      absl::StrCat("space \"", space, "\", column family ",
                                   family, ": the saved record of id \"", id,
                                   "\": ", status.message()));
}

}  // namespace

struct SpaceState::Located {
  bool is_cold = false;  // nothing else is known, then
  Lsn lsn = 0;
  // In memory: the whole record.
  schema::RecordView record;
  std::shared_ptr<const wal::Group> group;  // nullptr: saved
  // Saved: where it stands.
  std::string family;
  const SpaceIndex* index = nullptr;
  uint32_t slot = 0;
  uint32_t row = kNoRow;
  schema::PartReference part;
  // A checkpoint is under way, whose head may already have replaced the parts
  // that `part` is of.
  bool checkpoint_under_way = false;
};

absl::StatusOr<SpaceState::Located> SpaceState::Locate(
    absl::string_view id) const {
  Located located;
  MutexLock lock(mutex_);
  located.index = index_.load(std::memory_order_relaxed);
  if (located.index == nullptr) {
    located.is_cold = true;
    return located;
  }
  const std::optional<VersionRef> version = versions_.Find(id);
  if (!version.has_value()) {
    return absl::NotFoundError(
        absl::StrCat("space \"", name(), "\" holds no id \"", id, "\""));
  }
  if (const TailEntry* const entry = version->entry(); entry != nullptr) {
    located.lsn = entry->record.lsn;
    located.record = entry->record;
    located.group = entry->group;
    return located;
  }
  located.slot = version->slot();
  const SlotInfo& info = (*located.index)[located.slot];
  // Relaxed: it was published under the mutex.
  located.lsn = info.lsn.load(std::memory_order_relaxed);
  for (const UnsavedMap* const map : {&unsaved_, &saving_}) {
    const auto unsaved = map->find(located.lsn);
    if (unsaved == map->end()) continue;
    located.record = unsaved->second.record;
    located.group = unsaved->second.group;
    return located;
  }
  located.family = family_;
  located.row = info.row;
  const schema::PartReference* const part =
      FindPart(head_.vector_parts, info.row);
  ENGRAM_CHECK(part != nullptr);
  located.part = *part;
  located.checkpoint_under_way = !saving_.empty() || rewriting_;
  return located;
}

// The vector of a saved version.
absl::Status SpaceState::ReadRow(const Located& located, const kv::Store& store,
                                 StoredObservation* stored) const {
  const absl::Span<const float> row = located.index->RowOf(located.slot);
  if (!row.empty()) {
    stored->vector.assign(row.begin(), row.end());
    return absl::OkStatus();
  }
  ENGRAM_ASSIGN_OR_RETURN(
      const schema::VectorPart part,
      ReadVectorPart(store, located.family, description_, located.part));
  const size_t i = located.row - part.first_slot;
  if (part.lsns[i] != located.lsn || part.ids[i] != stored->id) {
    return InFamily(
        located.family, VectorPartName(located.part),
        absl::DataLossError(absl::StrCat("row ", located.row, " is LSN ",
                                         part.lsns[i], " of id \"", part.ids[i],
                                         "\", not LSN ", located.lsn)));
  }
  const absl::Span<const float> vector = part.row(i);
  stored->vector.assign(vector.begin(), vector.end());
  return absl::OkStatus();
}

absl::StatusOr<StoredObservation> SpaceState::Get(absl::string_view id,
                                                  const kv::Store* store) {
  // A checkpoint may move the record from memory to RocksDB while we look, or
  // merge the part that holds its vector, and a write may replace it; then look
  // again.
  absl::Status last = absl::UnavailableError("left memory again and again");
  Touch();
  uint64_t part_generation = 0;  // of the part that failed last
  int waits = 0;
  for (int attempt = 0; attempt < kGetAttemptsMax; ++attempt) {
    // What is current at some moment under the guard keeps its slot.
    index::EpochDomain::Guard guard = epochs_->Enter();
    ENGRAM_ASSIGN_OR_RETURN(const Located located, Locate(id));
    if (located.is_cold) {
      guard.Leave();
      ENGRAM_RETURN_IF_ERROR(EnsureResident());
      continue;
    }
    StoredObservation stored;
    stored.id = std::string(id);
    stored.lsn = located.lsn;
    if (located.group != nullptr) {
      const schema::RecordView& record = located.record;
      stored.vector.assign(record.vector.begin(), record.vector.end());
      stored.payload = std::string(record.payload);
      stored.timestamp_us = record.timestamp_us;
      return stored;
    }
    ENGRAM_CHECK(store != nullptr);
    const absl::StatusOr<std::string> value =
        store->Get(located.family, schema::RecordKey(id));
    last = absl::DataLossError("is missing");
    if (absl::IsNotFound(value.status())) continue;
    if (!value.ok()) {
      return InRecord(name(), located.family, id, value.status());
    }
    absl::StatusOr<schema::Record> saved =
        schema::DecodeRecordValue(this->id(), *value);
    if (!saved.ok()) {
      return InRecord(name(), located.family, id, saved.status());
    }
    if (saved->lsn != located.lsn) continue;
    stored.payload = std::move(saved->payload);
    stored.timestamp_us = saved->timestamp_us;
    last = ReadRow(located, *store, &stored);
    if (last.ok()) return stored;
    if (!absl::IsDataLoss(last)) return last;
    if (located.checkpoint_under_way && ++waits < kGetWaitsMax) {
      // It may be between making its head visible and telling us, which it
      // tells up to 64 spaces one after the other.
      --attempt;
      absl::SleepFor(kGetPause);
      continue;
    }
    // Not merged away, then.
    if (std::exchange(part_generation, located.part.generation) ==
        located.part.generation) {
      break;
    }
  }
  if (dropped_lsn() != 0) {
    return absl::NotFoundError(
        absl::StrCat("space \"", name(), "\" was dropped"));
  }
  return InRecord(name(), this->family(), id, last);
}

absl::StatusOr<std::vector<std::string>> SpaceState::ListIds() {
  Touch();
  std::vector<std::string> ids;
  while (true) {
    ENGRAM_RETURN_IF_ERROR(EnsureResident());
    MutexLock lock(mutex_);
    if (!is_resident()) continue;
    ids.reserve(versions_.size());
    versions_.ForEach(
        [&ids](absl::string_view id, VersionRef) { ids.emplace_back(id); });
    break;
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

absl::StatusOr<SpaceState::Versions> SpaceState::ListVersions(Lsn above) {
  Touch();
  Versions versions;
  while (true) {
    ENGRAM_RETURN_IF_ERROR(EnsureResident());
    MutexLock lock(mutex_);
    const SpaceIndex* const index = index_.load(std::memory_order_relaxed);
    if (index == nullptr) continue;
    versions.lsn = published_lsn_;
    versions.live = versions_.size();
    if (above == 0) versions.listed.reserve(versions_.size());
    versions_.ForEach([&](absl::string_view id, VersionRef ref) {
      // Relaxed: it was published under the mutex.
      const Lsn lsn =
          ref.entry() != nullptr
              ? ref.entry()->record.lsn
              : (*index)[ref.slot()].lsn.load(std::memory_order_relaxed);
      if (lsn > above) versions.listed.push_back({std::string(id), lsn});
    });
    break;
  }
  std::sort(versions.listed.begin(), versions.listed.end(),
            [](const Versions::Version& a, const Versions::Version& b) {
              return a.id < b.id;
            });
  return versions;
}

Latencies SpaceState::GetLatencies() const {
  MutexLock lock(mutex_);
  return latencies_ == nullptr ? Latencies() : *latencies_;
}

Latencies SpaceState::FreezeLatencies() {
  MutexLock lock(mutex_);
  latencies_frozen_ = true;
  return latencies_ == nullptr ? Latencies() : *latencies_;
}

bool SpaceState::IsDeadLetter(absl::string_view id) const {
  MutexLock lock(mutex_);
  const std::optional<VersionRef> version = versions_.Find(id);
  return version.has_value() && version->entry() != nullptr &&
         version->entry()->dead;
}

std::vector<DeadLetters::Letter> SpaceState::ListDeadLetters() const {
  std::vector<DeadLetters::Letter> letters;
  MutexLock lock(mutex_);
  for (const auto& [lsn, letter] : dead_letters_.letters()) {
    letters.push_back(letter);
  }
  return letters;
}

std::shared_ptr<const TailEntry> SpaceState::FindDeadLetter(Lsn lsn) const {
  MutexLock lock(mutex_);
  std::shared_ptr<const TailEntry> entry = dead_letters_.Find(lsn);
  if (entry == nullptr ||
      entry->remove_lsn.load(std::memory_order_relaxed) != kNeverRemoved) {
    return nullptr;
  }
  return entry;
}

SpaceStats SpaceState::GetStats(Lsn log_lsn) const {
  SpaceStats stats;
  stats.id = description_.id;
  stats.name = description_.name;
  stats.options.dimension = description_.dimension;
  stats.options.metric = static_cast<Metric>(description_.metric);
  stats.options.M = description_.M;
  stats.options.ef_construction = description_.ef_construction;
  stats.options.quantization =
      static_cast<Quantization>(description_.quantization);
  stats.options.stored = static_cast<Stored>(description_.stored);
  // What is evicted meanwhile stays until we are done.
  const index::EpochDomain::Guard guard = epochs_->Enter();
  const SpaceIndex* const index = index_.load(std::memory_order_acquire);
  stats.resident = index != nullptr;
  const index::Graph* const graph = index != nullptr ? index->graph() : nullptr;
  stats.has_graph = graph != nullptr;
  stats.quantization = graph != nullptr
                           ? static_cast<Quantization>(index->quantization())
                           : Quantization::kNone;
  stats.twins = graph != nullptr ? graph->twin_count() : 0;
  stats.nodes = published_slots_.load(std::memory_order_relaxed);
  stats.retired_slots = retired_slots_.load(std::memory_order_relaxed);
  stats.searches = searches_.load(std::memory_order_relaxed);
  stats.exact_fallbacks = exact_fallbacks_.load(std::memory_order_relaxed);
  stats.nodes_reattached = reattached_.load(std::memory_order_relaxed);
  stats.unreachable_nodes = unreachable_.load(std::memory_order_relaxed);
  stats.checkpoints = checkpoints_.load(std::memory_order_relaxed);
  const ingest::AdmissionStats admission = gate_.GetStats();
  stats.pending_bytes = admission.bytes;
  stats.pressure = admission.pressure;
  stats.latencies = ToStats(GetLatencies());
  stats.refused_of_records = admission.refused_of_records;
  stats.refused_of_bytes = admission.refused_of_bytes;
  const ingest::QuotaStats quota = quota_.GetStats();
  stats.refused_of_record_rate = quota.refused_of_records;
  stats.refused_of_byte_rate = quota.refused_of_bytes;
  stats.evictions = evictions_.load(std::memory_order_relaxed);
  stats.checkpoint_pause = absl::Microseconds(
      checkpoint_pause_micros_.load(std::memory_order_relaxed));
  stats.load_status = load_status();
  stats.memory_bytes = index != nullptr ? index->memory_bytes() : 0;
  MutexLock lock(mutex_);
  stats.memory_bytes += versions_.memory_bytes();
  stats.live_records = versions_.size();
  if (!is_resident()) {
    stats.has_graph = head_.has_graph;
    stats.live_records += head_.live_count;
  }
  stats.pending_records = tail_.count();
  stats.dead_letters = dead_letters_.size();
  stats.unsaved_bytes = unsaved_bytes_ + saving_bytes_;
  stats.acknowledged_lsn = std::max(published_lsn_, log_lsn);
  stats.indexed_lsn = tail_.count() == 0 ? stats.acknowledged_lsn
                                         : tail_.front()->record.lsn - 1;
  stats.checkpoint_lsn =
      first_unsaved_lsn_ == 0 ? stats.indexed_lsn : first_unsaved_lsn_ - 1;
  return stats;
}

uint64_t SpaceState::record_bytes() const {
  const uint64_t pending = gate_.GetStats().bytes;
  MutexLock lock(mutex_);
  return pending + tail_.code_bytes() + unsaved_bytes_ + saving_bytes_;
}

uint64_t SpaceState::unsaved_records() const {
  MutexLock lock(mutex_);
  return unsaved_.size() + saving_.size();
}

uint64_t SpaceState::resident_bytes() const {
  const index::EpochDomain::Guard guard = epochs_->Enter();
  const SpaceIndex* const index = index_.load(std::memory_order_acquire);
  if (index == nullptr) return 0;
  const uint64_t bytes = index->memory_bytes();
  MutexLock lock(mutex_);
  return bytes + versions_.memory_bytes();
}

}  // namespace engram::space
