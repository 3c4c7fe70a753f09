// dump

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <vector>

#include "storage/base/errno_status.h"
#include "storage/base/status_macros.h"
#include "storage/base/unique_fd.h"
#include "tools/ctl/jsonl.h"
#include "tools/ctl/open_database.h"
#include "tools/ctl/output.h"
#include "tools/ctl/verbs.h"

namespace engram::ctl {
namespace {

constexpr size_t kBufferBytes = size_t{256} << 10;

absl::Status WriteAll(int fd, const std::string& bytes,
                      const std::string& path) {
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t written =
        ::write(fd, bytes.data() + done, bytes.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoStatus(errno, "write", path);
    done += static_cast<size_t>(written);
  }
  return absl::OkStatus();
}

absl::Status DumpTo(int fd, const std::string& path, const Space& space) {
  ENGRAM_ASSIGN_OR_RETURN(const std::vector<std::string> ids, space.ListIds());
  std::string buffer;
  for (const std::string& id : ids) {
    ENGRAM_ASSIGN_OR_RETURN(const StoredObservation observation, space.Get(id));
    AppendRecordLine(observation, &buffer);
    if (buffer.size() < kBufferBytes) continue;
    ENGRAM_RETURN_IF_ERROR(WriteAll(fd, buffer, path));
    buffer.clear();
  }
  return WriteAll(fd, buffer, path);
}

// Never writes over a file that is there; leaves none behind on an error.
absl::Status DumpToNewFile(const std::string& path, const Space& space) {
  const UniqueFd fd(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd.valid()) return ErrnoStatus(errno, "create", path);
  absl::Status status = DumpTo(fd.get(), path, space);
  if (status.ok() && ::fsync(fd.get()) != 0) {
    status = ErrnoStatus(errno, "sync", path);
  }
  if (!status.ok()) ::unlink(path.c_str());
  return status;
}

}  // namespace

VerbResult Dump(const Global& global, const DumpArguments& arguments) {
  ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<Db> db,
                          OpenDatabase(global.db, Access::kRead));
  ENGRAM_ASSIGN_OR_RETURN(const Space space, FindSpace(*db, arguments.space));
  if (arguments.output.empty()) {
    ENGRAM_RETURN_IF_ERROR(DumpTo(STDOUT_FILENO, "stdout", space));
  } else {
    ENGRAM_RETURN_IF_ERROR(DumpToNewFile(arguments.output, space));
  }
  return ExitCode::kOk;
}

}  // namespace engram::ctl
