// The engine behind Db and Space: the log, the spaces, the workers and the
// checkpoints put together. db_open.cc, db_write.cc, db_read.cc and
// so on each hold one side of it.

#ifndef ENGRAM_ENGINE_DB_DB_IMPL_H_
#define ENGRAM_ENGINE_DB_DB_IMPL_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "engine/db/callback_queue.h"
#include "engine/db/checkpoint_pace.h"
#include "engine/db/checkpoint_timer.h"
#include "engine/db/database_files.h"
#include "engine/db/environment.h"
#include "engine/db/event_queue.h"
#include "engine/db/family_assigner.h"
#include "engine/db/load_queue.h"
#include "engine/db/log_meter.h"
#include "engine/db/memory_gate.h"
#include "engine/db/operation_gate.h"
#include "engine/db/producer_table.h"
#include "engine/db/stats_publisher.h"
#include "engine/ingest/admission_gate.h"
#include "engine/ingest/worker_pool.h"
#include "engine/space/catalog.h"
#include "engine/space/latencies.h"
#include "engine/space/registry.h"
#include "engine/space/space_state.h"
#include "engram/db.h"
#include "engram/refusal.h"
#include "storage/base/mutex.h"
#include "storage/io/directory.h"
#include "storage/kv/store.h"
#include "storage/wal/reader.h"
#include "storage/wal/segments.h"
#include "storage/wal/writer.h"

namespace engram::internal {

// Thread safety: all public methods may be called concurrently.
//
// Lock order: create_mutex_ before checkpoint_mutex_ before progress_mutex_;
// the registry's and the spaces' locks come after these, and after
// dropped_mutex_. The lock of events_ comes last but for that of total_gate_.
class DbImpl final : public wal::GroupSink {
 public:
  using SpacePtr = std::shared_ptr<space::SpaceState>;

  static absl::StatusOr<std::shared_ptr<DbImpl>> Open(
      const std::string& path, const Options& options,
      const Environment& environment = {});

  // Db::Open() on another disk than the machine's.
  static absl::StatusOr<std::unique_ptr<Db>> OpenOn(
      const Environment& environment, const std::string& path,
      const Options& options);
  ~DbImpl() override;

  DbImpl(const DbImpl&) = delete;
  DbImpl& operator=(const DbImpl&) = delete;

  absl::Status Close();

  // --- Spaces and writes (db_write.cc)
  absl::StatusOr<SpacePtr> OpenSpace(absl::string_view name,
                                     const SpaceOptions& options);
  // The same, but ALREADY_EXISTS if there is one of that name.
  absl::StatusOr<SpacePtr> CreateSpace(absl::string_view name,
                                       const SpaceOptions& options);
  absl::Status DropSpace(absl::string_view name);
  absl::StatusOr<std::vector<std::string>> ListSpaces();
  absl::Status SetQuota(const SpacePtr& space, const SpaceQuota& quota);
  absl::StatusOr<Lsn> Observe(const SpacePtr& space,
                              const Observation& observation,
                              const WriteOptions& options, bool* duplicate);
  absl::Status ObserveAsync(const SpacePtr& space,
                            const Observation& observation,
                            const WriteOptions& options,
                            WriteCallback callback);
  absl::StatusOr<Lsn> Remove(const SpacePtr& space, absl::string_view id,
                             const WriteOptions& options, bool* duplicate);
  absl::StatusOr<Lsn> Write(const WriteBatch& batch,
                            const WriteOptions& options, bool* duplicate);

  // --- Erasing (db_erase.cc)
  absl::StatusOr<Lsn> Erase(const SpacePtr& space,
                            absl::Span<const std::string> ids,
                            absl::Duration timeout);

  // --- Producers (db_producers.cc)
  absl::StatusOr<ProducerPosition> LastSequence(uint64_t producer);
  absl::StatusOr<std::vector<ProducerPosition>> ListProducers();

