// A small file that is overwritten in place, again and again, for others to
// look at. Nothing of it is synced: it says what is true at this moment.

#ifndef ENGRAM_STORAGE_IO_PAGE_FILE_H_
#define ENGRAM_STORAGE_IO_PAGE_FILE_H_

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/base/unique_fd.h"

namespace engram::io {

// Thread safety: none.
class PageFile {
 public:
  // Opens or makes a file, mode 0600.
  static absl::StatusOr<PageFile> Open(const std::string& path);

  // Writes `bytes` over its beginning. A reader may see a part of them; what
  // was longer before stays behind them.
  absl::Status Overwrite(absl::string_view bytes);

  // Takes the file away.
  absl::Status Remove();

 private:
  PageFile(std::string path, UniqueFd fd)
      : path_(std::move(path)), fd_(std::move(fd)) {}

  std::string path_;
  UniqueFd fd_;
};

// What such a file holds, up to `bytes_max`. NOT_FOUND.
absl::StatusOr<std::string> ReadPageFile(const std::string& path,
                                         size_t bytes_max);

}  // namespace engram::io

#endif  // ENGRAM_STORAGE_IO_PAGE_FILE_H_
