#include "schema/link_part_builder.h"

#include <utility>

#include "schema/checkpoint_generated.h"
#include "schema/flatbuffer_access.h"
#include "schema/link_part_layout.h"
#include "storage/base/check.h"
#include "storage/base/status_macros.h"

namespace engram::schema {

void LinkPartBuilder::Add(uint32_t row, absl::string_view node) {
  ENGRAM_CHECK(count_ == 0 || row > last_row_);
  if (count_ == 0) {
    first_row_ = row;
    last_row_ = row;
  }
  char distance[kVarintBytesMax];
  bytes_.append(distance, WriteVarint(row - last_row_, distance));
  bytes_.append(node.data(), node.size());
  last_row_ = row;
  ++count_;
}

std::string LinkPartBuilder::Finish(uint64_t space_id, uint64_t generation,
                                    uint32_t index, PartReference* reference) {
  ENGRAM_CHECK(count_ > 0);
  flatbuffers::FlatBufferBuilder builder(bytes_.size() + 64);
  const auto flat_nodes = CreateBytes(bytes_, &builder);
  builder.Finish(fb::CreateLinkPart(builder, first_row_, count_, flat_nodes));
  std::string value =
      Wrap({ValueKind::kLinkPart, space_id, generation}, builder);
  *reference = {generation, index, first_row_, count_, EnvelopeCrc(value)};
  bytes_.clear();
  count_ = 0;
  return value;
}

absl::StatusOr<LinkPartCursor> LinkPartCursor::Open(
    uint64_t space_id, uint32_t slot_count, uint32_t M,
    const PartReference& reference, absl::string_view value) {
  ENGRAM_ASSIGN_OR_RETURN(UnwrappedValue unwrapped,
                          UnwrapLinkPart(space_id, reference, value));
  LinkPartCursor cursor(std::move(unwrapped), slot_count, M);
  ENGRAM_ASSIGN_OR_RETURN(const absl::string_view nodes,
                          LinkPartNodes(reference, cursor.value_));
  cursor.reader_ = VarintReader(nodes);
  cursor.nodes_left_ = reference.count;
  cursor.row_ = reference.first_slot;
  return cursor;
}

absl::StatusOr<bool> LinkPartCursor::Next() {
  if (nodes_left_ == 0) {
    if (!reader_.AtEnd()) {
      return absl::DataLossError("link part: bytes after its last node");
    }
    return false;
  }
  --nodes_left_;
  const uint32_t delta = reader_.Varint();
  const uint64_t row = uint64_t{row_} + delta;
  const char* const begin = reader_.rest().data();
  const uint8_t flags = reader_.Byte();
  if (!reader_.ok() || row >= slot_count_ || is_first_ != (delta == 0)) {
    return BadLinkNode(row, "row out of order or range");
  }
  is_first_ = false;
  row_ = static_cast<uint32_t>(row);
  ENGRAM_RETURN_IF_ERROR(CheckLinkFlags(row_, flags));
  if ((flags & kLinkTwinFlag) != 0) reader_.Varint();
  const uint32_t layers =
      (flags & kLinkNoLayersFlag) != 0 ? 0 : (flags & kLinkLayerMask) + 1u;
  for (uint32_t layer = 0; layer < layers; ++layer) {
    const uint32_t degree = reader_.Varint();
    if (degree > LinkDegreeMax(layer, M_)) {
      return BadLinkNode(row_, absl::StrCat("degree ", degree, ", allowed are ",
                                            LinkDegreeMax(layer, M_)));
    }
    reader_.SkipVarints(degree);
  }
  if (!reader_.ok()) return BadLinkNode(row_, "truncated");
  node_ = absl::string_view(begin,
                            static_cast<size_t>(reader_.rest().data() - begin));
  return true;
}

}  // namespace engram::schema
