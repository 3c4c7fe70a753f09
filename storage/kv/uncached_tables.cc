#include "storage/kv/uncached_tables.h"

#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "storage/kv/write_behind_file.h"

namespace engram::kv {
namespace {

class UncachedTables final : public rocksdb::FileSystemWrapper {
 public:
  using FileSystemWrapper::FileSystemWrapper;

  const char* Name() const override { return "UncachedTables"; }

  rocksdb::IOStatus NewRandomAccessFile(
      const std::string& path, const rocksdb::FileOptions& options,
      std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
      rocksdb::IODebugContext* debug) override {
    if (absl::EndsWith(path, kUncachedTableSuffix)) {
      rocksdb::FileOptions direct = options;
      direct.use_direct_reads = true;
      if (target()->NewRandomAccessFile(path, direct, file, debug).ok()) {
        return rocksdb::IOStatus::OK();
      }
    }
    return target()->NewRandomAccessFile(path, options, file, debug);
  }

  rocksdb::IOStatus NewWritableFile(
      const std::string& path, const rocksdb::FileOptions& options,
      std::unique_ptr<rocksdb::FSWritableFile>* file,
      rocksdb::IODebugContext* debug) override {
    if (absl::EndsWith(path, kUncachedTableSuffix)) {
      rocksdb::FileOptions direct = options;
      direct.use_direct_writes = true;
      if (target()->NewWritableFile(path, direct, file, debug).ok()) {
        // A simulated disk has no page cache, and takes no notice.
        if ((*file)->use_direct_io()) {
          *file = NewWriteBehindFile(std::move(*file));
        }
        return rocksdb::IOStatus::OK();
      }
      // Not on this file system; any other error comes again.
    }
    return target()->NewWritableFile(path, options, file, debug);
  }
};

}  // namespace

std::shared_ptr<rocksdb::FileSystem> NewUncachedTables(
    std::shared_ptr<rocksdb::FileSystem> files) {
  return std::make_shared<UncachedTables>(std::move(files));
}

}  // namespace engram::kv
