// One space in memory: its index, its tail, and which version of each id is
// current.

#ifndef ENGRAM_ENGINE_SPACE_SPACE_STATE_H_
#define ENGRAM_ENGINE_SPACE_SPACE_STATE_H_

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "engine/index/changed_slots.h"
#include "engine/index/epoch.h"
#include "engine/index/scan_codec.h"
#include "engine/ingest/admission_gate.h"
#include "engine/ingest/backlog_owner.h"
#include "engine/ingest/priority.h"
#include "engine/ingest/quota.h"
#include "engine/space/checkpoint_eraser.h"
#include "engine/space/dead_letters.h"
#include "engine/space/grace_queue.h"
#include "engine/space/index_batch.h"
#include "engine/space/latencies.h"
#include "engine/space/planning_ring.h"
#include "engine/space/space_index.h"
#include "engine/space/space_limits.h"
#include "engine/space/space_loader.h"
#include "engine/space/space_observer.h"
#include "engine/space/space_snapshot.h"
#include "engine/space/tail.h"
#include "engine/space/unsaved_record.h"
#include "engine/space/version_map.h"
#include "engram/observation.h"
#include "engram/options.h"
#include "engram/stats.h"
#include "schema/part_codec.h"
#include "schema/space_codec.h"
#include "storage/base/mapped_allocator.h"
#include "storage/base/mutex.h"
#include "storage/kv/store.h"

namespace engram::space {

// Versions and snapshots. Each accepted record has an LSN; a version is visible
// from its own LSN to before the one that replaces or removes it. Publish()
// makes a record visible, before it is acknowledged. A search takes S, the LSN
// of the last published record, and pins the tail, both at one moment; it sees
// the versions that are visible at S, no other. Of an id there is at most one,
// so it is returned at most once; one that was replaced is never returned
// together with, or instead of, its successor.
//
// A version that was in the tail when it was pinned is found there, and is
// ignored where the index has it; an older one is found in the index. So moving
// a version from the tail to the index in the middle of a search makes no
// difference to it.
//
// Removal. The record that replaces or removes a version ends it, from its LSN
// on. When it has been indexed, the version's slot waits until all searches are
// gone that may have begun before it; then it is unlinked; when all are gone
// that may have met it, it is given to the next version. Nobody waits for a
// search.
//
// Workers. Several may call Serve(): each plans the next records of the tail.
// Only the holder of the turn, the lowest ticket, links; see PlanningRing.
//
// Thread safety: all public methods may be called concurrently, with the
// restrictions that they name.
//
// Invariants (watermarks, all LSNs):
//   checkpoint_lsn <= indexed_lsn <= published_lsn
//   every record with an LSN <= indexed_lsn has left the tail, none above has
class SpaceState final : public ingest::BacklogOwner {
 public:
  // `epochs` must outlive the space.
  SpaceState(const schema::SpaceDescription& description, Lsn created_lsn,
             const SpaceLimits& limits, index::EpochDomain* epochs);

  const schema::SpaceDescription& description() const { return description_; }
  uint64_t id() const { return description_.id; }
  const std::string& name() const { return description_.name; }

  ingest::AdmissionGate& gate() { return gate_; }
  ingest::Quota& quota() { return quota_; }

  // --- Writing (space_state.cc)

  // Makes an observe or remove record visible. LSNs must rise from call to
  // call; called by one thread at a time. `admitted_bytes` goes back to the
  // gate when the record is indexed.
  void Publish(const schema::RecordView& record,
               const std::shared_ptr<const wal::Group>& group,
               uint32_t admitted_bytes);

  // BacklogOwner: indexes waiting records (space_serve.cc). Takes none if none
  // is waiting that nobody has taken.
  ingest::Served Serve(size_t records_max) override;

  // BacklogOwner: takes what was removed out of the index, and gives its slots
  // back, as far as no search is in the way (space_remove.cc).
  bool Tidy() override;

  // With a graph: before, indexing a record is no work.
  bool CanShare() const override {
    // Relaxed: a hint.
    return has_graph_.load(std::memory_order_relaxed);
  }

  using BacklogCounts = space::BacklogCounts;
  using Observer = SpaceObserver;

  // Before anything is published.
  void set_observer(Observer observer) { observer_ = std::move(observer); }

  // --- Reading (space_search.cc, space_read.cc)

