// What the owner of a database publishes of itself while it has it open, in the
// file STATS: overwritten in place about once a second, and gone when the
// database is closed.
//
//   page := StatsPageHeader text
//
// All integers are little endian. What stands behind the text is left over. A
// reader that finds a wrong checksum has met the owner writing, and reads
// again.

#ifndef ENGRAM_SCHEMA_STATS_PAGE_H_
#define ENGRAM_SCHEMA_STATS_PAGE_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace engram::schema {

inline constexpr char kStatsFileName[] = "STATS";
// Beside it: the pid, as text, of the process that owns the database or did
// last. A page of another process is left from one that was killed.
inline constexpr absl::string_view kOwnerFileName = "OWNER";
inline constexpr uint64_t kStatsMagic = 0x31415453'4d475245;  // "ERGMSTA1"
inline constexpr uint32_t kStatsVersion = 1;

// Ten thousand spaces take a fourth.
inline constexpr size_t kStatsPageBytesMax = size_t{128} << 20;

struct StatsPageHeader {
  uint64_t magic;
  uint32_t version;
  uint32_t crc;  // crc32c of what follows, to the end of the text
  int64_t pid;
  int64_t unix_micros;  // when the text was made
  uint64_t text_bytes;
};
static_assert(sizeof(StatsPageHeader) == 40);

struct StatsPage {
  int64_t pid = 0;
  int64_t unix_micros = 0;
  std::string text;  // in the text format of Prometheus
};

std::string EncodeStatsPage(const StatsPage& page);

// `bytes` is all of the file, or its first kStatsPageBytesMax. DATA_LOSS if it
// holds no page, or a part of one; UNIMPLEMENTED if that is of a newer version.
absl::StatusOr<StatsPage> DecodeStatsPage(absl::string_view bytes);

}  // namespace engram::schema

#endif  // ENGRAM_SCHEMA_STATS_PAGE_H_
