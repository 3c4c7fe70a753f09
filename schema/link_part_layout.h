// The bytes of one node in a link part; docs/formats/checkpoint.md. Not for
// other folders.

#ifndef ENGRAM_SCHEMA_LINK_PART_LAYOUT_H_
#define ENGRAM_SCHEMA_LINK_PART_LAYOUT_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "schema/envelope.h"
#include "schema/limits.h"
#include "schema/part_codec.h"

namespace engram::schema {

inline constexpr uint8_t kLinkLayerMask = 0x1f;
inline constexpr uint8_t kLinkRemovedFlag = 0x20;
inline constexpr uint8_t kLinkNoLayersFlag = 0x40;
inline constexpr uint8_t kLinkTwinFlag = 0x80;  // with the one before, alone
static_assert(kLayerMax <= kLinkLayerMask);

inline absl::Status BadLinkNode(uint64_t row, absl::string_view what) {
  return absl::DataLossError(absl::StrCat("link part: node ", row, ": ", what));
}

// What the flags of a node must not say together.
absl::Status CheckLinkFlags(uint32_t row, uint8_t flags);

// The number of links that a node may have on a layer.
inline uint32_t LinkDegreeMax(uint32_t layer, uint32_t M) {
  return layer == 0 ? 2 * M : M;
}

// The part `value`, which is the one that `reference` names.
absl::StatusOr<UnwrappedValue> UnwrapLinkPart(uint64_t space_id,
                                              const PartReference& reference,
                                              absl::string_view value);

// Its nodes; DATA_LOSS if it is malformed or holds other rows than `reference`
// says.
absl::StatusOr<absl::string_view> LinkPartNodes(const PartReference& reference,
                                                const UnwrappedValue& value);

}  // namespace engram::schema

#endif  // ENGRAM_SCHEMA_LINK_PART_LAYOUT_H_