  // --- Dead letters (db_dead_letters.cc)
  absl::StatusOr<std::vector<DeadLetter>> ListDeadLetters(
      const SpacePtr& space);
  absl::StatusOr<Lsn> RetryDeadLetter(const SpacePtr& space, Lsn lsn,
                                      const WriteOptions& options);
  absl::StatusOr<Lsn> DropDeadLetter(const SpacePtr& space, Lsn lsn,
                                     const WriteOptions& options);

  // --- Reads (db_read.cc)
  absl::StatusOr<StoredObservation> Get(const SpacePtr& space,
                                        absl::string_view id);
  absl::StatusOr<std::vector<Hit>> Search(const SpacePtr& space,
                                          absl::Span<const float> query,
                                          const SearchOptions& options,
                                          SearchStats* stats);
  absl::StatusOr<std::vector<std::string>> ListIds(const SpacePtr& space);
  absl::Status Wait(Lsn lsn, Stage stage, absl::Duration timeout);
  absl::Status WaitSpace(const SpacePtr& space, Lsn lsn, Stage stage,
                         absl::Duration timeout);
  absl::StatusOr<DbStats> GetStats();
  absl::StatusOr<SpaceStats> GetSpaceStats(const SpacePtr& space);
  // Of the spaces that were used last, if there are more than `spaces_max`.
  absl::StatusOr<Metrics> GetMetrics(
      size_t spaces_max = std::numeric_limits<size_t>::max());

  // --- Checkpoints (db_checkpoint.cc)
  absl::Status Checkpoint();
  absl::Status Compact();

  // --- Backups (db_backup.cc, db_export.cc)
  absl::Status Backup(const std::string& dir);
  absl::Status ExportSpace(absl::string_view name, const std::string& path);

  const SalvageReport& salvage_report() const { return salvage_report_; }

  // wal::GroupSink
  void Publish(const std::shared_ptr<const wal::Group>& group) override;
  void OnDurable(Lsn lsn) override;
  void OnCalledBack() override { callbacks_.Wake(); }
  bool IsBusy() const override { return pool_->IsBusy(); }
  void OnFailed(const absl::Status& status) override;

 private:
  DbImpl(const std::string& path, const Options& options,
         const Environment& environment, DatabaseFiles files);

  // --- db_open.cc
  absl::Status Start();
  void StartWorkers();
  void TellRecovered(int64_t begin_micros);
  absl::Status LoadSpaces();
  absl::Status CheckUnlistedFamilies() const;
  absl::Status LoadSpace(const schema::CatalogEntry& entry);
  absl::Status StartLog(const wal::RecoveredLog& log);
  space::SpaceState::Observer ObserverOf(const std::string& name,
                                         const ingest::BacklogPtr& backlog);
  SpacePtr AddSpace(const schema::SpaceDescription& description,
                    Lsn created_lsn);

  // --- db_read_only.cc
  static absl::StatusOr<std::shared_ptr<DbImpl>> OpenReadOnly(
      const std::string& path, const Options& options,
      const Environment& environment);
  static absl::StatusOr<std::shared_ptr<DbImpl>> TryOpenReadOnly(
      const std::string& path, const Options& options,
      const Environment& environment);
  absl::Status StartReadOnly();

  // --- db_recover.cc
  absl::Status Recover();
  void EndRecovery(const wal::RecoveredLog& log);
  absl::Status PublishRecovered(const std::shared_ptr<const wal::Group>& group);
  absl::Status CheckRecovered(const schema::RecordView& record) const;
  bool IsReplaced(const schema::SpaceDescription& description,
                  Lsn created_lsn) const;
  std::string SpaceName(uint64_t space_id) const;
  void ReportLoss(const wal::LogLoss& loss);
  bool LostDropOf(const schema::RecordView& record);
  bool IsOrphan(const schema::RecordView& record);
  void AddOrphan(const schema::RecordView& record, const absl::Status& why);
  absl::Status LeaveDamagedLog();

