// Opening, recovering and closing.

#include <unistd.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/db/admission_limits.h"
#include "engine/db/db_impl.h"
#include "engine/db/options_check.h"
#include "schema/key_layout.h"
#include "schema/limits.h"
#include "schema/part_codec.h"
#include "schema/stats_page.h"
#include "storage/base/check.h"
#include "storage/base/clock.h"
#include "storage/base/status_macros.h"

namespace engram::internal {
namespace {

// Segments that an opened log needs whatever the limit says: the new one, and
// room to go on while the first checkpoint frees others.
constexpr uint64_t kSegmentsBeyondLive = 3;

// On the page STATS: each takes 3 KB of text there, and four times as much
// while that is made.
constexpr size_t kPublishedSpacesMax = 512;

// A log that was left with more segments than this is checkpointed at once.
constexpr size_t kSegmentsLeftMax = 4;

wal::QueueChoice ToQueueChoice(WalBackend backend) {
  switch (backend) {
    case WalBackend::kAuto:
      return wal::QueueChoice::kAuto;
    case WalBackend::kUring:
      return wal::QueueChoice::kUring;
    case WalBackend::kPwrite:
      return wal::QueueChoice::kPwrite;
  }
  return wal::QueueChoice::kAuto;
}

// How often spaces are looked at that may have to be saved, while as much is
// logged as one of them may keep.
constexpr uint64_t kPaceSteps = 64;

// Spaces that are loaded at the same time behind. Large ones use several
// threads each.
constexpr size_t kLoadThreadsMax = 4;

// Of one space, planned and not linked yet.
constexpr size_t kBatchesMax = 32;

size_t WorkerCount(int workers) {
  if (workers > 0) return static_cast<size_t>(workers);
  return std::max(1u, std::thread::hardware_concurrency());
}

// The catalog is ahead of its LSN in one respect: a space is listed as soon as
// it needs a family, but that another one was dropped is listed only when the
// checkpoint ends. So of two live spaces with one name, the one with the lower
// id was dropped, and the log says so. `entries` are by space id.
void MarkReplaced(std::vector<schema::CatalogEntry>* entries) {
  std::map<std::string, schema::CatalogEntry*> by_name;
  for (schema::CatalogEntry& entry : *entries) {
    if (entry.dropped) continue;
    schema::CatalogEntry*& holder = by_name[entry.space.name];
    if (holder != nullptr) holder->dropped = true;
    holder = &entry;
  }
}

// The head of a space with a family; nothing if none was saved yet.
absl::StatusOr<std::optional<schema::Head>> ReadHead(
    const kv::Store& store, const schema::CatalogEntry& entry) {
  const auto in_head = [&entry](const absl::Status& status) {
    return absl::Status(
        absl::IsNotFound(status) ? absl::StatusCode::kDataLoss : status.code(),
        absl::StrCat("column family ", entry.family, ", key ", schema::kHeadKey,
                     ": ", status.message()));
  };
  const absl::StatusOr<std::string> value =
      store.Get(entry.family, schema::kHeadKey);
  if (absl::IsNotFound(value.status())) {
    // It enters in one step with all the rest, so there is nothing else; or
    // the log may no longer hold what this family did.
    const absl::Status status = store.Scan(
        entry.family, "", [&value](absl::string_view, absl::string_view) {
          return value.status();
        });
    if (!status.ok()) return in_head(status);
    return std::optional<schema::Head>();
  }
  if (!value.ok()) return in_head(value.status());
  absl::StatusOr<schema::Head> head =
      schema::DecodeHead(entry.space.id, *value);
  if (!head.ok()) return in_head(head.status());
  return std::optional<schema::Head>(*std::move(head));
}

// events_ alone holds it, and lets it go.
Options WithoutListener(Options options) {
  options.listener = nullptr;
  return options;
}

}  // namespace

DbImpl::DbImpl(const std::string& path, const Options& options,
               const Environment& environment, DatabaseFiles files)
    : path_(path),
      options_(WithoutListener(options)),
      environment_(environment),
      files_(std::move(files)),
      owner_pid_(::getpid()),
      load_queue_(std::min(WorkerCount(options.workers), kLoadThreadsMax),
                  [this] { return HasRoomToLoad(); }),
      callbacks_(options.async_writes_max),
      total_gate_("all spaces", TotalAdmission(options)),
      events_(options.listener,
              [this] {
                const double pressure = total_gate_.GetStats().pressure;
                return EventQueue::Pressure{PressureLevelOf(options_, pressure),
                                            pressure};
              }),
      memory_gate_(options.memory_budget_bytes),
      log_meter_(options.checkpoint_wal_bytes / kPaceSteps),
      checkpoint_timer_(options.checkpoint_interval),
      families_(options.max_dedicated_spaces),
      pace_(options.checkpoint_wal_bytes) {}

absl::StatusOr<std::shared_ptr<DbImpl>> DbImpl::Open(
    const std::string& path, const Options& options,
    const Environment& environment) {
  ENGRAM_RETURN_IF_ERROR(CheckOptions(options));
  if (options.read_only) return OpenReadOnly(path, options, environment);
  ENGRAM_ASSIGN_OR_RETURN(
      DatabaseFiles files,
      OpenDatabaseFiles(environment.files, path, options.create_if_missing,
                        /*read_only=*/false));
  std::shared_ptr<DbImpl> db(
      new DbImpl(path, options, environment, std::move(files)));
  const absl::Status status = db->Start();
  if (!status.ok()) {
    return absl::Status(status.code(),
                        absl::StrCat(path, ": ", status.message()));
  }
  return db;
}

DbImpl::~DbImpl() {
  // Nobody can be told of a failure here, and nothing acknowledged is lost by
  // one.
  Close().IgnoreError();
}

absl::Status DbImpl::Start() {
  const int64_t begin = Clock::System().MonotonicMicros();
  ENGRAM_ASSIGN_OR_RETURN(wal_directory_,
                          environment_.files->OpenDirectory(files_.wal_path,
                                                            /*create=*/false));
  // The store is made before the first segment of the log. Where there is a
  // log and no store, the store was lost.
  ENGRAM_ASSIGN_OR_RETURN(const std::vector<std::string> log_files,
                          wal_directory_->List());
  kv::StoreOptions store_options;
  store_options.env = environment_.store_env;
  store_options.write_bytes_per_second = options_.checkpoint_bytes_per_second;
  store_options.create_if_missing = std::none_of(
      log_files.begin(), log_files.end(), [](const std::string& name) {
        return wal::SegmentFileNumber(name) != 0;
      });
  ENGRAM_ASSIGN_OR_RETURN(store_,
                          kv::Store::Open(files_.kv_path, store_options));
  StartWorkers();
  ENGRAM_RETURN_IF_ERROR(LoadSpaces());
  ENGRAM_RETURN_IF_ERROR(Recover());
  TellRecovered(begin);
  if (!salvage_report_.losses.empty()) {
    ENGRAM_RETURN_IF_ERROR(LeaveDamagedLog());
  }
  // Only now: an Open() that fails changes nothing.
  for (const std::string& family : unlisted_families_) {
    ENGRAM_RETURN_IF_ERROR(store_->DropFamily(family));
  }
  checkpoint_thread_ = std::thread([this] { CheckpointLoop(); });
  // Only now: what is loaded beyond the budget, that thread takes out again.
  load_queue_.Start();
  if (segments_->live_count() > kSegmentsLeftMax) RequestCheckpoint();
  if (options_.stats_interval != absl::ZeroDuration()) {
    stats_publisher_.Start(absl::StrCat(path_, "/", schema::kStatsFileName),
                           options_.stats_interval,
                           [this] { return GetMetrics(kPublishedSpacesMax); });
  }
  events_.Start();
  return absl::OkStatus();
}

void DbImpl::StartWorkers() {
  pool_ = std::make_unique<ingest::WorkerPool>(WorkerCount(options_.workers));
}

void DbImpl::TellRecovered(int64_t begin_micros) {
  const RecoveryInfo recovery = {
      replayed_records_,
      absl::Microseconds(Clock::System().MonotonicMicros() - begin_micros)};
  events_.Push(
      [recovery](EventListener& listener) { listener.OnRecovered(recovery); });
  events_.NotePressure();
}

space::SpaceState::Observer DbImpl::ObserverOf(
    const std::string& name, const ingest::BacklogPtr& backlog) {
  space::SpaceState::Observer observer;
  observer.on_indexed = [this](size_t records, size_t dead) {
    indexed_records_.fetch_add(records - dead, std::memory_order_relaxed);
    dead_lettered_records_.fetch_add(dead, std::memory_order_relaxed);
  };
  observer.on_dead_letter = [this, name](const schema::RecordView& record,
                                         const absl::Status& status) {
    events_.Push([info = DeadLetterInfo{name, record.lsn,
                                        std::string(record.id), status}](
                     EventListener& listener) { listener.OnDeadLetter(info); });
  };
  observer.on_released = [this](uint64_t records, uint64_t bytes) {
    total_gate_.Release(records, bytes);
    events_.NotePressure();
  };
  observer.on_progress = [this] { NotifyProgress(); };
  // Weak: the backlog holds the space.
  observer.on_loaded = [this, weak = std::weak_ptr(backlog)](
                           const space::SpaceState::BacklogCounts& waiting) {
    const ingest::BacklogPtr held = weak.lock();
    for (size_t i = 0; held != nullptr && i < waiting.size(); ++i) {
      if (waiting[i] == 0) continue;
      pool_->Enqueue(held, waiting[i], static_cast<ingest::Priority>(i));
    }
    RequestMemoryCheck();
  };
  return observer;
}

DbImpl::SpacePtr DbImpl::AddSpace(const schema::SpaceDescription& description,
                                  Lsn created_lsn) {
  space::SpaceLimits limits;
  limits.admission = SpaceAdmission(options_);
  limits.flat_records_max = options_.flat_records_max;
  if (environment_.slots_max != 0) limits.slots_max = environment_.slots_max;
  // One being planned by each worker, and two that wait for the one before
  // them.
  // Each batch in flight holds one of the 256 places of the epochs, which
  // searches need too; and behind so many planners it is the linker that
  // counts.
  limits.batches_max = std::min<size_t>(pool_->workers() + 2, kBatchesMax);
  auto state = std::make_shared<space::SpaceState>(description, created_lsn,
                                                   limits, registry_.epochs());
  const ingest::BacklogPtr backlog = pool_->Add(description.id, state);
  state->set_observer(ObserverOf(description.name, backlog));
  state->quota().Set({options_.space_quota.records_per_second,
                      options_.space_quota.bytes_per_second});
  registry_.Add({state, backlog});
  return state;
}

absl::Status DbImpl::LoadSpace(const schema::CatalogEntry& entry) {
  const SpacePtr state = AddSpace(entry.space, entry.created_lsn);
  if (entry.family.empty()) return absl::OkStatus();
  state->set_family(entry.family);
  ENGRAM_ASSIGN_OR_RETURN(const std::optional<schema::Head> head,
                          ReadHead(*store_, entry));
  if (!head.has_value()) return absl::OkStatus();
  // A reader's files are not his own, and may go. A salvage saves all it finds.
  if (options_.read_only || options_.salvage_damaged_log) {
    return state->Load(*store_, *head);
  }
  return state->StartCold(store_.get(), *head);
}

absl::Status DbImpl::LoadSpaces() {
  ENGRAM_ASSIGN_OR_RETURN(space::LoadedCatalog loaded,
                          space::LoadCatalog(*store_));
  catalog_exists_ = loaded.exists;
  MarkReplaced(&loaded.entries);
  next_space_id_.store(loaded.catalog.next_space_id, std::memory_order_relaxed);
  uint64_t last_family = 0;
  std::set<std::string> unlisted;
  for (std::string& family : store_->Families()) {
    last_family = std::max(last_family, schema::FamilyNumber(family));
    unlisted.insert(std::move(family));
  }
  FamilyAssigner families(options_.max_dedicated_spaces);
  for (const schema::CatalogEntry& entry : loaded.entries) {
    unlisted.erase(std::string(schema::PlaceOf(entry.family).family));
    if (!entry.family.empty()) families.Add(entry.family);
    if (entry.dropped) {
      registry_.AddDropped(entry);
    } else {
      ENGRAM_RETURN_IF_ERROR(LoadSpace(entry));
    }
  }
  for (const schema::ProducerState& producer : loaded.producers) {
    producers_.AcceptSaved(producer);
  }
  MutexLock lock(checkpoint_mutex_);
  catalog_ = loaded.catalog;
  catalog_.next_family = std::max(catalog_.next_family, last_family + 1);
  families_ = std::move(families);
  MutexLock progress_lock(progress_mutex_);
  low_water_lsn_ = catalog_.low_water_lsn;
  unlisted_families_.assign(unlisted.begin(), unlisted.end());
  return CheckUnlistedFamilies();
}

// A family is made before the catalog lists it, and gets its first key after
// that. So an unlisted one is empty, or the catalog was lost.
absl::Status DbImpl::CheckUnlistedFamilies() const {
  for (const std::string& family : unlisted_families_) {
    ENGRAM_RETURN_IF_ERROR(store_->Scan(
        family, "", [&family](absl::string_view, absl::string_view) {
          return absl::DataLossError(
              absl::StrCat("column family ", family,
                           ": holds a space that the catalog lacks"));
        }));
  }
  return absl::OkStatus();
}

absl::Status DbImpl::StartLog(const wal::RecoveredLog& log) {
  wal::SegmentsOptions segments_options;
  segments_options.segment_bytes = options_.wal_segment_bytes;
  segments_options.segments_max =
      std::max(options_.wal_limit_bytes / options_.wal_segment_bytes,
               log.segments.size() + kSegmentsBeyondLive);
  std::vector<uint64_t> live;
  for (const wal::RecoveredSegment& segment : log.segments) {
    live.push_back(segment.number);
  }
  ENGRAM_ASSIGN_OR_RETURN(
      segments_,
      wal::Segments::Open(wal_directory_.get(), segments_options, live));
  wal::WriterOptions writer_options;
  writer_options.database_id = files_.id;
  writer_options.segment_bytes = options_.wal_segment_bytes;
  writer_options.queue = ToQueueChoice(options_.wal_backend);
  writer_options.lock_fd = files_.lock.fd();
  writer_options.create_queue = environment_.log_queue;
  ENGRAM_ASSIGN_OR_RETURN(
      writer_,
      wal::Writer::Open(writer_options, log.position, segments_.get(), this));
  MutexLock lock(checkpoint_mutex_);
  if (!catalog_exists_) {
    // From now on, a log that is not there was lost.
    ENGRAM_RETURN_IF_ERROR(space::SaveCatalog(store_.get(), catalog_, {}));
  }
  return writer_->Recycle(catalog_.low_water_lsn);
}

absl::Status DbImpl::Close() {
  // A child has none of the threads that would be waited for.
  if (::getpid() != owner_pid_) return CheckWritable();
  if (callbacks_.IsCallback()) {
    return absl::FailedPreconditionError(
        "the callback of a write must not close the database");
  }
  if (events_.IsListener()) {
    return absl::FailedPreconditionError(
        "the listener must not close the database");
  }
  if (!gate_.Close()) {
    return absl::FailedPreconditionError(
        absl::StrCat(path_, ": the database is closed"));
  }
  // Whoever waits gives up.
  NotifyProgress();
  total_gate_.Close();
  memory_gate_.Close();
  for (const space::SpaceEntry& entry : registry_.All()) {
    entry.state->gate().Close();
    entry.state->quota().Close();
  }
  if (segments_ != nullptr) segments_->StopWaiting();
  // Nobody is left whose acknowledgement it could delay.
  if (store_ != nullptr) store_->LiftWriteLimit();
  gate_.WaitEmpty();
  stats_publisher_.Stop();
  load_queue_.Drain();
  load_queue_.Stop();
  {
    MutexLock lock(progress_mutex_);
    stopping_ = true;
  }
  checkpoint_work_.NotifyAll();
  if (checkpoint_thread_.joinable()) checkpoint_thread_.join();
  absl::Status status;
  if (pool_ != nullptr) {
    if (options_.read_only) {
      pool_->Abandon();  // what a reader links is forgotten with it
    } else {
      pool_->Drain();
    }
    if (writer_ != nullptr) {
      MutexLock lock(checkpoint_mutex_);
      status = RunCheckpoint();
    }
    pool_.reset();
  }
  if (writer_ != nullptr) {
    const absl::Status log_status = writer_->Close();
    if (status.ok()) status = log_status;
  }
  writer_.reset();
  segments_.reset();
  store_.reset();
  files_.lock.Release();
  events_.Stop();
  return status;
}

}  // namespace engram::internal
