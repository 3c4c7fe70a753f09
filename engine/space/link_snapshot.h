// The links of all rows, as a checkpoint found them.

#ifndef ENGRAM_ENGINE_SPACE_LINK_SNAPSHOT_H_
#define ENGRAM_ENGINE_SPACE_LINK_SNAPSHOT_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "schema/part_codec.h"
#include "storage/base/mapped_allocator.h"

namespace engram::space {

// Rows are added in order, from 0 on, and taken in the same order, some at a
// time. A row takes as many words as it has neighbors and two to four more:
// less than half of what a schema::NodeLinks takes, and copied in less time,
// while indexing waits.
class LinkSnapshot {
 public:
  // node.slot must be row_count().
  void Add(const schema::NodeLinks& node);

  uint32_t row_count() const { return row_count_; }

  // The next `count` rows, or as many as there are left.
  std::vector<schema::NodeLinks> Take(size_t count);

 private:
  schema::NodeLinks TakeOne();

  // row := flags: kRemoved | layers   twin_of   { degree   ids } per layer
  std::vector<uint32_t, MappedAllocator<uint32_t>> words_;
  uint32_t row_count_ = 0;
  uint32_t rows_taken_ = 0;
  size_t taken_ = 0;  // words
};

}  // namespace engram::space

#endif  // ENGRAM_ENGINE_SPACE_LINK_SNAPSHOT_H_
