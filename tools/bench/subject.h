// What is measured: an index that is built and searched.

#ifndef ENGRAM_TOOLS_BENCH_SUBJECT_H_
#define ENGRAM_TOOLS_BENCH_SUBJECT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "tools/bench/dataset.h"

namespace engram::bench {

struct IndexParameters {
  uint32_t M = 16;
  uint32_t ef_construction = 100;
  unsigned threads = 1;  // that build
};

struct Found {
  uint32_t row = 0;
  float distance = 0;

  friend bool operator==(const Found&, const Found&) = default;
};

class Subject {
 public:
  virtual ~Subject() = default;

  virtual std::string name() const = 0;

  // What a reader must know of how it is built, e.g. that it is durable.
  virtual std::string building() const = 0;

  // Inserts all rows of `base`; returns when all of them are linked.
  virtual absl::Status Build(const Matrix& base) = 0;

  // Called after Build() and before the searches; not timed.
  virtual absl::Status Settle() { return absl::OkStatus(); }

  // Replaces `found` by the kNeighbors nearest rows, nearest first.
  virtual absl::Status Search(absl::Span<const float> query, uint32_t ef,
                              std::vector<Found>* found) = 0;
};

// hnswlib, in memory. UNIMPLEMENTED if this program was built without it.
absl::StatusOr<std::unique_ptr<Subject>> MakeBaseline(
    const Dataset& dataset, const IndexParameters& parameters);

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_SUBJECT_H_
