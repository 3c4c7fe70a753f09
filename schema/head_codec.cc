#include <cmath>

#include "absl/strings/str_cat.h"
#include "schema/flatbuffer_access.h"
#include "schema/limits.h"
#include "schema/part_codec.h"
#include "storage/base/status_macros.h"

namespace engram::schema {
namespace {

constexpr uint32_t kCentreVersionMin = 2;
constexpr uint32_t kLinkDeltasVersionMin = 4;

// A head may list more than the other tables, but has only a few tables.
using FlatReferences = flatbuffers::Vector<const fb::PartReference*>;

flatbuffers::Offset<FlatReferences> CreateReferences(
    absl::Span<const PartReference> references,
    flatbuffers::FlatBufferBuilder* builder) {
  std::vector<fb::PartReference> flat;
  flat.reserve(references.size());
  for (const PartReference& part : references) {
    flat.emplace_back(part.generation, part.index, part.first_slot, part.count,
                      part.crc);
  }
  return builder->CreateVectorOfStructs(flat);
}

std::vector<PartReference> ReadReferences(const FlatReferences* flat) {
  std::vector<PartReference> references;
  if (flat == nullptr) return references;
  references.reserve(flat->size());
  for (const fb::PartReference* part : *flat) {
    references.push_back({part->generation(), part->index(), part->first_slot(),
                          part->count(), part->crc()});
  }
  return references;
}

// The parts, of up to `rows_max` rows each, must cover [0, slot_count) once and
// in order, or, if they may be `partial`, the rows up to one of these.
absl::Status CheckCoverage(absl::string_view what,
                           absl::Span<const PartReference> parts,
                           uint32_t rows_max, bool partial, const Head& head) {
  uint64_t next = 0;
  for (const PartReference& part : parts) {
    if (part.first_slot != next || part.count == 0 || part.count > rows_max ||
        part.generation > head.generation) {
      return absl::DataLossError(absl::StrCat(
          "head: ", what, " part ", part.index, " has ", part.count,
          " rows of up to ", rows_max, " and starts at row ", part.first_slot,
          ", expected ", next));
    }
    next += part.count;
  }
  if (next > head.slot_count || (!partial && next != head.slot_count)) {
    return absl::DataLossError(absl::StrCat(
        "head: ", what, " parts hold ", next, " rows of ", head.slot_count));
  }
  return absl::OkStatus();
}

// Deltas are younger than the base. That each row is in one or the other shows
// when all are read.
absl::Status CheckDeltas(const Head& head, uint32_t format_version) {
  if (head.link_deltas.empty()) return absl::OkStatus();
  if (format_version < kLinkDeltasVersionMin) {
    return absl::DataLossError(absl::StrCat(
        "head: has link deltas in format version ", format_version));
  }
  const uint64_t base_generation =
      head.link_parts.empty() ? 0 : head.link_parts.back().generation;
  const PartReference* before = nullptr;
  for (const PartReference& part : head.link_deltas) {
    const bool continues =
        before != nullptr && part.generation == before->generation;
    const bool in_order =
        continues
            ? part.index == before->index + 1
            : part.index == 0 &&
                  part.generation > (before != nullptr ? before->generation
                                                       : base_generation);
    if (!in_order || part.count == 0 || part.count > kLinkPartNodes ||
        part.generation > head.generation ||
        uint64_t{part.first_slot} + part.count > head.slot_count) {
      return absl::DataLossError(absl::StrCat(
          "head: link delta ", part.generation, "/", part.index, " of ",
          part.count, " rows from ", part.first_slot, " on is out of order"));
    }
    before = &part;
  }
  return absl::OkStatus();
}

absl::Status CheckCentre(const Head& head, uint32_t format_version) {
  if (head.centre.empty()) return absl::OkStatus();
  if (!head.has_graph || format_version < kCentreVersionMin) {
    return absl::DataLossError(absl::StrCat(
        "head: has a centre ", head.has_graph ? "" : "without a graph ",
        "in format version ", format_version));
  }
  if (head.centre.size() != head.space.dimension) {
    return absl::DataLossError(
        absl::StrCat("head: centre has ", head.centre.size(),
                     " components, dimension is ", head.space.dimension));
  }
  double squared_norm = 0;
  for (const float component : head.centre) {
    if (!std::isfinite(component)) {
      return absl::DataLossError(
          "head: a component of the centre is no number");
    }
    squared_norm += static_cast<double>(component) * component;
  }
  // A mean is no longer than the longest of its vectors.
  if (squared_norm > kSquaredNormMax) {
    return absl::DataLossError(
        absl::StrCat("head: squared norm of the centre is ", squared_norm,
                     ", the limit is ", kSquaredNormMax));
  }
  return absl::OkStatus();
}

}  // namespace

std::string EncodeHead(const Head& head) {
  flatbuffers::FlatBufferBuilder builder;
  const auto space = CreateDescription(head.space, &builder);
  const auto vectors = CreateReferences(head.vector_parts, &builder);
  const auto links = CreateReferences(head.link_parts, &builder);
  const auto centre = builder.CreateVector(head.centre);
  const auto deltas = CreateReferences(head.link_deltas, &builder);
  builder.Finish(fb::CreateHead(
      builder, kCheckpointFormatVersion, head.generation, head.checkpoint_lsn,
      space, head.slot_count, head.live_count, head.has_graph, head.entry_slot,
      head.entry_layer, vectors, links, centre, head.dead_letters, deltas));
  return Wrap({ValueKind::kHead, head.space.id, head.generation}, builder);
}

absl::StatusOr<Head> DecodeHead(uint64_t space_id, absl::string_view value) {
  ENGRAM_ASSIGN_OR_RETURN(
      const UnwrappedValue unwrapped,
      UnwrapValue({ValueKind::kHead, space_id, kAnyGeneration}, value,
                  kHeadBytesMax));
  const auto* flat = VerifiedRoot<fb::Head>(unwrapped);
  if (flat == nullptr) return absl::DataLossError("head: malformed");
  if (flat->format_version() > kCheckpointFormatVersion) {
    return absl::UnimplementedError(
        absl::StrCat("checkpoint format version ", flat->format_version(),
                     " is newer than the newest this build reads, ",
                     kCheckpointFormatVersion));
  }
  if (!IsAligned(flat->vector_parts(), alignof(fb::PartReference)) ||
      !IsAligned(flat->link_deltas(), alignof(fb::PartReference)) ||
      !IsAligned(flat->link_parts(), alignof(fb::PartReference))) {
    return absl::DataLossError("head: misaligned");
  }
  Head head;
  head.generation = flat->generation();
  head.checkpoint_lsn = flat->checkpoint_lsn();
  ENGRAM_ASSIGN_OR_RETURN(head.space, ReadDescription(flat->space()));
  head.slot_count = flat->slot_count();
  head.live_count = flat->live_count();
  head.has_graph = flat->has_graph();
  head.entry_slot = flat->entry_slot();
  head.entry_layer = flat->entry_layer();
  head.vector_parts = ReadReferences(flat->vector_parts());
  head.link_parts = ReadReferences(flat->link_parts());
  head.link_deltas = ReadReferences(flat->link_deltas());
  if (flat->centre() != nullptr) {
    head.centre.assign(flat->centre()->begin(), flat->centre()->end());
  }
  head.dead_letters = flat->dead_letters();
  if (flat->format_version() == 0 ||
      head.generation != unwrapped.generation() || head.space.id != space_id ||
      head.checkpoint_lsn > kWalNumberMax ||
      head.live_count > head.slot_count || head.entry_layer > kLayerMax ||
      (head.has_graph && head.entry_slot >= head.slot_count)) {
    return absl::DataLossError("head: a field is out of range");
  }
  ENGRAM_RETURN_IF_ERROR(CheckCentre(head, flat->format_version()));
  ENGRAM_RETURN_IF_ERROR(CheckCoverage("vector", head.vector_parts,
                                       VectorSegmentSlots(head.space.dimension),
                                       /*partial=*/false, head));
  ENGRAM_RETURN_IF_ERROR(CheckDeltas(head, flat->format_version()));
  ENGRAM_RETURN_IF_ERROR(CheckCoverage("link", head.link_parts, kLinkPartNodes,
                                       !head.link_deltas.empty(), head));
  return head;
}

}  // namespace engram::schema
