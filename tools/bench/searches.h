// Searching with many queries, and how good the answers are.

#ifndef ENGRAM_TOOLS_BENCH_SEARCHES_H_
#define ENGRAM_TOOLS_BENCH_SEARCHES_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "tools/bench/dataset.h"
#include "tools/bench/subject.h"

namespace engram::bench {

// What each query finds, by query.
using Answers = std::vector<std::vector<Found>>;

absl::StatusOr<Answers> SearchAll(Subject& subject, const Matrix& queries,
                                  uint32_t ef);

// The part of `nearest`, which are ids by query, that was found.
double Recall(const Answers& answers,
              const std::vector<std::vector<uint32_t>>& nearest);

// As Recall(), for a base with equal vectors, of which any may be found: a hit
// counts if it is as near to the query as the true neighbor of that rank that
// is farthest, up to a part in 100,000. The distances that the index reports
// are not used. `vector_of`(id) is a vector of the base.
double RecallByDistance(
    const Answers& answers, const Matrix& queries, Metric metric,
    absl::Span<const double> farthest,
    const std::function<absl::Span<const float>(uint32_t)>& vector_of);

// Of a thread that does nothing else.
struct SearchRate {
  double per_s = 0;
  double per_cpu_s = 0;  // what other programs take does not count
};

// Repeats the queries, one after the other, until they took `seconds_min`.
absl::StatusOr<SearchRate> MeasureRate(Subject& subject, const Matrix& queries,
                                       uint32_t ef, double seconds_min);

// The part of `items`, rows of `base`, that their own vectors find: as the
// first hit, at the distance of the first, or through a copy of the vector.
// `row_of`(id) is a row of `base`.
absl::StatusOr<double> SelfProbe(
    Subject& subject, const Matrix& base, absl::Span<const Item> items,
    uint32_t ef, const std::function<uint32_t(uint32_t)>& row_of);

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_SEARCHES_H_
