// Plain files that are written or read from their beginning to their end.

#ifndef ENGRAM_STORAGE_IO_SEQUENTIAL_FILE_H_
#define ENGRAM_STORAGE_IO_SEQUENTIAL_FILE_H_

#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "storage/base/unique_fd.h"

namespace engram::io {

// A file that is not there before, mode 0600.
//
// Not thread-safe.
class NewFile {
 public:
  // ALREADY_EXISTS if anything has that name.
  static absl::StatusOr<std::unique_ptr<NewFile>> Create(
      const std::string& path);

  // Removes the file, unless Finish() returned OK.
  ~NewFile();

  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  absl::Status Append(absl::string_view bytes);

  // Makes the bytes and the name durable. Called once.
  absl::Status Finish();

 private:
  NewFile(std::string path, UniqueFd fd);

  const std::string path_;
  const UniqueFd fd_;
  bool finished_ = false;
};

// Not thread-safe.
class SequentialReader {
 public:
  // A symbolic link, and what is no regular file, is FAILED_PRECONDITION.
  static absl::StatusOr<SequentialReader> Open(const std::string& path);

  // Fills `out` from where the last call ended and returns how many bytes were
  // there: fewer than out.size() only at the end of the file.
  absl::StatusOr<size_t> Read(absl::Span<char> out);

  const std::string& path() const { return path_; }

 private:
  SequentialReader(std::string path, UniqueFd fd);

  std::string path_;
  UniqueFd fd_;
};

}  // namespace engram::io

#endif  // ENGRAM_STORAGE_IO_SEQUENTIAL_FILE_H_
