#include "storage/kv/keep_files.h"

#include <string>
#include <utility>

#include "rocksdb/file_system.h"

namespace engram::kv {
namespace {

class KeepFilesFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  KeepFilesFileSystem(const std::shared_ptr<rocksdb::FileSystem>& target,
                      std::shared_ptr<const StopListener> stop)
      : FileSystemWrapper(target), stop_(std::move(stop)) {}

  const char* Name() const override { return "KeepFilesFileSystem"; }

  rocksdb::IOStatus DeleteFile(const std::string& path,
                               const rocksdb::IOOptions& options,
                               rocksdb::IODebugContext* debug) override {
    if (stop_->status().ok()) return target()->DeleteFile(path, options, debug);
    return rocksdb::IOStatus::Aborted("RocksDB has stopped");
  }

 private:
  const std::shared_ptr<const StopListener> stop_;
};

}  // namespace

std::unique_ptr<rocksdb::Env> NewKeepFilesEnv(
    const std::shared_ptr<rocksdb::FileSystem>& files,
    std::shared_ptr<const StopListener> stop) {
  return rocksdb::NewCompositeEnv(
      std::make_shared<KeepFilesFileSystem>(files, std::move(stop)));
}

}  // namespace engram::kv