  // What they read is loaded first, where it is not in memory; they fail as
  // EnsureResident() does.

  // The arguments have been checked, and options.ef_search is taken as it is.
  // `stats` may be nullptr.
  absl::StatusOr<std::vector<Hit>> Search(absl::Span<const float> query,
                                          const SearchOptions& options,
                                          SearchStats* stats);

  // NOT_FOUND, DATA_LOSS. `store` is where records are that no longer stand in
  // memory.
  absl::StatusOr<StoredObservation> Get(absl::string_view id,
                                        const kv::Store* store);

  // The ids of all live observations, sorted.
  absl::StatusOr<std::vector<std::string>> ListIds();

  // The current versions at one moment.
  struct Versions {
    struct Version {
      std::string id;
      Lsn lsn = 0;
    };
    Lsn lsn = 0;                  // of the last record that the space had seen
    size_t live = 0;              // ids
    std::vector<Version> listed;  // sorted by id
  };

  // Lists those with an LSN above `above`.
  absl::StatusOr<Versions> ListVersions(Lsn above);

  // `log_lsn` is where an idle space's watermarks stand.
  SpaceStats GetStats(Lsn log_lsn) const;

  Latencies GetLatencies() const;

  // What GetLatencies() returns from now on, whatever is still indexed: the
  // sum over all spaces holds it when this one has gone.
  Latencies FreezeLatencies();

  uint64_t pending_records() const;

  // Relaxed: a count.
  size_t dead_letter_count() const {
    return dead_letter_count_.load(std::memory_order_relaxed);
  }

  // Whether the current version of an id is a dead letter.
  bool IsDeadLetter(absl::string_view id) const;

  // What could not be indexed, by LSN, with the vector and payload of each.
  std::vector<DeadLetters::Letter> ListDeadLetters() const;

  // The one with this LSN; null if there is none, or its successor is
  // published: it is as good as gone.
  std::shared_ptr<const TailEntry> FindDeadLetter(Lsn lsn) const;

  // Whether every record with an LSN <= `lsn` is indexed, or checkpointed.
  bool IsIndexed(Lsn lsn) const;
  bool IsCheckpointed(Lsn lsn) const;

  // --- Dropping

  // The LSN of the drop record; 0: not dropped. Relaxed: what a caller does
  // with a space that is dropped at this moment is unseen either way.
  Lsn dropped_lsn() const {
    return dropped_lsn_.load(std::memory_order_relaxed);
  }
  void MarkDropped(Lsn lsn) {
    dropped_lsn_.store(lsn, std::memory_order_relaxed);
  }
  Lsn created_lsn() const { return created_lsn_; }

  // --- Checkpoints (space_checkpoint.cc); one at a time.

  // The column family that holds this space; empty before the first
  // checkpoint.
  std::string family() const;
  void set_family(std::string family);

  // The LSN of the last head; 0 if there is none.
  Lsn head_checkpoint_lsn() const;

  // Whether the log is still needed for this space, and if so, above which
  // LSN.
  bool NeedsLog(Lsn* above) const;

  // Whether there is something to save that is indexed, or RequestSave() was
  // called since the last BeginCheckpoint().
  bool HasUnsaved() const;
  void RequestSave();

  // What a checkpoint would save now, and what of the log it would make
  // superfluous for this space. `log_lsn` is as for GetStats(), from before.
  Unsaved GetUnsaved(Lsn log_lsn) const;

  // Stops indexing while the links and marks that have changed are copied.
  SpaceSnapshot BeginCheckpoint();

  // Of the next head. Never the same twice: whether a failed ingestion took
  // place is unknown until the store is reopened.
  uint64_t NextGeneration();

  // It is saved in `store` under `head`, or was not.
  void CommitCheckpoint(const kv::Store* store, const schema::Head& head);
  void AbortCheckpoint();

  // --- Rewriting (space_rewrite.cc); not beside a checkpoint.

  // Whether files hold rows that are removed; and more of them than others.
  bool HasDeadRows() const;
  bool IsMostlyDead() const;

  // Writes the checkpoint anew without rows that are gone. Returns the bytes
  // written. Indexing goes on; whoever wants to load the space waits.
  absl::StatusOr<uint64_t> Rewrite(kv::Store* store)
      ABSL_LOCKS_EXCLUDED(load_mutex_);

