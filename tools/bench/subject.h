// What is measured: an index that is built, changed and searched.

#ifndef ENGRAM_TOOLS_BENCH_SUBJECT_H_
#define ENGRAM_TOOLS_BENCH_SUBJECT_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engram/options.h"
#include "tools/bench/dataset.h"

namespace engram::bench {

struct IndexParameters {
  uint32_t M = 16;
  uint32_t ef_construction = 100;
  unsigned threads = 1;  // that build
  // Engram's alone: the peers walk in the vectors themselves.
  Quantization quantization = Quantization::kAuto;
  Stored stored = Stored::kF32;
};

// What an index is made for.
struct IndexShape {
  uint32_t dimension = 0;
  Metric metric = Metric::kL2;
  size_t capacity = 0;  // vectors at one time, at most
};

// A vector to insert: row `row` of a matrix, under the id `id`.
struct Item {
  uint32_t id = 0;
  uint32_t row = 0;
};

struct Found {
  uint32_t id = 0;
  float distance = 0;

  friend bool operator==(const Found&, const Found&) = default;
};

// One thread at a time, unless a subject says otherwise.
class Subject {
 public:
  virtual ~Subject() = default;

  virtual std::string name() const = 0;

  // What a reader must know of how it is built, e.g. that it is durable.
  virtual std::string building() const = 0;

  // Inserts rows of `base` under ids that are not in use; returns when all of
  // them are linked.
  virtual absl::Status Insert(const Matrix& base,
                              absl::Span<const Item> items) = 0;

  // Removes `removed` and inserts as many `inserted`, in turns; returns when
  // all of it is done. UNIMPLEMENTED if it cannot remove.
  virtual absl::Status Replace(const Matrix& base,
                               absl::Span<const uint32_t> removed,
                               absl::Span<const Item> inserted) = 0;

  // Called before searches that are measured, and not timed: what the index
  // does now and then, it does now.
  virtual absl::Status Settle() { return absl::OkStatus(); }

  // Replaces `found` by the kNeighbors nearest, nearest first.
  virtual absl::Status Search(absl::Span<const float> query, uint32_t ef,
                              std::vector<Found>* found) = 0;

  // Vectors that no walk along layer 0 from the entry point comes to, as of
  // the last Settle().
  virtual absl::StatusOr<uint64_t> CountUnreachable() = 0;
};

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_SUBJECT_H_
