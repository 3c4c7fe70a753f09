// Reading the log when a database is opened, and leaving one that is damaged.

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/db/db_impl.h"
#include "engine/db/lost_file.h"
#include "schema/vector_check.h"
#include "storage/base/check.h"
#include "storage/base/clock.h"
#include "storage/base/status_macros.h"

namespace engram::internal {
namespace {

LostWrite::Kind KindOf(schema::RecordType type) {
  switch (type) {
    case schema::RecordType::kRemove:
      return LostWrite::Kind::kRemove;
    case schema::RecordType::kCreateSpace:
      return LostWrite::Kind::kCreateSpace;
    case schema::RecordType::kDropSpace:
      return LostWrite::Kind::kDropSpace;
    default:
      return LostWrite::Kind::kObserve;
  }
}

}  // namespace

absl::Status DbImpl::Recover() {
  wal::RecoveryOptions recovery;
  recovery.database_id = files_.id;
  recovery.must_exist = catalog_exists_;
  recovery.salvage = options_.salvage_damaged_log;
  recovery.space_names = [this](uint64_t id) { return SpaceName(id); };
  {
    MutexLock lock(checkpoint_mutex_);
    recovered_catalog_lsn_ = catalog_.catalog_lsn;
    recovery.low_water_lsn = catalog_.low_water_lsn;
  }
  recovery.known_durable_lsn = recovered_catalog_lsn_;
  for (const space::SpaceEntry& entry : registry_.All()) {
    recovery.known_durable_lsn = std::max(recovery.known_durable_lsn,
                                          entry.state->head_checkpoint_lsn());
  }
  recovering_ = true;
  ENGRAM_ASSIGN_OR_RETURN(
      const wal::RecoveredLog log,
      wal::Recover(wal_directory_.get(), recovery,
                   [this](std::shared_ptr<const wal::Group> group) {
                     return PublishRecovered(group);
                   }));
  EndRecovery(log);
  if (!salvage_report_.losses.empty()) {
    // Before anything of the old log is given up.
    salvage_report_.recorded_in = absl::StrCat(path_, "/", kLostFileName);
    ENGRAM_RETURN_IF_ERROR(environment_.files->AppendToFile(
        salvage_report_.recorded_in, LostText(salvage_report_)));
    ENGRAM_ASSIGN_OR_RETURN(const auto folder,
                            environment_.files->OpenDirectory(path_, false));
    ENGRAM_RETURN_IF_ERROR(folder->Sync());
  }
  return StartLog(log);
}

// Everything that `log` holds was published.
void DbImpl::EndRecovery(const wal::RecoveredLog& log) {
  recovering_ = false;
  for (const wal::LogLoss& loss : log.losses) ReportLoss(loss);
  const uint64_t next_space_id = next_space_id_.load(std::memory_order_relaxed);
  for (const auto& [space_id, orphans] : orphans_) {
    // A write that was logged behind the drop of its space was not acknowledged
    // and is nobody's loss. It looks the same.
    if (!log.losses.empty() || space_id >= next_space_id) {
      ReportLoss(orphans);
    }
  }
  if (!orphans_.empty()) {
    // Numbers of spaces are never given twice.
    const uint64_t last =
        std::min(orphans_.rbegin()->first, schema::kWalNumberMax);
    next_space_id_.store(std::max(next_space_id, last + 1),
                         std::memory_order_relaxed);
  }
  const Lsn last_lsn = log.position.next_lsn - 1;
  published_lsn_.store(last_lsn, std::memory_order_release);
  // What was replayed waits to be saved from now on.
  if (last_lsn > recovered_catalog_lsn_) {
    checkpoint_timer_.Add(last_lsn, Clock::System().MonotonicMicros());
  }
}

absl::Status DbImpl::PublishRecovered(
    const std::shared_ptr<const wal::Group>& group) {
  AcceptRecovered(*group);
  absl::Status status;
  group->ForEachRecord([&](const schema::RecordView& record) {
    if (!status.ok()) return;
    status = CheckRecovered(record);
    if (options_.salvage_damaged_log) {
      if (!status.ok() && LostDropOf(record)) status = CheckRecovered(record);
      if (IsOrphan(record) || !status.ok()) {
        AddOrphan(record, status);
        status = absl::OkStatus();
        return;
      }
    }
    if (status.ok()) PublishAny(record, group);
  });
  EnqueuePublished();
  return status;
}

// --- Damage ------------------------------------------------------------------

std::string DbImpl::SpaceName(uint64_t space_id) const {
  const SpacePtr state = registry_.FindById(space_id).state;
  return state == nullptr ? "" : state->name();
}

void DbImpl::ReportLoss(const wal::LogLoss& loss) {
  LogDamage damage;
  damage.path = loss.path;
  damage.offset = loss.offset;
  damage.first_lsn = loss.first_lsn;
  damage.last_lsn = loss.last_lsn;
  damage.open_ended = loss.open_ended;
  damage.reason = loss.reason;
  for (const wal::LostRecord& record : loss.records) {
    const SpacePtr space = registry_.FindById(record.space_id).state;
    if (space != nullptr && record.lsn <= space->head_checkpoint_lsn()) {
      continue;  // saved
    }
    damage.writes.push_back({record.lsn, KindOf(record.type), record.space_id,
                             SpaceName(record.space_id), record.id,
                             record.intact});
  }
  salvage_report_.losses.push_back(std::move(damage));
}

// Whether it writes to a space of which neither the catalog nor the log knows
// where it came from: what created it was lost.
bool DbImpl::IsOrphan(const schema::RecordView& record) {
  if (record.lsn <= recovered_catalog_lsn_ ||
      record.type == schema::RecordType::kCreateSpace) {
    return false;
  }
  if (dropped_in_log_.count(record.space_id) != 0) return false;
  if (record.type == schema::RecordType::kDropSpace) {
    dropped_in_log_.insert(record.space_id);
  }
  return registry_.FindById(record.space_id).state == nullptr;
}

void DbImpl::AddOrphan(const schema::RecordView& record,
                       const absl::Status& why) {
  wal::LogLoss& orphans = orphans_[record.space_id];
  if (orphans.first_lsn == 0) {
    orphans.path = wal_directory_->path();
    orphans.first_lsn = record.lsn;
    orphans.reason = absl::StrCat(
        "only writes to space ", record.space_id, ", which is lost itself",
        why.ok() ? "" : ": ", std::string(why.message()));
  }
  orphans.last_lsn = record.lsn;
  if (orphans.records.size() == wal::kLostRecordsMax) return;
  orphans.records.push_back(
      {record.lsn, record.type, record.space_id, std::string(record.id), true});
}

// Where a space is created under a name that is taken, the older space was
// dropped, and the damage took the record that said so. Drops it then.
bool DbImpl::LostDropOf(const schema::RecordView& record) {
  if (record.type != schema::RecordType::kCreateSpace) return false;
  const absl::StatusOr<schema::SpaceDescription> description =
      schema::DecodeSpaceDescription(record.description);
  if (!description.ok() || description->id != record.space_id) return false;
  const SpacePtr holder = registry_.FindByName(description->name).state;
  if (holder == nullptr || holder->id() >= description->id) return false;
  salvage_report_.notes.push_back(
      absl::StrCat("space \"", holder->name(), "\" (", holder->id(),
                   ") was dropped before LSN ", record.lsn, ", where space ",
                   description->id, " takes its name"));
  schema::RecordView drop;
  drop.type = schema::RecordType::kDropSpace;
  drop.space_id = holder->id();
  drop.lsn = record.lsn;
  PublishDrop(drop);
  dropped_in_log_.insert(drop.space_id);
  return true;
}

// Saves all that was read. Then the new log is all that is needed, and the old
// one is recycled. If this does not succeed, the next Open() finds the same
// damage, and everything that was kept of the old log.
absl::Status DbImpl::LeaveDamagedLog() {
  pool_->Drain();
  MutexLock lock(checkpoint_mutex_);
  ENGRAM_RETURN_IF_ERROR(RunCheckpoint());
  const Lsn published = published_lsn_.load(std::memory_order_acquire);
  if (catalog_.low_water_lsn < published) {
    return absl::InternalError(
        absl::StrCat("the salvage is not complete: saved is LSN ",
                     catalog_.low_water_lsn, " of ", published));
  }
  return absl::OkStatus();
}

// --- What the records say ----------------------------------------------------

// Whether the catalog holds a later space under the name of the one that was
// created at `created_lsn`: that one was dropped meanwhile. See MarkReplaced().
bool DbImpl::IsReplaced(const schema::SpaceDescription& description,
                        Lsn created_lsn) const {
  const SpacePtr holder = registry_.FindByName(description.name).state;
  return holder != nullptr && holder->id() > description.id &&
         holder->created_lsn() > created_lsn;
}

// A record with a right checksum may still be hostile, or come from a log that
// is not the one of this catalog.
absl::Status DbImpl::CheckRecovered(const schema::RecordView& record) const {
  const std::string where = absl::StrCat("log record ", record.lsn, ": ");
  if (record.type == schema::RecordType::kCreateSpace) {
    if (record.lsn <= recovered_catalog_lsn_) return absl::OkStatus();
    absl::StatusOr<schema::SpaceDescription> description =
        schema::DecodeSpaceDescription(record.description);
    if (!description.ok()) {
      return absl::DataLossError(
          absl::StrCat(where, description.status().message()));
    }
    if (IsReplaced(*description, record.lsn)) return absl::OkStatus();
    const space::SpaceEntry same_name = registry_.FindByName(description->name);
    const space::SpaceEntry same_id = registry_.FindById(description->id);
    if (description->id != record.space_id ||
        same_name.state != same_id.state) {
      return absl::DataLossError(
          absl::StrCat(where, "creates space \"", description->name,
                       "\" with id ", record.space_id, ", which is taken"));
    }
    return absl::OkStatus();
  }
  if (record.space_id >= next_space_id_.load(std::memory_order_relaxed)) {
    return absl::DataLossError(absl::StrCat(
        where, "names space ", record.space_id, ", which was never created"));
  }
  if (record.type != schema::RecordType::kObserve) return absl::OkStatus();
  const space::SpaceEntry entry = registry_.FindById(record.space_id);
  if (entry.state == nullptr) return absl::OkStatus();  // dropped
  const absl::Status status =
      schema::CheckVector(entry.state->description(), record.vector);
  if (!status.ok()) {
    return absl::DataLossError(absl::StrCat(where, status.message()));
  }
  return absl::OkStatus();
}

}  // namespace engram::internal
