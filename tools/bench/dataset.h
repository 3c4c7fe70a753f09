// A published data set: base vectors, queries, and true neighbors.

#ifndef ENGRAM_TOOLS_BENCH_DATASET_H_
#define ENGRAM_TOOLS_BENCH_DATASET_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engram/options.h"

namespace engram::bench {

inline constexpr uint32_t kNeighbors = 10;  // recall@10

// Rows of one dimension.
class Matrix {
 public:
  uint32_t dimension() const { return dimension_; }
  size_t count() const {
    return dimension_ == 0 ? 0 : values_.size() / dimension_;
  }
  absl::Span<const float> row(size_t i) const {
    return absl::MakeConstSpan(values_).subspan(i * dimension_, dimension_);
  }

  // The first row decides on the dimension.
  void Append(absl::Span<const float> row) {
    dimension_ = static_cast<uint32_t>(row.size());
    values_.insert(values_.end(), row.begin(), row.end());
  }

 private:
  uint32_t dimension_ = 0;
  std::vector<float> values_;
};

struct Dataset {
  std::string name;
  Metric metric = Metric::kL2;
  Matrix base;
  Matrix queries;
  // For each query the kNeighbors nearest rows of `base`.
  std::vector<std::vector<uint32_t>> neighbors;
  bool neighbors_from_file = false;
};

// Reads `prefix` + ".base", ".query" and ".gt.l2.ivecs" or ".gt.cos.ivecs".
// `limit` > 0 takes so many rows of the base. True neighbors that are not in a
// file, or not those of the rows that were taken, are computed.
absl::StatusOr<Dataset> LoadDataset(const std::string& prefix, Metric metric,
                                    size_t limit);

// As LoadDataset(), without the true neighbors.
absl::StatusOr<Dataset> LoadVectors(const std::string& prefix, Metric metric,
                                    size_t limit);

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_DATASET_H_
