// Reads a manifest whose last change never reached the disk in full.

#ifndef ENGRAM_STORAGE_KV_TORN_MANIFEST_H_
#define ENGRAM_STORAGE_KV_TORN_MANIFEST_H_

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "rocksdb/file_system.h"

namespace engram::kv {

// Where a manifest ends for its reader, if its last change was not written in
// full: what the disk has lost of a file that only grows reads as zeros.
// Nothing if there is no such loss. DATA_LOSS if something was written after
// the change that has it, which was synced then: a store makes one change at a
// time.
//
// The format is that of RocksDB's logs: blocks of 32 KiB, and in them fragments
// with a checksum, a length and a type.
absl::StatusOr<std::optional<uint64_t>> FindTornTail(
    absl::string_view manifest);

// `files`, but that a manifest with a torn tail ends before it when it is read.
// RocksDB takes zeros for the end, and pieces behind them for corruption. A
// failed sync leaves such pieces, of the change that could not be synced: that
// was acknowledged to nobody, and RocksDB writes none after it. RocksDB also
// passes over a block that begins with zeros and goes on in the next one; here
// that is corruption.
std::shared_ptr<rocksdb::FileSystem> NewTornManifests(
    std::shared_ptr<rocksdb::FileSystem> files);

}  // namespace engram::kv

#endif  // ENGRAM_STORAGE_KV_TORN_MANIFEST_H_
