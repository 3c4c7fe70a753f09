#include "schema/space_codec.h"

#include "absl/strings/str_cat.h"
#include "schema/flatbuffer_access.h"
#include "schema/key_layout.h"
#include "schema/limits.h"
#include "storage/base/status_macros.h"

namespace engram::schema {
namespace {

bool IsNameCharacter(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
         (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
}

absl::Status CheckName(absl::string_view name) {
  if (name.empty() || name.size() > kSpaceNameBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("space name has ", name.size(),
                     " bytes, allowed are 1 to ", kSpaceNameBytesMax));
  }
  for (const char c : name) {
    if (!IsNameCharacter(c)) {
      return absl::InvalidArgumentError(
          absl::StrCat("space name \"", name,
                       "\": allowed characters are A-Z a-z 0-9 _ . -"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckCodes(const SpaceDescription& space, absl::string_view who) {
  if (static_cast<uint8_t>(space.quantization) > kQuantizationLast) {
    return absl::InvalidArgumentError(absl::StrCat(
        who, "quantization is ", static_cast<int>(space.quantization),
        ", allowed are 0 to ", kQuantizationLast));
  }
  if (static_cast<uint8_t>(space.stored) > kStoredLast) {
    return absl::InvalidArgumentError(
        absl::StrCat(who, "stored is ", static_cast<int>(space.stored),
                     ", allowed are 0 to ", kStoredLast));
  }
  const Quantization resolved =
      ResolveQuantization(space.quantization, space.metric, space.dimension);
  if (space.stored != Stored::kNone || resolved != Quantization::kNone) {
    return absl::OkStatus();
  }
  const std::string because =
      space.quantization == Quantization::kAuto
          ? absl::StrCat(", which is none at dimension ", space.dimension)
          : "";
  return absl::InvalidArgumentError(absl::StrCat(
      who, "stored is none and quantization is ",
      QuantizationName(space.quantization), because,
      ": nothing would be left of a vector, allowed is one of the two"));
}

}  // namespace

absl::Status CheckSpaceDescription(const SpaceDescription& space) {
  ENGRAM_RETURN_IF_ERROR(CheckName(space.name));
  const std::string who = absl::StrCat("space \"", space.name, "\": ");
  if (space.dimension == 0 || space.dimension > kDimensionMax) {
    return absl::InvalidArgumentError(
        absl::StrCat(who, "dimension is ", space.dimension,
                     ", allowed are 1 to ", kDimensionMax));
  }
  if (static_cast<uint8_t>(space.metric) > kMetricLast) {
    return absl::InvalidArgumentError(
        absl::StrCat(who, "metric is ", static_cast<int>(space.metric),
                     ", allowed are 0 to ", kMetricLast));
  }
  if (space.M < kMMin || space.M > kMMax) {
    return absl::InvalidArgumentError(absl::StrCat(
        who, "M is ", space.M, ", allowed are ", kMMin, " to ", kMMax));
  }
  if (space.ef_construction < space.M ||
      space.ef_construction > kEfConstructionMax) {
    return absl::InvalidArgumentError(absl::StrCat(
        who, "ef_construction is ", space.ef_construction,
        ", allowed are M = ", space.M, " to ", kEfConstructionMax));
  }
  return CheckCodes(space, who);
}

flatbuffers::Offset<fb::SpaceDescription> CreateDescription(
    const SpaceDescription& space, flatbuffers::FlatBufferBuilder* builder) {
  return fb::CreateSpaceDescription(
      *builder, space.id,
      builder->CreateString(space.name.data(), space.name.size()),
      space.dimension, static_cast<uint8_t>(space.metric), space.M,
      space.ef_construction, space.seed,
      static_cast<uint8_t>(space.quantization),
      static_cast<uint8_t>(space.stored));
}

absl::StatusOr<SpaceDescription> ReadDescription(
    const fb::SpaceDescription* flat) {
  if (flat == nullptr) return absl::DataLossError("description is missing");
  SpaceDescription space;
  space.id = flat->id();
  space.name = std::string(ToView(flat->name()));
  space.dimension = flat->dimension();
  space.metric = static_cast<Metric>(flat->metric());
  space.M = flat->m();
  space.ef_construction = flat->ef_construction();
  space.seed = flat->seed();
  space.quantization = static_cast<Quantization>(flat->quantization());
  space.stored = static_cast<Stored>(flat->stored());
  if (const absl::Status status = CheckSpaceDescription(space); !status.ok()) {
    return absl::DataLossError(status.message());
  }
  if (space.id == 0 || space.id > kSpaceIdMax) {
    return absl::DataLossError(
        absl::StrCat("description: space id is ", space.id));
  }
  return space;
}

std::string EncodeSpaceDescription(const SpaceDescription& space) {
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(CreateDescription(space, &builder));
  return std::string(reinterpret_cast<const char*>(builder.GetBufferPointer()),
                     builder.GetSize());
}

absl::StatusOr<SpaceDescription> DecodeSpaceDescription(
    absl::string_view bytes) {
  const UnwrappedValue aligned(bytes, 0);
  const auto* flat = VerifiedRoot<fb::SpaceDescription>(aligned);
  if (flat == nullptr) {
    return absl::DataLossError("space description: malformed");
  }
  return ReadDescription(flat);
}

std::string EncodeCatalogEntry(const CatalogEntry& entry) {
  flatbuffers::FlatBufferBuilder builder;
  const auto space = CreateDescription(entry.space, &builder);
  const auto family =
      builder.CreateString(entry.family.data(), entry.family.size());
  builder.Finish(fb::CreateCatalogEntry(builder, space, entry.created_lsn,
                                        family, entry.dropped));
  return Wrap({ValueKind::kCatalogEntry, entry.space.id, 0}, builder);
}

absl::StatusOr<CatalogEntry> DecodeCatalogEntry(uint64_t space_id,
                                                absl::string_view value) {
  ENGRAM_ASSIGN_OR_RETURN(const UnwrappedValue unwrapped,
                          UnwrapValue({ValueKind::kCatalogEntry, space_id, 0},
                                      value, kPartBytesMax));
  const auto* flat = VerifiedRoot<fb::CatalogEntry>(unwrapped);
  if (flat == nullptr) return absl::DataLossError("catalog entry: malformed");
  CatalogEntry entry;
  ENGRAM_ASSIGN_OR_RETURN(entry.space, ReadDescription(flat->space()));
  entry.created_lsn = flat->created_lsn();
  entry.family = std::string(ToView(flat->family()));
  entry.dropped = flat->dropped();
  if (entry.space.id != space_id) {
    return absl::DataLossError(absl::StrCat(
        "catalog entry ", space_id, " describes space ", entry.space.id));
  }
  const FamilyPlace place = PlaceOf(entry.family);
  if (!entry.family.empty() &&
      (FamilyNumber(place.family) == 0 ||
       (place.member != 0 && place.member != space_id))) {
    return absl::DataLossError(
        absl::StrCat("catalog entry ", space_id, ": impossible family name"));
  }
  return entry;
}

std::string EncodeCatalog(const Catalog& catalog) {
  flatbuffers::FlatBufferBuilder builder;
  builder.Finish(fb::CreateCatalog(builder, kCheckpointFormatVersion,
                                   catalog.catalog_lsn, catalog.low_water_lsn,
                                   catalog.next_space_id, catalog.next_family));
  return Wrap({ValueKind::kCatalog, 0, 0}, builder);
}

absl::StatusOr<Catalog> DecodeCatalog(absl::string_view value) {
  ENGRAM_ASSIGN_OR_RETURN(
      const UnwrappedValue unwrapped,
      UnwrapValue({ValueKind::kCatalog, 0, 0}, value, kPartBytesMax));
  const auto* flat = VerifiedRoot<fb::Catalog>(unwrapped);
  if (flat == nullptr) return absl::DataLossError("catalog: malformed");
  if (flat->format_version() > kCheckpointFormatVersion) {
    return absl::UnimplementedError(
        absl::StrCat("checkpoint format version ", flat->format_version(),
                     " is newer than the newest this build reads, ",
                     kCheckpointFormatVersion));
  }
  Catalog catalog;
  catalog.catalog_lsn = flat->catalog_lsn();
  catalog.low_water_lsn = flat->low_water_lsn();
  catalog.next_space_id = flat->next_space_id();
  catalog.next_family = flat->next_family();
  if (flat->format_version() == 0 || catalog.next_space_id == 0 ||
      catalog.next_family == 0 || catalog.next_space_id > kSpaceIdMax + 1 ||
      catalog.catalog_lsn > kWalNumberMax ||
      catalog.low_water_lsn > catalog.catalog_lsn) {
    return absl::DataLossError("catalog: a field is out of range");
  }
  return catalog;
}

}  // namespace engram::schema
