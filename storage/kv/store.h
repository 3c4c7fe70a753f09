// RocksDB, as far as Engram uses it: families, point reads, scans, and tables
// that are built outside and ingested in one step.
//
// Memtables and RocksDB's own log stay empty: everything enters by ingestion,
// which is atomic, costs 1.05 times its bytes where a memtable with a log costs
// 2.1 (measured with 32 MB), and leaves one log, ours, to be proven right.

#ifndef ENGRAM_STORAGE_KV_STORE_H_
#define ENGRAM_STORAGE_KV_STORE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "storage/base/mutex.h"

namespace rocksdb {
class Cache;
class ColumnFamilyHandle;
class DB;
class Env;
class RateLimiter;
class Status;
struct DBOptions;
struct KeyVersion;
}  // namespace rocksdb

namespace engram::kv {

// The family that every database has; it holds the catalog.
inline constexpr absl::string_view kDefaultFamily = "default";

// Where tables are built, in the store's folder.
inline constexpr absl::string_view kScratchFolder = "scratch";

// Of families that the store makes for itself, for moments.
inline constexpr absl::string_view kScratchFamilyPrefix = "scratch";

struct StoreOptions {
  // Takes no lock and writes nothing. What is read is the store as it was at
  // one moment of Open(), between two changes of its owner: RocksDB reads a
  // prefix of its manifest, and opens every table that is live then. The tables
  // stay open, so it does not matter that the owner removes them later. Where
  // the process has too few descriptors for them they are opened when they are
  // needed, and reads are UNAVAILABLE once the owner has removed them.
  bool read_only = false;
  bool create_if_missing = true;  // not if read_only
  rocksdb::Env* env = nullptr;    // null: RocksDB's own; outlives the store

  // What ingestions and compactions may write in a second, together; whoever
  // made them waits, holding no lock of the store's. 0: no limit.
  uint64_t write_bytes_per_second = 0;
};

class Ingest;
class PinnedFiles;
class StopListener;

// A family is named as schema::FamilyPlace says. In one that is shared each
// member has keys of its own; all of the below then is about these.
//
// Thread safety: all methods may be called concurrently, but for this: no
// Ingest into a family may be open while the family is dropped. RocksDB latches
// an error on *all* families when a write races with a drop. Reads may race.
class Store {
 public:
  // Opens the store in the folder `path`. Scratch files of a killed owner are
  // removed.
  //   UNAVAILABLE  locked by another process; not if read_only
  //   DATA_LOSS    RocksDB finds its own files damaged, or they are missing.
  //                If read_only, they may have gone because the owner removed
  //                them while the store was opened: see ReadAttempts. INTERNAL
  //                may then say that a family went.
  static absl::StatusOr<std::unique_ptr<Store>> Open(
      const std::string& path, const StoreOptions& options);

  // Whether a store was ever made in the folder `path`; `env` as in
  // StoreOptions.
  static bool Exists(const std::string& path, rocksdb::Env* env);

  ~Store();

  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;

  // All families of the store's user but the default one, sorted; of shared
  // ones not the members.
  std::vector<std::string> Families() const;

  // A family that is shared is made as any other; its members need no making.
  absl::Status CreateFamily(absl::string_view name);

  // The same for many: RocksDB writes all its options anew only once.
  absl::Status CreateFamilies(absl::Span<const std::string> names);

  // Removes a family with its files, once the last read of it ends, or the keys
  // of a member. NOT_FOUND.
  absl::Status DropFamily(absl::string_view name);

  // The same for many members of shared families, in one step for each family.
  // A family that is not there is passed over. Members whose keys cannot be
  // read stay as they are; their names are added to `damaged`.
  absl::Status DropMembers(absl::Span<const std::string> names,
                           std::vector<std::string>* damaged);

  // Calls `visit` with the value where it lies, and returns what that does; the
  // cache does not keep it. NOT_FOUND if there is no such key or family.
  absl::Status Visit(
      absl::string_view family, absl::string_view key,
      absl::FunctionRef<absl::Status(absl::string_view)> visit) const;

