// Reads a manifest whose last change never reached the disk in full.

#ifndef ENGRAM_STORAGE_KV_TORN_MANIFEST_H_
#define ENGRAM_STORAGE_KV_TORN_MANIFEST_H_

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/strings/string_view.h"
#include "rocksdb/file_system.h"

namespace engram::kv {

// Where the last change before the first hole of a manifest ends, if in no
// block behind the hole another one begins: what is there belongs to the change
// that the hole tore. A hole is an aligned page of zeros, which no change
// contains: names and keys are shorter. The format is that of RocksDB's logs
// (blocks of 32 KiB; fragments with a checksum, a length and a type).
std::optional<uint64_t> FindTornTail(absl::string_view manifest);

// `files`, but that a manifest with a torn tail ends before it when it is read.
// RocksDB takes zeros for the end, and pieces behind them for corruption. A
// failed sync leaves such pieces, of the change that could not be synced: that
// was acknowledged to nobody, and RocksDB writes none after it.
std::shared_ptr<rocksdb::FileSystem> NewTornManifests(
    std::shared_ptr<rocksdb::FileSystem> files);

}  // namespace engram::kv

#endif  // ENGRAM_STORAGE_KV_TORN_MANIFEST_H_
