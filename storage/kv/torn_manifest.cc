#include "storage/kv/torn_manifest.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "rocksdb/env.h"
#include "storage/kv/rocksdb_options.h"

namespace engram::kv {
namespace {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

constexpr uint64_t kPageBytes = 4096;

// RocksDB's log format.
constexpr uint64_t kLogBlockBytes = uint64_t{32} << 10;
constexpr uint64_t kHeaderBytes = 7;
constexpr uint64_t kLengthOffset = 4;
constexpr uint64_t kTypeOffset = 6;
constexpr uint8_t kFull = 1;
constexpr uint8_t kFirst = 2;
constexpr uint8_t kLast = 4;

// A piece of a change, as the header says.
struct Fragment {
  uint64_t end = 0;
  uint8_t type = 0;

  bool begins() const { return type == kFull || type == kFirst; }
  bool ends() const { return type == kFull || type == kLast; }
};

uint64_t NextBlock(uint64_t offset) {
  return (offset / kLogBlockBytes + 1) * kLogBlockBytes;
}

uint8_t ByteAt(absl::string_view bytes, uint64_t offset) {
  return static_cast<uint8_t>(bytes[offset]);
}

// The one at `offset`, if its block and the file have room for what it says.
std::optional<Fragment> FragmentAt(absl::string_view manifest,
                                   uint64_t offset) {
  const uint64_t block_end =
      std::min<uint64_t>(NextBlock(offset), manifest.size());
  if (block_end - offset < kHeaderBytes) return std::nullopt;
  const uint64_t bytes =
      ByteAt(manifest, offset + kLengthOffset) +
      (uint64_t{ByteAt(manifest, offset + kLengthOffset + 1)} << 8);
  const Fragment fragment = {offset + kHeaderBytes + bytes,
                             ByteAt(manifest, offset + kTypeOffset)};
  const bool valid = fragment.type >= kFull && fragment.type <= kLast;
  return valid && fragment.end <= block_end ? std::optional(fragment)
                                            : std::nullopt;
}

bool IsZero(absl::string_view bytes, uint64_t begin, uint64_t end) {
  return bytes.substr(begin, end - begin).find_first_not_of('\0') ==
         absl::string_view::npos;
}

std::optional<uint64_t> FindHole(absl::string_view manifest) {
  for (uint64_t at = 0; at + kPageBytes <= manifest.size(); at += kPageBytes) {
    if (IsZero(manifest, at, at + kPageBytes)) return at;
  }
  return std::nullopt;
}

// Whether a change begins in a block from `offset` on.
bool ChangeBeginsFrom(absl::string_view manifest, uint64_t offset) {
  for (; offset < manifest.size(); offset = NextBlock(offset)) {
    for (std::optional<Fragment> fragment = FragmentAt(manifest, offset);
         fragment.has_value(); fragment = FragmentAt(manifest, fragment->end)) {
      if (fragment->begins()) return true;
      if (fragment->end % kLogBlockBytes == 0) break;
    }
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
    const std::optional<uint64_t> end = FindTornTail(bytes);
    if (end.has_value()) {
      *file = std::make_unique<ShortenedFile>(std::move(*file), *end);
    }
    return status;
  }
};

}  // namespace

std::optional<uint64_t> FindTornTail(absl::string_view manifest) {
  const std::optional<uint64_t> hole = FindHole(manifest);
  if (!hole.has_value()) return std::nullopt;
  uint64_t complete = 0;  // so far there are whole changes
  for (uint64_t offset = 0; offset < *hole;) {
    if (NextBlock(offset) - offset < kHeaderBytes) {
      offset = NextBlock(offset);
      continue;
    }
    const std::optional<Fragment> fragment = FragmentAt(manifest, offset);
    if (fragment.has_value() ? fragment->end > *hole
                             : IsZero(manifest, offset, *hole)) {
      break;
    }
    if (!fragment.has_value()) return std::nullopt;  // damage of another kind
    offset = fragment->end;
    if (fragment->ends()) complete = offset;
  }
  if (ChangeBeginsFrom(manifest, NextBlock(*hole))) return std::nullopt;
  return complete;
}

std::shared_ptr<rocksdb::FileSystem> NewTornManifests(
    std::shared_ptr<rocksdb::FileSystem> files) {
  return std::make_shared<TornManifestsFileSystem>(std::move(files));
}

}  // namespace engram::kv