  // --- Erasing (space_erase.cc); not beside a checkpoint.

  // Whether a version of one of the ids that was replaced or removed by a
  // record with an LSN <= `up_to` is still in memory: a search may see it, or
  // did until now.
  bool HoldsEnded(const IdSet& ids, Lsn up_to) ABSL_LOCKS_EXCLUDED(turn_mutex_);

  // Takes what such versions were out of the checkpoint; see EraseRows(). The
  // last checkpoint was begun after they had left memory.
  absl::StatusOr<ErasedRows> Erase(kv::Store* store, const IdSet& ids,
                                   Lsn up_to) ABSL_LOCKS_EXCLUDED(load_mutex_);

  // --- Residency (space_residency.cc)
  //
  // The index of a space that was saved may be left on disk. Such a space is
  // *cold*: its records are published, and stay in the tail.

  // Before anything else: `head` is the space's in `store`, which outlives it.
  // Nothing but its dead letters is read. DATA_LOSS.
  absl::Status StartCold(const kv::Store* store, const schema::Head& head);

  // Reads the index into memory if it is not there; whoever comes meanwhile
  // waits. DATA_LOSS naming the key, among others; the next call tries again.
  absl::Status EnsureResident() ABSL_LOCKS_EXCLUDED(load_mutex_);

  // Both in one.
  absl::Status Load(const kv::Store& store, const schema::Head& head);

  bool is_resident() const {
    return index_.load(std::memory_order_acquire) != nullptr;
  }

  // Whether so many published records must wait until the space is loaded;
  // observer.on_loaded() tells of them then.
  bool HoldBack(const BacklogCounts& records);

  // Of the last attempt, and when it failed; 0: it did not.
  absl::Status load_status() const;
  int64_t load_failed_micros() const {
    return load_failed_micros_.load(std::memory_order_relaxed);
  }

  // Lets go of the index if all in it is saved and nothing waits, and waits for
  // the searches in it. Returns whether it did. Not beside a checkpoint.
  bool Evict() ABSL_LOCKS_EXCLUDED(load_mutex_);

  // Microseconds of the monotonic clock; 0: never.
  int64_t last_used_micros() const {
    return last_used_micros_.load(std::memory_order_relaxed);
  }

  // Of the index, with ids and the table of versions; 0 if it is cold.
  uint64_t resident_bytes() const;

  // Of records that wait, with their codes, or are indexed and not saved.
  uint64_t record_bytes() const;

  // Those that are indexed and not saved.
  uint64_t unsaved_records() const;

  // How long the last checkpoint kept records from being indexed.
  int64_t checkpoint_pause_micros() const {
    return checkpoint_pause_micros_.load(std::memory_order_relaxed);
  }

 private:
  // Where a version is on disk, or was to be.
  struct SlotVersion {
    uint32_t slot;
    Lsn lsn;
  };

  // What a search sees; see the class.
  struct SearchView;
  // Where Get() found a version.
  struct Located;

