#include "tools/bench/ingest_timeline.h"

#include <chrono>
#include <utility>

#include "tools/bench/stopwatch.h"

namespace engram::bench {
namespace {

IngestDurations DurationsOf(const LatencyStats& stats) {
  return {.count = stats.count, .sum_s = absl::ToDoubleSeconds(stats.sum)};
}

}  // namespace

IngestTimeline::IngestTimeline(Db* db) : db_(*db), thread_([this] { Run(); }) {}

IngestTimeline::~IngestTimeline() {
  stop_.store(true, std::memory_order_relaxed);
  if (thread_.joinable()) thread_.join();
}

absl::StatusOr<std::vector<IngestMoment>> IngestTimeline::Stop() {
  stop_.store(true, std::memory_order_relaxed);
  thread_.join();
  if (!status_.ok()) return status_;
  return std::move(moments_);
}

void IngestTimeline::Run() {
  constexpr auto kInterval = std::chrono::milliseconds(100);
  const Stopwatch watch;
  while (!stop_.load(std::memory_order_relaxed)) {
    const absl::StatusOr<DbStats> stats = db_.GetStats();
    if (!stats.ok()) {
      status_ = stats.status();
      return;
    }
    moments_.push_back(
        {.s = watch.ReadWall(),
         .accepted = stats->accepted_records,
         .indexed = stats->indexed_records,
         .refused = stats->refused_writes,
         .pending = stats->pending_records,
         .acknowledging = DurationsOf(stats->latencies.to_durable),
         .indexing = DurationsOf(stats->latencies.to_indexed)});
    std::this_thread::sleep_for(kInterval);
  }
}

}  // namespace engram::bench
