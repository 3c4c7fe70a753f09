#include <atomic>
#include <utility>

#include "absl/strings/str_cat.h"
#include "rocksdb/db.h"
#include "storage/base/status_macros.h"
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

}  // namespace engram::bench
