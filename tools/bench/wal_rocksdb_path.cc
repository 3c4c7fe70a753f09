#include <atomic>
#include <random>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "rocksdb/db.h"
#include "storage/base/status_macros.h"
#include "tools/bench/rocksdb_save.h"
#include "tools/bench/wal_path.h"

namespace engram::bench {
namespace {

constexpr size_t kKeyBytes = 16;

absl::Status FromRocksdb(const rocksdb::Status& status) {
  if (status.ok()) return absl::OkStatus();
  return absl::InternalError(absl::StrCat("RocksDB: ", status.ToString()));
}

class RocksdbPath final : public WalPath {
 public:
  explicit RocksdbPath(std::unique_ptr<rocksdb::DB> db) : db_(std::move(db)) {}

  const char* name() const override { return kRocksdb; }
  bool Supports(const WalSetting& setting) const override {
    return setting.window == 0;
  }

  absl::StatusOr<WalResult> Run(const WalSetting& setting) override {
    const std::string value(
        static_cast<size_t>(setting.record_bytes) - kKeyBytes, 'v');
    rocksdb::WriteOptions options;
    options.sync = true;
    return RunAppenders(setting, [&](int) {
      // Relaxed: only makes the keys differ.
      std::string key =
          absl::StrCat(next_.fetch_add(1, std::memory_order_relaxed));
      key.insert(0, kKeyBytes - key.size(), '0');
      return FromRocksdb(db_->Put(options, key, value));
    });
  }

 private:
  const std::unique_ptr<rocksdb::DB> db_;
  std::atomic<uint64_t> next_{0};
};

}  // namespace

absl::StatusOr<std::unique_ptr<WalPath>> NewRocksdbPath(
    const std::string& folder) {
  rocksdb::Options options;
  options.create_if_missing = true;
  rocksdb::DB* db = nullptr;
  ENGRAM_RETURN_IF_ERROR(FromRocksdb(rocksdb::DB::Open(options, folder, &db)));
  return std::make_unique<RocksdbPath>(std::unique_ptr<rocksdb::DB>(db));
}

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
