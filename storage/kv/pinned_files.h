// Holds the files of a store while RocksDB opens it for reading.

#ifndef ENGRAM_STORAGE_KV_PINNED_FILES_H_
#define ENGRAM_STORAGE_KV_PINNED_FILES_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "rocksdb/file_system.h"
#include "storage/base/mutex.h"

namespace engram::kv {

// The files of another file system, but that those of one folder can be held as
// they are at one moment. RocksDB reads CURRENT and the manifest twice to open
// a store for reading, looks for each table in the folder, and opens them one
// by one: beside an owner that checkpoints 20 times a second, 2 of 627 readers
// failed a hundred times in a row. To open them takes a fraction of that, and
// what is open cannot be taken away.
//
// Thread safety: all methods may be called concurrently.
class PinnedFiles : public rocksdb::FileSystemWrapper {
 public:
  PinnedFiles(const std::shared_ptr<rocksdb::FileSystem>& target,
              std::string folder);

  // Reads CURRENT and the manifest that it names, and opens the tables that are
  // there, if they are asked for, both before and after. From now on they are
  // served as they were, until Release().
  rocksdb::IOStatus Pin(bool tables);

  // What RocksDB has opened stays open, all else is as it is.
  void Release();

  const char* Name() const override { return "PinnedFiles"; }
  rocksdb::IOStatus NewSequentialFile(
      const std::string& path, const rocksdb::FileOptions& options,
      std::unique_ptr<rocksdb::FSSequentialFile>* file,
      rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus NewRandomAccessFile(
      const std::string& path, const rocksdb::FileOptions& options,
      std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
      rocksdb::IODebugContext* debug) override;
  rocksdb::IOStatus GetChildren(const std::string& path,
                                const rocksdb::IOOptions& options,
                                std::vector<std::string>* names,
                                rocksdb::IODebugContext* debug) override;

 private:
  rocksdb::IOStatus PinTables();
  rocksdb::IOStatus PinText(const std::string& path);

  std::string PathOf(absl::string_view name) const;

  const std::string folder_;
  mutable Mutex mutex_;
  // By path.
  absl::flat_hash_map<std::string, std::shared_ptr<const std::string>> texts_
      ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, std::shared_ptr<rocksdb::FSRandomAccessFile>>
      tables_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace engram::kv

#endif  // ENGRAM_STORAGE_KV_PINNED_FILES_H_
