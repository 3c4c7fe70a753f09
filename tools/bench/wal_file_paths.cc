// The device itself, and plain writes to a file.

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>

#include "storage/base/aligned_buffer.h"
#include "storage/base/errno_status.h"
#include "storage/base/status_macros.h"
#include "storage/base/unique_fd.h"
#include "storage/io/posix_directory.h"
#include "tools/bench/stopwatch.h"
#include "tools/bench/wal_path.h"

namespace engram::bench {
namespace {

constexpr uint64_t kFileBytes = uint64_t{256} << 20;
constexpr size_t kBlockBytes = 4096;
constexpr size_t kSequentialBytes = size_t{1} << 20;

// More do not make this device faster; fewer leave gaps between the writes.
constexpr int kSequentialThreads = 4;

// A file that was written in full, through the interface that the log's
// segments are made by.
class WrittenFile {
 public:
  static absl::StatusOr<WrittenFile> Create(const std::string& folder,
                                            bool direct) {
    ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<io::Directory> directory,
                            io::OpenPosixDirectory(folder, /*create=*/true));
    ENGRAM_RETURN_IF_ERROR(
        directory->CreateZeroed("file", kFileBytes).status());
    const std::string path = folder + "/file";
    UniqueFd fd(
        ::open(path.c_str(), O_RDWR | O_CLOEXEC | (direct ? O_DIRECT : 0)));
    if (!fd.valid()) return ErrnoStatus(errno, "open", path);
    return WrittenFile(path, std::move(fd));
  }

  absl::Status Write(const char* data, size_t bytes, uint64_t offset) const {
    const ssize_t n =
        ::pwrite(fd_.get(), data, bytes, static_cast<off_t>(offset));
    if (n == static_cast<ssize_t>(bytes)) return absl::OkStatus();
    return ErrnoStatus(n < 0 ? errno : EIO, "write", path_);
  }

  absl::Status Sync() const {
    if (::fdatasync(fd_.get()) == 0) return absl::OkStatus();
    return ErrnoStatus(errno, "sync", path_);
  }

 private:
  WrittenFile(std::string path, UniqueFd fd)
      : path_(std::move(path)), fd_(std::move(fd)) {}

  std::string path_;
  UniqueFd fd_;
};

class DevicePath final : public WalPath {
 public:
  explicit DevicePath(WrittenFile file) : file_(std::move(file)) {}

  const char* name() const override { return kDevice; }
  bool Supports(const WalSetting&) const override { return true; }

  absl::StatusOr<WalResult> Run(const WalSetting& setting) override {
    if (setting.window > 0) return RunSequential(setting);
    AlignedBuffer block(kBlockBytes);
    std::memset(block.data(), 'd', block.size());
    uint64_t offset = 0;
    WalSetting alone = setting;
    alone.appenders = 1;
    return RunAppenders(alone, [&](int) {
      ENGRAM_RETURN_IF_ERROR(file_.Write(block.data(), block.size(), offset));
      offset = (offset + kBlockBytes) % kFileBytes;
      return file_.Sync();
    });
  }

 private:
  // Counts as records what they could have held.
  absl::StatusOr<WalResult> RunSequential(const WalSetting& setting) {
    AlignedBuffer data(kSequentialBytes);
    std::memset(data.data(), 'd', data.size());
    WalSetting threads = setting;
    threads.appenders = kSequentialThreads;
    std::atomic<uint64_t> next{0};  // relaxed: only takes turns
    const Stopwatch stopwatch;
    ENGRAM_ASSIGN_OR_RETURN(
        WalResult result, RunAppenders(threads, [&](int) {
          const uint64_t turn = next.fetch_add(1, std::memory_order_relaxed);
          return file_.Write(data.data(), data.size(),
                             turn * kSequentialBytes % kFileBytes);
        }));
    ENGRAM_RETURN_IF_ERROR(file_.Sync());
    result.seconds = stopwatch.ReadWall();
    result.records = result.records * kSequentialBytes /
                     static_cast<uint64_t>(setting.record_bytes);
    return result;
  }

  const WrittenFile file_;
};

class PwritePath final : public WalPath {
 public:
  explicit PwritePath(WrittenFile file) : file_(std::move(file)) {}

  const char* name() const override { return kPwrite; }
  bool Supports(const WalSetting& setting) const override {
    return setting.window == 0;
  }

  absl::StatusOr<WalResult> Run(const WalSetting& setting) override {
    const auto bytes = static_cast<size_t>(setting.record_bytes);
    const std::string record(bytes, 'p');
    std::atomic<uint64_t> next{0};  // relaxed: only takes turns
    const uint64_t turns = kFileBytes / bytes;
    return RunAppenders(setting, [&](int) {
      const uint64_t turn = next.fetch_add(1, std::memory_order_relaxed);
      ENGRAM_RETURN_IF_ERROR(
          file_.Write(record.data(), bytes, turn % turns * bytes));
      return file_.Sync();
    });
  }

 private:
  const WrittenFile file_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<WalPath>> NewDevicePath(
    const std::string& folder) {
  ENGRAM_ASSIGN_OR_RETURN(WrittenFile file, WrittenFile::Create(folder, true));
  return std::make_unique<DevicePath>(std::move(file));
}

absl::StatusOr<std::unique_ptr<WalPath>> NewPwritePath(
    const std::string& folder) {
  ENGRAM_ASSIGN_OR_RETURN(WrittenFile file, WrittenFile::Create(folder, false));
  return std::make_unique<PwritePath>(std::move(file));
}

}  // namespace engram::bench
