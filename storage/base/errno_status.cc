#include "storage/base/errno_status.h"

#include <cerrno>
#include <system_error>

#include "absl/strings/str_cat.h"

namespace engram {

absl::Status ErrnoStatus(int error, absl::string_view operation,
                         absl::string_view path) {
  const std::string message = absl::StrCat(
      operation, " ", path, ": ", std::generic_category().message(error));
  if (error == ENOSPC || error == EDQUOT) {
    return absl::ResourceExhaustedError(message);
  }
  return absl::Status(absl::ErrnoToStatusCode(error), message);
}

}  // namespace engram
