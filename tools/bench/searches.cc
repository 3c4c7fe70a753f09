#include "tools/bench/searches.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "storage/base/status_macros.h"
#include "tools/bench/ground_truth.h"
#include "tools/bench/stopwatch.h"

namespace engram::bench {
namespace {

// Sums of one query's distances in another order differ by less.
constexpr double kSameDistance = 1e-5;

bool FindsItself(const std::vector<Found>& found, const Item& item,
                 const Matrix& base, uint32_t first_row) {
  const float nearest = found[0].distance;
  for (const Found& hit : found) {
    if (hit.id == item.id) return hit.distance == nearest;
  }
  const absl::Span<const float> own = base.row(item.row);
  const absl::Span<const float> first = base.row(first_row);
  return std::equal(own.begin(), own.end(), first.begin(), first.end());
}

}  // namespace

absl::StatusOr<Answers> SearchAll(Subject& subject, const Matrix& queries,
                                  uint32_t ef) {
  Answers answers(queries.count());
  for (size_t i = 0; i < queries.count(); ++i) {
    ENGRAM_RETURN_IF_ERROR(subject.Search(queries.row(i), ef, &answers[i]));
  }
  return answers;
}

double Recall(const Answers& answers,
              const std::vector<std::vector<uint32_t>>& nearest) {
  size_t right = 0;
  size_t wanted = 0;
  for (size_t i = 0; i < answers.size(); ++i) {
    for (const Found& found : answers[i]) {
      right += std::count(nearest[i].begin(), nearest[i].end(), found.id);
    }
    wanted += nearest[i].size();
  }
  return static_cast<double>(right) / static_cast<double>(wanted);
}

double RecallByDistance(
    const Answers& answers, const Matrix& queries, Metric metric,
    absl::Span<const double> farthest,
    const std::function<absl::Span<const float>(uint32_t)>& vector_of) {
  size_t right = 0;
  for (size_t i = 0; i < answers.size(); ++i) {
    // Rounding can make a cosine distance of zero negative.
    const double limit = farthest[i] + std::abs(farthest[i]) * kSameDistance;
    std::set<uint32_t> counted;
    for (const Found& found : answers[i]) {
      const double distance =
          TrueDistance(metric, queries.row(i), vector_of(found.id));
      if (distance <= limit && counted.insert(found.id).second) ++right;
    }
  }
  return static_cast<double>(right) /
         static_cast<double>(answers.size() * kNeighbors);
}

absl::StatusOr<SearchRate> MeasureRate(Subject& subject, const Matrix& queries,
                                       uint32_t ef, double seconds_min) {
  const Stopwatch watch;
  const double cpu_s_before = ThreadCpuSeconds();
  std::vector<Found> found;
  size_t count = 0;
  double seconds = 0;
  while (seconds < seconds_min) {
    for (size_t i = 0; i < queries.count(); ++i) {
      ENGRAM_RETURN_IF_ERROR(subject.Search(queries.row(i), ef, &found));
    }
    count += queries.count();
    seconds = watch.Read().wall_s;
  }
  const double cpu_s = ThreadCpuSeconds() - cpu_s_before;
  return SearchRate{static_cast<double>(count) / seconds,
                    static_cast<double>(count) / cpu_s};
}

absl::StatusOr<double> SelfProbe(
    Subject& subject, const Matrix& base, absl::Span<const Item> items,
    uint32_t ef, const std::function<uint32_t(uint32_t)>& row_of) {
  size_t right = 0;
  std::vector<Found> found;
  for (const Item& item : items) {
    ENGRAM_RETURN_IF_ERROR(subject.Search(base.row(item.row), ef, &found));
    if (found.empty()) continue;
    if (FindsItself(found, item, base, row_of(found[0].id))) ++right;
  }
  return static_cast<double>(right) / static_cast<double>(items.size());
}

}  // namespace engram::bench
