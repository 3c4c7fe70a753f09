#include "engine/db/database_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <random>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "storage/base/errno_status.h"
#include "storage/base/status_macros.h"
#include "storage/base/unique_fd.h"
#include "storage/io/posix_directory.h"

namespace engram::internal {
namespace {

constexpr uint32_t kFormatVersion = 1;
constexpr absl::string_view kIdentityName = "ENGRAM";
constexpr absl::string_view kIdentityTemporaryName = "ENGRAM.tmp";
constexpr absl::string_view kOwnerName = "OWNER";
constexpr absl::string_view kWalName = "wal";
constexpr absl::string_view kStoreName = "kv";
constexpr absl::string_view kFirstLine = "engram database";
constexpr size_t kSmallFileBytesMax = 4096;
constexpr mode_t kFileMode = 0600;

std::string Join(const std::string& folder, absl::string_view name) {
  return absl::StrCat(folder, "/", name);
}

absl::StatusOr<std::string> ReadSmallFile(const std::string& path) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.valid()) return ErrnoStatus(errno, "open", path);
  std::string text(kSmallFileBytesMax, '\0');
  const ssize_t bytes = ::read(fd.get(), text.data(), text.size());
  if (bytes < 0) return ErrnoStatus(errno, "read", path);
  text.resize(static_cast<size_t>(bytes));
  return text;
}

absl::Status WriteSmallFile(const std::string& path, absl::string_view text) {
  const UniqueFd fd(
      ::open(path.c_str(),
             O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
             kFileMode));
  if (!fd.valid()) return ErrnoStatus(errno, "create", path);
  const ssize_t bytes = ::write(fd.get(), text.data(), text.size());
  if (bytes != static_cast<ssize_t>(text.size())) {
    return ErrnoStatus(bytes < 0 ? errno : ENOSPC, "write", path);
  }
  if (::fsync(fd.get()) != 0) return ErrnoStatus(errno, "sync", path);
  return absl::OkStatus();
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
absl::Status CheckMayCreate(const std::string& path) {
  ENGRAM_ASSIGN_OR_RETURN(const auto folder,
                          io::OpenPosixDirectory(path, false));
  ENGRAM_ASSIGN_OR_RETURN(const std::vector<std::string> names, folder->List());
  // Another process may be creating the database at this moment.
  if (std::find(names.begin(), names.end(), kIdentityName) != names.end()) {
    return absl::OkStatus();
  }
  for (const std::string& name : names) {
    if (name == kIdentityTemporaryName || name == kOwnerName) continue;
    if (name == kWalName) {
      ENGRAM_ASSIGN_OR_RETURN(const auto wal,
                              io::OpenPosixDirectory(Join(path, name), false));
      ENGRAM_ASSIGN_OR_RETURN(const std::vector<std::string> files,
                              wal->List());
      if (files.empty()) continue;
    }
    return absl::FailedPreconditionError(absl::StrCat(
        path, ": holds files (", name,
        ") but no Engram database: there is no file ", kIdentityName));
  }
  return absl::OkStatus();
}

absl::Status CreateIdentity(const std::string& path,
                            const schema::DatabaseId& id) {
  const std::string temporary = Join(path, kIdentityTemporaryName);
  ENGRAM_RETURN_IF_ERROR(WriteSmallFile(
      temporary, absl::StrCat(kFirstLine, "\nformat ", kFormatVersion, "\nid ",
                              DatabaseIdText(id), "\n")));
  ENGRAM_ASSIGN_OR_RETURN(const auto folder,
                          io::OpenPosixDirectory(path, false));
  ENGRAM_RETURN_IF_ERROR(folder->Rename(kIdentityTemporaryName, kIdentityName));
  return folder->Sync();
}

bool Exists(const std::string& path) {
  struct stat info;
  return ::lstat(path.c_str(), &info) == 0;
}

// Makes the folder `name` in `parent`, durably; "." is the working directory.
absl::Status MakeFolder(const std::string& parent, absl::string_view name) {
  const std::string path = Join(parent, name);
  if (Exists(path)) return absl::OkStatus();
  ENGRAM_RETURN_IF_ERROR(io::OpenPosixDirectory(path, true).status());
  ENGRAM_ASSIGN_OR_RETURN(const auto folder,
                          io::OpenPosixDirectory(parent, false));
  return folder->Sync();
}

absl::StatusOr<io::DirectoryLock> LockOrNameOwner(const std::string& path,
                                                  const std::string& wal_path) {
  absl::StatusOr<io::DirectoryLock> lock = io::DirectoryLock::Acquire(wal_path);
  if (!absl::IsUnavailable(lock.status())) return lock;
  const absl::StatusOr<std::string> owner =
      ReadSmallFile(Join(path, kOwnerName));
  return absl::UnavailableError(absl::StrCat(
      path, ": the database is open in ",
      owner.ok() ? absl::StrCat("process ", absl::StripAsciiWhitespace(*owner))
                 : "another process"));
}

}  // namespace

