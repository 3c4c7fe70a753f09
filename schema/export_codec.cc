#include "schema/export_codec.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "schema/limits.h"
#include "storage/base/check.h"
#include "storage/base/crc32c.h"
#include "storage/base/status_macros.h"

namespace engram::schema {
namespace {

constexpr size_t kAlignment = 8;

template <typename T>
void Append(const T& value, std::string* bytes) {
  bytes->append(reinterpret_cast<const char*>(&value), sizeof(value));
}

template <typename T>
bool Cut(absl::string_view* bytes, T* value) {
  if (bytes->size() < sizeof(*value)) return false;
  std::memcpy(value, bytes->data(), sizeof(*value));
  bytes->remove_prefix(sizeof(*value));
  return true;
}

// Cuts `size` bytes off.
bool Cut(absl::string_view* bytes, size_t size, absl::string_view* taken) {
  if (bytes->size() < size) return false;
  *taken = bytes->substr(0, size);
  bytes->remove_prefix(size);
  return true;
}

// Cuts off zeros up to the next multiple of kAlignment in `body`.
bool CutPadding(absl::string_view body, absl::string_view* bytes) {
  const size_t done = body.size() - bytes->size();
  absl::string_view padding;
  return Cut(bytes, RoundUp(done, kAlignment) - done, &padding) &&
         std::all_of(padding.begin(), padding.end(),
                     [](char c) { return c == '\0'; });
}

void Pad(std::string* body) {
  body->resize(RoundUp(body->size(), kAlignment), '\0');
}

uint32_t FrameCrc(absl::string_view header, absl::string_view body) {
  constexpr size_t kBehindCrc = sizeof(ExportFrameHeader::crc);
  const uint32_t crc =
      ExtendCrc32c(0, header.data() + kBehindCrc, header.size() - kBehindCrc);
  return ExtendCrc32c(crc, body.data(), body.size());
}

}  // namespace

std::string EncodeExportPrologue() {
  ExportPrologue prologue = {kExportMagic, kExportVersion, 0};
  prologue.crc = Crc32c(&prologue, offsetof(ExportPrologue, crc));
  std::string bytes;
  Append(prologue, &bytes);
  return bytes;
}

std::string EncodeExportFrame(ExportKind kind, uint64_t sequence,
                              absl::string_view body) {
  ENGRAM_CHECK(!body.empty() && body.size() <= kExportBodyBytesMax);
  ExportFrameHeader header = {};
  header.kind = static_cast<uint32_t>(kind);
  header.body_bytes = static_cast<uint32_t>(body.size());
  header.sequence = sequence;
  std::string bytes;
  Append(header, &bytes);
  header.crc = FrameCrc(bytes, body);
  std::memcpy(bytes.data(), &header.crc, sizeof(header.crc));
  absl::StrAppend(&bytes, body);
  return bytes;
}

std::string EncodeExportSpace(const DatabaseId& database_id,
                              const SpaceDescription& space) {
  std::string body;
  Append(ExportSpaceBody{database_id}, &body);
  absl::StrAppend(&body, EncodeSpaceDescription(space));
  return body;
}

std::string EncodeExportTrailer(const ExportTrailer& trailer) {
  std::string body;
  Append(trailer, &body);
  return body;
}

void AppendExportObservation(const ExportObservation& observation,
                             std::string* body) {
  ExportedObservation fixed = {};
  fixed.payload_bytes = static_cast<uint32_t>(observation.payload.size());
  fixed.id_bytes = static_cast<uint16_t>(observation.id.size());
  fixed.timestamp_us = observation.timestamp_us;
  fixed.lsn = observation.lsn;
  Append(fixed, body);
  body->append(reinterpret_cast<const char*>(observation.vector.data()),
               observation.vector.size() * sizeof(float));
  absl::StrAppend(body, observation.id, observation.payload);
  Pad(body);
}

void AppendExportRemoval(absl::string_view id, std::string* body) {
  ExportedRemoval fixed = {};
  fixed.id_bytes = static_cast<uint16_t>(id.size());
  Append(fixed, body);
  absl::StrAppend(body, id);
  Pad(body);
}

absl::Status CheckExportPrologue(absl::string_view bytes) {
  ExportPrologue prologue = {};
  if (bytes.size() != sizeof(prologue) || !Cut(&bytes, &prologue) ||
      prologue.magic != kExportMagic) {
    return absl::DataLossError("is no export of a space");
  }
  if (prologue.crc != Crc32c(&prologue, offsetof(ExportPrologue, crc))) {
    return absl::DataLossError("its first 16 bytes are damaged");
  }
  if (prologue.version > kExportVersion) {
    return absl::UnimplementedError(absl::StrCat(
        "export version ", prologue.version,
        " is newer than the newest this build reads, ", kExportVersion));
  }
  if (prologue.version == 0) return absl::DataLossError("export version 0");
  return absl::OkStatus();
}

absl::Status ExportParser::Damaged(absl::string_view what) const {
  return absl::DataLossError(absl::StrCat("frame ", frames_, ": ", what));
}

absl::StatusOr<size_t> ExportParser::BodyBytes(absl::string_view bytes) const {
  if (complete_) return Damaged("stands behind the trailer");
  ExportFrameHeader header = {};
  if (bytes.size() != sizeof(header)) {
    return Damaged("is cut off: there is no trailer");
  }
  Cut(&bytes, &header);
  if (header.body_bytes == 0 || header.body_bytes > kExportBodyBytesMax) {
    return Damaged(absl::StrCat("its body has ", header.body_bytes,
                                " bytes, allowed are 1 to ",
                                kExportBodyBytesMax));
  }
  if (header.sequence != frames_) {
    return Damaged(absl::StrCat("says that it is number ", header.sequence));
  }
  return size_t{header.body_bytes};
}

absl::Status ExportParser::Take(absl::string_view header_bytes,
                                absl::string_view body, Visitor visit) {
  ENGRAM_ASSIGN_OR_RETURN(const size_t body_bytes, BodyBytes(header_bytes));
  if (body.size() != body_bytes) return Damaged("is cut off");
  ExportFrameHeader header = {};
  std::memcpy(&header, header_bytes.data(), sizeof(header));
  if (header.crc != FrameCrc(header_bytes, body)) {
    return Damaged("wrong checksum");
  }
  const auto kind = static_cast<ExportKind>(header.kind);
  if (header.reserved != 0) return Damaged("reserved bytes are not 0");
  if ((frames_ == 0) != (kind == ExportKind::kSpace)) {
    return Damaged(absl::StrCat("is of kind ", header.kind,
                                ", which does not belong here"));
  }
  absl::Status status;
  switch (kind) {
    case ExportKind::kSpace:
      status = TakeSpace(body);
      break;
    case ExportKind::kObservations:
      status = TakeObservations(body, visit);
      break;
    case ExportKind::kRemovals:
      status = TakeRemovals(body, visit);
      break;
    case ExportKind::kTrailer:
      status = TakeTrailer(body);
      break;
    default:
      status = Damaged(absl::StrCat("unknown kind ", header.kind));
  }
  if (status.ok()) ++frames_;
  return status;
}

absl::Status ExportParser::TakeSpace(absl::string_view body) {
  ExportSpaceBody fixed = {};
  if (!Cut(&body, &fixed)) return Damaged("is too short");
  database_id_ = fixed.database_id;
  absl::StatusOr<SpaceDescription> space = DecodeSpaceDescription(body);
  if (!space.ok()) return Damaged(space.status().message());
  space_ = *std::move(space);
  return absl::OkStatus();
}

absl::Status ExportParser::TakeObservations(absl::string_view body,
                                            Visitor visit) {
  vector_.resize(space_.dimension);
  for (absl::string_view rest = body; !rest.empty();) {
    ExportedObservation fixed = {};
    ExportObservation observation;
    absl::string_view vector;
    if (!Cut(&rest, &fixed) ||
        !Cut(&rest, vector_.size() * sizeof(float), &vector) ||
        !Cut(&rest, fixed.id_bytes, &observation.id) ||
        !Cut(&rest, fixed.payload_bytes, &observation.payload) ||
        !CutPadding(body, &rest)) {
      return Damaged("an observation does not fit");
    }
    if (fixed.reserved != 0 || fixed.id_bytes == 0 ||
        fixed.id_bytes > kIdBytesMax ||
        fixed.payload_bytes > kPayloadBytesMax || fixed.lsn == 0 ||
        fixed.lsn > kWalNumberMax) {
      return Damaged("an observation has a field that is out of range");
    }
    std::memcpy(vector_.data(), vector.data(), vector.size());
    for (const float component : vector_) {
      if (!std::isfinite(component)) {
        return Damaged("a vector has a component that is not finite");
      }
    }
    observation.vector = vector_;
    observation.timestamp_us = fixed.timestamp_us;
    observation.lsn = fixed.lsn;
    ++observations_;
    ENGRAM_RETURN_IF_ERROR(visit(observation));
  }
  return absl::OkStatus();
}

absl::Status ExportParser::TakeRemovals(absl::string_view body, Visitor visit) {
  for (absl::string_view rest = body; !rest.empty();) {
    ExportedRemoval fixed = {};
    ExportObservation removal;
    if (!Cut(&rest, &fixed) || !Cut(&rest, fixed.id_bytes, &removal.id) ||
        !CutPadding(body, &rest)) {
      return Damaged("a removal does not fit");
    }
    if (fixed.reserved != 0 || fixed.reserved2 != 0 || fixed.id_bytes == 0 ||
        fixed.id_bytes > kIdBytesMax) {
      return Damaged("a removal has a field that is out of range");
    }
    ++removals_;
    ENGRAM_RETURN_IF_ERROR(visit(removal));
  }
  return absl::OkStatus();
}

absl::Status ExportParser::TakeTrailer(absl::string_view body) {
  ExportTrailer trailer = {};
  if (body.size() != sizeof(trailer)) return Damaged("has another size");
  Cut(&body, &trailer);
  if (trailer.observations != observations_ || trailer.removals != removals_ ||
      trailer.live > observations_ || trailer.lsn > kWalNumberMax) {
    return Damaged(absl::StrCat("the trailer counts ", trailer.observations,
                                " observations and ", trailer.removals,
                                " removals, the file has ", observations_,
                                " and ", removals_));
  }
  trailer_ = trailer;
  complete_ = true;
  return absl::OkStatus();
}

}  // namespace engram::schema
