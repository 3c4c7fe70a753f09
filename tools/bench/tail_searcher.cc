#include "tools/bench/tail_searcher.h"

#include <algorithm>
#include <chrono>
#include <string>

#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "tools/bench/patience.h"
#include "tools/bench/stopwatch.h"
#include "tools/bench/wal_command.h"

namespace engram::bench {
namespace {

constexpr int kIdleSearches = 200;
constexpr double kFullShare = 0.9;

}  // namespace

absl::StatusOr<std::unique_ptr<TailSearcher>> TailSearcher::Create(
    IngestSpaces* spaces, NoisyRows* rows) {
  std::unique_ptr<TailSearcher> searcher(new TailSearcher(spaces, rows));
  ENGRAM_RETURN_IF_ERROR(searcher->MeasureIdle());
  TailSearcher* const borrowed = searcher.get();
  searcher->thread_ = std::thread([borrowed] { borrowed->Run(); });
  return searcher;
}

TailSearcher::~TailSearcher() {
  stop_.store(true, std::memory_order_relaxed);
  if (thread_.joinable()) thread_.join();
}

absl::Status TailSearcher::MeasureIdle() {
  std::vector<float> cpu_us;
  for (int i = 0; i < kIdleSearches; ++i) {
    const absl::Span<const float> query = rows_.Next();
    const double cpu_s = ThreadCpuSeconds();
    ENGRAM_RETURN_IF_ERROR(
        spaces_.space(0).Search(query, {.k = kNeighbors}).status());
    cpu_us.push_back(static_cast<float>((ThreadCpuSeconds() - cpu_s) * 1e6));
  }
  idle_cpu_p50_us_ = Percentile(&cpu_us, 0.5);
  return absl::OkStatus();
}

absl::StatusOr<TailSearches> TailSearcher::Stop() {
  stop_.store(true, std::memory_order_relaxed);
  thread_.join();
  if (!status_.ok()) return status_;
  TailSearches result;
  result.written = samples_.size();
  uint64_t most = 0;
  for (const Sample& sample : samples_) most = std::max(most, sample.pending);
  std::vector<float> cpu_us;
  double pending = 0;
  for (const Sample& sample : samples_) {
    if (sample.missed) ++result.row.misses;
    if (static_cast<double>(sample.pending) <
        kFullShare * static_cast<double>(most)) {
      continue;
    }
    cpu_us.push_back(sample.cpu_us);
    pending += static_cast<double>(sample.pending);
  }
  if (cpu_us.empty())
    return absl::DeadlineExceededError("nothing was searched");
  result.row.searches = cpu_us.size();
  result.row.mean_pending = pending / static_cast<double>(cpu_us.size());
  result.row.cpu_p50_us = Percentile(&cpu_us, 0.5);
  result.row.cpu_p99_us = Percentile(&cpu_us, 0.99);
  result.row.idle_cpu_p50_us = idle_cpu_p50_us_;
  return result;
}

absl::Status TailSearcher::Probe() {
  Space& space = spaces_.space(0);
  const std::string id = absl::StrCat("probe-", samples_.size());
  const absl::Span<const float> vector = rows_.Next();
  WriteOptions write;
  write.priority = Priority::kHigh;
  write.admission_timeout = kPatience;
  const Observation observation = {.id = id, .vector = vector, .payload = {}};
  ENGRAM_RETURN_IF_ERROR(space.Observe(observation, write).status());
  Sample sample;
  ENGRAM_ASSIGN_OR_RETURN(const SpaceStats stats, space.GetStats());
  sample.pending = stats.pending_records;
  const double cpu_s = ThreadCpuSeconds();
  const auto hits = space.Search(vector, {.k = kNeighbors});
  sample.cpu_us = static_cast<float>((ThreadCpuSeconds() - cpu_s) * 1e6);
  ENGRAM_RETURN_IF_ERROR(hits.status());
  sample.missed = hits->empty() || hits->front().id != id;
  samples_.push_back(sample);
  return absl::OkStatus();
}

void TailSearcher::Run() {
  constexpr auto kPause = std::chrono::milliseconds(2);
  while (!stop_.load(std::memory_order_relaxed)) {
    status_ = Probe();
    if (!status_.ok()) return;
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace engram::bench
