#include "engine/db/lost_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "storage/base/errno_status.h"
#include "storage/base/status_macros.h"
#include "storage/base/unique_fd.h"
#include "storage/io/posix_directory.h"

namespace engram::internal {
namespace {

constexpr mode_t kFileMode = 0600;

absl::string_view KindText(LostWrite::Kind kind) {
  switch (kind) {
    case LostWrite::Kind::kObserve:
      return "observe";
    case LostWrite::Kind::kRemove:
      return "remove";
    case LostWrite::Kind::kCreateSpace:
      return "create space";
    case LostWrite::Kind::kDropSpace:
      break;
  }
  return "drop space";
}

}  // namespace

std::string LostText(const SalvageReport& report) {
  std::string text;
  for (const LogDamage& loss : report.losses) {
    absl::StrAppend(&text, "lost LSN ", loss.first_lsn);
    if (loss.last_lsn >= loss.first_lsn) {
      absl::StrAppend(&text, " to ", loss.last_lsn);
    }
    absl::StrAppend(&text, loss.open_ended ? " and maybe later" : "", ": ",
                    loss.path, ", offset ", loss.offset, ": ", loss.reason,
                    "\n");
    for (const LostWrite& write : loss.writes) {
      absl::StrAppend(&text, write.certain ? "  " : "  probably ", "LSN ",
                      write.lsn, ": ", KindText(write.kind), ", space ",
                      write.space_id);
      if (!write.space.empty()) {
        absl::StrAppend(&text, " \"", write.space, "\"");
      }
      if (!write.id.empty()) {
        absl::StrAppend(&text, ", id \"", absl::CEscape(write.id), "\"");
      }
      absl::StrAppend(&text, "\n");
    }
  }
  for (const std::string& note : report.notes) {
    absl::StrAppend(&text, "note: ", note, "\n");
  }
  return text;
}

absl::Status AppendLostFile(const std::string& folder, const std::string& path,
                            absl::string_view text) {
  const UniqueFd fd(::open(
      path.c_str(),
      O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
      kFileMode));
  if (!fd.valid()) return ErrnoStatus(errno, "create", path);
  while (!text.empty()) {
    const ssize_t bytes = ::write(fd.get(), text.data(), text.size());
    if (bytes < 0 && errno == EINTR) continue;
    if (bytes <= 0) return ErrnoStatus(bytes < 0 ? errno : EIO, "write", path);
    text.remove_prefix(static_cast<size_t>(bytes));
  }
  if (::fsync(fd.get()) != 0) return ErrnoStatus(errno, "sync", path);
  ENGRAM_ASSIGN_OR_RETURN(const auto directory,
                          io::OpenPosixDirectory(folder, false));
  return directory->Sync();
}

}  // namespace engram::internal
