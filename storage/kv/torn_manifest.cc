#include "storage/kv/torn_manifest.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "rocksdb/env.h"
#include "storage/base/crc32c.h"
#include "storage/kv/rocksdb_options.h"

namespace engram::kv {
namespace {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

// What disks write in one piece, at least.
constexpr uint64_t kSectorBytes = 512;

// RocksDB's log format.
constexpr uint64_t kLogBlockBytes = uint64_t{32} << 10;
constexpr uint64_t kHeaderBytes = 7;
constexpr uint64_t kLengthOffset = 4;
constexpr uint64_t kTypeOffset = 6;
constexpr uint8_t kFull = 1;
constexpr uint8_t kFirst = 2;
constexpr uint8_t kLast = 4;

// A piece of a change.
struct Fragment {
  uint64_t end = 0;
  uint8_t type = 0;

  bool begins() const { return type == kFull || type == kFirst; }
  bool ends() const { return type == kFull || type == kLast; }
};

uint64_t NextBlock(uint64_t offset) {
  return (offset / kLogBlockBytes + 1) * kLogBlockBytes;
}

// RocksDB stores no checksum as it is: it could be one of bytes that hold it.
uint32_t Mask(uint32_t crc) {
  constexpr uint32_t kMaskDelta = 0xa282ead8;
  return ((crc >> 15) | (crc << 17)) + kMaskDelta;
}

uint64_t NumberAt(absl::string_view bytes, uint64_t offset, size_t count) {
  uint64_t number = 0;
  for (size_t i = count; i-- > 0;) {
    number = number << 8 | static_cast<uint8_t>(bytes[offset + i]);
  }
  return number;
}

// The one whose header is at `offset`, intact or not, if there is one.
std::optional<Fragment> HeaderAt(absl::string_view manifest, uint64_t offset) {
  const uint64_t room =
      std::min<uint64_t>(NextBlock(offset), manifest.size()) - offset;
  if (room < kHeaderBytes) return std::nullopt;
  const uint64_t type = NumberAt(manifest, offset + kTypeOffset, 1);
  const uint64_t bytes = NumberAt(manifest, offset + kLengthOffset, 2);
  if (type < kFull || type > kLast || kHeaderBytes + bytes > room) {
    return std::nullopt;
  }
  return Fragment{offset + kHeaderBytes + bytes, static_cast<uint8_t>(type)};
}

// The intact one at `offset`, if there is one.
std::optional<Fragment> FragmentAt(absl::string_view manifest,
                                   uint64_t offset) {
  const std::optional<Fragment> fragment = HeaderAt(manifest, offset);
  if (!fragment.has_value()) return std::nullopt;
  const uint32_t crc =
      Crc32c(manifest.data() + offset + kTypeOffset,
             static_cast<size_t>(fragment->end - offset - kTypeOffset));
  if (Mask(crc) != NumberAt(manifest, offset, sizeof(crc))) return std::nullopt;
  return fragment;
}

// How far the intact changes reach, and where what follows them is not intact;
// the file's size if all is.
struct IntactPart {
  uint64_t changes_end = 0;
  uint64_t bad_offset = 0;
};

IntactPart FindIntactPart(absl::string_view manifest) {
  IntactPart intact;
  bool within_change = false;
  uint64_t offset = 0;
  while (offset < manifest.size()) {
    if (NextBlock(offset) - offset < kHeaderBytes) {
      offset = NextBlock(offset);
      continue;
    }
    const std::optional<Fragment> fragment = FragmentAt(manifest, offset);
    if (!fragment.has_value() || fragment->begins() == within_change) break;
    offset = fragment->end;
    within_change = !fragment->ends();
    if (!within_change) intact.changes_end = offset;
  }
  intact.bad_offset = std::min<uint64_t>(offset, manifest.size());
  return intact;
}

// Whether a sector from `offset` on is lost, or the rest of the one there.
bool HasLostSector(absl::string_view manifest, uint64_t offset) {
  while (offset < manifest.size()) {
    const uint64_t end = (offset / kSectorBytes + 1) * kSectorBytes;
    const absl::string_view sector = manifest.substr(offset, end - offset);
    if (sector.find_first_not_of('\0') == absl::string_view::npos) return true;
    offset = end;
  }
  return false;
}

// Whether what begins at `offset` is not the last change: its header, which may
// be all that is left of it, says that it ends before the file does, or there
// is an intact fragment behind it that begins a change or does not end the
// file.
bool IsFollowed(absl::string_view manifest, uint64_t offset) {
  const std::optional<Fragment> header = HeaderAt(manifest, offset);
  if (header.has_value() && header->ends() && header->end != manifest.size()) {
    return true;
  }
  for (; offset < manifest.size(); ++offset) {
    const std::optional<Fragment> fragment = FragmentAt(manifest, offset);
    if (!fragment.has_value()) continue;
    if (fragment->begins()) return true;
    if (fragment->ends() && fragment->end != manifest.size()) return true;
  }
  return false;
}

// Ends where the other file would go on.
class ShortenedFile final : public rocksdb::FSSequentialFileOwnerWrapper {
 public:
  ShortenedFile(std::unique_ptr<rocksdb::FSSequentialFile> file, uint64_t bytes)
      : FSSequentialFileOwnerWrapper(std::move(file)), left_(bytes) {}