  // --- db_write.cc
  absl::Status CheckWritable() const;
  absl::Status CheckSpaceWritable(const space::SpaceState& space);
  absl::Status CheckObservation(const space::SpaceState& space,
                                const Observation& observation) const;
  wal::Durability DurabilityOf(const WriteOptions& options) const;
  absl::StatusOr<SpacePtr> NewSpace(absl::string_view name,
                                    const SpaceOptions& options)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(create_mutex_);
  absl::StatusOr<Lsn> AppendOne(schema::RecordType type, const SpacePtr& space,
                                const Observation& observation,
                                const WriteOptions& options, bool* duplicate);
  absl::StatusOr<Lsn> Append(absl::Span<const schema::RecordDraft> drafts,
                             absl::Span<const SpacePtr> spaces,
                             const WriteOptions& options, bool* duplicate);
  // Who is to be told. In this order: `callback` may hold the last handle but
  // ours, and goes before `operation` lets the database be closed.
  struct AsyncWrite {
    std::shared_ptr<Operation> operation;
    WriteCallback callback;
  };
  absl::Status AppendAsync(const schema::RecordDraft& draft,
                           const SpacePtr& space, const WriteOptions& options,
                           int64_t deadline, const AsyncWrite& write);
  absl::StatusOr<Lsn> AppendAdmin(const schema::RecordDraft& draft);

  // --- db_admit.cc
  // What a write demands of the room of a space, and as much of the room of all
  // (see AdmissionGate), and whether it counted for the space's quota and has
  // the room.
  struct Share {
    SpacePtr space;
    ingest::Demand demand;
    bool metered = false;
    bool admitted = false;
  };
  using Admission = std::vector<Share>;

  absl::StatusOr<Admission> Admit(absl::Span<const schema::RecordDraft> drafts,
                                  absl::Span<const SpacePtr> spaces,
                                  int64_t deadline);
  absl::Status AwaitMemory(int64_t deadline);
  void CountMemory(const Admission& admission);
  static absl::Status AdmitByQuota(Share* share, int64_t deadline);
  static absl::Status AdmitToSpace(Share* share, int64_t deadline);
  static void CancelShare(const Share& share);
  absl::Status AdmitToTotal(const Admission& admission, int64_t deadline);
  void CountRefusal(const absl::Status& status);
  absl::StatusOr<Lsn> Settle(const Admission& admission, Lsn lsn,
                             const absl::Status& logged);

  // --- db_dead_letters.cc
  absl::StatusOr<Lsn> EndDeadLetter(schema::RecordType type,
                                    const SpacePtr& space, Lsn lsn,
                                    const WriteOptions& options);
  absl::Status CheckDeadLetters(const space::SpaceState& space,
                                const schema::RecordDraft& draft) const;

  // --- db_producers.cc
  absl::StatusOr<Lsn> AnswerDuplicate(Lsn lsn);
  absl::Status WaitLoggedDurable(Lsn lsn) const;
  void AcceptRecovered(const wal::Group& group);

  // --- db_publish.cc
  void EnqueuePublished();
  void PublishAny(const schema::RecordView& record,
                  const std::shared_ptr<const wal::Group>& group);
  void PublishRecord(const schema::RecordView& record,
                     const std::shared_ptr<const wal::Group>& group);
  void PublishCreate(const schema::RecordView& record);
  void PublishDrop(const schema::RecordView& record);

  // --- db_read.cc
  // FAILED_PRECONDITION if the database is closed, NOT_FOUND if `space`, which
  // may be null, was dropped.
  absl::Status CheckOpen(const Operation& operation,
                         const SpacePtr& space) const;
  absl::Status WaitUntil(const std::function<bool()>& reached,
                         absl::string_view what, absl::Duration timeout);
  bool AllReached(Lsn lsn, Stage stage) const;
  Lsn DurableLsn() const;
  // Infinite while that is not known.
  absl::Duration TimeToIndex(uint64_t records) const;
  void AddAdmission(DbStats* stats) const;
  void AddWorkers(DbStats* stats) const;
  SpaceStats StatsOf(const space::SpaceState& space) const;
  space::Latencies AllLatencies() const ABSL_LOCKS_EXCLUDED(dropped_mutex_);
  void NotifyProgress();

  // --- db_checkpoint.cc
  void CheckpointLoop();

