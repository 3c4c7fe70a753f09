#include "storage/kv/pinned_files.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "rocksdb/env.h"

namespace engram::kv {
namespace {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

constexpr char kCurrent[] = "CURRENT";

class TextFile final : public rocksdb::FSSequentialFile {
 public:
  explicit TextFile(std::shared_ptr<const std::string> text)
      : text_(std::move(text)) {}

  IOStatus Read(size_t n, const IOOptions&, Slice* result, char* scratch,
                IODebugContext*) override {
    const size_t bytes = text_->copy(scratch, n, offset_);
    offset_ += bytes;
    *result = Slice(scratch, bytes);
    return IOStatus::OK();
  }

  IOStatus Skip(uint64_t n) override {
    offset_ +=
        static_cast<size_t>(std::min<uint64_t>(n, text_->size() - offset_));
    return IOStatus::OK();
  }

 private:
  const std::shared_ptr<const std::string> text_;
  size_t offset_ = 0;
};

class SharedTable final : public rocksdb::FSRandomAccessFileWrapper {
 public:
  explicit SharedTable(std::shared_ptr<rocksdb::FSRandomAccessFile> file)
      : FSRandomAccessFileWrapper(file.get()), file_(std::move(file)) {}

 private:
  const std::shared_ptr<rocksdb::FSRandomAccessFile> file_;
};

}  // namespace

PinnedFiles::PinnedFiles(const std::shared_ptr<rocksdb::FileSystem>& target,
                         std::string folder)
    : FileSystemWrapper(target), folder_(std::move(folder)) {}

std::string PinnedFiles::PathOf(absl::string_view name) const {
  return absl::StrCat(folder_, "/", name);
}

IOStatus PinnedFiles::Pin(bool tables) {
  // A table of the manifest is there before it, or comes between the two.
  IOStatus status = tables ? PinTables() : IOStatus::OK();
  const std::string current = PathOf(kCurrent);
  if (status.ok()) status = PinText(current);
  if (!status.ok()) return status;
  std::string manifest;
  {
    MutexLock lock(mutex_);
    manifest = PathOf(absl::StripAsciiWhitespace(*texts_[current]));
  }
  status = PinText(manifest);
  return status.ok() && tables ? PinTables() : status;
}

IOStatus PinnedFiles::PinTables() {
  std::vector<std::string> names;
  const IOStatus status =
      target()->GetChildren(folder_, IOOptions(), &names, nullptr);
  if (!status.ok()) return status;
  for (const std::string& name : names) {
    if (!absl::EndsWith(name, ".sst")) continue;
    const std::string path = PathOf(name);
    MutexLock lock(mutex_);
    if (tables_.contains(path)) continue;
    std::unique_ptr<rocksdb::FSRandomAccessFile> file;
    const IOStatus opened =
        target()->NewRandomAccessFile(path, FileOptions(), &file, nullptr);
    // One that is gone by now may not be needed; else RocksDB misses it.
    if (opened.ok()) tables_[path] = std::move(file);
  }
  return status;
}

IOStatus PinnedFiles::PinText(const std::string& path) {
  auto text = std::make_shared<std::string>();
  const IOStatus status = rocksdb::ReadFileToString(target(), path, text.get());
  if (!status.ok()) return status;
  MutexLock lock(mutex_);
  texts_[path] = std::move(text);
  return status;
}

void PinnedFiles::Release() {
  MutexLock lock(mutex_);
  texts_.clear();
  tables_.clear();
}

IOStatus PinnedFiles::NewSequentialFile(
    const std::string& path, const FileOptions& options,
    std::unique_ptr<rocksdb::FSSequentialFile>* file, IODebugContext* debug) {
  {
    MutexLock lock(mutex_);
    const auto text = texts_.find(path);
    if (text != texts_.end()) {
      *file = std::make_unique<TextFile>(text->second);
      return IOStatus::OK();
    }
  }
  return target()->NewSequentialFile(path, options, file, debug);
}

IOStatus PinnedFiles::NewRandomAccessFile(
    const std::string& path, const FileOptions& options,
    std::unique_ptr<rocksdb::FSRandomAccessFile>* file, IODebugContext* debug) {
  {
    MutexLock lock(mutex_);
    const auto table = tables_.find(path);
    if (table != tables_.end()) {
      *file = std::make_unique<SharedTable>(table->second);
      return IOStatus::OK();
    }
  }
  return target()->NewRandomAccessFile(path, options, file, debug);
}

IOStatus PinnedFiles::GetChildren(const std::string& path,
                                  const IOOptions& options,
                                  std::vector<std::string>* names,
                                  IODebugContext* debug) {
  const IOStatus status = target()->GetChildren(path, options, names, debug);
  if (!status.ok() || path != folder_) return status;
  MutexLock lock(mutex_);
  for (const auto& [table, file] : tables_) {
    names->push_back(table.substr(folder_.size() + 1));
  }
  std::sort(names->begin(), names->end());
  names->erase(std::unique(names->begin(), names->end()), names->end());
  return status;
}

}  // namespace engram::kv
