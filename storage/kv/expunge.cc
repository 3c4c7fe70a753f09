// What was deleted, out of all files of the store.

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "rocksdb/db.h"
#include "rocksdb/env.h"
#include "rocksdb/sst_file_reader.h"
#include "rocksdb/sst_file_writer.h"
#include "rocksdb/utilities/debug.h"
#include "schema/key_layout.h"
#include "storage/base/check.h"
#include "storage/base/status_macros.h"
#include "storage/kv/rocksdb_options.h"
#include "storage/kv/store.h"

namespace engram::kv {
namespace {

constexpr absl::string_view kTableSuffix = ".sst";

// A table is listed with its first and its last key: with this one twice.
constexpr size_t kLargeKeyBytes = kManifestBytesMax / 2 + 4096;

// How many entries of tables are in memory at a time: of vectors 4 MiB each.
constexpr size_t kVersionsMax = 8;

}  // namespace

absl::Status Store::Expunge(absl::string_view family,
                            absl::Span<const KeyRange> ranges) {
  ENGRAM_CHECK(!read_only_);
  ENGRAM_RETURN_IF_ERROR(CheckRunning());
  ENGRAM_ASSIGN_OR_RETURN(const Target target, Find(family));
  for (const KeyRange& range : ranges) {
    const KeyRange stored = {target.KeyOf(range.first),
                             target.KeyOf(range.last)};
    ENGRAM_RETURN_IF_ERROR(CheckReadable(target, stored.first, stored.last));
    ENGRAM_RETURN_IF_ERROR(ExpungeRange(target.family.get(), stored));
  }
  return RenewManifest();
}

// CompactRange() looks into the tables, and ends above those that have no key
// of the range. What it leaves then still has the deletions, since one of these
// tables could have the key.
absl::Status Store::ExpungeRange(rocksdb::ColumnFamilyHandle* family,
                                 const KeyRange& range) {
  ENGRAM_ASSIGN_OR_RETURN(bool holds_old, HoldsOld(family, range));
  if (!holds_old) return absl::OkStatus();
  // RocksDB stops for all families when a compaction meets damage.
  ENGRAM_RETURN_IF_ERROR(VerifyTables(family, range));
  const rocksdb::Slice first = ToSlice(range.first);
  const rocksdb::Slice last = ToSlice(range.last);
  // First, so that no table of the range is left on level 0: from there
  // CompactFiles() takes all older ones, of vectors too.
  ENGRAM_RETURN_IF_ERROR(ToStatus(db_->CompactRange(
      rocksdb::CompactRangeOptions(), family, &first, &last)));
  ENGRAM_ASSIGN_OR_RETURN(holds_old, HoldsOld(family, range));
  return holds_old ? MergeTables(family, range) : absl::OkStatus();
}

// Whether tables hold a deletion, or two versions, of a key.
absl::StatusOr<bool> Store::HoldsOld(rocksdb::ColumnFamilyHandle* family,
                                     const KeyRange& range) const {
  bool holds_old = false;
  std::string last_key;
  ENGRAM_RETURN_IF_ERROR(
      ScanStored(family, range, [&](const rocksdb::KeyVersion& version) {
        holds_old =
            holds_old || version.value.empty() || version.user_key == last_key;
        last_key = version.user_key;
      }));
  return holds_old;
}

// The tables that a compaction of the range may read: what overlaps it, what
// overlaps that, and so on.
absl::Status Store::VerifyTables(rocksdb::ColumnFamilyHandle* family,
                                 KeyRange range) const {
  rocksdb::ColumnFamilyMetaData tables;
  db_->GetColumnFamilyMetaData(family, &tables);
  std::set<std::string> names;
  for (size_t before = SIZE_MAX; before != names.size();) {
    before = names.size();
    for (const rocksdb::LevelMetaData& level : tables.levels) {
      for (const rocksdb::SstFileMetaData& table : level.files) {
        if (table.smallestkey > range.last || table.largestkey < range.first) {
          continue;
        }
        names.insert(table.relative_filename);
        range.first = std::min(range.first, table.smallestkey);
        range.last = std::max(range.last, table.largestkey);
      }
    }
  }
  for (const std::string& name : names) {
    rocksdb::SstFileReader reader(db_->GetOptions(family));
    rocksdb::Status status =
        reader.Open(absl::StrCat(db_->GetName(), "/", name));
    if (status.ok()) status = reader.VerifyChecksum();
    if (!status.ok()) return ToStatus(status);
  }
  return absl::OkStatus();
}

// Merges all tables that may hold one of the keys, on all levels, into the last
// level: there nothing is left that a deletion could be needed for.
absl::Status Store::MergeTables(rocksdb::ColumnFamilyHandle* family,
                                const KeyRange& range) {
  rocksdb::ColumnFamilyMetaData tables;
  db_->GetColumnFamilyMetaData(family, &tables);
  std::vector<std::string> names;
  for (const rocksdb::LevelMetaData& level : tables.levels) {
    for (const rocksdb::SstFileMetaData& table : level.files) {
      const bool may_hold_one =
          table.smallestkey <= range.last && range.first <= table.largestkey;
      if (may_hold_one) names.push_back(table.relative_filename);
    }
  }
  if (names.empty()) return absl::OkStatus();
  const rocksdb::Options options = db_->GetOptions(family);
  rocksdb::CompactionOptions compaction;
  compaction.compression = rocksdb::kDisableCompressionOption;  // as the family
  compaction.output_file_size_limit = options.target_file_size_base;
  return ToStatus(
      db_->CompactFiles(compaction, family, names, options.num_levels - 1));
}

absl::Status Store::RemoveObsoleteFiles() {
  ENGRAM_RETURN_IF_ERROR(CheckRunning());
  ENGRAM_RETURN_IF_ERROR(ResetScratch(env_.get(), scratch_path_));
  // RocksDB removes files when it may, and they are no longer read; this pair
  // makes it look through its folder right now.
  ENGRAM_RETURN_IF_ERROR(ToStatus(db_->DisableFileDeletions()));
  ENGRAM_RETURN_IF_ERROR(ToStatus(db_->EnableFileDeletions(/*force=*/false)));
  ENGRAM_ASSIGN_OR_RETURN(const std::vector<std::string> obsolete,
                          ObsoleteFiles());
  if (!obsolete.empty()) {
    return absl::UnavailableError(absl::StrCat(
        db_->GetName(), ": still being read: ", absl::StrJoin(obsolete, ", ")));
  }
  // After a power cut they must not be there again.
  for (const std::string& path : {db_->GetName(), scratch_path_}) {
    std::unique_ptr<rocksdb::Directory> folder;
    ENGRAM_RETURN_IF_ERROR(ToStatus(env_->NewDirectory(path, &folder)));
    ENGRAM_RETURN_IF_ERROR(ToStatus(folder->Fsync()));
  }
  return absl::OkStatus();
}

// RocksDB begins a new manifest when the old one is too large, and has no call
// for it. So a family is made, with one table whose key makes it too large, and
// dropped. Each change is the first of a new manifest then, until one begins
// without that family.
absl::Status Store::RenewManifest() {
  // Two manifests and a table of that size. RocksDB stops when a manifest meets
  // a full disk. Not every file system says.
  constexpr uint64_t kNeededBytes = 4 * kManifestBytesMax;
  uint64_t free_bytes = 0;
  if (env_->GetFreeSpace(db_->GetName(), &free_bytes).ok() &&
      free_bytes < kNeededBytes) {
    return absl::ResourceExhaustedError(
        absl::StrCat(db_->GetName(), ": a new manifest needs ", kNeededBytes,
                     " free bytes, there are ", free_bytes));
  }
  rocksdb::ColumnFamilyHandle* handle = nullptr;
  const std::string name =
      absl::StrCat(kScratchFamilyPrefix, NextScratchName());
  ENGRAM_RETURN_IF_ERROR(ToStatus(
      db_->CreateColumnFamily(MakeFamilyOptions(block_cache_), name, &handle)));
  const FamilyRef family(handle);
  absl::Status status = OutgrowManifest(family.get());
  status.Update(ToStatus(db_->DropColumnFamily(family.get())));
  ENGRAM_RETURN_IF_ERROR(status);
  // Changes nothing, and is a change.
  return ToStatus(db_->SetOptions({{"disable_auto_compactions", "true"}}));
}

absl::Status Store::OutgrowManifest(rocksdb::ColumnFamilyHandle* family) {
  const std::string path =
      absl::StrCat(scratch_path_, "/", NextScratchName(), kTableSuffix);
  rocksdb::SstFileWriter writer(
      rocksdb::EnvOptions(), rocksdb::Options(MakeDbOptions(env_.get()),
                                              MakeFamilyOptions(block_cache_)));
  ENGRAM_RETURN_IF_ERROR(ToStatus(writer.Open(path)));
  ENGRAM_RETURN_IF_ERROR(
      ToStatus(writer.Put(std::string(kLargeKeyBytes, 'k'), "")));
  ENGRAM_RETURN_IF_ERROR(ToStatus(writer.Finish()));
  rocksdb::IngestExternalFileOptions options;
  options.move_files = true;
  options.failed_move_fall_back_to_copy = false;
  options.write_global_seqno = false;
  options.allow_blocking_flush = false;
  const rocksdb::Status status =
      db_->IngestExternalFile(family, {path}, options);
  if (status.IsNoSpace()) {
    MutexLock lock(mutex_);
    resume_needed_ = true;
  }
  return ToStatus(status);
}

// Those of an owner that was killed. If that fails they are in nobody's way,
// and the next owner tries again.
void Store::DropScratchFamilies() {
  std::vector<FamilyRef> left;
  {
    MutexLock lock(mutex_);
    for (auto it = families_.begin(); it != families_.end();) {
      const auto next = std::next(it);
      if (absl::StartsWith(it->first, kScratchFamilyPrefix)) {
        left.push_back(std::move(it->second));
        families_.erase(it);
      }
      it = next;
    }
  }
  for (const FamilyRef& family : left) {
    db_->DropColumnFamily(family.get()).PermitUncheckedError();
  }
}

absl::StatusOr<std::vector<std::string>> Store::ObsoleteFiles() const {
  std::vector<rocksdb::LiveFileMetaData> tables;
  db_->GetLiveFilesMetaData(&tables);
  std::set<std::string, std::less<>> live;
  for (const rocksdb::LiveFileMetaData& table : tables) {
    live.insert(table.relative_filename);
  }
  std::vector<std::string> names;
  ENGRAM_RETURN_IF_ERROR(ToStatus(env_->GetChildren(db_->GetName(), &names)));
  std::sort(names.begin(), names.end());
  std::vector<std::string> obsolete;
  std::string manifest;  // the last one is in use
  for (const std::string& name : names) {
    if (absl::EndsWith(name, kTableSuffix)) {
      if (!live.contains(name)) obsolete.push_back(name);
    } else if (absl::StartsWith(name, kManifestPrefix)) {
      if (!manifest.empty()) obsolete.push_back(manifest);
      manifest = name;
    }
  }
  std::vector<std::string> scratch;  // of a killed owner; there may be none
  env_->GetChildren(scratch_path_, &scratch).PermitUncheckedError();
  for (const std::string& name : scratch) {
    obsolete.push_back(absl::StrCat(kScratchFolder, "/", name));
  }
  return obsolete;
}

absl::Status Store::CheckReadable(const Target& target,
                                  const std::string& first,
                                  const std::string& last) const {
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  options.ignore_range_deletions = true;  // see ScanKeys()
  const std::unique_ptr<rocksdb::Iterator> it(
      db_->NewIterator(options, target.family.get()));
  it->Seek(first);
  while (it->Valid() && it->key().compare(last) <= 0) it->Next();
  return ToReadStatus(it->status());
}

absl::Status Store::ScanVersions(
    absl::string_view family, const KeyRange& range,
    absl::FunctionRef<void(absl::string_view, absl::string_view)> visit) const {
  ENGRAM_ASSIGN_OR_RETURN(const Target target, Find(family));
  const KeyRange stored = {target.KeyOf(range.first), target.KeyOf(range.last)};
  // The scan takes a table that cannot be read for the end.
  ENGRAM_RETURN_IF_ERROR(CheckReadable(target, stored.first, stored.last));
  return ScanStored(
      target.family.get(), stored, [&](const rocksdb::KeyVersion& version) {
        visit(target.member == 0 ? version.user_key
                                 : schema::KeyOfMember(version.user_key),
              version.value);
      });
}

absl::Status Store::ScanStored(
    rocksdb::ColumnFamilyHandle* family, const KeyRange& range,
    absl::FunctionRef<void(const rocksdb::KeyVersion&)> visit) const {
  std::string first = range.first;
  size_t limit = kVersionsMax;
  while (true) {
    std::vector<rocksdb::KeyVersion> versions;
    ENGRAM_RETURN_IF_ERROR(ToReadStatus(rocksdb::GetAllKeyVersions(
        db_.get(), family, first, range.last, limit, &versions)));
    const bool all = versions.size() < limit;
    // The last key may have more: it comes again, with all of them.
    const std::string next = all ? "" : versions.back().user_key;
    if (!all && versions.front().user_key == next) {
      limit *= 2;
      continue;
    }
    for (const rocksdb::KeyVersion& version : versions) {
      if (!all && version.user_key == next) break;
      visit(version);
    }
    if (all) return absl::OkStatus();
    first = next;
    limit = kVersionsMax;
  }
}

}  // namespace engram::kv
