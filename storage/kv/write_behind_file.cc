#include "storage/kv/write_behind_file.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <utility>

#include "storage/base/aligned_buffer.h"
#include "storage/base/helper_thread.h"

namespace engram::kv {
namespace {

using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

// A thread for less costs more than it spares.
constexpr size_t kBehindBytesMin = size_t{1} << 20;

class WriteBehindFile final : public rocksdb::FSWritableFileWrapper {
 public:
  explicit WriteBehindFile(std::unique_ptr<rocksdb::FSWritableFile> file)
      : FSWritableFileWrapper(file.get()), file_(std::move(file)) {}

  ~WriteBehindFile() override { Join().PermitUncheckedError(); }

  IOStatus PositionedAppend(const Slice& data, uint64_t offset,
                            const IOOptions& options,
                            IODebugContext* debug) override {
    IOStatus status = Join();
    if (!status.ok()) return status;
    if (data.size() < kBehindBytesMin) {
      return file_->PositionedAppend(data, offset, options, debug);
    }
    if (buffer_.size() < data.size()) buffer_ = AlignedBuffer(data.size());
    std::memcpy(buffer_.data(), data.data(), data.size());
    const Slice copy(buffer_.data(), data.size());
    thread_.emplace([this, copy, offset] {
      behind_ = file_->PositionedAppend(copy, offset, IOOptions(), nullptr);
    });
    return IOStatus::OK();
  }
  IOStatus PositionedAppend(const Slice& data, uint64_t offset,
                            const IOOptions& options,
                            const rocksdb::DataVerificationInfo&,
                            IODebugContext* debug) override {
    return PositionedAppend(data, offset, options, debug);
  }

  // RocksDB calls these two between any two writes. They change nothing of a
  // file that is written at offsets and has no size to be made ahead.
  IOStatus Flush(const IOOptions&, IODebugContext*) override {
    return IOStatus::OK();
  }
  void PrepareWrite(size_t, size_t, const IOOptions&,
                    IODebugContext*) override {}

  // Whatever else touches the file comes after what was written.
  IOStatus Truncate(uint64_t bytes, const IOOptions& options,
                    IODebugContext* debug) override {
    IOStatus status = Join();
    return status.ok() ? file_->Truncate(bytes, options, debug) : status;
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    IOStatus status = Join();
    return status.ok() ? file_->Sync(options, debug) : status;
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    IOStatus status = Join();
    return status.ok() ? file_->Fsync(options, debug) : status;
  }
  IOStatus Close(const IOOptions& options, IODebugContext* debug) override {
    IOStatus status = Join();
    IOStatus closed = file_->Close(options, debug);
    return status.ok() ? closed : status;
  }
  uint64_t GetFileSize(const IOOptions& options,
                       IODebugContext* debug) override {
    Join().PermitUncheckedError();
    return file_->GetFileSize(options, debug);
  }

 private:
  // Of the write before, and from an error on of it.
  IOStatus Join() {
    thread_.reset();  // joins it
    return behind_;
  }

  const std::unique_ptr<rocksdb::FSWritableFile> file_;
  AlignedBuffer buffer_;  // what thread_ writes
  IOStatus behind_;
  std::optional<HelperThread> thread_;
};

}  // namespace

std::unique_ptr<rocksdb::FSWritableFile> NewWriteBehindFile(
    std::unique_ptr<rocksdb::FSWritableFile> file) {
  return std::make_unique<WriteBehindFile>(std::move(file));
}

}  // namespace engram::kv
