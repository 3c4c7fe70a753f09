#include "tools/bench/rocksdb_save.h"

#include <memory>
#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "rocksdb/db.h"
#include "storage/base/status_macros.h"

namespace engram::bench {
namespace {

absl::Status FromRocksdb(const rocksdb::Status& status) {
  if (status.ok()) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("RocksDB: ", status.ToString()));
}

}  // namespace

absl::StatusOr<absl::Duration> SaveInRocksdb(const std::string& folder,
                                             uint64_t records, size_t bytes) {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.compression = rocksdb::kNoCompression;
  rocksdb::DB* opened = nullptr;
  ENGRAM_RETURN_IF_ERROR(
      FromRocksdb(rocksdb::DB::Open(options, folder, &opened)));
  const std::unique_ptr<rocksdb::DB> db(opened);
  std::mt19937_64 random(7);
  std::string value(bytes, ' ');
  for (char& byte : value) byte = static_cast<char>(random());
  const absl::Time begin = absl::Now();
  for (uint64_t i = 0; i < records; ++i) {
    ENGRAM_RETURN_IF_ERROR(FromRocksdb(
        db->Put(rocksdb::WriteOptions(), absl::StrFormat("%016d", i), value)));
  }
  ENGRAM_RETURN_IF_ERROR(FromRocksdb(db->SyncWAL()));
  ENGRAM_RETURN_IF_ERROR(FromRocksdb(db->Flush(rocksdb::FlushOptions())));
  return absl::Now() - begin;
}

}  // namespace engram::bench
