#include "storage/kv/fault_file_system.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "rocksdb/file_system.h"
#include "storage/base/mutant.h"
#include "storage/kv/rocksdb_options.h"

namespace engram::kv {
namespace {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

IOStatus ToIoStatus(const absl::Status& status) {
  if (status.ok()) return IOStatus::OK();
  const std::string message(status.message());
  if (absl::IsNotFound(status)) return IOStatus::PathNotFound(message);
  if (absl::IsResourceExhausted(status)) return IOStatus::NoSpace(message);
  return IOStatus::IOError(message);
}

absl::string_view View(const Slice& slice) {
  return absl::string_view(slice.data(), slice.size());
}

// --- Files -------------------------------------------------------------------

class SimSequentialFile final : public rocksdb::FSSequentialFile {
 public:
  SimSequentialFile(io::SimDisk* disk, io::SimNode node)
      : disk_(disk), node_(node) {}

  IOStatus Read(size_t n, const IOOptions&, Slice* result, char* scratch,
                IODebugContext*) override {
    const absl::StatusOr<size_t> read =
        disk_->Read(node_, offset_, absl::MakeSpan(scratch, n));
    if (!read.ok()) return ToIoStatus(read.status());
    offset_ += *read;
    *result = Slice(scratch, *read);
    return IOStatus::OK();
  }

  IOStatus Skip(uint64_t n) override {
    offset_ += n;
    return IOStatus::OK();
  }

 private:
  io::SimDisk* const disk_;
  const io::SimNode node_;
  uint64_t offset_ = 0;
};

class SimRandomAccessFile final : public rocksdb::FSRandomAccessFile {
 public:
  SimRandomAccessFile(io::SimDisk* disk, io::SimNode node)
      : disk_(disk), node_(node) {}

  IOStatus Read(uint64_t offset, size_t n, const IOOptions&, Slice* result,
                char* scratch, IODebugContext*) const override {
    const absl::StatusOr<size_t> read =
        disk_->Read(node_, offset, absl::MakeSpan(scratch, n));
    if (!read.ok()) return ToIoStatus(read.status());
    *result = Slice(scratch, *read);
    return IOStatus::OK();
  }

 private:
  io::SimDisk* const disk_;
  const io::SimNode node_;
};

class SimWritableFile final : public rocksdb::FSWritableFile {
 public:
  SimWritableFile(io::SimDisk* disk, io::SimNode node, std::string path,
                  uint64_t bytes)
      : disk_(disk), node_(node), path_(std::move(path)), bytes_(bytes) {}

  IOStatus Append(const Slice& data, const IOOptions&,
                  IODebugContext*) override {
    const absl::Status status =
        disk_->WriteAll(node_, path_, bytes_, View(data));
    if (status.ok()) bytes_ += data.size();
    return ToIoStatus(status);
  }
  IOStatus Append(const Slice& data, const IOOptions& options,
                  const rocksdb::DataVerificationInfo&,
                  IODebugContext* debug) override {
    return Append(data, options, debug);
  }

  IOStatus Truncate(uint64_t bytes, const IOOptions&,
                    IODebugContext*) override {
    if (bytes == bytes_) return IOStatus::OK();
    const absl::Status status = disk_->Truncate(node_, path_, bytes);
    if (status.ok()) bytes_ = bytes;
    return ToIoStatus(status);
  }

  IOStatus Close(const IOOptions&, IODebugContext*) override {
    return IOStatus::OK();
  }
  IOStatus Flush(const IOOptions&, IODebugContext*) override {
    return IOStatus::OK();
  }
  IOStatus Sync(const IOOptions&, IODebugContext*) override {
    if (Mutant("skip_sst_sync") && absl::EndsWith(path_, ".sst")) {
      return IOStatus::OK();
    }
    return ToIoStatus(disk_->Sync(node_, path_));
  }
  bool IsSyncThreadSafe() const override { return true; }
  uint64_t GetFileSize(const IOOptions&, IODebugContext*) override {
    return bytes_;
  }

 private:
  io::SimDisk* const disk_;
  const io::SimNode node_;
  const std::string path_;
  uint64_t bytes_;
};

class SimFolder final : public rocksdb::FSDirectory {
 public:
  SimFolder(io::SimDisk* disk, std::string path)
      : disk_(disk), path_(std::move(path)) {}

  IOStatus Fsync(const IOOptions&, IODebugContext*) override {
    return ToIoStatus(disk_->SyncFolder(path_));
  }

 private:
  io::SimDisk* const disk_;
  const std::string path_;
};

class SimLock final : public rocksdb::FileLock {
 public:
  explicit SimLock(std::string path) : path_(std::move(path)) {}
  const std::string& path() const { return path_; }

