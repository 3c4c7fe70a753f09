#include "tests/fuzz/bytes_directory.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace engram::fuzz {
namespace {

absl::Status ReadOnly() { return absl::UnimplementedError("read-only"); }

class BytesFile final : public io::File {
 public:
  BytesFile(const std::string& path, absl::string_view bytes, uint64_t size)
      : File(path), bytes_(bytes), size_(size) {}

  int fd() const override { return -1; }
  bool direct() const override { return false; }
  absl::StatusOr<uint64_t> Size() const override { return size_; }

  absl::StatusOr<size_t> Read(uint64_t offset,
                              absl::Span<char> out) const override {
    if (offset >= size_) return size_t{0};
    const size_t read = std::min<uint64_t>(out.size(), size_ - offset);
    size_t copied = 0;
    if (offset < bytes_.size()) {
      copied = std::min<uint64_t>(read, bytes_.size() - offset);
      std::memcpy(out.data(), bytes_.data() + offset, copied);
    }
    std::memset(out.data() + copied, 0, read - copied);
    return read;
  }

  absl::Status Write(uint64_t, absl::Span<const char>) override {
    return ReadOnly();
  }
  absl::Status Sync() override { return absl::OkStatus(); }
  absl::Status SyncData() override { return absl::OkStatus(); }

 private:
  const absl::string_view bytes_;
  const uint64_t size_;
};

}  // namespace

void BytesDirectory::Add(std::string name, absl::string_view bytes,
                         uint64_t size) {
  entries_.push_back({std::move(name), bytes, size});
}

absl::StatusOr<std::vector<std::string>> BytesDirectory::List() const {
  std::vector<std::string> names;
  for (const Entry& entry : entries_) names.push_back(entry.name);
  std::sort(names.begin(), names.end());
  return names;
}

absl::StatusOr<std::unique_ptr<io::File>> BytesDirectory::Open(
    absl::string_view name, io::OpenMode) {
  for (const Entry& entry : entries_) {
    if (entry.name != name) continue;
    return std::make_unique<BytesFile>(entry.name, entry.bytes, entry.size);
  }
  return absl::NotFoundError(name);
}

absl::StatusOr<std::unique_ptr<io::File>> BytesDirectory::CreateZeroed(
    absl::string_view, uint64_t) {
  return ReadOnly();
}

absl::Status BytesDirectory::Rename(absl::string_view, absl::string_view) {
  return ReadOnly();
}

absl::Status BytesDirectory::Remove(absl::string_view) { return ReadOnly(); }

}  // namespace engram::fuzz
