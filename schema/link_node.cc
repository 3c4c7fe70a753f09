#include "schema/link_node.h"

#include <cstddef>

#include "schema/limits.h"
#include "schema/link_part_layout.h"
#include "schema/varint.h"
#include "storage/base/check.h"

namespace engram::schema {

void LinkNode::SetPlain(bool removed) {
  bytes_.assign(1, static_cast<char>(kLinkNoLayersFlag |
                                     (removed ? kLinkRemovedFlag : 0)));
}

void LinkNode::SetTwin(uint32_t head_row) {
  bytes_.assign(1, static_cast<char>(kLinkTwinFlag | kLinkNoLayersFlag));
  bytes_.resize(1 + kVarintBytesMax);
  char* const end = WriteVarint(head_row, bytes_.data() + 1);
  bytes_.resize(static_cast<size_t>(end - bytes_.data()));
}

void LinkNode::SetLayers(uint32_t layers, bool removed) {
  ENGRAM_CHECK(layers > 0 && layers <= kLayerMax + 1);
  bytes_.assign(
      1, static_cast<char>((layers - 1) | (removed ? kLinkRemovedFlag : 0)));
}

void LinkNode::AddLayer(absl::Span<const uint32_t> neighbors) {
  const size_t begin = bytes_.size();
  bytes_.resize(begin + (neighbors.size() + 1) * kVarintBytesMax);
  char* end = WriteVarint(static_cast<uint32_t>(neighbors.size()),
                          bytes_.data() + begin);
  uint32_t previous = 0;
  for (size_t i = 0; i < neighbors.size(); ++i) {
    ENGRAM_CHECK(i == 0 || neighbors[i] > previous);
    end = WriteVarint(neighbors[i] - previous, end);
    previous = neighbors[i];
  }
  bytes_.resize(static_cast<size_t>(end - bytes_.data()));
}

}  // namespace engram::schema