  // NOT_FOUND if there is no such key or family.
  absl::StatusOr<std::string> Get(absl::string_view family,
                                  absl::string_view key) const;

  // Calls `visit` for each key that starts with `prefix`, in order, until it
  // returns an error, which is then returned. Of a member, `prefix` is none or
  // has at least two bytes.
  absl::Status Scan(absl::string_view family, absl::string_view prefix,
                    absl::FunctionRef<absl::Status(absl::string_view key,
                                                   absl::string_view value)>
                        visit) const;

  // Starts a set of changes to one family, or to members of a shared one. The
  // store outlives it.
  absl::StatusOr<std::unique_ptr<Ingest>> NewIngest(absl::string_view family);

  // Merges the family's tables where many have gathered. Vectors (v/), which
  // never change, stay where they are unless their tables are many and small.
  absl::Status CompactIfNeeded(absl::string_view family);

  // Rewrites all tables of a family, or those with keys of a member: what was
  // replaced gives its room back.
  absl::Status CompactFamily(absl::string_view family);

  // Rewrites all tables of all families.
  absl::Status CompactAll();

  // The keys from `first` to `last`.
  struct KeyRange {
    std::string first;
    std::string last;
  };

  // Takes what was deleted or replaced of these keys out of all tables that are
  // in use, and out of the manifest, which names the first and the last key of
  // each table that there was: tables are merged down to their last level, and
  // the manifest is written anew. No Ingest may be open. RemoveObsoleteFiles()
  // does the rest. DATA_LOSS if a table is damaged; nothing has changed then.
  absl::Status Expunge(absl::string_view family,
                       absl::Span<const KeyRange> ranges);

  // Removes what ObsoleteFiles() lists, for good. UNAVAILABLE if some of it is
  // still being read, or copied: try again. No Ingest may be open.
  absl::Status RemoveObsoleteFiles();

  // Calls `visit` for everything that tables hold of these keys, what was
  // deleted and replaced included; of a deletion with no value. Much is in
  // memory at a time.
  absl::Status ScanVersions(
      absl::string_view family, const KeyRange& range,
      absl::FunctionRef<void(absl::string_view key, absl::string_view value)>
          visit) const;

  // Files in the store's folder that hold, or held, keys and are no part of it,
  // or not yet: of an open Ingest.
  absl::StatusOr<std::vector<std::string>> ObsoleteFiles() const;

  // From now on there is no limit: whoever waits for one goes on.
  void LiftWriteLimit();

  // What the limit has let through since Open(); 0 without one.
  uint64_t LimitedBytes() const;

  // Of blocks that are kept in memory.
  uint64_t MemoryBytes() const;

  // Makes a store of the same contents, as of one moment, in the folder `path`,
  // which is absolute and does not exist: its tables are further names of ours
  // where both stand on one file system, else copies. It is durable but for its
  // own name. Changes go on meanwhile.
  absl::Status CopyTo(const std::string& path) const;

  // Bytes of all tables.
  uint64_t TableBytes() const;

 private:
  friend class Ingest;

  using FamilyRef = std::shared_ptr<rocksdb::ColumnFamilyHandle>;

  Store(const std::string& path, const StoreOptions& options);

  struct Target {
    FamilyRef family;
    uint64_t member = 0;

    std::string KeyOf(absl::string_view key) const;
  };

  // --- open_store.cc
  void PinFiles(const std::string& path, rocksdb::DBOptions* options) const;
  absl::Status PrepareFolder(const std::string& path) const;
  static absl::Status ResetScratch(rocksdb::Env* env, const std::string& path);

  // --- store.cc
  absl::StatusOr<Target> Find(absl::string_view family) const;
  absl::Status ScanKeys(const Target& target, absl::string_view prefix,
                        absl::FunctionRef<absl::Status(absl::string_view key,
                                                       absl::string_view value)>
                            visit) const;
  absl::Status CompactKeys(const Target& target, absl::string_view prefix);
  // Adds the bytes that a member has to `bytes`.
  absl::StatusOr<std::vector<std::string>> KeysOf(const std::string& member,
                                                  uint64_t* bytes) const;
  absl::Status ToReadStatus(const rocksdb::Status& status) const;
  // Before each change. INTERNAL once RocksDB has stopped.
  absl::Status CheckRunning();
  std::string NextScratchName();

