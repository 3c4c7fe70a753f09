#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "rocksdb/db.h"
#include "rocksdb/env.h"
#include "rocksdb/sst_file_writer.h"
#include "schema/key_layout.h"
#include "storage/base/check.h"
#include "storage/base/status_macros.h"
#include "storage/kv/rocksdb_options.h"
#include "storage/kv/store.h"

namespace engram::kv {

struct Ingest::Table {
  Table(std::string file_path, rocksdb::Env* env,
        const std::shared_ptr<rocksdb::Cache>& block_cache,
        rocksdb::RateLimiter* limiter, rocksdb::ColumnFamilyHandle* family)
      : path(std::move(file_path)),
        writer(LimitedBy(limiter),
               rocksdb::Options(MakeDbOptions(env),
                                MakeFamilyOptions(block_cache)),
               family, /*invalidate_page_cache=*/true, rocksdb::Env::IO_HIGH) {}

  // RocksDB takes neither from the other options here.
  static rocksdb::EnvOptions LimitedBy(rocksdb::RateLimiter* limiter) {
    rocksdb::EnvOptions options;
    options.bytes_per_sync = kBytesPerSync;
    options.rate_limiter = limiter;
    return options;
  }

  std::string path;
  rocksdb::SstFileWriter writer;
  uint64_t entries = 0;
};

Ingest::Ingest(Store* store, Store::Target target, std::string scratch_prefix)
    : store_(store),
      family_(std::move(target.family)),
      member_(target.member),
      scratch_prefix_(std::move(scratch_prefix)) {}

Ingest::~Ingest() {
  // A committed table has moved away. What is left is in the way of nothing,
  // and Store::Open() removes it at the latest.
  for (const Table* table : {main_.get(), vectors_.get()}) {
    if (table == nullptr) continue;
    store_->env_->DeleteFile(table->path).PermitUncheckedError();
  }
}

absl::StatusOr<Ingest::Table*> Ingest::TableFor(absl::string_view key) {
  const bool vectors = absl::StartsWith(key, schema::kVectorPrefix);
  std::unique_ptr<Table>& table = vectors ? vectors_ : main_;
  if (table == nullptr) {
    table = std::make_unique<Table>(
        absl::StrCat(scratch_prefix_, vectors ? "-vectors.sst" : "-main.sst"),
        store_->env_.get(), store_->block_cache_, store_->limiter_.get(),
        family_.get());
    ENGRAM_RETURN_IF_ERROR(ToStatus(table->writer.Open(table->path)));
  }
  ++table->entries;
  return table.get();
}

absl::string_view Ingest::StoredKey(absl::string_view key,
                                    std::string* buffer) const {
  if (member_ == 0) return key;
  *buffer = schema::MemberKey(member_, key);
  return *buffer;
}

absl::Status Ingest::Put(absl::string_view key, absl::string_view value) {
  std::string buffer;
  ENGRAM_ASSIGN_OR_RETURN(Table* const table, TableFor(key));
  return ToStatus(
      table->writer.Put(ToSlice(StoredKey(key, &buffer)), ToSlice(value)));
}

absl::Status Ingest::Delete(absl::string_view key) {
  std::string buffer;
  ENGRAM_ASSIGN_OR_RETURN(Table* const table, TableFor(key));
  return ToStatus(table->writer.Delete(ToSlice(StoredKey(key, &buffer))));
}

absl::Status Ingest::Commit() {
  std::vector<std::string> paths;
  for (Table* table : {main_.get(), vectors_.get()}) {
    if (table == nullptr) continue;
    rocksdb::ExternalSstFileInfo info;
    ENGRAM_RETURN_IF_ERROR(ToStatus(table->writer.Finish(&info)));
    bytes_ += info.file_size;
    paths.push_back(table->path);
  }
  if (paths.empty()) return absl::OkStatus();
  ENGRAM_RETURN_IF_ERROR(store_->CheckRunning());
  rocksdb::IngestExternalFileOptions options;
  options.move_files = true;
  options.failed_move_fall_back_to_copy = false;
  options.write_global_seqno = false;
  options.allow_blocking_flush = false;  // there is nothing in the memtables
  const rocksdb::Status status =
      store_->db_->IngestExternalFile(family_.get(), paths, options);
  if (status.IsNoSpace()) {
    MutexLock lock(store_->mutex_);
    store_->resume_needed_ = true;
  }
  return ToStatus(status);
}

}  // namespace engram::kv
