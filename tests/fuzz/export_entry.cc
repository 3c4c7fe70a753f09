#include <cmath>
#include <cstring>
#include <string>

#include "schema/export_codec.h"
#include "schema/limits.h"
#include "storage/base/check.h"
#include "storage/base/crc32c.h"
#include "tests/fuzz/entries.h"

namespace engram::fuzz {
namespace {

using schema::ExportFrameHeader;
using schema::ExportPrologue;

// Makes the checksums right, as far as there are whole frames.
void FixChecksums(std::string* file) {
  ExportPrologue prologue;
  if (file->size() < sizeof(prologue)) return;
  std::memcpy(&prologue, file->data(), sizeof(prologue));
  prologue.crc = Crc32c(&prologue, offsetof(ExportPrologue, crc));
  std::memcpy(file->data(), &prologue, sizeof(prologue));
  ExportFrameHeader header;
  for (size_t at = sizeof(prologue); at + sizeof(header) <= file->size();) {
    std::memcpy(&header, file->data() + at, sizeof(header));
    const size_t bytes = sizeof(header) + header.body_bytes;
    if (bytes > file->size() - at) return;
    header.crc = Crc32c(file->data() + at + sizeof(header.crc),
                        bytes - sizeof(header.crc));
    std::memcpy(file->data() + at, &header.crc, sizeof(header.crc));
    at += bytes;
  }
}

}  // namespace

bool Export(absl::string_view input) {
  if (input.empty()) return false;
  std::string file(input.substr(1));
  if ((static_cast<unsigned char>(input[0]) & kFixChecksums) != 0) {
    FixChecksums(&file);
  }
  absl::string_view rest = file;
  const auto cut = [&rest](size_t size) {
    const absl::string_view taken = rest.substr(0, size);
    rest.remove_prefix(taken.size());
    return taken;
  };
  if (!schema::CheckExportPrologue(cut(sizeof(ExportPrologue))).ok()) {
    return false;
  }
  schema::ExportParser parser;
  uint64_t observations = 0;
  while (!rest.empty()) {
    const absl::string_view header = cut(sizeof(ExportFrameHeader));
    const auto bytes = parser.BodyBytes(header);
    if (!bytes.ok()) return false;
    ENGRAM_CHECK(*bytes <= schema::kExportBodyBytesMax);
    const absl::Status status = parser.Take(
        header, cut(*bytes), [&](const schema::ExportObservation& seen) {
          ENGRAM_CHECK(!seen.id.empty() &&
                       seen.id.size() <= schema::kIdBytesMax);
          ENGRAM_CHECK(seen.payload.size() <= schema::kPayloadBytesMax);
          if (seen.lsn == 0) {
            ENGRAM_CHECK(seen.vector.empty());
            return absl::OkStatus();
          }
          ++observations;
          ENGRAM_CHECK(seen.vector.size() == parser.space().dimension);
          for (const float component : seen.vector) {
            ENGRAM_CHECK(std::isfinite(component));
          }
          return absl::OkStatus();
        });
    if (!status.ok()) return false;
    ENGRAM_CHECK(schema::CheckSpaceDescription(parser.space()).ok());
  }
  if (!parser.complete()) return false;
  ENGRAM_CHECK(parser.trailer().observations == observations);
  ENGRAM_CHECK(parser.trailer().live <= observations);
  return true;
}

}  // namespace engram::fuzz
