#include "storage/kv/read_only_files.h"

#include <string>

#include "rocksdb/file_system.h"

namespace engram::kv {
namespace {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;

IOStatus Refused(const std::string& path) {
  return IOStatus::NotSupported("the store is read only", path);
}

class ReadOnlyFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  using FileSystemWrapper::FileSystemWrapper;

  const char* Name() const override { return "ReadOnlyFileSystem"; }

  IOStatus NewWritableFile(const std::string& path, const FileOptions&,
                           std::unique_ptr<rocksdb::FSWritableFile>*,
                           IODebugContext*) override {
    return Refused(path);
  }
  IOStatus ReopenWritableFile(const std::string& path, const FileOptions&,
                              std::unique_ptr<rocksdb::FSWritableFile>*,
                              IODebugContext*) override {
    return Refused(path);
  }
  IOStatus ReuseWritableFile(const std::string& path, const std::string&,
                             const FileOptions&,
                             std::unique_ptr<rocksdb::FSWritableFile>*,
                             IODebugContext*) override {
    return Refused(path);
  }
  IOStatus NewRandomRWFile(const std::string& path, const FileOptions&,
                           std::unique_ptr<rocksdb::FSRandomRWFile>*,
                           IODebugContext*) override {
    return Refused(path);
  }
  IOStatus DeleteFile(const std::string& path, const IOOptions&,
                      IODebugContext*) override {
    return Refused(path);
  }
  IOStatus Truncate(const std::string& path, size_t, const IOOptions&,
                    IODebugContext*) override {
    return Refused(path);
  }
  IOStatus CreateDir(const std::string& path, const IOOptions&,
                     IODebugContext*) override {
    return Refused(path);
  }
  IOStatus CreateDirIfMissing(const std::string& path, const IOOptions&,
                              IODebugContext*) override {
    return Refused(path);
  }
  IOStatus DeleteDir(const std::string& path, const IOOptions&,
                     IODebugContext*) override {
    return Refused(path);
  }
  IOStatus RenameFile(const std::string& path, const std::string&,
                      const IOOptions&, IODebugContext*) override {
    return Refused(path);
  }
  IOStatus LinkFile(const std::string& path, const std::string&,
                    const IOOptions&, IODebugContext*) override {
    return Refused(path);
  }
  IOStatus LockFile(const std::string& path, const IOOptions&,
                    rocksdb::FileLock**, IODebugContext*) override {
    return Refused(path);
  }
};

}  // namespace

std::unique_ptr<rocksdb::Env> NewReadOnlyEnv(
    const std::shared_ptr<rocksdb::FileSystem>& files) {
  return rocksdb::NewCompositeEnv(std::make_shared<ReadOnlyFileSystem>(files));
}

}  // namespace engram::kv
