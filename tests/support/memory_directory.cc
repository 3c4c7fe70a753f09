#include "tests/support/memory_directory.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/check.h"
#include "storage/base/status_macros.h"

namespace engram::testing {

using Kind = DiskOperation::Kind;

class MemoryDirectory::MemoryFile final : public io::File {
 public:
  MemoryFile(MemoryDirectory* directory, absl::string_view name,
             std::shared_ptr<Bytes> bytes, bool direct)
      : File(absl::StrCat(directory->path(), "/", name)),
        directory_(directory),
        bytes_(std::move(bytes)),
        direct_(direct) {}

  int fd() const override { return -1; }
  bool direct() const override { return direct_; }

  absl::StatusOr<uint64_t> Size() const override {
    MutexLock lock(directory_->mutex_);
    return bytes_->current.size();
  }

  absl::StatusOr<size_t> Read(uint64_t offset,
                              absl::Span<char> out) const override {
    MutexLock lock(directory_->mutex_);
    if (offset >= bytes_->current.size()) return size_t{0};
    const size_t n =
        std::min<uint64_t>(out.size(), bytes_->current.size() - offset);
    std::memcpy(out.data(), bytes_->current.data() + offset, n);
    return n;
  }

  absl::Status Write(uint64_t offset, absl::Span<const char> data) override {
    MutexLock lock(directory_->mutex_);
    uint64_t kept = 0;
    const absl::Status status = directory_->Ask(
        {Kind::kWrite, bytes_->name, offset, data.size()}, &kept);
    const size_t n = status.ok() ? data.size() : std::min(kept, data.size());
    std::string& current = bytes_->current;
    current.resize(std::max(current.size(), offset + n));
    std::copy_n(data.begin(), n, current.begin() + offset);
    return status;
  }

  absl::Status Sync() override {
    MutexLock lock(directory_->mutex_);
    uint64_t ignored = 0;
    ENGRAM_RETURN_IF_ERROR(
        directory_->Ask({Kind::kSync, bytes_->name}, &ignored));
    bytes_->durable = bytes_->current;
    return absl::OkStatus();
  }

  absl::Status SyncData() override { return Sync(); }

 private:
  MemoryDirectory* const directory_;
  const std::shared_ptr<Bytes> bytes_;
  const bool direct_;
};

MemoryDirectory::MemoryDirectory() = default;
MemoryDirectory::~MemoryDirectory() = default;

void MemoryDirectory::SetFault(Fault fault) {
  MutexLock lock(mutex_);
  fault_ = std::move(fault);
}

absl::Status MemoryDirectory::Ask(const DiskOperation& operation,
                                  uint64_t* bytes_kept) const {
  return fault_ ? fault_(operation, bytes_kept) : absl::OkStatus();
}

void MemoryDirectory::LosePower() {
  MutexLock lock(mutex_);
  for (auto& [name, bytes] : files_) bytes->current = bytes->durable;
}

std::string MemoryDirectory::Contents(absl::string_view name) const {
  MutexLock lock(mutex_);
  const auto it = files_.find(std::string(name));
  ENGRAM_CHECK(it != files_.end());
  return it->second->current;
}

void MemoryDirectory::SetContents(absl::string_view name, std::string bytes) {
  MutexLock lock(mutex_);
  std::shared_ptr<Bytes>& file = files_[std::string(name)];
  if (file == nullptr) file = std::make_shared<Bytes>();
  file->name = std::string(name);
  file->durable = bytes;
  file->current = std::move(bytes);
}

absl::StatusOr<std::vector<std::string>> MemoryDirectory::List() const {
  MutexLock lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, bytes] : files_) names.push_back(name);
  return names;
}

absl::StatusOr<std::unique_ptr<io::File>> MemoryDirectory::Open(
    absl::string_view name, io::OpenMode) {
  MutexLock lock(mutex_);
  const auto it = files_.find(std::string(name));
  if (it == files_.end()) {
    return absl::NotFoundError(absl::StrCat("open ", name));
  }
  return std::make_unique<MemoryFile>(this, it->first, it->second, direct_);
}

absl::StatusOr<std::unique_ptr<io::File>> MemoryDirectory::CreateZeroed(
    absl::string_view name, uint64_t bytes) {
  {
    MutexLock lock(mutex_);
    uint64_t ignored = 0;
    ENGRAM_RETURN_IF_ERROR(Ask({Kind::kCreate, std::string(name)}, &ignored));
    auto zeros = std::make_shared<Bytes>();
    zeros->name = std::string(name);
    zeros->current.assign(bytes, '\0');
    zeros->durable = zeros->current;
    files_[std::string(name)] = std::move(zeros);
  }
  return Open(name, io::OpenMode::kWrite);
}

absl::Status MemoryDirectory::Rename(absl::string_view from,
                                     absl::string_view to) {
  MutexLock lock(mutex_);
  uint64_t ignored = 0;
  ENGRAM_RETURN_IF_ERROR(Ask({Kind::kRename, std::string(from)}, &ignored));
  const auto it = files_.find(std::string(from));
  if (it == files_.end()) {
    return absl::NotFoundError(absl::StrCat("rename ", from));
  }
  std::shared_ptr<Bytes> bytes = std::move(it->second);
  files_.erase(it);
  bytes->name = std::string(to);
  files_[std::string(to)] = std::move(bytes);
  return absl::OkStatus();
}

absl::Status MemoryDirectory::Remove(absl::string_view name) {
  MutexLock lock(mutex_);
  uint64_t ignored = 0;
  ENGRAM_RETURN_IF_ERROR(Ask({Kind::kRemove, std::string(name)}, &ignored));
  if (files_.erase(std::string(name)) == 0) {
    return absl::NotFoundError(absl::StrCat("remove ", name));
  }
  return absl::OkStatus();
}

absl::Status MemoryDirectory::Sync() {
  MutexLock lock(mutex_);
  uint64_t ignored = 0;
  return Ask({Kind::kDirectorySync, ""}, &ignored);
}

}  // namespace engram::testing