 private:
  const std::string path_;
};

// --- The file system ---------------------------------------------------------

// What is not overridden touches no file, or is not supported.
class FaultFileSystem final : public rocksdb::FileSystemWrapper {
 public:
  explicit FaultFileSystem(io::SimDisk* disk)
      : FileSystemWrapper(rocksdb::FileSystem::Default()), disk_(disk) {}

  const char* Name() const override { return "FaultFileSystem"; }

  IOStatus NewSequentialFile(const std::string& path, const FileOptions&,
                             std::unique_ptr<rocksdb::FSSequentialFile>* file,
                             IODebugContext*) override {
    const absl::StatusOr<io::SimNode> node = disk_->OpenFile(path);
    if (!node.ok()) return ToIoStatus(node.status());
    *file = std::make_unique<SimSequentialFile>(disk_, *node);
    return IOStatus::OK();
  }

  IOStatus NewRandomAccessFile(
      const std::string& path, const FileOptions&,
      std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
      IODebugContext*) override {
    const absl::StatusOr<io::SimNode> node = disk_->OpenFile(path);
    if (!node.ok()) return ToIoStatus(node.status());
    *file = std::make_unique<SimRandomAccessFile>(disk_, *node);
    return IOStatus::OK();
  }

  IOStatus NewWritableFile(const std::string& path, const FileOptions&,
                           std::unique_ptr<rocksdb::FSWritableFile>* file,
                           IODebugContext*) override {
    const absl::StatusOr<io::SimNode> node =
        disk_->CreateFile(path, io::SimDisk::Creation::kTruncate);
    if (!node.ok()) return ToIoStatus(node.status());
    *file = std::make_unique<SimWritableFile>(disk_, *node, path, 0);
    return IOStatus::OK();
  }

  IOStatus ReopenWritableFile(const std::string& path, const FileOptions&,
                              std::unique_ptr<rocksdb::FSWritableFile>* file,
                              IODebugContext*) override {
    const absl::StatusOr<io::SimNode> node = disk_->OpenFile(path);
    if (!node.ok()) return ToIoStatus(node.status());
    const absl::StatusOr<uint64_t> bytes = disk_->Size(*node);
    if (!bytes.ok()) return ToIoStatus(bytes.status());
    *file = std::make_unique<SimWritableFile>(disk_, *node, path, *bytes);
    return IOStatus::OK();
  }

  IOStatus ReuseWritableFile(const std::string& path, const std::string& old,
                             const FileOptions& options,
                             std::unique_ptr<rocksdb::FSWritableFile>* file,
                             IODebugContext* debug) override {
    const absl::Status status = disk_->Rename(old, path);
    if (!status.ok()) return ToIoStatus(status);
    return NewWritableFile(path, options, file, debug);
  }

  IOStatus NewRandomRWFile(const std::string&, const FileOptions&,
                           std::unique_ptr<rocksdb::FSRandomRWFile>*,
                           IODebugContext*) override {
    return IOStatus::NotSupported("random writes");
  }

  IOStatus NewMemoryMappedFileBuffer(
      const std::string&,
      std::unique_ptr<rocksdb::MemoryMappedFileBuffer>*) override {
    return IOStatus::NotSupported("mapped files");
  }

  IOStatus NewLogger(const std::string&, const IOOptions&,
                     std::shared_ptr<rocksdb::Logger>*,
                     IODebugContext*) override {
    return IOStatus::NotSupported("log files");
  }

  IOStatus NewDirectory(const std::string& path, const IOOptions&,
                        std::unique_ptr<rocksdb::FSDirectory>* folder,
                        IODebugContext*) override {
    const absl::Status status = disk_->OpenFolder(path).status();
    if (!status.ok()) return ToIoStatus(status);
    *folder = std::make_unique<SimFolder>(disk_, path);
    return IOStatus::OK();
  }

  IOStatus FileExists(const std::string& path, const IOOptions&,
                      IODebugContext*) override {
    return disk_->Exists(path) ? IOStatus::OK() : IOStatus::NotFound(path);
  }

  IOStatus GetChildren(const std::string& path, const IOOptions&,
                       std::vector<std::string>* names,
                       IODebugContext*) override {
    absl::StatusOr<std::vector<std::string>> listed = disk_->List(path);
    if (!listed.ok()) return ToIoStatus(listed.status());
    *names = *std::move(listed);
    return IOStatus::OK();
  }

  IOStatus GetChildrenFileAttributes(
      const std::string& path, const IOOptions& options,
      std::vector<rocksdb::Env::FileAttributes>* files,
      IODebugContext* debug) override {
    return FileSystem::GetChildrenFileAttributes(path, options, files, debug);
  }

  IOStatus DeleteFile(const std::string& path, const IOOptions&,
                      IODebugContext*) override {
    return ToIoStatus(disk_->Remove(path));
  }

