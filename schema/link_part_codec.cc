#include <algorithm>

#include "absl/strings/str_cat.h"
#include "schema/checkpoint_generated.h"
#include "schema/flatbuffer_access.h"
#include "schema/limits.h"
#include "schema/link_node.h"
#include "schema/link_part_builder.h"
#include "schema/link_part_layout.h"
#include "schema/part_codec.h"
#include "schema/varint.h"
#include "storage/base/check.h"
#include "storage/base/status_macros.h"

namespace engram::schema {
namespace {

absl::Status ReadLayer(uint32_t slot, uint32_t slot_count, uint32_t degree_max,
                       VarintReader* reader, std::vector<uint32_t>* neighbors) {
  const uint32_t degree = reader->Varint();
  if (!reader->ok()) return BadLinkNode(slot, "truncated");
  if (degree > degree_max) {
    return BadLinkNode(
        slot, absl::StrCat("degree ", degree, ", allowed are ", degree_max));
  }
  uint64_t neighbor = 0;
  for (uint32_t i = 0; i < degree; ++i) {
    const uint32_t delta = reader->Varint();
    if (!reader->ok()) return BadLinkNode(slot, "truncated");
    neighbor += delta;
    if (neighbor >= slot_count || (i > 0 && delta == 0) || neighbor == slot) {
      return BadLinkNode(slot, absl::StrCat("neighbor ", neighbor, " of ",
                                            slot_count, " rows"));
    }
    neighbors->push_back(static_cast<uint32_t>(neighbor));
  }
  return absl::OkStatus();
}

// What follows a node's flags; node->slot is known.
absl::Status ReadNode(uint8_t flags, uint32_t slot_count, uint32_t M,
                      VarintReader* reader, NodeLinks* node) {
  ENGRAM_RETURN_IF_ERROR(CheckLinkFlags(node->slot, flags));
  const bool no_layers = (flags & kLinkNoLayersFlag) != 0;
  node->removed = (flags & kLinkRemovedFlag) != 0;
  if ((flags & kLinkTwinFlag) != 0) {
    node->twin_of = reader->Varint();
    if (!reader->ok()) return BadLinkNode(node->slot, "truncated");
    if (node->twin_of >= slot_count || node->twin_of == node->slot) {
      return BadLinkNode(node->slot, absl::StrCat("twin of ", node->twin_of,
                                                  " of ", slot_count, " rows"));
    }
  }
  if (no_layers) return absl::OkStatus();
  node->layers.resize((flags & kLinkLayerMask) + 1);
  for (size_t layer = 0; layer < node->layers.size(); ++layer) {
    ENGRAM_RETURN_IF_ERROR(ReadLayer(
        node->slot, slot_count, LinkDegreeMax(static_cast<uint32_t>(layer), M),
        reader, &node->layers[layer]));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckLinkFlags(uint32_t row, uint8_t flags) {
  const bool no_layers = (flags & kLinkNoLayersFlag) != 0;
  if ((flags & kLinkTwinFlag) != 0 &&
      (!no_layers || (flags & kLinkRemovedFlag) != 0)) {
    return BadLinkNode(row, "a twin that is removed or has layers");
  }
  if (no_layers && (flags & kLinkLayerMask) != 0) {
    return BadLinkNode(row, "has a top layer and no layers");
  }
  return absl::OkStatus();
}

absl::StatusOr<UnwrappedValue> UnwrapLinkPart(uint64_t space_id,
                                              const PartReference& reference,
                                              absl::string_view value) {
  ENGRAM_ASSIGN_OR_RETURN(
      UnwrappedValue unwrapped,
      UnwrapValue({ValueKind::kLinkPart, space_id, reference.generation}, value,
                  kPartBytesMax));
  if (EnvelopeCrc(value) != reference.crc) {
    return absl::DataLossError("link part: is not the one that the head lists");
  }
  return unwrapped;
}

absl::StatusOr<absl::string_view> LinkPartNodes(const PartReference& reference,
                                                const UnwrappedValue& value) {
  const auto* flat = VerifiedRoot<fb::LinkPart>(value);
  if (flat == nullptr || flat->first_slot() != reference.first_slot ||
      flat->count() != reference.count || reference.count > kLinkPartNodes) {
    return absl::DataLossError("link part: malformed");
  }
  return ToView(flat->nodes());
}

std::string EncodeLinkPart(uint64_t space_id, uint64_t generation,
                           absl::Span<NodeLinks> nodes) {
  ENGRAM_CHECK(!nodes.empty());
  LinkPartBuilder builder;
  LinkNode encoded;
  for (NodeLinks& node : nodes) {
    if (node.twin_of != kNoTwin) {
      ENGRAM_CHECK(!node.removed && node.layers.empty());
      ENGRAM_CHECK(node.twin_of != node.slot);
      encoded.SetTwin(node.twin_of);
    } else if (node.layers.empty()) {
      encoded.SetPlain(node.removed);
    } else {
      encoded.SetLayers(static_cast<uint32_t>(node.layers.size()),
                        node.removed);
      for (std::vector<uint32_t>& neighbors : node.layers) {
        std::sort(neighbors.begin(), neighbors.end());
        encoded.AddLayer(neighbors);
      }
    }
    builder.Add(node.slot, encoded.bytes());
  }
  PartReference reference;
  return builder.Finish(space_id, generation, 0, &reference);
}

absl::StatusOr<std::vector<NodeLinks>> DecodeLinkPart(
    uint64_t space_id, uint32_t slot_count, uint32_t M,
    const PartReference& reference, absl::string_view value) {
  ENGRAM_ASSIGN_OR_RETURN(const UnwrappedValue unwrapped,
                          UnwrapLinkPart(space_id, reference, value));
  ENGRAM_ASSIGN_OR_RETURN(const absl::string_view bytes,
                          LinkPartNodes(reference, unwrapped));
  VarintReader reader(bytes);
  std::vector<NodeLinks> nodes;
  nodes.reserve(reference.count);
  uint64_t slot = reference.first_slot;
  for (uint32_t i = 0; i < reference.count; ++i) {
    const uint32_t delta = reader.Varint();
    slot += delta;
    const uint8_t flags = reader.Byte();
    if (!reader.ok() || slot >= slot_count || (i == 0) != (delta == 0)) {
      return BadLinkNode(reference.first_slot + i, "row out of order or range");
    }
    NodeLinks node;
    node.slot = static_cast<uint32_t>(slot);
    ENGRAM_RETURN_IF_ERROR(ReadNode(flags, slot_count, M, &reader, &node));
    nodes.push_back(std::move(node));
  }
  if (!reader.AtEnd()) {
    return absl::DataLossError("link part: bytes after its last node");
  }
  return nodes;
}

}  // namespace engram::schema
