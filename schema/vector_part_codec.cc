#include <bit>
#include <utility>

#include "absl/strings/str_cat.h"
#include "schema/flatbuffer_access.h"
#include "schema/key_layout.h"
#include "schema/limits.h"
#include "schema/part_codec.h"
#include "storage/base/check.h"
#include "storage/base/status_macros.h"

namespace engram::schema {
namespace {

constexpr uint32_t kSegmentSlotsMax = 4096;
constexpr size_t kSegmentBytesTarget = size_t{4} << 20;

absl::Status Malformed(absl::string_view what) {
  return absl::DataLossError(absl::StrCat("vector part: ", what));
}

// Whether each is a number. The exponent of what is none is all ones; looking
// at that, without a way out, the compiler takes several at a time.
bool AreFinite(absl::Span<const float> components) {
  constexpr uint32_t kExponent = 0x7f800000;
  uint32_t bad = 0;
  for (const float component : components) {
    bad |= (std::bit_cast<uint32_t>(component) & kExponent) == kExponent;
  }
  return bad == 0;
}

absl::StatusOr<std::vector<absl::string_view>> ReadIds(
    const fb::VectorPart& flat, uint32_t count) {
  const auto* ends = flat.id_ends();
  const absl::string_view bytes = ToView(flat.ids());
  std::vector<absl::string_view> ids;
  ids.reserve(count);
  size_t start = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const size_t end = ends->Get(i);
    if (end <= start || end > bytes.size() || end - start > kIdBytesMax) {
      return Malformed(absl::StrCat("id of slot ", flat.first_slot() + i,
                                    " ends at ", end, " of ", bytes.size()));
    }
    ids.push_back(bytes.substr(start, end - start));
    start = end;
  }
  if (start != bytes.size()) return Malformed("bytes after the last id");
  return ids;
}

}  // namespace

uint32_t VectorSegmentSlots(uint32_t dimension) {
  const size_t slot_bytes =
      size_t{dimension} * sizeof(float) + kIdBytesMax + sizeof(Lsn) + 4;
  uint32_t slots = kSegmentSlotsMax;
  while (slots > 1 && slots * slot_bytes > kSegmentBytesTarget) slots /= 2;
  return slots;
}

std::string EncodeVectorPart(uint64_t space_id, uint64_t generation,
                             uint32_t first_slot,
                             absl::Span<const VectorRow> rows) {
  ENGRAM_CHECK(!rows.empty());
  const size_t dimension = rows[0].vector.size();
  std::vector<Lsn> lsns;
  std::vector<uint32_t> id_ends;
  std::string ids;
  for (const VectorRow& row : rows) {
    lsns.push_back(row.lsn);
    ids.append(row.id.data(), row.id.size());
    id_ends.push_back(static_cast<uint32_t>(ids.size()));
  }
  flatbuffers::FlatBufferBuilder builder(rows.size() * dimension *
                                             sizeof(float) +
                                         ids.size() + rows.size() * 16 + 256);
  float* next = nullptr;
  const auto flat_rows =
      builder.CreateUninitializedVector(rows.size() * dimension, &next);
  for (const VectorRow& row : rows) {
    ENGRAM_CHECK(row.vector.size() == dimension);
    std::memcpy(next, row.vector.data(), dimension * sizeof(float));
    next += dimension;
  }
  const auto flat_lsns = builder.CreateVector(lsns);
  const auto flat_ends = builder.CreateVector(id_ends);
  const auto flat_ids = CreateBytes(ids, &builder);
  builder.Finish(fb::CreateVectorPart(
      builder, first_slot, static_cast<uint32_t>(rows.size()),
      static_cast<uint32_t>(dimension), flat_lsns, flat_ends, flat_ids,
      flat_rows));
  return Wrap({ValueKind::kVectorPart, space_id, generation}, builder);
}

absl::StatusOr<VectorPart> DecodeVectorPart(uint64_t space_id,
                                            uint32_t dimension,
                                            const PartReference& reference,
                                            absl::string_view value) {
  ENGRAM_ASSIGN_OR_RETURN(
      UnwrappedValue unwrapped,
      UnwrapValue({ValueKind::kVectorPart, space_id, reference.generation},
                  value, kPartBytesMax));
  if (EnvelopeCrc(value) != reference.crc) {
    return Malformed("is not the one that the head lists");
  }
  const auto* flat = VerifiedRoot<fb::VectorPart>(unwrapped);
  if (flat == nullptr) return Malformed("malformed");
  const uint32_t count = flat->count();
  if (flat->first_slot() != reference.first_slot || count != reference.count ||
      flat->dimension() != dimension) {
    return Malformed("first slot, count or dimension differs from the head's");
  }
  if (!IsAligned(flat->lsns(), alignof(Lsn))) return Malformed("misaligned");
  if (flat->lsns() == nullptr || flat->lsns()->size() != count ||
      flat->id_ends() == nullptr || flat->id_ends()->size() != count ||
      flat->ids() == nullptr || flat->rows() == nullptr ||
      flat->rows()->size() != uint64_t{count} * dimension) {
    return Malformed("an array has the wrong size");
  }
  VectorPart part;
  part.first_slot = flat->first_slot();
  part.dimension = dimension;
  ENGRAM_ASSIGN_OR_RETURN(part.ids, ReadIds(*flat, count));
  part.lsns.assign(flat->lsns()->begin(), flat->lsns()->end());
  part.rows = absl::MakeConstSpan(flat->rows()->data(), flat->rows()->size());
  if (!AreFinite(part.rows)) return Malformed("a component is no number");
  part.value = std::move(unwrapped);
  return part;
}

absl::StatusOr<VectorPart> DecodeUnlistedVectorPart(uint64_t space_id,
                                                    uint32_t dimension,
                                                    absl::string_view key,
                                                    absl::string_view value) {
  const VectorPartPlace place = PlaceOfVectorPart(key);
  ENGRAM_ASSIGN_OR_RETURN(
      const UnwrappedValue unwrapped,
      UnwrapValue({ValueKind::kVectorPart, space_id, place.generation}, value,
                  kPartBytesMax));
  const auto* flat = VerifiedRoot<fb::VectorPart>(unwrapped);
  if (flat == nullptr) return Malformed("malformed");
  if (dimension == kAnyDimension) dimension = flat->dimension();
  if (dimension == 0 || dimension > kDimensionMax) {
    return Malformed(absl::StrCat("dimension ", dimension,
                                  ", allowed are 1 to ", kDimensionMax));
  }
  return DecodeVectorPart(space_id, dimension,
                          {place.generation, place.segment, flat->first_slot(),
                           flat->count(), EnvelopeCrc(value)},
                          value);
}

}  // namespace engram::schema
