// A regular file that is read once, from its beginning to its end.

#ifndef ENGRAM_TOOLS_VECTORS_INPUT_FILE_H_
#define ENGRAM_TOOLS_VECTORS_INPUT_FILE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "storage/base/unique_fd.h"

namespace engram {

// Move-only. Not thread-safe.
class InputFile {
 public:
  // NOT_FOUND or what else the system says; INVALID_ARGUMENT if `path` is not
  // a regular file, whose size would not be known.
  static absl::StatusOr<InputFile> Open(const std::string& path);

  const std::string& path() const { return path_; }

  // As it was when the file was opened.
  uint64_t size() const { return size_; }

  // Bytes read so far.
  uint64_t offset() const { return offset_; }

  // Fills all of `out` with the next bytes. DATA_LOSS, naming the place, if
  // the file ends before.
  absl::Status Read(absl::Span<char> out);

 private:
  InputFile(std::string path, UniqueFd fd, uint64_t size);

  // Reads up to buffer_.size() bytes into the empty buffer.
  absl::Status Refill();

  std::string path_;
  UniqueFd fd_;
  uint64_t size_;
  uint64_t offset_ = 0;

  // buffer_[begin_, end_) was read from the file and not yet handed out.
  std::vector<char> buffer_;
  size_t begin_ = 0;
  size_t end_ = 0;
};

}  // namespace engram

#endif  // ENGRAM_TOOLS_VECTORS_INPUT_FILE_H_