  // Whether the log has reached half its limit.
  bool LogIsLong() const;
  void RequestCheckpoint();
  void RequestCheckpointOfOldest();
  void SetCheckpointTimer();
  void WaitForCheckpointWork() ABSL_EXCLUSIVE_LOCKS_REQUIRED(progress_mutex_);
  absl::Status WaitPublishedDurable() const;
  absl::Status RunCheckpoint() ABSL_EXCLUSIVE_LOCKS_REQUIRED(checkpoint_mutex_);
  uint64_t LogBytesMax(uint64_t log_bytes, uint64_t unsaved_records) const;
  absl::Status CheckpointOldest()
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(checkpoint_mutex_);
  absl::Status CheckpointDue() ABSL_EXCLUSIVE_LOCKS_REQUIRED(checkpoint_mutex_);
  absl::Status CheckpointSpaces(absl::Span<const space::SpaceEntry> entries,
                                Lsn published)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(checkpoint_mutex_);
  CheckpointInfo CheckpointTotals() const;
  CheckpointInfo BeginCheckpoint();
  void EndCheckpoint(const CheckpointInfo& before, const absl::Status& status);
  absl::Status SaveSpaces(absl::Span<const space::SpaceEntry> entries)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(checkpoint_mutex_);
  absl::Status SaveMembers(const std::map<uint64_t, SpacePtr>& spaces)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(checkpoint_mutex_);
  absl::Status SaveTogetherOrSingly(absl::Span<space::SpaceState* const> spaces)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(checkpoint_mutex_);
  absl::Status SaveTogether(absl::Span<space::SpaceState* const> spaces)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(checkpoint_mutex_);
  absl::Status SaveCatalogAndRecycle(Lsn published)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(checkpoint_mutex_);

  // --- db_erase.cc
  absl::StatusOr<Lsn> RemoveAll(const SpacePtr& space,
                                absl::Span<const std::string> ids,
                                absl::Duration timeout);
  absl::Status IndexAll(Lsn lsn, absl::Duration timeout);
  absl::Status EraseSaved(const SpacePtr& space, const space::IdSet& ids,
                          Lsn up_to) ABSL_LOCKS_EXCLUDED(checkpoint_mutex_);
  absl::Status CheckNoBackup();
  absl::Status RemoveObsoleteFiles() ABSL_LOCKS_EXCLUDED(checkpoint_mutex_);
  absl::Status FreeLogBefore(uint64_t segment)
      ABSL_LOCKS_EXCLUDED(checkpoint_mutex_);

  // --- db_families.cc
  absl::Status AssignFamilies(absl::Span<const space::SpaceEntry> entries)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(checkpoint_mutex_);
  absl::Status RewriteSpace(const space::SpaceEntry& entry)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(checkpoint_mutex_);
  absl::Status CompactFamilies(absl::Span<const space::SpaceEntry> entries)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(checkpoint_mutex_);
  absl::Status DropFamilies(std::vector<schema::CatalogEntry> dropped)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(checkpoint_mutex_);

  // --- db_memory.cc
  void RequestMemoryCheck();
  uint64_t MemoryInUse() const;
  uint64_t MemoryBudget() const;
  bool HasRoomToLoad();
  absl::Status EvictDownFrom(uint64_t* used_bytes)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(checkpoint_mutex_);
  absl::Status KeepMemoryBudget()
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(checkpoint_mutex_);

  // --- db_backup.cc
  absl::Status CopyTo(const std::string& folder);
  absl::Status CopyLostFile(const std::string& folder) const;

  // Constant after Start().
  const std::string path_;
  const Options options_;
  const Environment environment_;
  DatabaseFiles files_;
  const int64_t owner_pid_;
  std::unique_ptr<kv::Store> store_;
  std::unique_ptr<io::Directory> wal_directory_;
  std::unique_ptr<wal::Segments> segments_;
  std::unique_ptr<wal::Writer> writer_;
  std::unique_ptr<ingest::WorkerPool> pool_;
  LoadQueue load_queue_;
  std::thread checkpoint_thread_;
  StatsPublisher stats_publisher_;
  bool catalog_exists_ = false;
  std::vector<std::string> unlisted_families_;  // to be dropped by Start()
  uint64_t replayed_records_ = 0;
  SalvageReport salvage_report_;

