#include "storage/io/sim_file_system.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/errno_status.h"
#include "storage/base/status_macros.h"

namespace engram::io {
namespace {

constexpr uint64_t kZerosBytesMax = uint64_t{1} << 20;

class SimFile final : public File {
 public:
  SimFile(SimDisk* disk, std::string path, SimNode node, OpenMode mode)
      : File(std::move(path)), disk_(disk), node_(node), mode_(mode) {}

  int fd() const override { return -1; }
  bool direct() const override { return mode_ == OpenMode::kWrite; }

  absl::StatusOr<uint64_t> Size() const override { return disk_->Size(node_); }

  absl::StatusOr<size_t> Read(uint64_t offset,
                              absl::Span<char> out) const override {
    return disk_->Read(node_, offset, out);
  }

  absl::Status Write(uint64_t offset, absl::Span<const char> data) override {
    if (mode_ != OpenMode::kWrite) return ErrnoStatus(EBADF, "write", path());
    return disk_->WriteAll(node_, path(), offset, {data.data(), data.size()});
  }

  absl::Status Sync() override { return disk_->Sync(node_, path()); }
  absl::Status SyncData() override { return disk_->Sync(node_, path()); }

 private:
  SimDisk* const disk_;
  const SimNode node_;
  const OpenMode mode_;
};

class SimDirectory final : public Directory {
 public:
  SimDirectory(SimDisk* disk, std::string path)
      : disk_(disk), path_(std::move(path)) {}

  const std::string& path() const override { return path_; }

  absl::StatusOr<std::vector<std::string>> List() const override {
    return disk_->List(path_);
  }

  absl::StatusOr<std::unique_ptr<File>> Open(absl::string_view name,
                                             OpenMode mode) override {
    std::string path = PathOf(name);
    ENGRAM_ASSIGN_OR_RETURN(const SimNode node, disk_->OpenFile(path));
    return std::make_unique<SimFile>(disk_, std::move(path), node, mode);
  }

  absl::StatusOr<std::unique_ptr<File>> CreateZeroed(absl::string_view name,
                                                     uint64_t bytes) override {
    std::string path = PathOf(name);
    ENGRAM_ASSIGN_OR_RETURN(
        const SimNode node,
        disk_->CreateFile(path, SimDisk::Creation::kTruncate));
    const std::string zeros(std::min(bytes, kZerosBytesMax), '\0');
    for (uint64_t offset = 0; offset < bytes; offset += zeros.size()) {
      const size_t chunk = std::min<uint64_t>(zeros.size(), bytes - offset);
      ENGRAM_RETURN_IF_ERROR(disk_->WriteAll(
          node, path, offset, absl::string_view(zeros.data(), chunk)));
    }
    ENGRAM_RETURN_IF_ERROR(disk_->Sync(node, path));
    ENGRAM_RETURN_IF_ERROR(Sync());
    return std::make_unique<SimFile>(disk_, std::move(path), node,
                                     OpenMode::kWrite);
  }

  absl::Status Rename(absl::string_view from, absl::string_view to) override {
    return disk_->Rename(PathOf(from), PathOf(to));
  }

  absl::Status Remove(absl::string_view name) override {
    return disk_->Remove(PathOf(name));
  }

  absl::Status Sync() override { return disk_->SyncFolder(path_); }

 private:
  std::string PathOf(absl::string_view name) const {
    return absl::StrCat(path_, "/", name);
  }

  SimDisk* const disk_;
  const std::string path_;
};

}  // namespace

bool SimFileSystem::Exists(const std::string& path) const {
  return disk_->Exists(path);
}

absl::StatusOr<bool> SimFileSystem::IsFolder(const std::string& path) const {
  if (!disk_->Exists(path)) return ErrnoStatus(ENOENT, "open", path);
  return disk_->IsFolder(path);
}

absl::StatusOr<std::unique_ptr<Directory>> SimFileSystem::OpenDirectory(
    const std::string& path, bool create) {
  if (create && !disk_->Exists(path)) {
    ENGRAM_RETURN_IF_ERROR(disk_->CreateFolder(path));
  }
  ENGRAM_RETURN_IF_ERROR(disk_->OpenFolder(path).status());
  return std::make_unique<SimDirectory>(disk_, path);
}

absl::Status SimFileSystem::RemoveFolder(const std::string& path) {
  return disk_->RemoveFolder(path);
}

absl::StatusOr<DirectoryLock> SimFileSystem::Lock(const std::string&) {
  return DirectoryLock::None();
}

absl::StatusOr<std::string> SimFileSystem::ReadSmallFile(
    const std::string& path) const {
  ENGRAM_ASSIGN_OR_RETURN(const SimNode node, disk_->OpenFile(path));
  std::string text(kSmallFileBytesMax, '\0');
  ENGRAM_ASSIGN_OR_RETURN(
      const size_t bytes,
      disk_->Read(node, 0, absl::MakeSpan(text.data(), text.size())));
  text.resize(bytes);
  return text;
}

absl::Status SimFileSystem::WriteSmallFile(const std::string& path,
                                           absl::string_view text) {
  // As open(O_TRUNC) does: one that is there keeps its name and loses its
  // bytes.
  absl::StatusOr<SimNode> node = disk_->OpenFile(path);
  if (node.ok()) {
    ENGRAM_RETURN_IF_ERROR(disk_->Truncate(*node, path, 0));
  } else {
    node = disk_->CreateFile(path, SimDisk::Creation::kMustBeNew);
    ENGRAM_RETURN_IF_ERROR(node.status());
  }
  ENGRAM_RETURN_IF_ERROR(disk_->WriteAll(*node, path, 0, text));
  return disk_->Sync(*node, path);
}

absl::Status SimFileSystem::AppendToFile(const std::string& path,
                                         absl::string_view text) {
  absl::StatusOr<SimNode> node = disk_->OpenFile(path);
  if (!node.ok()) {
    node = disk_->CreateFile(path, SimDisk::Creation::kMustBeNew);
    ENGRAM_RETURN_IF_ERROR(node.status());
  }
  ENGRAM_ASSIGN_OR_RETURN(const uint64_t end, disk_->Size(*node));
  ENGRAM_RETURN_IF_ERROR(disk_->WriteAll(*node, path, end, text));
  return disk_->Sync(*node, path);
}

}  // namespace engram::io