  // --- expunge.cc
  absl::Status ScanStored(
      rocksdb::ColumnFamilyHandle* family, const KeyRange& range,
      absl::FunctionRef<void(const rocksdb::KeyVersion& version)> visit) const;
  absl::Status CheckReadable(const Target& target, const std::string& first,
                             const std::string& last) const;
  absl::Status ExpungeRange(rocksdb::ColumnFamilyHandle* family,
                            const KeyRange& range);
  absl::StatusOr<bool> HoldsOld(rocksdb::ColumnFamilyHandle* family,
                                const KeyRange& range) const;
  absl::Status MergeTables(rocksdb::ColumnFamilyHandle* family,
                           const KeyRange& range);
  absl::Status VerifyTables(rocksdb::ColumnFamilyHandle* family,
                            KeyRange range) const;
  void DropScratchFamilies();
  absl::Status RenewManifest();
  absl::Status OutgrowManifest(rocksdb::ColumnFamilyHandle* family);

  const std::string scratch_path_;
  const bool read_only_;
  const std::shared_ptr<rocksdb::Cache> block_cache_;
  const std::shared_ptr<StopListener> stop_;
  const std::shared_ptr<rocksdb::RateLimiter> limiter_;  // may be null
  const std::shared_ptr<PinnedFiles> pinned_;  // null unless read only
  const std::unique_ptr<rocksdb::Env> env_;
  std::unique_ptr<rocksdb::DB> db_;

  mutable Mutex mutex_;
  absl::flat_hash_map<std::string, FamilyRef> families_ ABSL_GUARDED_BY(mutex_);
  uint64_t next_scratch_ ABSL_GUARDED_BY(mutex_) = 0;
  // A full disk has latched an error that RocksDB may be asked to forget.
  bool resume_needed_ ABSL_GUARDED_BY(mutex_) = false;
};

// Changes to one family that become visible, and durable, all at once or not
// at all. Vectors go to a table of their own: in one table with the rest, every
// ingestion would overlap all earlier ones, and compaction would rewrite all
// vectors.
//
// Not thread-safe, but for this: one thread may put, delete and finish keys of
// vectors while another puts and deletes others.
class Ingest {
 public:
  ~Ingest();

  Ingest(const Ingest&) = delete;
  Ingest& operator=(const Ingest&) = delete;

  // The keys that follow are of this member of the family, which is shared;
  // members must ascend.
  void SelectMember(uint64_t member) { member_ = member; }

  // Keys must ascend, those that start with v/ and the others each for
  // themselves.
  absl::Status Put(absl::string_view key, absl::string_view value);
  absl::Status Delete(absl::string_view key);

  // Vectors that are put from now on go past the page cache, unless some were
  // put before. For many: whoever reads a few beside the owner, or after a
  // restart, is better served by the cache.
  void WriteVectorsUncached() { uncached_ = true; }

  // Commit()'s part of the vectors' table ahead of it: no key of theirs
  // follows.
  absl::Status FinishVectors();

  // Applies the changes; nothing was applied if it fails, as far as is known:
  // after a failed sync of the manifest they may be there after reopening.
  absl::Status Commit();

  // Bytes of the tables that were committed.
  uint64_t bytes() const { return bytes_; }

 private:
  friend class Store;
  struct Table;

  Ingest(Store* store, Store::Target target, std::string scratch_prefix);

  absl::StatusOr<Table*> TableFor(absl::string_view key);
  // As the family has it; `buffer` may hold it.
  absl::string_view StoredKey(absl::string_view key, std::string* buffer) const;

  Store* const store_;
  const Store::FamilyRef family_;
  uint64_t member_ = 0;
  const std::string scratch_prefix_;
  std::unique_ptr<Table> main_;
  std::unique_ptr<Table> vectors_;
  bool uncached_ = false;
  uint64_t bytes_ = 0;
};

}  // namespace engram::kv

#endif  // ENGRAM_STORAGE_KV_STORE_H_
