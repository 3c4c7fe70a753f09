#include <optional>

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
#include "storage/kv/uncached_tables.h"

namespace engram::kv {
namespace {

// At a time. Past the page cache each write waits for the disk: 33 MB took 23
// ms in steps of 1 MiB, and 18 in these.
constexpr size_t kWriteBytes = size_t{1} << 20;
constexpr size_t kUncachedWriteBytes = size_t{4} << 20;

}  // namespace

struct Ingest::Table {
  Table(std::string file_path, size_t write_bytes, rocksdb::Env* env,
        const std::shared_ptr<rocksdb::Cache>& block_cache,
        rocksdb::RateLimiter* limiter, rocksdb::ColumnFamilyHandle* family)
      : path(std::move(file_path)),
        writer(WrittenIn(write_bytes, limiter),
               rocksdb::Options(MakeDbOptions(env),
                                MakeFamilyOptions(block_cache)),
               family, /*invalidate_page_cache=*/false, rocksdb::Env::IO_HIGH) {
  }

  // RocksDB takes none of this from the other options here.
  static rocksdb::EnvOptions WrittenIn(size_t bytes,
                                       rocksdb::RateLimiter* limiter) {
    rocksdb::EnvOptions options;
    options.bytes_per_sync = kBytesPerSync;
    options.writable_file_max_buffer_size = bytes;
    options.rate_limiter = limiter;
    return options;
  }

  absl::Status Finish() {
    if (!finished.has_value()) {
      rocksdb::ExternalSstFileInfo info;
      finished = ToStatus(writer.Finish(&info));
      bytes = info.file_size;
    }
    return *finished;
  }

  std::string path;
  rocksdb::SstFileWriter writer;
  std::optional<absl::Status> finished;
  uint64_t bytes = 0;
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
    const absl::string_view suffix = !vectors    ? "-main.sst"
                                     : uncached_ ? kUncachedTableSuffix
                                                 : "-vectors.sst";
    table = std::make_unique<Table>(
        absl::StrCat(scratch_prefix_, suffix),
        vectors && uncached_ ? kUncachedWriteBytes : kWriteBytes,
        store_->env_.get(), store_->block_cache_, store_->limiter_.get(),
        family_.get());
    ENGRAM_RETURN_IF_ERROR(ToStatus(table->writer.Open(table->path)));
  }
  ENGRAM_CHECK(!table->finished.has_value());
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

absl::Status Ingest::FinishVectors() {
  return vectors_ == nullptr ? absl::OkStatus() : vectors_->Finish();
}

absl::Status Ingest::Commit() {
  std::vector<std::string> paths;
  for (Table* table : {main_.get(), vectors_.get()}) {
    if (table == nullptr) continue;
    ENGRAM_RETURN_IF_ERROR(table->Finish());
    bytes_ += table->bytes;
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
