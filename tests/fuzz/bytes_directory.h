// A folder of files that cost next to nothing to make and to read: a fuzzer
// makes one for each input.

#ifndef ENGRAM_TESTS_FUZZ_BYTES_DIRECTORY_H_
#define ENGRAM_TESTS_FUZZ_BYTES_DIRECTORY_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/io/directory.h"

namespace engram::fuzz {

// Read-only. Not thread-safe.
class BytesDirectory final : public io::Directory {
 public:
  // A file of `size` bytes: first `bytes`, which outlive it, then zeros.
  void Add(std::string name, absl::string_view bytes, uint64_t size);

  const std::string& path() const override { return path_; }
  absl::StatusOr<std::vector<std::string>> List() const override;
  absl::StatusOr<std::unique_ptr<io::File>> Open(absl::string_view name,
                                                 io::OpenMode mode) override;
  absl::StatusOr<std::unique_ptr<io::File>> CreateZeroed(
      absl::string_view name, uint64_t bytes) override;
  absl::Status Rename(absl::string_view from, absl::string_view to) override;
  absl::Status Remove(absl::string_view name) override;
  absl::Status Sync() override { return absl::OkStatus(); }

 private:
  struct Entry {
    std::string name;
    absl::string_view bytes;
    uint64_t size = 0;
  };

  const std::string path_ = "bytes";
  std::vector<Entry> entries_;
};

}  // namespace engram::fuzz

#endif  // ENGRAM_TESTS_FUZZ_BYTES_DIRECTORY_H_
