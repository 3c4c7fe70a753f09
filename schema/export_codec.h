// A space as one file: what Db::ExportSpace() writes and Db::ImportSpace()
// reads. docs/formats/export.md shows it byte by byte.
//
//   file  := ExportPrologue frame*
//   frame := ExportFrameHeader body
//
// The first frame describes the space, the last one counts what is in the
// others. All integers are little endian. The readers accept any bytes, and
// allocate nothing that those bytes ask for.

#ifndef ENGRAM_SCHEMA_EXPORT_CODEC_H_
#define ENGRAM_SCHEMA_EXPORT_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "schema/space_codec.h"
#include "schema/wal_layout.h"

namespace engram::schema {

inline constexpr uint32_t kExportVersion = 1;
inline constexpr uint64_t kExportMagic = 0x31505845'4d475245;  // "ERGMEXP1"

// Of a frame's body. The largest observation takes 1.3 MiB.
inline constexpr size_t kExportBodyBytesMax = size_t{4} << 20;

struct ExportPrologue {
  uint64_t magic;
  uint32_t version;
  uint32_t crc;  // crc32c of the 12 bytes before it
};
static_assert(sizeof(ExportPrologue) == 16);

enum class ExportKind : uint32_t {
  kSpace = 1,         // ExportSpaceBody, then a SpaceDescription
  kObservations = 2,  // ExportedObservation, ... each padded to 8 bytes
  kRemovals = 3,      // ExportedRemoval, ... each padded to 8 bytes
  kTrailer = 4,       // ExportTrailer; nothing follows
};

struct ExportFrameHeader {
  uint32_t crc;         // crc32c of everything behind it, the body too
  uint32_t kind;        // ExportKind
  uint32_t body_bytes;  // 1 .. kExportBodyBytesMax
  uint32_t reserved;    // 0
  uint64_t sequence;    // 0, 1, 2, ...
};
static_assert(sizeof(ExportFrameHeader) == 24);

struct ExportSpaceBody {
  DatabaseId database_id;  // where the space comes from
};
static_assert(sizeof(ExportSpaceBody) == 16);

// Followed by float vector[dimension], id, payload.
struct ExportedObservation {
  uint32_t payload_bytes;
  uint16_t id_bytes;
  uint16_t reserved;  // 0
  int64_t timestamp_us;
  uint64_t lsn;  // of the write, where the space comes from
};
static_assert(sizeof(ExportedObservation) == 24);

// An id that an earlier frame has, and that was removed while the file was
// written. Followed by the id.
struct ExportedRemoval {
  uint16_t id_bytes;
  uint16_t reserved;   // 0
  uint32_t reserved2;  // 0
};
static_assert(sizeof(ExportedRemoval) == 8);

struct ExportTrailer {
  uint64_t lsn;           // the space is as it was after this write
  uint64_t observations;  // in all frames
  uint64_t removals;      // in all frames
  uint64_t live;          // ids that are left when all frames are applied
};
static_assert(sizeof(ExportTrailer) == 32);

// --- Writing -----------------------------------------------------------------

std::string EncodeExportPrologue();

// A whole frame, header and body.
std::string EncodeExportFrame(ExportKind kind, uint64_t sequence,
                              absl::string_view body);

// Bodies; the latter two append to one.
std::string EncodeExportSpace(const DatabaseId& database_id,
                              const SpaceDescription& space);
std::string EncodeExportTrailer(const ExportTrailer& trailer);

struct ExportObservation {
  absl::string_view id;
  absl::Span<const float> vector;
  absl::string_view payload;
  int64_t timestamp_us = 0;
  Lsn lsn = 0;
};
void AppendExportObservation(const ExportObservation& observation,
                             std::string* body);
void AppendExportRemoval(absl::string_view id, std::string* body);

// --- Reading -----------------------------------------------------------------

// `bytes` are sizeof(ExportPrologue). DATA_LOSS, or UNIMPLEMENTED if it is
// intact and of a newer version.
absl::Status CheckExportPrologue(absl::string_view bytes);

// Takes the frames of a file one after the other and checks that each is intact
// and may stand where it does.
//
// Not thread-safe.
class ExportParser {
 public:
  // Called for each observation, and for each removal, whose `vector` is then
  // empty and `lsn` 0. What it is given lives until it returns. An error of
  // its own ends the frame, and is returned.
  using Visitor = absl::FunctionRef<absl::Status(const ExportObservation&)>;

  // `header` is what stands where a frame must begin. Returns how many bytes
  // its body has, at most kExportBodyBytesMax; no checksum has been compared.
  absl::StatusOr<size_t> BodyBytes(absl::string_view header) const;

  // The whole frame. DATA_LOSS says what is wrong with it; it may be found
  // after `visit` was called for what stands before it in the frame.
  absl::Status Take(absl::string_view header, absl::string_view body,
                    Visitor visit);

  // After the first frame.
  const DatabaseId& database_id() const { return database_id_; }
  const SpaceDescription& space() const { return space_; }

  // Whether the trailer was taken: the file is complete, and ends here.
  bool complete() const { return complete_; }
  const ExportTrailer& trailer() const { return trailer_; }

 private:
  absl::Status TakeSpace(absl::string_view body);
  absl::Status TakeObservations(absl::string_view body, Visitor visit);
  absl::Status TakeRemovals(absl::string_view body, Visitor visit);
  absl::Status TakeTrailer(absl::string_view body);
  absl::Status Damaged(absl::string_view what) const;

  uint64_t frames_ = 0;
  DatabaseId database_id_ = {};
  SpaceDescription space_;
  std::vector<float> vector_;  // aligned, of the observation that is visited
  uint64_t observations_ = 0;
  uint64_t removals_ = 0;
  bool complete_ = false;
  ExportTrailer trailer_ = {};
};

}  // namespace engram::schema

#endif  // ENGRAM_SCHEMA_EXPORT_CODEC_H_
