// Opening for reading, beside the owner or without one.

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "engine/db/db_impl.h"
#include "engine/space/catalog.h"
#include "schema/key_layout.h"
#include "schema/part_codec.h"
#include "storage/base/clock.h"
#include "storage/base/read_attempts.h"
#include "storage/base/status_macros.h"

namespace engram::internal {
namespace {

// What the checkpoints hold, as far as the log is measured by it.
struct Saved {
  space::LoadedCatalog catalog;
  absl::flat_hash_map<uint64_t, Lsn> checkpoint_lsns;  // by space id
  Lsn durable_lsn = 0;  // the log was synced up to here, at least
};

absl::StatusOr<Saved> ReadSaved(const kv::Store& store) {
  Saved saved;
  ENGRAM_ASSIGN_OR_RETURN(saved.catalog, space::LoadCatalog(store));
  saved.durable_lsn = saved.catalog.catalog.catalog_lsn;
  for (const schema::CatalogEntry& entry : saved.catalog.entries) {
    if (entry.dropped || entry.family.empty()) continue;
    const absl::StatusOr<std::string> value =
        store.Get(entry.family, schema::kHeadKey);
    if (!value.ok()) continue;  // LoadSpaces() says what that means
    const absl::StatusOr<schema::Head> head =
        schema::DecodeHead(entry.space.id, *value);
    if (!head.ok()) continue;
    saved.checkpoint_lsns[entry.space.id] = head->checkpoint_lsn;
    saved.durable_lsn = std::max(saved.durable_lsn, head->checkpoint_lsn);
  }
  return saved;
}

// The end of the log that the checkpoints do not hold.
struct LogTail {
  wal::RecoveredLog log;
  std::vector<std::shared_ptr<const wal::Group>> groups;
};

class TailReader {
 public:
  explicit TailReader(const Saved& saved) : saved_(saved) {
    for (const schema::CatalogEntry& entry : saved.catalog.entries) {
      names_[entry.space.id] = entry.space.name;
    }
  }

  absl::StatusOr<LogTail> Read(io::Directory* directory,
                               std::vector<wal::SegmentFile> segments,
                               const schema::DatabaseId& id, bool salvage) {
    wal::RecoveryOptions options;
    options.database_id = id;
    options.low_water_lsn = saved_.catalog.catalog.low_water_lsn;
    options.known_durable_lsn = saved_.durable_lsn;
    options.must_exist = saved_.catalog.exists;
    options.salvage = salvage;
    options.space_names = [this](uint64_t space_id) {
      const auto it = names_.find(space_id);
      return it == names_.end() ? std::string() : it->second;
    };
    ENGRAM_ASSIGN_OR_RETURN(
        tail_.log,
        wal::RecoverOpened(directory, std::move(segments), options,
                           [this](std::shared_ptr<const wal::Group> group) {
                             Take(std::move(group));
                             return absl::OkStatus();
                           }));
    return std::move(tail_);
  }

 private:
  void Take(std::shared_ptr<const wal::Group> group) {
    bool needed = group->last_lsn() > saved_.catalog.catalog.catalog_lsn;
    group->ForEachRecord([&](const schema::RecordView& record) {
      const auto saved = saved_.checkpoint_lsns.find(record.space_id);
      if (saved == saved_.checkpoint_lsns.end() || record.lsn > saved->second) {
        needed = true;
      }
      if (record.type != schema::RecordType::kCreateSpace) return;
      const absl::StatusOr<schema::SpaceDescription> description =
          schema::DecodeSpaceDescription(record.description);
      if (description.ok()) names_[record.space_id] = description->name;
    });
    if (needed) tail_.groups.push_back(std::move(group));
  }

  const Saved& saved_;
  absl::flat_hash_map<uint64_t, std::string> names_;
  LogTail tail_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<DbImpl>> DbImpl::OpenReadOnly(
    const std::string& path, const Options& options,
    const Environment& environment) {
  Options now = options;
  // Damage is only salvaged once it is known to be there.
  now.salvage_damaged_log = false;
  while (true) {
    ReadAttempts attempts;
    absl::StatusOr<std::shared_ptr<DbImpl>> db;
    do {
      db = TryOpenReadOnly(path, now, environment);
    } while (attempts.StartOver(db.status()));
    if (db.ok()) return db;
    const absl::Status status = attempts.Verdict(path, std::move(db).status());
    if (!absl::IsDataLoss(status) ||
        now.salvage_damaged_log == options.salvage_damaged_log) {
      return status;
    }
    now.salvage_damaged_log = true;
  }
}

absl::StatusOr<std::shared_ptr<DbImpl>> DbImpl::TryOpenReadOnly(
    const std::string& path, const Options& options,
    const Environment& environment) {
  ENGRAM_ASSIGN_OR_RETURN(
      DatabaseFiles files,
      OpenDatabaseFiles(environment.files, path, /*create=*/false,
                        /*read_only=*/true));
  std::shared_ptr<DbImpl> db(
      new DbImpl(path, options, environment, std::move(files)));
  const absl::Status status = db->StartReadOnly();
  if (!status.ok()) {
    return absl::Status(status.code(),
                        absl::StrCat(path, ": ", status.message()));
  }
  return db;
}

// The order is what makes it right (see RecoverOpened()), and what makes it
// succeed beside a busy owner: segments get a new use while the spaces are
// loaded, which may take seconds, but the tables stay open.
absl::Status DbImpl::StartReadOnly() {
  const int64_t begin = Clock::System().MonotonicMicros();
  ENGRAM_ASSIGN_OR_RETURN(wal_directory_,
                          environment_.files->OpenDirectory(files_.wal_path,
                                                            /*create=*/false));
  ENGRAM_ASSIGN_OR_RETURN(
      std::vector<wal::SegmentFile> segments,
      wal::OpenSegmentFiles(wal_directory_.get(), files_.id, /*live=*/true));
  if (segments.empty() &&
      !kv::Store::Exists(files_.kv_path, environment_.store_env)) {
    return absl::FailedPreconditionError(
        "its creation is not complete, and only a writer may complete it");
  }
  kv::StoreOptions store_options;
  store_options.read_only = true;
  store_options.create_if_missing = false;
  store_options.env = environment_.store_env;
  ENGRAM_ASSIGN_OR_RETURN(store_,
                          kv::Store::Open(files_.kv_path, store_options));
  ENGRAM_ASSIGN_OR_RETURN(const Saved saved, ReadSaved(*store_));
  TailReader reader(saved);
  ENGRAM_ASSIGN_OR_RETURN(LogTail tail,
                          reader.Read(wal_directory_.get(), std::move(segments),
                                      files_.id, options_.salvage_damaged_log));
  StartWorkers();
  ENGRAM_RETURN_IF_ERROR(LoadSpaces());
  recovered_catalog_lsn_ = saved.catalog.catalog.catalog_lsn;
  recovering_ = true;
  for (std::shared_ptr<const wal::Group>& group : tail.groups) {
    ENGRAM_RETURN_IF_ERROR(PublishRecovered(group));
    group.reset();  // its space keeps it as long as it is needed
  }
  EndRecovery(tail.log);
  TellRecovered(begin);
  events_.Start();
  return absl::OkStatus();
}

}  // namespace engram::internal