  IOStatus Truncate(const std::string& path, size_t bytes, const IOOptions&,
                    IODebugContext*) override {
    const absl::StatusOr<io::SimNode> node = disk_->OpenFile(path);
    if (!node.ok()) return ToIoStatus(node.status());
    return ToIoStatus(disk_->Truncate(*node, path, bytes));
  }

  IOStatus CreateDir(const std::string& path, const IOOptions&,
                     IODebugContext*) override {
    return ToIoStatus(disk_->CreateFolder(path));
  }

  IOStatus CreateDirIfMissing(const std::string& path, const IOOptions&,
                              IODebugContext*) override {
    if (disk_->IsFolder(path)) return IOStatus::OK();
    return ToIoStatus(disk_->CreateFolder(path));
  }

  IOStatus DeleteDir(const std::string& path, const IOOptions&,
                     IODebugContext*) override {
    return ToIoStatus(disk_->RemoveFolder(path));
  }

  IOStatus GetFileSize(const std::string& path, const IOOptions&,
                       uint64_t* bytes, IODebugContext*) override {
    const absl::StatusOr<io::SimNode> node = disk_->OpenFile(path);
    if (!node.ok()) return ToIoStatus(node.status());
    const absl::StatusOr<uint64_t> size = disk_->Size(*node);
    if (!size.ok()) return ToIoStatus(size.status());
    *bytes = *size;
    return IOStatus::OK();
  }

  IOStatus GetFileModificationTime(const std::string& path, const IOOptions&,
                                   uint64_t* seconds,
                                   IODebugContext*) override {
    *seconds = 0;
    return ToIoStatus(disk_->OpenFile(path).status());
  }

  IOStatus RenameFile(const std::string& from, const std::string& to,
                      const IOOptions&, IODebugContext*) override {
    return ToIoStatus(disk_->Rename(from, to));
  }

  IOStatus LinkFile(const std::string& from, const std::string& to,
                    const IOOptions&, IODebugContext*) override {
    return ToIoStatus(disk_->Link(from, to));
  }

  IOStatus NumFileLinks(const std::string& path, const IOOptions&,
                        uint64_t* count, IODebugContext*) override {
    const absl::StatusOr<uint64_t> names = disk_->CountNames(path);
    if (!names.ok()) return ToIoStatus(names.status());
    *count = *names;
    return IOStatus::OK();
  }

  IOStatus AreFilesSame(const std::string& a, const std::string& b,
                        const IOOptions&, bool* same,
                        IODebugContext*) override {
    const absl::StatusOr<io::SimNode> first = disk_->OpenFile(a);
    if (!first.ok()) return ToIoStatus(first.status());
    const absl::StatusOr<io::SimNode> second = disk_->OpenFile(b);
    if (!second.ok()) return ToIoStatus(second.status());
    *same = *first == *second;
    return IOStatus::OK();
  }

  IOStatus LockFile(const std::string& path, const IOOptions&,
                    rocksdb::FileLock** lock, IODebugContext*) override {
    if (!disk_->Exists(path)) {
      const absl::StatusOr<io::SimNode> node =
          disk_->CreateFile(path, io::SimDisk::Creation::kMustBeNew);
      if (!node.ok()) return ToIoStatus(node.status());
    }
    if (!disk_->Lock(path)) {
      return IOStatus::IOError(absl::StrCat("While lock file: ", path));
    }
    *lock = std::make_unique<SimLock>(path).release();
    return IOStatus::OK();
  }

  IOStatus UnlockFile(rocksdb::FileLock* lock, const IOOptions&,
                      IODebugContext*) override {
    const std::unique_ptr<SimLock> owned(static_cast<SimLock*>(lock));
    disk_->Unlock(owned->path());
    return IOStatus::OK();
  }

  IOStatus GetAbsolutePath(const std::string& path, const IOOptions&,
                           std::string* absolute, IODebugContext*) override {
    *absolute = path;
    return IOStatus::OK();
  }

  IOStatus GetFreeSpace(const std::string&, const IOOptions&, uint64_t*,
                        IODebugContext*) override {
    return IOStatus::NotSupported("the free space");
  }

  IOStatus IsDirectory(const std::string& path, const IOOptions&, bool* folder,
                       IODebugContext*) override {
    *folder = disk_->IsFolder(path);
    return disk_->Exists(path) ? IOStatus::OK() : IOStatus::PathNotFound(path);
  }

 private:
  io::SimDisk* const disk_;
};

}  // namespace

std::unique_ptr<rocksdb::Env> NewSimEnv(io::SimDisk* disk) {
  return rocksdb::NewCompositeEnv(std::make_shared<FaultFileSystem>(disk));
}

}  // namespace engram::kv
