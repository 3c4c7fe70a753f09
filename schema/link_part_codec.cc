#include <algorithm>

#include "absl/strings/str_cat.h"
#include "schema/flatbuffer_access.h"
#include "schema/limits.h"
#include "schema/part_codec.h"
#include "storage/base/check.h"
#include "storage/base/status_macros.h"

namespace engram::schema {
namespace {

constexpr uint8_t kLayerMask = 0x1f;
constexpr uint8_t kRemovedFlag = 0x20;
constexpr uint8_t kNoLayersFlag = 0x40;
constexpr uint8_t kTwinFlag = 0x80;  // only with kNoLayersFlag, alone
static_assert(kLayerMax <= kLayerMask);

void PutVarint(uint32_t value, std::string* out) {
  while (value >= 0x80) {
    out->push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out->push_back(static_cast<char>(value));
}

// Reads varints and bytes; every read fails once one has failed.
class NodeReader {
 public:
  explicit NodeReader(absl::string_view bytes) : bytes_(bytes) {}

  bool ok() const { return ok_; }
  bool AtEnd() const { return bytes_.empty(); }

  uint8_t Byte() {
    if (bytes_.empty()) {
      ok_ = false;
      return 0;
    }
    const auto byte = static_cast<uint8_t>(bytes_.front());
    bytes_.remove_prefix(1);
    return byte;
  }

  uint32_t Varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 35; shift += 7) {
      const uint8_t byte = Byte();
      value |= uint64_t{byte & 0x7fu} << shift;
      if ((byte & 0x80) == 0) {
        if (value > UINT32_MAX) ok_ = false;
        return static_cast<uint32_t>(value);
      }
    }
    ok_ = false;
    return 0;
  }

 private:
  absl::string_view bytes_;
  bool ok_ = true;
};

absl::Status BadNode(uint32_t slot, absl::string_view what) {
  return absl::DataLossError(
      absl::StrCat("link part: node ", slot, ": ", what));
}

void PutNode(uint32_t delta, NodeLinks* node, std::string* out) {
  ENGRAM_CHECK(node->layers.size() <= kLayerMax + 1);
  PutVarint(delta, out);
  if (node->twin_of != kNoTwin) {
    ENGRAM_CHECK(!node->removed && node->layers.empty());
    ENGRAM_CHECK(node->twin_of != node->slot);
    out->push_back(static_cast<char>(kTwinFlag | kNoLayersFlag));
    PutVarint(node->twin_of, out);
    return;
  }
  uint8_t flags = node->removed ? kRemovedFlag : 0;
  if (node->layers.empty()) {
    flags |= kNoLayersFlag;
  } else {
    flags |= static_cast<uint8_t>(node->layers.size() - 1);
  }
  out->push_back(static_cast<char>(flags));
  for (std::vector<uint32_t>& neighbors : node->layers) {
    std::sort(neighbors.begin(), neighbors.end());
    PutVarint(static_cast<uint32_t>(neighbors.size()), out);
    uint32_t previous = 0;
    for (const uint32_t neighbor : neighbors) {
      PutVarint(neighbor - previous, out);
      previous = neighbor;
    }
  }
}

absl::Status ReadLayer(uint32_t slot, uint32_t slot_count, uint32_t degree_max,
                       NodeReader* reader, std::vector<uint32_t>* neighbors) {
  const uint32_t degree = reader->Varint();
  if (!reader->ok()) return BadNode(slot, "truncated");
  if (degree > degree_max) {
    return BadNode(
        slot, absl::StrCat("degree ", degree, ", allowed are ", degree_max));
  }
  uint64_t neighbor = 0;
  for (uint32_t i = 0; i < degree; ++i) {
    const uint32_t delta = reader->Varint();
    if (!reader->ok()) return BadNode(slot, "truncated");
    neighbor += delta;
    if (neighbor >= slot_count || (i > 0 && delta == 0) || neighbor == slot) {
      return BadNode(slot, absl::StrCat("neighbor ", neighbor, " of ",
                                        slot_count, " rows"));
    }
    neighbors->push_back(static_cast<uint32_t>(neighbor));
  }
  return absl::OkStatus();
}

// What follows a node's flags; node->slot is known.
absl::Status ReadNode(uint8_t flags, uint32_t slot_count, uint32_t M,
                      NodeReader* reader, NodeLinks* node) {
  const bool twin = (flags & kTwinFlag) != 0;
  const bool no_layers = (flags & kNoLayersFlag) != 0;
  node->removed = (flags & kRemovedFlag) != 0;
  if (twin && (!no_layers || node->removed)) {
    return BadNode(node->slot, "a twin that is removed or has layers");
  }
  if (no_layers && (flags & kLayerMask) != 0) {
    return BadNode(node->slot, "has a top layer and no layers");
  }
  if (twin) {
    node->twin_of = reader->Varint();
    if (!reader->ok()) return BadNode(node->slot, "truncated");
    if (node->twin_of >= slot_count || node->twin_of == node->slot) {
      return BadNode(node->slot, absl::StrCat("twin of ", node->twin_of, " of ",
                                              slot_count, " rows"));
    }
  }
  if (no_layers) return absl::OkStatus();
  node->layers.resize((flags & kLayerMask) + 1);
  for (size_t layer = 0; layer < node->layers.size(); ++layer) {
    ENGRAM_RETURN_IF_ERROR(ReadLayer(node->slot, slot_count,
                                     layer == 0 ? 2 * M : M, reader,
                                     &node->layers[layer]));
  }
  return absl::OkStatus();
}

}  // namespace

std::string EncodeLinkPart(uint64_t space_id, uint64_t generation,
                           absl::Span<NodeLinks> nodes) {
  ENGRAM_CHECK(!nodes.empty());
  std::string bytes;
  uint32_t previous = nodes[0].slot;
  for (NodeLinks& node : nodes) {
    PutNode(node.slot - previous, &node, &bytes);
    previous = node.slot;
  }
  flatbuffers::FlatBufferBuilder builder(bytes.size() + 64);
  const auto flat_nodes = CreateBytes(bytes, &builder);
  builder.Finish(fb::CreateLinkPart(
      builder, nodes[0].slot, static_cast<uint32_t>(nodes.size()), flat_nodes));
  return Wrap({ValueKind::kLinkPart, space_id, generation}, builder);
}

absl::StatusOr<std::vector<NodeLinks>> DecodeLinkPart(
    uint64_t space_id, uint32_t slot_count, uint32_t M,
    const PartReference& reference, absl::string_view value) {
  ENGRAM_ASSIGN_OR_RETURN(
      const UnwrappedValue unwrapped,
      UnwrapValue({ValueKind::kLinkPart, space_id, reference.generation}, value,
                  kPartBytesMax));
  if (EnvelopeCrc(value) != reference.crc) {
    return absl::DataLossError("link part: is not the one that the head lists");
  }
  const auto* flat = VerifiedRoot<fb::LinkPart>(unwrapped);
  if (flat == nullptr || flat->first_slot() != reference.first_slot ||
      flat->count() != reference.count || reference.count > kLinkPartNodes) {
    return absl::DataLossError("link part: malformed");
  }
  NodeReader reader(ToView(flat->nodes()));
  std::vector<NodeLinks> nodes;
  nodes.reserve(reference.count);
  uint64_t slot = reference.first_slot;
  for (uint32_t i = 0; i < reference.count; ++i) {
    const uint32_t delta = reader.Varint();
    slot += delta;
    const uint8_t flags = reader.Byte();
    if (!reader.ok() || slot >= slot_count || (i == 0) != (delta == 0)) {
      return BadNode(reference.first_slot + i, "row out of order or range");
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
