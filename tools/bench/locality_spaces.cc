#include "tools/bench/locality_spaces.h"

#include <algorithm>
#include <functional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "schema/space_codec.h"
#include "storage/base/check.h"
#include "storage/base/status_macros.h"
#include "storage/wal/group.h"
#include "tools/bench/machine.h"
#include "tools/bench/stopwatch.h"

namespace engram::bench {
namespace {

// More than is ever waiting: nothing is to wait for room here.
constexpr uint64_t kPlenty = uint64_t{1} << 40;

schema::SpaceDescription Describe(uint64_t id, uint32_t dimension,
                                  const IngestOptions& options) {
  schema::SpaceDescription space;
  space.id = id;
  space.name = absl::StrCat("space-", id);
  space.dimension = dimension;
  space.metric = static_cast<schema::Metric>(options.metric);
  space.M = options.M;
  space.ef_construction = options.ef_construction;
  space.seed = options.seed + id;
  return space;
}

// Field by field; by_worker may be empty instead of zeros.
template <typename Combine>
Indexed Combined(const Indexed& a, const Indexed& b, const Combine& combine) {
  Indexed both;
  both.records = combine(a.records, b.records);
  both.wall_s = combine(a.wall_s, b.wall_s);
  both.cpu_s = combine(a.cpu_s, b.cpu_s);
  both.moves = combine(a.moves, b.moves);
  both.by_worker = a.by_worker;
  both.by_worker.resize(std::max(a.by_worker.size(), b.by_worker.size()));
  for (size_t i = 0; i < b.by_worker.size(); ++i) {
    both.by_worker[i] = combine(both.by_worker[i], b.by_worker[i]);
  }
  if (!a.cache_misses.ok() || !b.cache_misses.ok()) {
    both.cache_misses = a.cache_misses.ok() ? b.cache_misses : a.cache_misses;
  } else {
    both.cache_misses = combine(*a.cache_misses, *b.cache_misses);
  }
  return both;
}

}  // namespace

Indexed& Indexed::operator+=(const Indexed& other) {
  return *this = Combined(*this, other, std::plus<>());
}

Indexed& Indexed::operator-=(const Indexed& other) {
  return *this = Combined(*this, other, std::minus<>());
}

LocalitySpaces::LocalitySpaces(int count, uint32_t dimension,
                               const IngestOptions& options, NoisyRows* rows)
    : rows_(*rows),
      random_(options.seed),
      cache_misses_(CacheMisses::Open()),
      pool_(options.workers > 0 ? static_cast<size_t>(options.workers)
                                : Processors()) {
  space::SpaceLimits limits;
  limits.admission.records_max = kPlenty;
  limits.admission.bytes_max = kPlenty;
  for (int i = 0; i < count; ++i) {
    const auto id = static_cast<uint64_t>(i) + 1;
    auto state = std::make_shared<space::SpaceState>(
        Describe(id, dimension, options), /*created_lsn=*/0, limits, &epochs_);
    spaces_.push_back({state, pool_.Add(id, state)});
  }
}

// As the log's thread does with a group of records of one space.
absl::Status LocalitySpaces::Publish(space::SpaceState* space, size_t batch) {
  std::shared_ptr<wal::Group> group;
  const Lsn before = last_lsn_;
  for (size_t i = 0; i < batch; ++i) {
    const std::string id = absl::StrCat("observation-", last_lsn_ + 1);
    schema::RecordDraft draft;
    draft.space_id = space->id();
    draft.id = id;
    draft.vector = rows_.Next();
    if (group == nullptr) {
      group = std::make_shared<wal::Group>(batch * schema::RecordBytes(draft));
    }
    group->Add(draft, ++last_lsn_);
  }
  group->Seal(/*epoch=*/1, /*sequence=*/last_lsn_, before);
  ENGRAM_RETURN_IF_ERROR(space->gate().Admit({.records = batch, .bytes = batch},
                                             /*timeout_micros=*/0));
  space->gate().Publish(batch);
  group->ForEachRecord([&](const schema::RecordView& record) {
    space->Publish(record, group, /*admitted_bytes=*/1);
  });
  return absl::OkStatus();
}

Indexed LocalitySpaces::Done() const {
  Indexed done;
  for (const ingest::WorkerCounters& worker : pool_.counters()) {
    done.records += worker.records;
    done.by_worker.push_back(worker.records);
    done.cpu_s += static_cast<double>(worker.cpu_micros) * 1e-6;
    done.moves += worker.moves;
  }
  if (cache_misses_.ok()) {
    done.cache_misses = (*cache_misses_)->Read();
  } else {
    done.cache_misses = cache_misses_.status();
  }
  done.wall_s = SecondsOf(CLOCK_MONOTONIC);
  return done;
}

absl::StatusOr<Indexed> LocalitySpaces::IndexOneBatchEach(
    Placement placement, absl::Span<const size_t> batches) {
  ENGRAM_CHECK(batches.size() == spaces_.size());
  for (size_t i = 0; i < spaces_.size(); ++i) {
    if (batches[i] == 0) continue;
    ENGRAM_RETURN_IF_ERROR(Publish(spaces_[i].state.get(), batches[i]));
  }
  if (cache_misses_.ok()) {
    ENGRAM_RETURN_IF_ERROR((*cache_misses_)->Start());
  }
  const Indexed before = Done();
  for (size_t i = 0; i < spaces_.size(); ++i) {
    if (batches[i] == 0) continue;
    const Member& space = spaces_[i];
    pool_.Enqueue(placement == Placement::kHome
                      ? space.home
                      : pool_.Add(random_(), space.state),
                  batches[i]);
  }
  pool_.Drain();
  Indexed done = Done();
  if (cache_misses_.ok()) {
    ENGRAM_RETURN_IF_ERROR((*cache_misses_)->Stop());
  }
  return done -= before;
}

uint64_t LocalitySpaces::CountLive() const {
  uint64_t live = 0;
  for (const Member& space : spaces_) {
    live += space.state->GetStats(last_lsn_).live_records;
  }
  return live;
}

uint64_t LocalitySpaces::MemoryBytes() const {
  uint64_t bytes = 0;
  for (const Member& space : spaces_) {
    bytes += space.state->GetStats(last_lsn_).memory_bytes;
  }
  return bytes;
}

}  // namespace engram::bench
