// Link parts written node by node, and put together from others.

#ifndef ENGRAM_SCHEMA_LINK_PART_BUILDER_H_
#define ENGRAM_SCHEMA_LINK_PART_BUILDER_H_

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "schema/envelope.h"
#include "schema/limits.h"
#include "schema/part_codec.h"
#include "schema/varint.h"

namespace engram::schema {

// Gathers the nodes of one link part, rows ascending. What a node looks like
// in it depends on its own row only by the distance from the one before, so
// nodes move from part to part as they are.
class LinkPartBuilder {
 public:
  uint32_t count() const { return count_; }

  // Whether another node might be too much for a value.
  bool IsFull() const {
    return count_ >= kLinkPartNodes || bytes_.size() >= kBytesTarget;
  }

  // What LinkNode or LinkPartCursor gives. Rows ascend.
  void Add(uint32_t row, absl::string_view node);

  // The value, and how a head refers to it. At least one node was added;
  // afterwards there is none.
  std::string Finish(uint64_t space_id, uint64_t generation, uint32_t index,
                     PartReference* reference);

 private:
  // Two lists of 2 * kMMax rows of 5 bytes are far below the rest of
  // kPartBytesMax, and so are those of 31 layers.
  static constexpr size_t kBytesTarget = kPartBytesMax - (size_t{1} << 20);

  std::string bytes_;
  uint32_t count_ = 0;
  uint32_t first_row_ = 0;
  uint32_t last_row_ = 0;
};

// Goes through the nodes of a link part without taking them apart.
class LinkPartCursor {
 public:
  // DATA_LOSS as DecodeLinkPart(), but for what single neighbors say, which is
  // checked when the part is loaded.
  static absl::StatusOr<LinkPartCursor> Open(uint64_t space_id,
                                             uint32_t slot_count, uint32_t M,
                                             const PartReference& reference,
                                             absl::string_view value);

  // Goes to the next node; false at the end of the part, and DATA_LOSS where it
  // ends in the middle.
  absl::StatusOr<bool> Next();

  uint32_t row() const { return row_; }

  // Everything of the node but its row; valid until the cursor goes, or moves.
  absl::string_view node() const { return node_; }

 private:
  LinkPartCursor(UnwrappedValue value, uint32_t slot_count, uint32_t M)
      : value_(std::move(value)), slot_count_(slot_count), M_(M) {}

  UnwrappedValue value_;  // what reader_ reads; moving keeps its address
  uint32_t slot_count_;
  uint32_t M_;
  VarintReader reader_;
  uint32_t nodes_left_ = 0;
  bool is_first_ = true;
  uint32_t row_ = 0;
  absl::string_view node_;
};

}  // namespace engram::schema

#endif  // ENGRAM_SCHEMA_LINK_PART_BUILDER_H_
