// A space made of what ExportSpace() wrote.

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "engine/db/db_impl.h"
#include "engram/db.h"
#include "schema/export_codec.h"
#include "schema/vector_check.h"
#include "storage/base/status_macros.h"
#include "storage/io/sequential_file.h"

namespace engram {
namespace {

// Fits into the smallest segment of a log.
constexpr size_t kBatchBytes = size_t{64} << 10;

// The space is filled as fast as it is indexed.
constexpr absl::Duration kRoomTimeout = absl::Minutes(10);

absl::Status InFile(const std::string& path, const absl::Status& status) {
  return absl::Status(status.code(),
                      absl::StrCat(path, ": ", status.message()));
}

// Reads the whole file. Calls `on_space` when it is known what the space is.
absl::StatusOr<schema::ExportTrailer> ReadExport(
    const std::string& path,
    absl::FunctionRef<absl::Status(const schema::SpaceDescription&)> on_space,
    schema::ExportParser::Visitor visit) {
  ENGRAM_ASSIGN_OR_RETURN(io::SequentialReader file,
                          io::SequentialReader::Open(path));
  std::string prologue(sizeof(schema::ExportPrologue), '\0');
  ENGRAM_ASSIGN_OR_RETURN(
      size_t read, file.Read(absl::MakeSpan(&prologue[0], prologue.size())));
  prologue.resize(read);
  absl::Status status = schema::CheckExportPrologue(prologue);
  if (!status.ok()) return InFile(path, status);
  schema::ExportParser parser;
  std::string body;
  for (bool first = true;; first = false) {
    std::string header(sizeof(schema::ExportFrameHeader), '\0');
    ENGRAM_ASSIGN_OR_RETURN(
        read, file.Read(absl::MakeSpan(&header[0], header.size())));
    if (read == 0 && parser.complete()) return parser.trailer();
    header.resize(read);
    const absl::StatusOr<size_t> bytes = parser.BodyBytes(header);
    if (!bytes.ok()) return InFile(path, bytes.status());
    body.resize(*bytes);
    ENGRAM_ASSIGN_OR_RETURN(read,
                            file.Read(absl::MakeSpan(&body[0], body.size())));
    body.resize(read);
    status = parser.Take(header, body, visit);
    if (!status.ok()) return InFile(path, status);
    if (first) ENGRAM_RETURN_IF_ERROR(on_space(parser.space()));
  }
}

SpaceOptions OptionsOf(const schema::SpaceDescription& description) {
  SpaceOptions options;
  options.dimension = description.dimension;
  options.metric = static_cast<Metric>(description.metric);
  options.M = description.M;
  options.ef_construction = description.ef_construction;
  options.quantization = static_cast<Quantization>(description.quantization);
  options.stored = static_cast<Stored>(description.stored);
  return options;
}

// What ImportSpace() would create, once everything in the file is known to be
// in order.
absl::StatusOr<SpaceOptions> CheckExport(const std::string& path) {
  schema::SpaceDescription description;
  ENGRAM_RETURN_IF_ERROR(
      ReadExport(
          path,
          [&description](const schema::SpaceDescription& space) {
            description = space;
            return absl::OkStatus();
          },
          [&description](const schema::ExportObservation& observation) {
            if (observation.lsn == 0) return absl::OkStatus();  // a removal
            const absl::Status status =
                schema::CheckVector(description, observation.vector);
            return status.ok() ? status : absl::DataLossError(status.message());
          })
          .status());
  return OptionsOf(description);
}

}  // namespace

absl::Status Db::FillSpace(const std::string& path, const Space& space) {
  WriteOptions options;
  options.admission_timeout = kRoomTimeout;
  // The last one is waited for.
  options.durability = Durability::kProcess;
  WriteBatch batch;
  Lsn last = 0;
  const auto write = [&]() -> absl::Status {
    if (batch.count() == 0) return absl::OkStatus();
    ENGRAM_ASSIGN_OR_RETURN(last, Write(batch, options));
    batch.Clear();
    return absl::OkStatus();
  };
  ENGRAM_ASSIGN_OR_RETURN(
      const schema::ExportTrailer trailer,
      ReadExport(
          path,
          [](const schema::SpaceDescription&) { return absl::OkStatus(); },
          [&](const schema::ExportObservation& record) -> absl::Status {
            const size_t bytes = record.vector.size() * sizeof(float) +
                                 record.id.size() + record.payload.size();
            if (batch.bytes() + bytes > kBatchBytes) {
              ENGRAM_RETURN_IF_ERROR(write());
            }
            if (record.lsn == 0) {
              batch.Remove(space, record.id);
            } else {
              batch.Observe(space, {record.id, record.vector, record.payload,
                                    record.timestamp_us});
            }
            return absl::OkStatus();
          }));
  ENGRAM_RETURN_IF_ERROR(write());
  ENGRAM_RETURN_IF_ERROR(Wait(last, Stage::kDurable, kRoomTimeout));
  ENGRAM_ASSIGN_OR_RETURN(const std::vector<std::string> ids, space.ListIds());
  if (ids.size() == trailer.live) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat(path, ": makes a space of ", ids.size(),
                   " observations, its trailer counts ", trailer.live));
}

absl::Status Db::ImportSpace(const std::string& path, absl::string_view name) {
  ENGRAM_ASSIGN_OR_RETURN(const SpaceOptions options, CheckExport(path));
  ENGRAM_ASSIGN_OR_RETURN(std::shared_ptr<space::SpaceState> state,
                          impl_->CreateSpace(name, options));
  const Space space(impl_, std::move(state));
  const absl::Status status = FillSpace(path, space);
  // Not if somebody else dropped it: the name may be another space's.
  if (!status.ok() && !absl::IsNotFound(space.ListIds().status())) {
    const absl::Status dropped = DropSpace(name);
    if (!dropped.ok()) {
      return absl::Status(
          status.code(),
          absl::StrCat(status.message(), "; and space \"", name,
                       "\" holds a part of it: ", dropped.message()));
    }
  }
  return status;
}

}  // namespace engram
