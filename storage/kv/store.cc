#include "storage/kv/store.h"

#include <algorithm>
#include <map>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "rocksdb/cache.h"
#include "rocksdb/db.h"
#include "rocksdb/env.h"
#include "schema/key_layout.h"
#include "storage/base/check.h"
#include "storage/base/status_macros.h"
#include "storage/kv/rocksdb_options.h"
#include "storage/kv/stop_listener.h"

namespace engram::kv {
namespace {

// Tables that may overlap before the family is compacted.
constexpr uint64_t kOverlappingTablesMax = 8;

// This many tables that are small on average are merged, vectors and all: a
// database that is opened for a few writes at a time makes one each time.
constexpr size_t kTablesMax = 64;
constexpr uint64_t kSmallTableBytes = uint64_t{4} << 20;

// A dropped member with so much gives its room back at once, others when their
// family is compacted.
constexpr uint64_t kLargeMemberBytes = uint64_t{1} << 20;

}  // namespace

Store::~Store() {
  {
    MutexLock lock(mutex_);
    families_.clear();
  }
  if (db_ != nullptr) db_->Close().PermitUncheckedError();
}

std::vector<std::string> Store::Families() const {
  std::vector<std::string> names;
  {
    MutexLock lock(mutex_);
    for (const auto& [name, handle] : families_) {
      const bool ours = name != kDefaultFamily &&
                        !absl::StartsWith(name, kScratchFamilyPrefix);
      if (ours) names.push_back(name);
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

absl::StatusOr<Store::Target> Store::Find(absl::string_view family) const {
  const schema::FamilyPlace place = schema::PlaceOf(family);
  MutexLock lock(mutex_);
  const auto it = families_.find(place.family);
  if (it == families_.end()) {
    return absl::NotFoundError(absl::StrCat("no column family ", family));
  }
  return Target{it->second, place.member};
}

absl::Status Store::CreateFamily(absl::string_view name) {
  return CreateFamilies({std::string(name)});
}

absl::Status Store::CreateFamilies(absl::Span<const std::string> names) {
  ENGRAM_CHECK(!read_only_);  // RocksDB itself does not refuse
  if (names.empty()) return absl::OkStatus();
  ENGRAM_RETURN_IF_ERROR(CheckRunning());
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  const rocksdb::Status status = db_->CreateColumnFamilies(
      MakeFamilyOptions(block_cache_), {names.begin(), names.end()}, &handles);
  // After a failure, of those that were made before it.
  MutexLock lock(mutex_);
  for (size_t i = 0; i < handles.size(); ++i) {
    families_[names[i]] = FamilyRef(handles[i]);
  }
  return ToStatus(status);
}

absl::Status Store::DropFamily(absl::string_view name) {
  ENGRAM_CHECK(!read_only_ && name != kDefaultFamily);
  if (schema::PlaceOf(name).member != 0) {
    ENGRAM_RETURN_IF_ERROR(Find(name).status());
    std::vector<std::string> damaged;
    ENGRAM_RETURN_IF_ERROR(DropMembers({std::string(name)}, &damaged));
    if (damaged.empty()) return absl::OkStatus();
    return absl::DataLossError(
        absl::StrCat("column family ", name, ": its keys cannot be read"));
  }
  ENGRAM_RETURN_IF_ERROR(CheckRunning());
  FamilyRef family;
  {
    MutexLock lock(mutex_);
    const auto it = families_.find(name);
    if (it == families_.end()) {
      return absl::NotFoundError(absl::StrCat("no column family ", name));
    }
    family = std::move(it->second);
    families_.erase(it);
  }
  const absl::Status status = ToStatus(db_->DropColumnFamily(family.get()));
  if (!status.ok()) {
    // It is still there: whoever tries again must not hear that it is gone.
    MutexLock lock(mutex_);
    families_[std::string(name)] = std::move(family);
  }
  return status;
}

absl::StatusOr<std::vector<std::string>> Store::KeysOf(
    const std::string& member, uint64_t* bytes) const {
  std::vector<std::string> keys;
  ENGRAM_RETURN_IF_ERROR(
      Scan(member, "", [&](absl::string_view key, absl::string_view value) {
        keys.emplace_back(key);
        *bytes += value.size();
        return absl::OkStatus();
      }));
  return keys;
}

// A delete of each key, and not of a range: see ScanKeys().
absl::Status Store::DropMembers(absl::Span<const std::string> names,
                                std::vector<std::string>* damaged) {
  ENGRAM_CHECK(!read_only_);
  std::map<absl::string_view, std::set<uint64_t>> members;  // by family
  for (const std::string& name : names) {
    const schema::FamilyPlace place = schema::PlaceOf(name);
    ENGRAM_CHECK(place.member != 0);
    members[place.family].insert(place.member);
  }
  for (const auto& [family, ids] : members) {
    absl::StatusOr<std::unique_ptr<Ingest>> ingest = NewIngest(family);
    if (absl::IsNotFound(ingest.status())) continue;
    ENGRAM_RETURN_IF_ERROR(ingest.status());
    std::vector<std::string> large;
    for (const uint64_t id : ids) {
      const std::string member = schema::MemberName(family, id);
      uint64_t bytes = 0;
      const absl::StatusOr<std::vector<std::string>> keys =
          KeysOf(member, &bytes);
      if (absl::IsDataLoss(keys.status())) {
        damaged->push_back(member);
        continue;
      }
      ENGRAM_RETURN_IF_ERROR(keys.status());
      (*ingest)->SelectMember(id);
      for (const std::string& key : *keys) {
        ENGRAM_RETURN_IF_ERROR((*ingest)->Delete(key));
      }
      if (bytes >= kLargeMemberBytes) large.push_back(member);
    }
    ENGRAM_RETURN_IF_ERROR((*ingest)->Commit());
    for (const std::string& member : large) {
      ENGRAM_RETURN_IF_ERROR(CompactFamily(member));
    }
  }
  return absl::OkStatus();
}

std::string Store::Target::KeyOf(absl::string_view key) const {
  return member == 0 ? std::string(key) : schema::MemberKey(member, key);
}

absl::StatusOr<std::string> Store::Get(absl::string_view family,
                                       absl::string_view key) const {
  ENGRAM_ASSIGN_OR_RETURN(const Target target, Find(family));
  std::string value;
  ENGRAM_RETURN_IF_ERROR(ToReadStatus(db_->Get(
      rocksdb::ReadOptions(), target.family.get(), target.KeyOf(key), &value)));
  return value;
}

absl::Status Store::Visit(
    absl::string_view family, absl::string_view key,
    absl::FunctionRef<absl::Status(absl::string_view)> visit) const {
  ENGRAM_ASSIGN_OR_RETURN(const Target target, Find(family));
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  rocksdb::PinnableSlice value;
  ENGRAM_RETURN_IF_ERROR(ToReadStatus(
      db_->Get(options, target.family.get(), target.KeyOf(key), &value)));
  return visit(ToView(value));
}

// A reader that could not hold all tables misses one when it needs it.
absl::Status Store::ToReadStatus(const rocksdb::Status& status) const {
  absl::Status converted = ToStatus(status);
  if (status.ok() || !read_only_ || !SaysMissing(status)) return converted;
  return absl::UnavailableError(absl::StrCat(
      "its owner has removed what this reader had no descriptor left to keep; "
      "it has to be opened again: ",
      converted.message()));
}

absl::Status Store::Scan(
    absl::string_view family, absl::string_view prefix,
    absl::FunctionRef<absl::Status(absl::string_view, absl::string_view)> visit)
    const {
  ENGRAM_ASSIGN_OR_RETURN(const Target target, Find(family));
  ENGRAM_RETURN_IF_ERROR(ScanKeys(target, prefix, visit));
  if (target.member == 0 || !prefix.empty()) return absl::OkStatus();
  return ScanKeys(target, schema::kVectorPrefix, visit);
}

absl::Status Store::ScanKeys(
    const Target& target, absl::string_view prefix,
    absl::FunctionRef<absl::Status(absl::string_view, absl::string_view)> visit)
    const {
  const std::string stored_prefix = target.KeyOf(prefix);
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  // We write none. Where RocksDB 7.8 looks for them, it ends the iteration
  // without an error when the first block of a level's next table is damaged.
  options.ignore_range_deletions = true;
  const std::unique_ptr<rocksdb::Iterator> it(
      db_->NewIterator(options, target.family.get()));
  std::string key;
  for (it->Seek(stored_prefix);
       it->Valid() && absl::StartsWith(ToView(it->key()), stored_prefix);
       it->Next()) {
    absl::string_view view = ToView(it->key());
    if (target.member != 0) {
      key = schema::KeyOfMember(view);
      view = key;
    }
    ENGRAM_RETURN_IF_ERROR(visit(view, ToView(it->value())));
  }
  return ToReadStatus(it->status());
}

absl::StatusOr<std::unique_ptr<Ingest>> Store::NewIngest(
    absl::string_view family) {
  ENGRAM_CHECK(!read_only_);
  ENGRAM_ASSIGN_OR_RETURN(Target target, Find(family));
  return std::unique_ptr<Ingest>(
      new Ingest(this, std::move(target),
                 absl::StrCat(scratch_path_, "/", NextScratchName())));
}

std::string Store::NextScratchName() {
  MutexLock lock(mutex_);
  return absl::StrCat(next_scratch_++);
}

absl::Status Store::CheckRunning() {
  ENGRAM_RETURN_IF_ERROR(stop_->status());
  {
    MutexLock lock(mutex_);
    if (!resume_needed_) return absl::OkStatus();
  }
  ENGRAM_RETURN_IF_ERROR(ToStatus(db_->Resume()));
  MutexLock lock(mutex_);
  resume_needed_ = false;
  return absl::OkStatus();
}

absl::Status Store::CompactIfNeeded(absl::string_view family) {
  ENGRAM_CHECK(!read_only_);
  ENGRAM_RETURN_IF_ERROR(CheckRunning());
  ENGRAM_ASSIGN_OR_RETURN(const Target target, Find(family));
  rocksdb::ColumnFamilyHandle* const handle = target.family.get();
  rocksdb::ColumnFamilyMetaData family_tables;
  db_->GetColumnFamilyMetaData(handle, &family_tables);
  // Those of vectors overlap only where members share the family, and no
  // compaction that ends before them takes them away.
  uint64_t tables = 0;
  for (const auto& level : family_tables.levels) {
    if (level.level != 0) continue;
    tables += static_cast<uint64_t>(std::count_if(
        level.files.begin(), level.files.end(), [](const auto& table) {
          return table.smallestkey < schema::kVectorPrefix;
        }));
  }
  if (family_tables.file_count >= kTablesMax &&
      family_tables.size / family_tables.file_count < kSmallTableBytes) {
    return ToStatus(db_->CompactRange(rocksdb::CompactRangeOptions(), handle,
                                      nullptr, nullptr));
  }
  if (tables < kOverlappingTablesMax) return absl::OkStatus();
  const rocksdb::Slice end = ToSlice(schema::kVectorPrefix);
  return ToStatus(
      db_->CompactRange(rocksdb::CompactRangeOptions(), handle, nullptr, &end));
}

// Those of a member that start with `prefix`.
absl::Status Store::CompactKeys(const Target& target,
                                absl::string_view prefix) {
  const std::string begin = target.KeyOf(prefix);
  const std::string end =
      Target{target.family, target.member + 1}.KeyOf(prefix);
  const rocksdb::Slice begin_slice(begin);
  const rocksdb::Slice end_slice(end);
  return ToStatus(db_->CompactRange(rocksdb::CompactRangeOptions(),
                                    target.family.get(), &begin_slice,
                                    &end_slice));
}

absl::Status Store::CompactFamily(absl::string_view family) {
  ENGRAM_CHECK(!read_only_);
  ENGRAM_RETURN_IF_ERROR(CheckRunning());
  ENGRAM_ASSIGN_OR_RETURN(const Target target, Find(family));
  if (target.member != 0) {
    ENGRAM_RETURN_IF_ERROR(CompactKeys(target, ""));
    return CompactKeys(target, schema::kVectorPrefix);
  }
  return ToStatus(db_->CompactRange(rocksdb::CompactRangeOptions(),
                                    target.family.get(), nullptr, nullptr));
}

absl::Status Store::CompactAll() {
  ENGRAM_CHECK(!read_only_);
  ENGRAM_RETURN_IF_ERROR(CheckRunning());
  std::vector<FamilyRef> families;
  {
    MutexLock lock(mutex_);
    for (const auto& [name, handle] : families_) families.push_back(handle);
  }
  rocksdb::CompactRangeOptions options;
  options.bottommost_level_compaction =
      rocksdb::BottommostLevelCompaction::kForceOptimized;
  for (const FamilyRef& family : families) {
    ENGRAM_RETURN_IF_ERROR(
        ToStatus(db_->CompactRange(options, family.get(), nullptr, nullptr)));
  }
  return absl::OkStatus();
}

void Store::LiftWriteLimit() {
  if (limiter_ != nullptr) limiter_->SetBytesPerSecond(kNoLimit);
}

uint64_t Store::LimitedBytes() const {
  if (limiter_ == nullptr) return 0;
  return static_cast<uint64_t>(limiter_->GetTotalBytesThrough());
}

uint64_t Store::MemoryBytes() const { return block_cache_->GetUsage(); }

uint64_t Store::TableBytes() const {
  uint64_t bytes = 0;
  if (!db_->GetAggregatedIntProperty(
          rocksdb::DB::Properties::kTotalSstFilesSize, &bytes)) {
    return 0;
  }
  return bytes;
}

}  // namespace engram::kv