  void EncodeTail(const TailPlace& place) const;
  void Supersede(VersionRef version, TailEntry* by)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // --- space_serve.cc
  std::unique_ptr<IndexBatch> TakeBatch(size_t records_max)
      ABSL_LOCKS_EXCLUDED(mutex_);
  size_t BatchLimit(size_t records_max) const;
  void FillBatch(IndexBatch* batch);
  void PlanRecord(absl::Span<const uint32_t> unlinked, IndexBatch* batch);
  void PlanAhead(IndexBatch* batch);
  bool GiveBackRest(IndexBatch* batch)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(turn_mutex_);
  void LinkBatch(IndexBatch* batch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(turn_mutex_);
  void BuildGraphIfLarge(IndexBatch* batch)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(turn_mutex_);
  void RetireBatch(IndexBatch* batch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(turn_mutex_)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void CountIndexed(IndexBatch* batch) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void RetireRecord(const IndexRecord& record, std::vector<uint32_t>* replaced)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(turn_mutex_, mutex_);
  bool RetireUnslotted(const IndexRecord& record)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status NoRoom() const;
  void FinishBatch(IndexBatch* batch) ABSL_LOCKS_EXCLUDED(turn_mutex_, mutex_);

  // --- space_remove.cc
  // Works off what is ready of the queues: for `micros_max`, but no less than
  // `slots_min` slots.
  void WorkOffRemovals(size_t slots_min, int64_t micros_max)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(turn_mutex_) ABSL_LOCKS_EXCLUDED(mutex_);
  void Unpublish(absl::Span<const SlotVersion> versions)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(turn_mutex_) ABSL_LOCKS_EXCLUDED(mutex_);
  void ReleaseUnlinked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(turn_mutex_);
  void Reattach() ABSL_EXCLUSIVE_LOCKS_REQUIRED(turn_mutex_);

  // --- space_search.cc
  void SearchIndex(const SearchView& view, const SearchOptions& options,
                   index::Scratch& scratch, std::vector<Hit>* hits,
                   SearchStats* stats) const;
  void ScanTail(const SearchView& view, uint32_t k, std::vector<Hit>* hits,
                SearchStats* stats) const;

  // --- space_read.cc
  absl::StatusOr<Located> Locate(absl::string_view id) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status ReadRow(const Located& located, const kv::Store& store,
                       StoredObservation* stored) const;

  // --- space_checkpoint.cc
  using RowsOfSlots = std::vector<uint32_t, MappedAllocator<uint32_t>>;
  void AssignRows(SpaceSnapshot* snapshot)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(turn_mutex_, mutex_);
  index::ChangedSlots TakeChanged() ABSL_EXCLUSIVE_LOCKS_REQUIRED(turn_mutex_);
  void CopyRows(uint32_t row_count, RowsOfSlots* rows) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(turn_mutex_);
  void CopySlot(uint32_t slot, uint32_t row, SpaceSnapshot* snapshot) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(turn_mutex_);
  void CopyLinks(const index::ChangedSlots& changed, const RowsOfSlots& rows,
                 SpaceSnapshot* snapshot) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(turn_mutex_);

  // --- space_residency.cc
  absl::Status AddDeadLetters(absl::Span<const schema::DeadLetter> letters,
                              const schema::Head& head)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Touch();
  absl::StatusOr<LoadedSpace> ReadIndex() const;
  absl::Status Install(LoadedSpace loaded, BacklogCounts* waiting);

  index::Scratch& TurnScratch() ABSL_EXCLUSIVE_LOCKS_REQUIRED(turn_mutex_);

  // Only where it is known to be resident, and to stay so: by the holder of the
  // turn or of mutex_, or under an epoch guard.
  SpaceIndex& index() const { return *index_.load(std::memory_order_acquire); }

  // Constant after construction.
  const schema::SpaceDescription description_;
  const Lsn created_lsn_;
  const SpaceLimits limits_;
  index::EpochDomain* const epochs_;
  const index::VectorDistance distance_;
  const index::ScanCodec tail_codec_;
  Observer observer_;

  // Of Publish(), which one thread at a time calls.
  TailPlaces tail_places_;
  size_t last_tail_count_ = 0;  // when it was last called

  // Synchronise themselves.
  ingest::AdmissionGate gate_;
  ingest::Quota quota_;
  // Null while the space is cold. Stored with release under turn_mutex_ and
  // mutex_; what it led to is freed when the searches are gone that may have
  // loaded it.
  std::atomic<SpaceIndex*> index_;
  PlanningRing ring_;
  std::atomic<Lsn> dropped_lsn_{0};
  // A measured average; 0: none yet. Any recent value will do.
  std::atomic<uint32_t> nanos_per_plan_{0};
  // Counts for the stats; order does not matter.
  mutable std::atomic<uint64_t> searches_{0};
  mutable std::atomic<uint64_t> exact_fallbacks_{0};
  std::atomic<uint64_t> published_slots_{0};
  std::atomic<uint64_t> retired_slots_{0};
  std::atomic<bool> untidy_{false};
  std::atomic<uint64_t> reattached_{0};
  std::atomic<uint64_t> unreachable_{0};
  std::atomic<uint64_t> checkpoints_{0};
  std::atomic<size_t> dead_letter_count_{0};
  std::atomic<uint64_t> evictions_{0};
  std::atomic<bool> has_graph_{false};  // in memory
  std::atomic<int64_t> last_used_micros_{0};
  std::atomic<int64_t> checkpoint_pause_micros_{0};
  std::atomic<int64_t> load_failed_micros_{0};

  // Held while the index is read; before all others.
  Mutex load_mutex_ ABSL_ACQUIRED_BEFORE(turn_mutex_);

  // Held by the holder of the turn while it links a batch, works off removals
  // or builds the graph, and by a checkpoint while it copies: so that sees
  // whole batches only. Lock order: turn_mutex_, the index's link_mutex(),
  // mutex_, the ring's. Never held across I/O, but for StartCold().
  Mutex turn_mutex_;
  std::unique_ptr<SpaceIndex> owned_index_ ABSL_GUARDED_BY(turn_mutex_);
  // Null until it is needed: two and a half kilobytes, empty.
  std::unique_ptr<index::Scratch> turn_scratch_ ABSL_GUARDED_BY(turn_mutex_);
  GraceQueue replaced_ ABSL_GUARDED_BY(turn_mutex_);  // to be unlinked
  GraceQueue unlinked_ ABSL_GUARDED_BY(turn_mutex_);  // to be released
  // The flat index after the graph took over, until its ticket passes.
  std::unique_ptr<index::FlatIndex> left_flat_ ABSL_GUARDED_BY(turn_mutex_);
  uint64_t left_flat_ticket_ ABSL_GUARDED_BY(turn_mutex_) = 0;
  uint64_t unlinked_since_reattach_ ABSL_GUARDED_BY(turn_mutex_) = 0;
  // What of the last head is not so any more, beside what the graph knows of:
  // slots whose version was replaced or removed, and rows of versions that have
  // left the index.
  index::ChangedSlots ended_slots_ ABSL_GUARDED_BY(turn_mutex_);
  std::vector<uint32_t> gone_rows_ ABSL_GUARDED_BY(turn_mutex_);
  // The same of the checkpoint under way, with the graph's.
  index::ChangedSlots saving_changed_ ABSL_GUARDED_BY(turn_mutex_);
  std::vector<uint32_t> saving_gone_rows_ ABSL_GUARDED_BY(turn_mutex_);
  // The rows beyond, of the checkpoint under way.
  std::vector<SlotVersion> saving_rows_ ABSL_GUARDED_BY(turn_mutex_);
  // What it saves no row of: removed, and not linked to.
  std::vector<Lsn> saving_rowless_ ABSL_GUARDED_BY(turn_mutex_);

  // Held for moments only.
  mutable Mutex mutex_;
  Tail tail_ ABSL_GUARDED_BY(mutex_);
  size_t taken_ ABSL_GUARDED_BY(mutex_) = 0;  // of the tail, by Serve()
  VersionMap versions_ ABSL_GUARDED_BY(mutex_);
  UnsavedMap unsaved_ ABSL_GUARDED_BY(mutex_);
  UnsavedMap saving_ ABSL_GUARDED_BY(mutex_);  // of the checkpoint under way
  DeadLetters dead_letters_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_set<std::string> removed_ids_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_set<std::string> saving_removed_ids_ ABSL_GUARDED_BY(mutex_);
  uint64_t unsaved_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t saving_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  // Null before the first record: most spaces of many are idle.
  std::unique_ptr<Latencies> latencies_ ABSL_GUARDED_BY(mutex_);
  bool latencies_frozen_ ABSL_GUARDED_BY(mutex_) = false;
  Lsn published_lsn_ ABSL_GUARDED_BY(mutex_) = 0;
  Lsn indexed_lsn_ ABSL_GUARDED_BY(mutex_) = 0;
  // No record below it is missing in the head; 0: none at all is.
  Lsn first_unsaved_lsn_ ABSL_GUARDED_BY(mutex_) = 0;
  schema::Head head_ ABSL_GUARDED_BY(mutex_);  // the last one saved
  uint64_t last_generation_ ABSL_GUARDED_BY(mutex_) = 0;
  std::string family_ ABSL_GUARDED_BY(mutex_);
  const kv::Store* store_ ABSL_GUARDED_BY(mutex_) = nullptr;  // of head_
  bool rewriting_ ABSL_GUARDED_BY(mutex_) = false;
  bool save_requested_ ABSL_GUARDED_BY(mutex_) = false;
  BacklogCounts held_back_ ABSL_GUARDED_BY(mutex_) = {};
  absl::Status load_status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace engram::space

#endif  // ENGRAM_ENGINE_SPACE_SPACE_STATE_H_
