#include "storage/kv/rocksdb_options.h"

#include <sys/resource.h>

#include <algorithm>
#include <cstdarg>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "rocksdb/cache.h"
#include "rocksdb/env.h"
#include "rocksdb/filter_policy.h"
#include "rocksdb/table.h"

namespace engram::kv {
namespace {

// Tables that are open at the same time, if the process may have twice as many
// descriptors. Fewer are slower, but never an error.
constexpr rlim_t kOpenFilesMax = 512;
// RocksDB's 100 ms would let a tenth of a second's bytes through at once.
constexpr int64_t kRefillMicros = 10'000;

constexpr size_t kBlockCacheBytes = size_t{8} << 20;
constexpr size_t kManifestPreallocationBytes = size_t{64} << 10;
constexpr size_t kBlockBytes = size_t{16} << 10;
constexpr double kFilterBitsPerKey = 10;

// RocksDB's own log text goes nowhere: after a failed write to its LOG file, as
// on a full disk, the next line would trip an assertion of Debian's build and
// abort the process. What matters comes back as a status.
class SilentLogger final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
};

int OpenFilesMax() {
  rlimit limit = {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return kOpenFilesMax;
  return static_cast<int>(std::min(kOpenFilesMax, limit.rlim_cur / 2));
}

}  // namespace

rocksdb::DBOptions MakeDbOptions(rocksdb::Env* env) {
  rocksdb::DBOptions options;
  options.env = env;
  options.bytes_per_sync = kBytesPerSync;
  options.info_log = std::make_shared<SilentLogger>();
  options.create_if_missing = true;
  options.max_open_files = OpenFilesMax();
  options.skip_stats_update_on_db_open = true;
  options.skip_checking_sst_file_sizes_on_db_open = true;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  // Else a full disk of a few MB refuses a manifest that needs some KB.
  options.manifest_preallocation_size = kManifestPreallocationBytes;
  options.max_manifest_file_size = kManifestBytesMax;
  return options;
}

bool HoldAllFiles(size_t tables, rocksdb::DBOptions* options) {
  // Else 15 threads are started for each family, for the few tables it has.
  options->max_file_opening_threads = 1;
  rlimit limit = {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return false;
  if (limit.rlim_cur < limit.rlim_max) {
    const rlimit raised = {limit.rlim_max, limit.rlim_max};
    if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  }
  std::vector<std::string> used;
  if (!rocksdb::Env::Default()->GetChildren("/proc/self/fd", &used).ok()) {
    return false;
  }
  if (used.size() + 2 * tables > limit.rlim_cur) return false;
  options->max_open_files = -1;
  return true;
}

std::shared_ptr<rocksdb::RateLimiter> MakeLimiter(uint64_t bytes_per_second) {
  if (bytes_per_second == 0) return nullptr;
  return std::shared_ptr<rocksdb::RateLimiter>(rocksdb::NewGenericRateLimiter(
      static_cast<int64_t>(
          std::min(bytes_per_second, static_cast<uint64_t>(kNoLimit))),
      kRefillMicros));
}

std::shared_ptr<rocksdb::Cache> MakeBlockCache() {
  return rocksdb::NewLRUCache(kBlockCacheBytes);
}

rocksdb::ColumnFamilyOptions MakeFamilyOptions(
    const std::shared_ptr<rocksdb::Cache>& block_cache) {
  rocksdb::BlockBasedTableOptions table;
  // Debian's RocksDB computes crc32c at 0.7 GB/s and XXH3 at 4.9.
  table.checksum = rocksdb::kXXH3;
  table.block_size = kBlockBytes;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(kFilterBitsPerKey));
  table.block_cache = block_cache;

  rocksdb::ColumnFamilyOptions options;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  options.compression = rocksdb::kNoCompression;  // floats hardly shrink
  options.disable_auto_compactions = true;        // see CompactIfNeeded()
  // Memtables stay empty; keep what they reserve small.
  options.write_buffer_size = size_t{4} << 20;
  options.arena_block_size = size_t{64} << 10;
  return options;
}

absl::Status ToStatus(const rocksdb::Status& status) {
  if (status.ok()) return absl::OkStatus();
  const std::string message = absl::StrCat("RocksDB: ", status.ToString());
  if (status.IsCorruption()) return absl::DataLossError(message);
  if (status.IsNotFound()) return absl::NotFoundError(message);
  if (status.IsNoSpace()) return absl::ResourceExhaustedError(message);
  // Not just "lock", which may stand in the path that the message names.
  if (status.IsIOError() &&
      (absl::StrContains(message, "While lock file") ||
       absl::StrContains(message, "lock hold by current process"))) {
    return absl::UnavailableError(message);
  }
  return absl::InternalError(message);
}

bool SaysMissing(const rocksdb::Status& status) {
  return status.IsPathNotFound() ||
         absl::StrContains(status.ToString(), "No such file");
}

}  // namespace engram::kv
