#include "tools/ctl/restore.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "storage/io/directory_lock.h"
#include "storage/io/file_system.h"
#include "storage/io/new_folder.h"
#include "storage/io/sequential_file.h"
#include "tools/ctl/exit_code.h"
#include "tools/ctl/verify.h"

namespace engram::ctl {
namespace {

constexpr size_t kCopyBytes = size_t{1} << 20;

// What says something of the process that has the database, or had it last, and
// nothing of the database; by its path in it.
bool IsPassing(const std::string& path) {
  static constexpr const char* kPassing[] = {"OWNER", "STATS", "kv/LOCK",
                                             "kv/scratch"};
  return absl::StartsWith(path, "wal/spare-") ||
         std::any_of(std::begin(kPassing), std::end(kPassing),
                     [&path](const char* name) { return path == name; });
}

// Returns the bytes.
absl::StatusOr<uint64_t> CopyFile(const std::string& from,
                                  const std::string& to) {
  ENGRAM_ASSIGN_OR_RETURN(io::SequentialReader source,
                          io::SequentialReader::Open(from));
  ENGRAM_ASSIGN_OR_RETURN(const auto copy, io::NewFile::Create(to));
  std::vector<char> buffer(kCopyBytes);
  uint64_t bytes = 0;
  size_t read = buffer.size();
  while (read == buffer.size()) {
    ENGRAM_ASSIGN_OR_RETURN(read, source.Read(absl::MakeSpan(buffer)));
    ENGRAM_RETURN_IF_ERROR(
        copy->Append(absl::string_view(buffer.data(), read)));
    bytes += read;
  }
  ENGRAM_RETURN_IF_ERROR(copy->Finish());
  return bytes;
}

// Copies the folder `part` ("": all) of the database, and the folders in it.
absl::Status CopyFolder(const std::string& from, const std::string& to,
                        const std::string& part, Restored* restored) {
  io::FileSystem* const files = io::FileSystem::System();
  const auto in = [](const std::string& folder, const std::string& path) {
    return path.empty() ? folder : absl::StrCat(folder, "/", path);
  };
  ENGRAM_ASSIGN_OR_RETURN(const auto source,
                          files->OpenDirectory(in(from, part), false));
  ENGRAM_ASSIGN_OR_RETURN(const auto copy,
                          files->OpenDirectory(in(to, part), true));
  ENGRAM_ASSIGN_OR_RETURN(const std::vector<std::string> names, source->List());
  for (const std::string& name : names) {
    const std::string path =
        part.empty() ? name : absl::StrCat(part, "/", name);
    if (IsPassing(path)) continue;
    ENGRAM_ASSIGN_OR_RETURN(const bool is_folder,
                            files->IsFolder(in(from, path)));
    if (is_folder) {
      ENGRAM_RETURN_IF_ERROR(CopyFolder(from, to, path, restored));
      continue;
    }
    ENGRAM_ASSIGN_OR_RETURN(const uint64_t bytes,
                            CopyFile(in(from, path), in(to, path)));
    ++restored->files;
    restored->bytes += bytes;
  }
  return copy->Sync();
}

// So that nobody writes to it meanwhile.
absl::StatusOr<io::DirectoryLock> LockBackup(const std::string& backup) {
  io::FileSystem* const files = io::FileSystem::System();
  if (!files->Exists(backup)) {
    return OpenError(
        absl::NotFoundError(absl::StrCat(backup, ": there is no backup")));
  }
  if (!files->Exists(absl::StrCat(backup, "/ENGRAM"))) {
    return OpenError(absl::FailedPreconditionError(
        absl::StrCat(backup, ": no Engram database: there is no file ENGRAM")));
  }
  absl::StatusOr<io::DirectoryLock> lock =
      files->Lock(absl::StrCat(backup, "/wal"));
  if (!absl::IsUnavailable(lock.status())) return lock;
  std::string owner =
      files->ReadSmallFile(absl::StrCat(backup, "/OWNER")).value_or("");
  absl::StripAsciiWhitespace(&owner);
  return OpenError(absl::UnavailableError(absl::StrCat(
      backup, ": is open in process ", owner.empty() ? "unknown" : owner)));
}

absl::Status VerifyCopy(const std::string& copy, const std::string& backup,
                        Restored* restored) {
  ENGRAM_ASSIGN_OR_RETURN(const VerifyReport report, VerifyDatabase(copy));
  for (const VerifyFinding& finding : report.findings) {
    if (finding.severity == VerifyFinding::Severity::kDamage) {
      return absl::DataLossError(absl::StrCat(
          backup, ": is damaged (its verify tells more): ", finding.place, ": ",
          finding.message));
    }
    ++restored->warnings;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Restored> RestoreDatabase(const std::string& backup,
                                         const std::string& dir) {
  ENGRAM_ASSIGN_OR_RETURN(const std::string full, io::FullPath(dir));
  if (io::LiesIn(full, backup)) {
    return absl::InvalidArgumentError(
        absl::StrCat(full, ": lies in the backup ", backup));
  }
  ENGRAM_ASSIGN_OR_RETURN(const io::DirectoryLock lock, LockBackup(backup));
  ENGRAM_ASSIGN_OR_RETURN(
      const auto folder, io::NewFolder::Create(io::FileSystem::System(), full));
  Restored restored;
  ENGRAM_RETURN_IF_ERROR(
      CopyFolder(backup, folder->building_path(), "", &restored));
  ENGRAM_RETURN_IF_ERROR(
      VerifyCopy(folder->building_path(), backup, &restored));
  ENGRAM_RETURN_IF_ERROR(folder->Publish());
  return restored;
}

}  // namespace engram::ctl
