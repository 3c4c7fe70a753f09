// The folder of a database: who it is, and who owns it.
//
//   ENGRAM   format version and database id, as text; written once
//   OWNER    pid of the process that owns the database, or did last
//   STATS    what the owner says of itself at this moment; see stats_page.h
//   wal/     the log; its flock is the ownership
//   kv/      RocksDB

#ifndef ENGRAM_ENGINE_DB_DATABASE_FILES_H_
#define ENGRAM_ENGINE_DB_DATABASE_FILES_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "schema/wal_layout.h"
#include "storage/io/directory_lock.h"
#include "storage/io/file_system.h"

namespace engram::internal {

struct DatabaseFiles {
  std::string wal_path;
  std::string kv_path;
  schema::DatabaseId id = {};
  bool created = false;    // there was none before
  io::DirectoryLock lock;  // None() if read_only
};

// Locks the database in the folder `path`; makes one if there is none and
// `create`. Neither locks nor writes anything if `read_only`. Errors as
// Db::Open() documents them.
absl::StatusOr<DatabaseFiles> OpenDatabaseFiles(io::FileSystem* files,
                                                const std::string& path,
                                                bool create, bool read_only);

// Writes what identifies a database to the folder `path`: the last thing that
// makes a database of it.
absl::Status CreateIdentity(io::FileSystem* files, const std::string& path,
                            const schema::DatabaseId& id);

// The folders in it.
inline constexpr absl::string_view kWalFolderName = "wal";
inline constexpr absl::string_view kStoreFolderName = "kv";

// 32 hexadecimal digits.
std::string DatabaseIdText(const schema::DatabaseId& id);

}  // namespace engram::internal

#endif  // ENGRAM_ENGINE_DB_DATABASE_FILES_H_