std::string DatabaseIdText(const schema::DatabaseId& id) {
  return absl::BytesToHexString(absl::string_view(
      reinterpret_cast<const char*>(id.bytes), sizeof(id.bytes)));
}

absl::StatusOr<DatabaseFiles> OpenDatabaseFiles(const std::string& path,
                                                bool create, bool read_only) {
  create = create && !read_only;
  const std::string identity_path = Join(path, kIdentityName);
  if (!Exists(path)) {
    if (!create) {
      return absl::NotFoundError(absl::StrCat(path, ": there is no database"));
    }
    const std::filesystem::path full = std::filesystem::absolute(path);
    ENGRAM_RETURN_IF_ERROR(
        MakeFolder(full.parent_path().string(), full.filename().string()));
  }
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) return ErrnoStatus(errno, "open", path);
  if (!S_ISDIR(info.st_mode)) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": is a file; a database is a folder"));
  }
  if (!Exists(identity_path)) {
    ENGRAM_RETURN_IF_ERROR(CheckMayCreate(path));
    if (!create) {
      return absl::FailedPreconditionError(absl::StrCat(
          path, ": no Engram database: there is no file ", kIdentityName));
    }
  }
  const std::string wal_path = Join(path, kWalName);
  const std::string kv_path = Join(path, kStoreName);
  if (!read_only) ENGRAM_RETURN_IF_ERROR(MakeFolder(path, kWalName));
  if (!Exists(wal_path)) {
    return absl::DataLossError(absl::StrCat(wal_path, " is missing"));
  }
  ENGRAM_ASSIGN_OR_RETURN(io::DirectoryLock lock,
                          LockOrNameOwner(path, wal_path));
  // Whose database it is was decided by the lock; what it is, is decided under
  // it: two processes may create it at the same time.
  schema::DatabaseId id = RandomId();
  const bool created = !Exists(identity_path);
  if (created) {
    ENGRAM_RETURN_IF_ERROR(CheckMayCreate(path));
    ENGRAM_RETURN_IF_ERROR(CreateIdentity(path, id));
  } else {
    ENGRAM_ASSIGN_OR_RETURN(const std::string text,
                            ReadSmallFile(identity_path));
    ENGRAM_ASSIGN_OR_RETURN(id, ParseIdentity(identity_path, text));
  }
  if (!read_only) {
    // Here, so that it is for the owner alone: RocksDB would let others look.
    ENGRAM_RETURN_IF_ERROR(MakeFolder(path, kStoreName));
    // For the message that the next opener gets; worth no failure.
    WriteSmallFile(Join(path, kOwnerName), absl::StrCat(::getpid(), "\n"))
        .IgnoreError();
  }
  return DatabaseFiles{wal_path, kv_path, id, created, std::move(lock)};
}

}  // namespace engram::internal