  // Of one thread at a time: the log's, or the one that is in Start().
  //
  // Records of the group that is being published, for the workers.
  struct Published {
    SpacePtr space;
    space::SpaceState::BacklogCounts records = {};
  };
  absl::flat_hash_map<ingest::BacklogPtr, Published> published_;
  // While Start() publishes what it reads from the log.
  bool recovering_ = false;
  Lsn recovered_catalog_lsn_ = 0;  // what the catalog knew of spaces already
  // Of a log that is salvaged: writes to spaces that are lost, by space id, and
  // spaces that it drops.
  std::map<uint64_t, wal::LogLoss> orphans_;
  std::set<uint64_t> dropped_in_log_;

  // Synchronise themselves.
  OperationGate gate_;
  CallbackQueue callbacks_;
  ingest::AdmissionGate total_gate_;
  EventQueue events_;
  MemoryGate memory_gate_;
  space::Registry registry_;
  ProducerTable producers_;
  // Relaxed: a count of its own, or only compared with itself.
  std::atomic<uint64_t> accepted_records_{0};
  std::atomic<uint64_t> indexed_records_{0};
  std::atomic<uint64_t> dead_lettered_records_{0};
  std::atomic<uint64_t> duplicate_writes_{0};
  std::array<std::atomic<uint64_t>, kRefusalCauses> refused_writes_{};
  LogMeter log_meter_;
  CheckpointTimer checkpoint_timer_;
  // Released after the spaces have seen the record, acquired by whoever
  // concludes from it what the spaces have seen.
  std::atomic<Lsn> published_lsn_{0};
  // Stored before the spaces see a group, whose last LSN it is: what they, or
  // the registry, know is not above it. Above durable_lsn where a write was
  // acknowledged before its sync.
  std::atomic<Lsn> publishing_lsn_{0};

  // One space is created or dropped at a time.
  Mutex create_mutex_;
  // Read under create_mutex_, raised by whoever publishes the creation.
  std::atomic<uint64_t> next_space_id_{1};

  // Held while a space leaves the registry, so that its records are always
  // counted once. For a moment: the log's thread waits for it.
  mutable Mutex dropped_mutex_;
  space::Latencies dropped_latencies_ ABSL_GUARDED_BY(dropped_mutex_);

  // One checkpoint at a time.
  Mutex checkpoint_mutex_;
  schema::Catalog catalog_ ABSL_GUARDED_BY(checkpoint_mutex_);
  FamilyAssigner families_ ABSL_GUARDED_BY(checkpoint_mutex_);
  CheckpointPace pace_ ABSL_GUARDED_BY(checkpoint_mutex_);
  uint64_t paced_bytes_ ABSL_GUARDED_BY(checkpoint_mutex_) = 0;  // of the log

  // Anything has advanced.
  mutable Mutex progress_mutex_;
  CondVar progress_;
  CondVar checkpoint_work_;
  bool checkpoint_requested_ ABSL_GUARDED_BY(progress_mutex_) = false;
  bool oldest_requested_ ABSL_GUARDED_BY(progress_mutex_) = false;
  bool memory_check_requested_ ABSL_GUARDED_BY(progress_mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(progress_mutex_) = false;
  uint64_t checkpoints_ ABSL_GUARDED_BY(progress_mutex_) = 0;
  uint64_t spaces_saved_ ABSL_GUARDED_BY(progress_mutex_) = 0;
  uint64_t checkpoint_bytes_ ABSL_GUARDED_BY(progress_mutex_) = 0;
  Lsn low_water_lsn_ ABSL_GUARDED_BY(progress_mutex_) = 0;
  absl::Status checkpoint_status_ ABSL_GUARDED_BY(progress_mutex_);
};

}  // namespace engram::internal

#endif  // ENGRAM_ENGINE_DB_DB_IMPL_H_
