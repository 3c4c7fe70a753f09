// Backups: a copy of the database beside its work.

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/db/db_impl.h"
#include "engine/db/lost_file.h"
#include "storage/base/status_macros.h"
#include "storage/io/new_folder.h"
#include "storage/wal/copy_log.h"

namespace engram::internal {
namespace {

constexpr size_t kCopyBytes = size_t{64} << 10;

// Keeps the segments of a log while it lives.
class LogPin {
 public:
  explicit LogPin(wal::Writer* writer) : writer_(*writer) { writer_.Pin(); }
  ~LogPin() { writer_.Unpin(); }

  LogPin(const LogPin&) = delete;
  LogPin& operator=(const LogPin&) = delete;

 private:
  wal::Writer& writer_;
};

}  // namespace

absl::Status DbImpl::Backup(const std::string& dir) {
  const Operation operation(gate_);
  ENGRAM_RETURN_IF_ERROR(CheckOpen(operation, nullptr));
  ENGRAM_RETURN_IF_ERROR(CheckWritable());
  ENGRAM_ASSIGN_OR_RETURN(const std::string full, io::FullPath(dir));
  if (io::LiesIn(full, path_)) {
    return absl::InvalidArgumentError(
        absl::StrCat(full, ": lies in the database ", path_,
                     "; a backup goes to another folder"));
  }
  io::FileSystem* const files = environment_.files;
  ENGRAM_ASSIGN_OR_RETURN(const auto folder,
                          io::NewFolder::Create(files, full));
  ENGRAM_RETURN_IF_ERROR(CopyTo(folder->building_path()));
  ENGRAM_RETURN_IF_ERROR(CopyLostFile(folder->building_path()));
  ENGRAM_RETURN_IF_ERROR(
      CreateIdentity(files, folder->building_path(), files_.id));
  return folder->Publish();
}

// The checkpoints first, and then the log, which so goes on where they end: as
// if the power had failed after the one and before the other.
absl::Status DbImpl::CopyTo(const std::string& folder) {
  io::FileSystem* const files = environment_.files;
  // What was acknowledged as kProcess may wait for its sync.
  ENGRAM_RETURN_IF_ERROR(WaitPublishedDurable());
  const LogPin pin(writer_.get());
  wal::CopyLogOptions log;
  log.database_id = files_.id;
  {
    // Above all that was given back before the pin: it rises first.
    MutexLock lock(progress_mutex_);
    log.low_water_lsn = low_water_lsn_;
  }
  ENGRAM_RETURN_IF_ERROR(
      store_->CopyTo(absl::StrCat(folder, "/", kStoreFolderName)));
  // Only now: no head may be ahead of the log, and none is saved before the log
  // is durable up to it.
  log.last_lsn = writer_->durable_lsn();
  ENGRAM_ASSIGN_OR_RETURN(
      const auto wal_copy,
      files->OpenDirectory(absl::StrCat(folder, "/", kWalFolderName),
                           /*create=*/true));
  return wal::CopyLog(wal_directory_.get(), wal_copy.get(), log);
}

// What a salvage gave up once is part of what there is to know.
absl::Status DbImpl::CopyLostFile(const std::string& folder) const {
  io::FileSystem* const files = environment_.files;
  if (!files->Exists(absl::StrCat(path_, "/", kLostFileName))) {
    return absl::OkStatus();
  }
  ENGRAM_ASSIGN_OR_RETURN(const auto directory,
                          files->OpenDirectory(path_, false));
  ENGRAM_ASSIGN_OR_RETURN(const auto file,
                          directory->Open(kLostFileName, io::OpenMode::kRead));
  const std::string copy = absl::StrCat(folder, "/", kLostFileName);
  std::vector<char> chunk(kCopyBytes);
  for (uint64_t offset = 0;; offset += chunk.size()) {
    ENGRAM_ASSIGN_OR_RETURN(const size_t read,
                            file->Read(offset, absl::MakeSpan(chunk)));
    ENGRAM_RETURN_IF_ERROR(
        files->AppendToFile(copy, absl::string_view(chunk.data(), read)));
    if (read < chunk.size()) return absl::OkStatus();
  }
}

}  // namespace engram::internal
