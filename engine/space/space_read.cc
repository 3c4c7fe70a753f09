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
  Lsn lsn = 0;
  // In memory: the whole record.
  schema::RecordView record;
  std::shared_ptr<const wal::Group> group;  // nullptr: saved
  // Saved: where it stands.
  std::string family;
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
  const SlotInfo& info = index_[located.slot];
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
  located.checkpoint_under_way = !saving_.empty();
  return located;
}

// The vector of a saved version.
absl::Status SpaceState::ReadRow(const Located& located, const kv::Store& store,
                                 StoredObservation* stored) const {
  const absl::Span<const float> row = index_.RowOf(located.slot);
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
  const auto first =
      part.rows.begin() + static_cast<ptrdiff_t>(i * size_t{part.dimension});
  stored->vector.assign(first, first + part.dimension);
  return absl::OkStatus();
}

absl::StatusOr<StoredObservation> SpaceState::Get(
    absl::string_view id, const kv::Store* store) const {
  // A checkpoint may move the record from memory to RocksDB while we look, or
  // merge the part that holds its vector, and a write may replace it; then look
  // again.
  absl::Status last;
  uint64_t part_generation = 0;  // of the part that failed last
  for (int attempt = 0; attempt < kGetAttemptsMax; ++attempt) {
    // What is current at some moment under the guard keeps its slot.
    const index::EpochDomain::Guard guard = epochs_->Enter();
    ENGRAM_ASSIGN_OR_RETURN(const Located located, Locate(id));
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
    if (located.checkpoint_under_way) {
      // It may be between making its head visible and telling us.
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

std::vector<std::string> SpaceState::ListIds() const {
  std::vector<std::string> ids;
  {
    MutexLock lock(mutex_);
    ids.reserve(versions_.size());
    versions_.ForEachId([&ids](absl::string_view id) { ids.emplace_back(id); });
  }
  std::sort(ids.begin(), ids.end());
  return ids;
}

SpaceState::Versions SpaceState::ListVersions(Lsn above) const {
  Versions versions;
  {
    MutexLock lock(mutex_);
    versions.lsn = published_lsn_;
    versions.live = versions_.size();
    if (above == 0) versions.listed.reserve(versions_.size());
    versions_.ForEach([&](absl::string_view id, VersionRef ref) {
      // Relaxed: it was published under the mutex.
      const Lsn lsn =
          ref.entry() != nullptr
              ? ref.entry()->record.lsn
              : index_[ref.slot()].lsn.load(std::memory_order_relaxed);
      if (lsn > above) versions.listed.push_back({std::string(id), lsn});
    });
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
  const index::Graph* const graph = index_.graph();
  stats.has_graph = graph != nullptr;
  stats.quantization = graph != nullptr
                           ? static_cast<Quantization>(index_.quantization())
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
  stats.memory_bytes = index_.memory_bytes();
  MutexLock lock(mutex_);
  stats.memory_bytes += versions_.memory_bytes();
  stats.live_records = versions_.size();
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

}  // namespace engram::space
