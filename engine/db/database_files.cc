#include "engine/db/database_files.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <random>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "schema/stats_page.h"
#include "storage/base/status_macros.h"

namespace engram::internal {
namespace {

constexpr uint32_t kFormatVersion = 1;
constexpr absl::string_view kIdentityName = "ENGRAM";
constexpr absl::string_view kIdentityTemporaryName = "ENGRAM.tmp";
constexpr absl::string_view kOwnerName = schema::kOwnerFileName;
constexpr absl::string_view kFirstLine = "engram database";

// How long the log may stay locked after its owner was killed. On a machine
// with four times as many busy threads as cores it was once in 3,237 times more
// than a quarter of a second.
constexpr absl::Duration kEndedOwnerTimeout = absl::Seconds(10);

std::string Join(const std::string& folder, absl::string_view name) {
  return absl::StrCat(folder, "/", name);
}

schema::DatabaseId RandomId() {
  std::random_device random;
  schema::DatabaseId id;
  for (uint8_t& byte : id.bytes) byte = static_cast<uint8_t>(random());
  return id;
}

absl::StatusOr<schema::DatabaseId> ParseIdentity(const std::string& path,
                                                 absl::string_view text) {
  const std::vector<absl::string_view> lines = absl::StrSplit(text, '\n');
  uint32_t version = 0;
  if (lines.size() < 3 || lines[0] != kFirstLine ||
      !absl::SimpleAtoi(absl::StripPrefix(lines[1], "format "), &version)) {
    return absl::DataLossError(
        absl::StrCat(path, ": is not what identifies an Engram database"));
  }
  if (version > kFormatVersion) {
    return absl::UnimplementedError(absl::StrCat(
        path, ": format version ", version,
        " is newer than the newest this build reads, ", kFormatVersion));
  }
  const std::string bytes =
      absl::HexStringToBytes(absl::StripPrefix(lines[2], "id "));
  schema::DatabaseId id;
  if (bytes.size() != sizeof(id.bytes) ||
      lines[2] != absl::StrCat("id ", DatabaseIdText([&] {
                                 std::copy(bytes.begin(), bytes.end(),
                                           id.bytes);
                                 return id;
                               }()))) {
    return absl::DataLossError(absl::StrCat(path, ": damaged database id"));
  }
  return id;
}

// A folder without an identity may become a database only if it holds nothing,
// or what the creation of a database left that did not get far.
absl::Status CheckMayCreate(io::FileSystem* files, const std::string& path) {
  ENGRAM_ASSIGN_OR_RETURN(const auto folder, files->OpenDirectory(path, false));
  ENGRAM_ASSIGN_OR_RETURN(const std::vector<std::string> names, folder->List());
  // Another process may be creating the database at this moment.
  if (std::find(names.begin(), names.end(), kIdentityName) != names.end()) {
    return absl::OkStatus();
  }
  for (const std::string& name : names) {
    if (name == kIdentityTemporaryName || name == kOwnerName) continue;
    if (name == kWalFolderName) {
      ENGRAM_ASSIGN_OR_RETURN(const auto wal,
                              files->OpenDirectory(Join(path, name), false));
      ENGRAM_ASSIGN_OR_RETURN(const std::vector<std::string> segments,
                              wal->List());
      if (segments.empty()) continue;
    }
    return absl::FailedPreconditionError(absl::StrCat(
        path, ": holds files (", name,
        ") but no Engram database: there is no file ", kIdentityName));
  }
  return absl::OkStatus();
}

// Makes the folder `name` in `parent`, durably; "." is the working directory.
absl::Status MakeFolder(io::FileSystem* files, const std::string& parent,
                        absl::string_view name) {
  const std::string path = Join(parent, name);
  if (files->Exists(path)) return absl::OkStatus();
  ENGRAM_RETURN_IF_ERROR(files->OpenDirectory(path, true).status());
  ENGRAM_ASSIGN_OR_RETURN(const auto folder,
                          files->OpenDirectory(parent, false));
  return folder->Sync();
}

// What an owner that was killed said of itself is not true of the next one, who
// may publish nothing, or not before it has recovered.
absl::Status RemoveStats(io::FileSystem* files, const std::string& path) {
  if (!files->Exists(Join(path, schema::kStatsFileName))) {
    return absl::OkStatus();
  }
  ENGRAM_ASSIGN_OR_RETURN(const auto folder, files->OpenDirectory(path, false));
  return folder->Remove(schema::kStatsFileName);
}

// Whether the process that wrote `owner` into OWNER has ended.
bool HasEnded(absl::string_view owner) {
  pid_t pid = 0;
  return absl::SimpleAtoi(owner, &pid) && pid > 0 && ::kill(pid, 0) != 0 &&
         errno == ESRCH;
}

// The lock outlives a killed owner until the kernel is done with what its ring
// still had to write, so that is waited for.
absl::StatusOr<io::DirectoryLock> LockOrNameOwner(io::FileSystem* files,
                                                  const std::string& path,
                                                  const std::string& wal_path) {
  const absl::Time deadline = absl::Now() + kEndedOwnerTimeout;
  while (true) {
    absl::StatusOr<io::DirectoryLock> lock = files->Lock(wal_path);
    if (!absl::IsUnavailable(lock.status())) return lock;
    absl::StatusOr<std::string> owner =
        files->ReadSmallFile(Join(path, kOwnerName));
    if (!owner.ok()) {
      return absl::UnavailableError(
          absl::StrCat(path, ": the database is open in another process"));
    }
    absl::StripAsciiWhitespace(&*owner);
    if (!HasEnded(*owner)) {
      return absl::UnavailableError(
          absl::StrCat(path, ": the database is open in process ", *owner));
    }
    if (absl::Now() >= deadline) {
      return absl::UnavailableError(absl::StrCat(
          path, ": the log is still locked ",
          absl::FormatDuration(kEndedOwnerTimeout), " after process ", *owner,
          " had ended: its writes are under way, or another process has it"));
    }
  }
}

}  // namespace

std::string DatabaseIdText(const schema::DatabaseId& id) {
  return absl::BytesToHexString(absl::string_view(
      reinterpret_cast<const char*>(id.bytes), sizeof(id.bytes)));
}

absl::Status CreateIdentity(io::FileSystem* files, const std::string& path,
                            const schema::DatabaseId& id) {
  const std::string temporary = Join(path, kIdentityTemporaryName);
  ENGRAM_RETURN_IF_ERROR(files->WriteSmallFile(
      temporary, absl::StrCat(kFirstLine, "\nformat ", kFormatVersion, "\nid ",
                              DatabaseIdText(id), "\n")));
  ENGRAM_ASSIGN_OR_RETURN(const auto folder, files->OpenDirectory(path, false));
  ENGRAM_RETURN_IF_ERROR(folder->Rename(kIdentityTemporaryName, kIdentityName));
  return folder->Sync();
}

absl::StatusOr<DatabaseFiles> OpenDatabaseFiles(io::FileSystem* files,
                                                const std::string& path,
                                                bool create, bool read_only) {
  create = create && !read_only;
  const std::string identity_path = Join(path, kIdentityName);
  if (!files->Exists(path)) {
    if (!create) {
      return absl::NotFoundError(absl::StrCat(path, ": there is no database"));
    }
    const std::filesystem::path full = std::filesystem::absolute(path);
    ENGRAM_RETURN_IF_ERROR(MakeFolder(files, full.parent_path().string(),
                                      full.filename().string()));
  }
  ENGRAM_ASSIGN_OR_RETURN(const bool is_folder, files->IsFolder(path));
  if (!is_folder) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": is a file; a database is a folder"));
  }
  if (!files->Exists(identity_path)) {
    ENGRAM_RETURN_IF_ERROR(CheckMayCreate(files, path));
    if (!create) {
      return absl::FailedPreconditionError(absl::StrCat(
          path, ": no Engram database: there is no file ", kIdentityName));
    }
  }
  const std::string wal_path = Join(path, kWalFolderName);
  const std::string kv_path = Join(path, kStoreFolderName);
  if (!read_only)
    ENGRAM_RETURN_IF_ERROR(MakeFolder(files, path, kWalFolderName));
  if (!files->Exists(wal_path)) {
    return absl::DataLossError(absl::StrCat(wal_path, " is missing"));
  }
  io::DirectoryLock lock = io::DirectoryLock::None();
  if (!read_only) {
    ENGRAM_ASSIGN_OR_RETURN(lock, LockOrNameOwner(files, path, wal_path));
    // Before OWNER names this process. What cannot be removed has another pid.
    RemoveStats(files, path).IgnoreError();
  }
  // Whose database it is was decided by the lock; what it is, is decided under
  // it: two processes may create it at the same time.
  schema::DatabaseId id = RandomId();
  const bool created = !files->Exists(identity_path);
  if (created) {
    ENGRAM_RETURN_IF_ERROR(CheckMayCreate(files, path));
    ENGRAM_RETURN_IF_ERROR(CreateIdentity(files, path, id));
  } else {
    ENGRAM_ASSIGN_OR_RETURN(const std::string text,
                            files->ReadSmallFile(identity_path));
    ENGRAM_ASSIGN_OR_RETURN(id, ParseIdentity(identity_path, text));
  }
  if (!read_only) {
    // Here, so that it is for the owner alone: RocksDB would let others look.
    ENGRAM_RETURN_IF_ERROR(MakeFolder(files, path, kStoreFolderName));
    // For the message that the next opener gets; worth no failure.
    files
        ->WriteSmallFile(Join(path, kOwnerName), absl::StrCat(::getpid(), "\n"))
        .IgnoreError();
  }
  return DatabaseFiles{wal_path, kv_path, id, created, std::move(lock)};
}

}  // namespace engram::internal
