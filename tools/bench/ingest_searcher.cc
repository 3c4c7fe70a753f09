#include "tools/bench/ingest_searcher.h"

#include <chrono>
#include <utility>

#include "tools/bench/stopwatch.h"

namespace engram::bench {

IngestSearcher::IngestSearcher(IngestSpaces* spaces, NoisyRows* rows)
    : spaces_(*spaces), rows_(*rows), thread_([this] { Run(); }) {}

IngestSearcher::~IngestSearcher() {
  stop_.store(true, std::memory_order_relaxed);
  if (thread_.joinable()) thread_.join();
}

absl::StatusOr<IngestSearches> IngestSearcher::Stop() {
  stop_.store(true, std::memory_order_relaxed);
  thread_.join();
  if (!status_.ok()) return status_;
  return std::move(result_);
}

void IngestSearcher::Run() {
  constexpr auto kPause = std::chrono::milliseconds(2);
  for (size_t i = 0; !stop_.load(std::memory_order_relaxed); ++i) {
    const size_t others = spaces_.count() - 1;
    Space& space = spaces_.space(others == 0 ? 0 : 1 + i % others);
    const absl::Span<const float> query = rows_.Next();
    const Stopwatch watch;
    const double cpu_s = ThreadCpuSeconds();
    const auto hits = space.Search(query, {.k = kNeighbors});
    const double took_s = ThreadCpuSeconds() - cpu_s;
    if (!hits.ok()) {
      status_ = hits.status();
      return;
    }
    result_.wall_us.push_back(static_cast<float>(watch.ReadWall() * 1e6));
    result_.cpu_us.push_back(static_cast<float>(took_s * 1e6));
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace engram::bench
