#include "schema/stats_page.h"

#include <cstring>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "storage/base/crc32c.h"

namespace engram::schema {
namespace {

constexpr size_t kPageCrcStart = offsetof(StatsPageHeader, pid);

}  // namespace

std::string EncodeStatsPage(const StatsPage& page) {
  StatsPageHeader header{};
  header.magic = kStatsMagic;
  header.version = kStatsVersion;
  header.pid = page.pid;
  header.unix_micros = page.unix_micros;
  header.text_bytes = page.text.size();
  std::string bytes(sizeof(header), '\0');
  std::memcpy(bytes.data(), &header, sizeof(header));
  bytes += page.text;
  header.crc =
      Crc32c(bytes.data() + kPageCrcStart, bytes.size() - kPageCrcStart);
  std::memcpy(bytes.data(), &header, sizeof(header));
  return bytes;
}

absl::StatusOr<StatsPage> DecodeStatsPage(absl::string_view bytes) {
  StatsPageHeader header;
  if (bytes.size() < sizeof(header)) {
    return absl::DataLossError("statistics: the page is too short");
  }
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (header.magic != kStatsMagic || header.version == 0) {
    return absl::DataLossError("statistics: wrong magic number or version");
  }
  if (header.version > kStatsVersion) {
    return absl::UnimplementedError(absl::StrCat(
        "statistics: version ", header.version,
        " is newer than the newest this build reads, ", kStatsVersion));
  }
  if (header.text_bytes > bytes.size() - sizeof(header)) {
    return absl::DataLossError(absl::StrCat("statistics: ", header.text_bytes,
                                            " bytes of text, the page has ",
                                            bytes.size()));
  }
  const size_t end = sizeof(header) + header.text_bytes;
  if (header.crc != Crc32c(bytes.data() + kPageCrcStart, end - kPageCrcStart)) {
    return absl::DataLossError("statistics: checksum mismatch");
  }
  return StatsPage{
      header.pid, header.unix_micros,
      std::string(bytes.substr(sizeof(header), header.text_bytes))};
}

}  // namespace engram::schema
