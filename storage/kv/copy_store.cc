// A second store with the contents of a moment.

#include <cstdint>
#include <limits>
#include <memory>

#include "rocksdb/db.h"
#include "rocksdb/utilities/checkpoint.h"
#include "storage/base/status_macros.h"
#include "storage/kv/rocksdb_options.h"
#include "storage/kv/stop_listener.h"
#include "storage/kv/store.h"

namespace engram::kv {

absl::Status Store::CopyTo(const std::string& path) const {
  // Once RocksDB has stopped, what its manifest holds is not known.
  ENGRAM_RETURN_IF_ERROR(stop_->status());
  rocksdb::Checkpoint* created = nullptr;
  ENGRAM_RETURN_IF_ERROR(
      ToStatus(rocksdb::Checkpoint::Create(db_.get(), &created)));
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(created);
  // Memtables are empty; do not look for what there is to flush.
  constexpr uint64_t kNeverFlush = std::numeric_limits<uint64_t>::max();
  return ToStatus(checkpoint->CreateCheckpoint(path, kNeverFlush));
}

}  // namespace engram::kv
