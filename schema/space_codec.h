// The catalog: which spaces there are, and the log record that makes one.

#ifndef ENGRAM_SCHEMA_SPACE_CODEC_H_
#define ENGRAM_SCHEMA_SPACE_CODEC_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "schema/metric.h"
#include "schema/quantization.h"
#include "schema/wal_layout.h"

namespace engram::schema {

// Of the heads and the catalog that this build writes; it reads 1 as well,
// where a head has no centre and removed rows are still nodes, and 2, where
// there are no producers. The catalog has the number too, so that an older
// build refuses the database as a whole.
inline constexpr uint32_t kCheckpointFormatVersion = 4;

// A space as it was created; nothing of it changes afterwards.
struct SpaceDescription {
  uint64_t id = 0;
  std::string name;
  uint32_t dimension = 0;
  Metric metric = Metric::kL2;
  uint32_t M = 16;
  uint32_t ef_construction = 100;
  uint64_t seed = 0;                                // of the nodes' layers
  Quantization quantization = Quantization::kAuto;  // as it was asked for
  Stored stored = Stored::kF32;

  friend bool operator==(const SpaceDescription&,
                         const SpaceDescription&) = default;
};

// OK if each field is in its range; else INVALID_ARGUMENT naming the value and
// the limit.
absl::Status CheckSpaceDescription(const SpaceDescription& space);

// The body of a create-space record. Decoding checks as well.
std::string EncodeSpaceDescription(const SpaceDescription& space);
absl::StatusOr<SpaceDescription> DecodeSpaceDescription(
    absl::string_view bytes);

struct CatalogEntry {
  SpaceDescription space;
  Lsn created_lsn = 0;
  // A name for PlaceOf(); empty until the first checkpoint.
  std::string family;
  bool dropped = false;  // only the family is left to be removed
};

std::string EncodeCatalogEntry(const CatalogEntry& entry);
absl::StatusOr<CatalogEntry> DecodeCatalogEntry(uint64_t space_id,
                                                absl::string_view value);

struct Catalog {
  Lsn catalog_lsn = 0;
  Lsn low_water_lsn = 0;
  uint64_t next_space_id = 1;
  uint64_t next_family = 1;
};

std::string EncodeCatalog(const Catalog& catalog);

// UNIMPLEMENTED if the catalog is of a newer version.
absl::StatusOr<Catalog> DecodeCatalog(absl::string_view value);

}  // namespace engram::schema

#endif  // ENGRAM_SCHEMA_SPACE_CODEC_H_
