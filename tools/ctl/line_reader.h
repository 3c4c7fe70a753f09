// Lines of bounded length from a file, a pipe or stdin.

#ifndef ENGRAM_TOOLS_CTL_LINE_READER_H_
#define ENGRAM_TOOLS_CTL_LINE_READER_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/base/unique_fd.h"

namespace engram::ctl {

// Longest line that is read. The longest observation (65,535 components and a
// payload of 1 MiB, all of it escaped) takes about 8 MiB.
inline constexpr size_t kLineBytesMax = size_t{16} << 20;

// Move-only. Not thread-safe.
class LineReader {
 public:
  // "-" is stdin, which is not closed.
  static absl::StatusOr<LineReader> Open(const std::string& path);

  // Reads the next line, without its newline; false after the last. `line`
  // is valid until the next call.
  //   INVALID_ARGUMENT  the line is longer than kLineBytesMax
  //   CANCELLED         Interrupted() became true while the input was waited
  //                     for
  absl::StatusOr<bool> Next(absl::string_view* line);

  // Of the line that Next() returned, or failed to return; from 1.
  uint64_t line_number() const { return line_number_; }

  const std::string& path() const { return path_; }

 private:
  LineReader(std::string path, UniqueFd fd);

  // Appends what can be read to buffer_; false at the end of the input.
  absl::StatusOr<bool> Fill();

  std::string path_;
  UniqueFd fd_;
  uint64_t line_number_ = 0;
  bool at_end_ = false;

  // buffer_[begin_, ...) was read and not yet returned.
  std::string buffer_;
  size_t begin_ = 0;
};

}  // namespace engram::ctl

#endif  // ENGRAM_TOOLS_CTL_LINE_READER_H_
