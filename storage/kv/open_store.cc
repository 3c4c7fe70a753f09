// Opening a store.

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "rocksdb/db.h"
#include "rocksdb/env.h"
#include "rocksdb/rate_limiter.h"
#include "storage/base/status_macros.h"
#include "storage/kv/keep_files.h"
#include "storage/kv/pinned_files.h"
#include "storage/kv/read_only_files.h"
#include "storage/kv/rocksdb_options.h"
#include "storage/kv/stop_listener.h"
#include "storage/kv/store.h"
#include "storage/kv/torn_manifest.h"
#include "storage/kv/uncached_tables.h"

namespace engram::kv {
namespace {

// RocksDB's file without which there is no database.
constexpr absl::string_view kCurrentName = "/CURRENT";

std::shared_ptr<rocksdb::FileSystem> FilesOf(const StoreOptions& options) {
  rocksdb::Env* const env =
      options.env == nullptr ? rocksdb::Env::Default() : options.env;
  return env->GetFileSystem();
}

// An error of opening; a file that is missing is damage here.
absl::Status ToOpenStatus(const rocksdb::Status& status) {
  absl::Status converted = ToStatus(status);
  if (!SaysMissing(status)) return converted;
  return absl::DataLossError(converted.message());
}

// How the store sees its files.
std::unique_ptr<rocksdb::Env> MakeEnv(
    const std::shared_ptr<rocksdb::FileSystem>& files,
    const std::shared_ptr<PinnedFiles>& pinned,
    const std::shared_ptr<StopListener>& stop) {
  if (pinned != nullptr) return NewReadOnlyEnv(NewTornManifests(pinned));
  return NewKeepFilesEnv(NewUncachedTables(NewTornManifests(files)), stop);
}

// At most so many are live; if it cannot be known, opening says why.
size_t CountTables(rocksdb::Env* env, const std::string& path) {
  std::vector<std::string> names;
  env->GetChildren(path, &names).PermitUncheckedError();
  return static_cast<size_t>(std::count_if(
      names.begin(), names.end(),
      [](const std::string& name) { return absl::EndsWith(name, ".sst"); }));
}

absl::StatusOr<std::vector<std::string>> ListFamilies(
    const std::string& path, const rocksdb::DBOptions& options) {
  // RocksDB takes a folder without CURRENT for an empty one, and would start
  // anew in it.
  const std::string current = absl::StrCat(path, kCurrentName);
  if (options.env->FileExists(current).IsNotFound()) {
    if (!options.create_if_missing) {
      return absl::DataLossError(absl::StrCat(current, " is missing"));
    }
    return std::vector<std::string>{std::string(kDefaultFamily)};
  }
  std::vector<std::string> names;
  ENGRAM_RETURN_IF_ERROR(
      ToOpenStatus(rocksdb::DB::ListColumnFamilies(options, path, &names)));
  return names;
}

// RocksDB makes a log of its own whenever it is opened, and removes it when
// what it held was flushed. Nothing is ever written to it here, so each one
// would stay, and be read: 39 of them made opening 45 ms slower.
// What stands in the way of that is RocksDB's to tell.
void RemoveEmptyLogs(rocksdb::Env* env, const std::string& path) {
  std::vector<std::string> names;
  env->GetChildren(path, &names).PermitUncheckedError();
  for (absl::string_view name : names) {
    if (!absl::ConsumeSuffix(&name, ".log")) continue;
    if (!std::all_of(name.begin(), name.end(), absl::ascii_isdigit)) continue;
    const std::string log = absl::StrCat(path, "/", name, ".log");
    uint64_t bytes = 0;
    if (!env->GetFileSize(log, &bytes).ok() || bytes != 0) continue;
    env->DeleteFile(log).PermitUncheckedError();
  }
}

}  // namespace

Store::Store(const std::string& path, const StoreOptions& options)
    : scratch_path_(absl::StrCat(path, "/", kScratchFolder)),
      read_only_(options.read_only),
      block_cache_(MakeBlockCache()),
      stop_(std::make_shared<StopListener>()),
      limiter_(MakeLimiter(options.write_bytes_per_second)),
      pinned_(options.read_only
                  ? std::make_shared<PinnedFiles>(FilesOf(options), path)
                  : nullptr),
      env_(MakeEnv(FilesOf(options), pinned_, stop_)) {}

absl::StatusOr<std::unique_ptr<Store>> Store::Open(
    const std::string& path, const StoreOptions& options) {
  std::unique_ptr<Store> store(new Store(path, options));
  rocksdb::DBOptions db_options = MakeDbOptions(store->env_.get());
  db_options.listeners.push_back(store->stop_);
  db_options.rate_limiter = store->limiter_;
  db_options.create_if_missing =
      options.create_if_missing && !options.read_only;
  if (options.read_only) {
    store->PinFiles(path, &db_options);
  } else {
    ENGRAM_RETURN_IF_ERROR(store->PrepareFolder(path));
  }
  ENGRAM_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                          ListFamilies(path, db_options));
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  for (const std::string& name : names) {
    descriptors.emplace_back(name, MakeFamilyOptions(store->block_cache_));
  }
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status =
      options.read_only
          ? rocksdb::DB::OpenForReadOnly(db_options, path, descriptors,
                                         &handles, &db)
          : rocksdb::DB::Open(db_options, path, descriptors, &handles, &db);
  ENGRAM_RETURN_IF_ERROR(ToOpenStatus(status));
  store->db_.reset(db);
  {
    MutexLock lock(store->mutex_);
    for (size_t i = 0; i < handles.size(); ++i) {
      store->families_[names[i]] = FamilyRef(handles[i]);
    }
  }
  if (options.read_only) {
    store->pinned_->Release();
  } else {
    store->DropScratchFamilies();
  }
  return store;
}

void Store::PinFiles(const std::string& path,
                     rocksdb::DBOptions* options) const {
  const bool all_tables = HoldAllFiles(CountTables(env_.get(), path), options);
  // Whatever this meets, RocksDB meets next, and says so.
  pinned_->Pin(all_tables).PermitUncheckedError();
}

absl::Status Store::PrepareFolder(const std::string& path) const {
  ENGRAM_RETURN_IF_ERROR(ToStatus(env_->CreateDirIfMissing(path)));
  ENGRAM_RETURN_IF_ERROR(ResetScratch(env_.get(), scratch_path_));
  RemoveEmptyLogs(env_.get(), path);
  return absl::OkStatus();
}

// Only tables ever stand in the folder.
absl::Status Store::ResetScratch(rocksdb::Env* env, const std::string& path) {
  ENGRAM_RETURN_IF_ERROR(ToStatus(env->CreateDirIfMissing(path)));
  std::vector<std::string> names;
  ENGRAM_RETURN_IF_ERROR(ToStatus(env->GetChildren(path, &names)));
  for (const std::string& name : names) {
    ENGRAM_RETURN_IF_ERROR(
        ToStatus(env->DeleteFile(absl::StrCat(path, "/", name))));
  }
  return absl::OkStatus();
}

bool Store::Exists(const std::string& path, rocksdb::Env* env) {
  if (env == nullptr) env = rocksdb::Env::Default();
  return !env->FileExists(absl::StrCat(path, kCurrentName)).IsNotFound();
}

}  // namespace engram::kv