  IOStatus Read(size_t n, const IOOptions& options, Slice* result,
                char* scratch, IODebugContext* debug) override {
    const IOStatus status = FSSequentialFileOwnerWrapper::Read(
        static_cast<size_t>(std::min<uint64_t>(n, left_)), options, result,
        scratch, debug);
    if (status.ok()) left_ -= result->size();
    return status;
  }

  IOStatus Skip(uint64_t n) override {
    n = std::min(n, left_);
    left_ -= n;
    return FSSequentialFileOwnerWrapper::Skip(n);
  }

 private:
  uint64_t left_;
};

class TornManifestsFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  using FileSystemWrapper::FileSystemWrapper;

  const char* Name() const override { return "TornManifestsFileSystem"; }

  IOStatus NewSequentialFile(const std::string& path,
                             const FileOptions& options,
                             std::unique_ptr<rocksdb::FSSequentialFile>* file,
                             IODebugContext* debug) override {
    const IOStatus status =
        target()->NewSequentialFile(path, options, file, debug);
    const absl::string_view name =
        absl::string_view(path).substr(path.rfind('/') + 1);
    if (!status.ok() || !absl::StartsWith(name, kManifestPrefix)) return status;
    std::string bytes;
    // Whatever this meets, RocksDB meets next, and says so.
    if (!rocksdb::ReadFileToString(target(), path, &bytes).ok()) return status;
    const absl::StatusOr<std::optional<uint64_t>> end = FindTornTail(bytes);
    if (!end.ok()) {
      return IOStatus::Corruption(path, std::string(end.status().message()));
    }
    if (end->has_value()) {
      *file = std::make_unique<ShortenedFile>(std::move(*file), **end);
    }
    return status;
  }
};

}  // namespace

absl::StatusOr<std::optional<uint64_t>> FindTornTail(
    absl::string_view manifest) {
  const IntactPart intact = FindIntactPart(manifest);
  // Damage of another kind is RocksDB's to tell.
  if (!HasLostSector(manifest, intact.bad_offset)) return std::nullopt;
  if (IsFollowed(manifest, intact.bad_offset)) {
    return absl::DataLossError(
        absl::StrCat("lost bytes at or behind offset ", intact.bad_offset,
                     ", with later changes behind them"));
  }
  return intact.changes_end;
}

std::shared_ptr<rocksdb::FileSystem> NewTornManifests(
    std::shared_ptr<rocksdb::FileSystem> files) {
  return std::make_shared<TornManifestsFileSystem>(std::move(files));
}

}  // namespace engram::kv
