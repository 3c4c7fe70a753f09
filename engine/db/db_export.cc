// A space written to one file.

#include <set>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "engine/db/db_impl.h"
#include "schema/export_codec.h"
#include "storage/base/status_macros.h"
#include "storage/io/sequential_file.h"

namespace engram::internal {
namespace {

using schema::ExportKind;

// A frame ends with the observation that makes it so large: a reader needs
// memory for one of them, and a checksum of 24 bytes is nothing beside it.
constexpr size_t kFrameBytes = size_t{256} << 10;

// Each round writes what changed while the one before was written, so that they
// get shorter quickly.
constexpr int kRoundsMax = 100;

// Frames, in order, to a file.
class FrameWriter {
 public:
  explicit FrameWriter(io::NewFile* file) : file_(*file) {}

  absl::Status Write(ExportKind kind, absl::string_view body) {
    return file_.Append(schema::EncodeExportFrame(kind, sequence_++, body));
  }

  // Writes `*body` if it has at least so many bytes, and empties it.
  absl::Status WriteFull(ExportKind kind, size_t bytes_min, std::string* body) {
    if (body->size() < bytes_min) return absl::OkStatus();
    const absl::Status status = Write(kind, *body);
    body->clear();
    return status;
  }

 private:
  io::NewFile& file_;
  uint64_t sequence_ = 0;
};

// Writes the versions that are current at one moment, although others replace
// them meanwhile: in rounds, of which the last one found all its versions in
// place.
class SpaceExport {
 public:
  SpaceExport(space::SpaceState& space, const kv::Store& store,
              const OperationGate& gate, io::NewFile* file)
      : space_(space), store_(store), gate_(gate), frames_(file) {}

  absl::Status Run(const schema::DatabaseId& database_id) {
    ENGRAM_RETURN_IF_ERROR(frames_.Write(
        ExportKind::kSpace,
        schema::EncodeExportSpace(database_id, space_.description())));
    bool complete = false;
    for (int round = 0; !complete; ++round) {
      if (space_.dropped_lsn() != 0) {
        return absl::NotFoundError(absl::StrCat("space \"", space_.name(),
                                                "\" was dropped meanwhile"));
      }
      if (round == kRoundsMax) {
        return absl::AbortedError(absl::StrCat(
            "space \"", space_.name(), "\" changed each of ", kRoundsMax,
            " times that what had changed was written"));
      }
      ENGRAM_RETURN_IF_ERROR(Round(&complete));
    }
    trailer_.live = written_.size();
    return frames_.Write(ExportKind::kTrailer,
                         schema::EncodeExportTrailer(trailer_));
  }

 private:
  // Writes what is not written yet. `*complete` if all that is written was
  // current at the same moment.
  absl::Status Round(bool* complete) {
    ENGRAM_ASSIGN_OR_RETURN(space::SpaceState::Versions versions,
                            space_.ListVersions(trailer_.lsn));
    size_t added = 0;
    for (const auto& version : versions.listed) {
      added += written_.count(version.id) == 0 ? 1 : 0;
    }
    if (written_.size() + added != versions.live) {
      // Ids are gone; what is left says which ones.
      ENGRAM_ASSIGN_OR_RETURN(versions, space_.ListVersions(0));
      ENGRAM_RETURN_IF_ERROR(WriteRemovals(versions));
    }
    *complete = true;
    std::string body;
    for (const auto& version : versions.listed) {
      ENGRAM_RETURN_IF_ERROR(WriteVersion(version, complete, &body));
    }
    // What was not in place has an LSN above this one, or is gone.
    trailer_.lsn = versions.lsn;
    return frames_.WriteFull(ExportKind::kObservations, 1, &body);
  }

  absl::Status WriteVersion(const space::SpaceState::Versions::Version& version,
                            bool* complete, std::string* body) {
    Lsn& written = written_[version.id];
    if (written == version.lsn) return absl::OkStatus();
    if (gate_.closed()) {
      return absl::FailedPreconditionError("the database was closed meanwhile");
    }
    const absl::StatusOr<StoredObservation> stored =
        space_.Get(version.id, &store_);
    if (absl::IsNotFound(stored.status()) ||
        (stored.ok() && stored->lsn != version.lsn)) {
      if (written == 0) written_.erase(version.id);
      *complete = false;
      return absl::OkStatus();
    }
    ENGRAM_RETURN_IF_ERROR(stored.status());
    written = version.lsn;
    schema::AppendExportObservation(
        {stored->id, stored->vector, stored->payload, stored->timestamp_us,
         stored->lsn},
        body);
    ++trailer_.observations;
    return frames_.WriteFull(ExportKind::kObservations, kFrameBytes, body);
  }

  absl::Status WriteRemovals(const space::SpaceState::Versions& versions) {
    std::set<absl::string_view> live;
    for (const auto& version : versions.listed) live.insert(version.id);
    std::set<std::string> gone;
    for (const auto& [id, lsn] : written_) {
      if (live.count(id) == 0) gone.insert(id);
    }
    std::string body;
    for (const std::string& id : gone) {
      written_.erase(id);
      schema::AppendExportRemoval(id, &body);
      ++trailer_.removals;
      ENGRAM_RETURN_IF_ERROR(
          frames_.WriteFull(ExportKind::kRemovals, kFrameBytes, &body));
    }
    return frames_.WriteFull(ExportKind::kRemovals, 1, &body);
  }

  space::SpaceState& space_;
  const kv::Store& store_;
  const OperationGate& gate_;
  FrameWriter frames_;
  absl::flat_hash_map<std::string, Lsn>
      written_;  // the last version of each id
  schema::ExportTrailer trailer_ = {};
};

}  // namespace

absl::Status DbImpl::ExportSpace(absl::string_view name,
                                 const std::string& path) {
  const Operation operation(gate_);
  ENGRAM_RETURN_IF_ERROR(CheckOpen(operation, nullptr));
  const SpacePtr space = registry_.FindByName(name).state;
  if (space == nullptr) {
    return absl::NotFoundError(
        absl::StrCat(path_, ": there is no space \"", name, "\""));
  }
  ENGRAM_ASSIGN_OR_RETURN(const auto file, io::NewFile::Create(path));
  ENGRAM_RETURN_IF_ERROR(file->Append(schema::EncodeExportPrologue()));
  ENGRAM_RETURN_IF_ERROR(
      SpaceExport(*space, *store_, gate_, file.get()).Run(files_.id));
  return file->Finish();
}

}  // namespace engram::internal
