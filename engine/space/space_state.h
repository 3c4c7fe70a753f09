// One space in memory: its graph, its tail, and which version of each id is
// current.

#ifndef ENGRAM_ENGINE_SPACE_SPACE_STATE_H_
#define ENGRAM_ENGINE_SPACE_SPACE_STATE_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "engine/index/graph.h"
#include "engine/ingest/admission_gate.h"
#include "engine/ingest/worker_pool.h"
#include "engine/space/id_arena.h"
#include "engine/space/slot_table.h"
#include "engine/space/tail.h"
#include "engram/observation.h"
#include "engram/options.h"
#include "engram/stats.h"
#include "schema/part_codec.h"
#include "schema/space_codec.h"
#include "storage/base/mutex.h"
#include "storage/kv/store.h"

namespace engram::space {

struct SpaceLimits {
  ingest::AdmissionLimits admission;
  uint32_t flat_records_max = 1000;
};

// What a checkpoint of a space saves: everything up to `lsn` that the last
// head does not have. Vectors are not copied: slots never change.
struct SpaceSnapshot {
  struct SavedRecord {
    absl::string_view id;
    uint32_t slot = 0;
    schema::RecordView record;
    std::shared_ptr<const wal::Group> group;
  };

  Lsn lsn = 0;
  schema::Head previous;  // generation 0: there is none
  uint32_t slot_count = 0;
  uint32_t live_count = 0;
  bool has_graph = false;
  index::EntryPoint entry_point;
  std::vector<schema::NodeLinks> nodes;  // all of them
  std::vector<SavedRecord> records;      // sorted by id
  std::vector<std::string> removed_ids;  // sorted
};

// Versions and snapshots. Each accepted record has an LSN; a version is visible
// from its own LSN to before the one that replaces or removes it. Publish()
// makes a record visible, before it is acknowledged. A search takes S, the LSN
// of the last published record, and pins the tail, both at one moment; it sees
// the versions that are visible at S, no other. Of an id there is at most one,
// so it is returned at most once; one that was replaced is never returned
// together with, or instead of, its successor.
//
// A version that was in the tail when it was pinned is found there, and is
// ignored where the graph walk meets it; an older one is found in the graph. So
// moving a version from the tail to the graph in the middle of a search makes
// no difference to it.
//
// Thread safety: all public methods may be called concurrently, with the
// restrictions that they name.
//
// Invariants (watermarks, all LSNs):
//   checkpoint_lsn <= indexed_lsn <= published_lsn
//   every record with an LSN <= indexed_lsn has left the tail, none above has
class SpaceState final : public ingest::BacklogOwner {
 public:
  SpaceState(const schema::SpaceDescription& description, Lsn created_lsn,
             const SpaceLimits& limits);

  const schema::SpaceDescription& description() const { return description_; }
  uint64_t id() const { return description_.id; }
  const std::string& name() const { return description_.name; }

  ingest::AdmissionGate& gate() { return gate_; }

  // --- Writing (space_state.cc)

  // Makes an observe or remove record visible. LSNs must rise from call to
  // call; called by one thread at a time. `admitted_bytes` goes back to the
  // gate when the record is indexed.
  void Publish(const schema::RecordView& record,
               const std::shared_ptr<const wal::Group>& group,
               uint32_t admitted_bytes);

  // BacklogOwner: indexes waiting records.
  size_t Serve(size_t records_max) override;

  struct Observer {
    // This many records are indexed; called just before they count as such
    // here.
    std::function<void(size_t records)> on_indexed;
    // A batch was indexed, or a checkpoint saved.
    std::function<void()> on_progress;
  };

  // Set before anything is published.
  void set_observer(Observer observer) { observer_ = std::move(observer); }

  // --- Reading (space_search.cc)

  // The arguments have been checked.
  std::vector<Hit> Search(absl::Span<const float> query, uint32_t k,
                          uint32_t ef_search) const;

  // NOT_FOUND, DATA_LOSS. `store` is where records are that no longer stand in
  // memory.
  absl::StatusOr<StoredObservation> Get(absl::string_view id,
                                        const kv::Store* store) const;

  // The ids of all live observations, sorted.
  std::vector<std::string> ListIds() const;

  // `log_lsn` is where an idle space's watermarks stand.
  SpaceStats GetStats(Lsn log_lsn) const;

  uint64_t pending_records() const;

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

  // Whether there is something to save that is indexed.
  bool HasUnsaved() const;

  // Stops indexing for as long as it takes to copy links and marks, and
  // re-attaches nodes that no search could reach.
  SpaceSnapshot BeginCheckpoint();

  // The generation of the next head. Never the same twice: whether a failed
  // ingestion took place is unknown until the store is reopened.
  uint64_t NextGeneration();

  // The snapshot is saved under `head`, or was not.
  void CommitCheckpoint(const schema::Head& head);
  void AbortCheckpoint();

  // For the checkpoint: vectors and ids of slots below slot_count.
  schema::VectorRow Row(uint32_t slot) const;

  // --- Loading (space_load.cc); before anything else is called.

  // Fills an empty space from its head in `store`. DATA_LOSS names the key.
  absl::Status Load(const kv::Store& store, const schema::Head& head);

 private:
  struct Version {
    Lsn lsn = 0;
    TailEntry* entry = nullptr;  // in the tail, or else
    uint32_t slot = 0;           // in the graph
  };

  // A record that is indexed and not yet in a head.
  struct Unsaved {
    schema::RecordView record;
    std::shared_ptr<const wal::Group> group;
  };
  using UnsavedMap = absl::flat_hash_map<uint32_t, Unsaved>;

  void Supersede(const Version& version, Lsn lsn)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  uint32_t AppendSlot(Lsn lsn, absl::string_view id,
                      absl::Span<const float> vector, Lsn remove_lsn)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(link_mutex_);
  void LinkSlot(uint32_t slot) ABSL_EXCLUSIVE_LOCKS_REQUIRED(link_mutex_);
  void BuildGraphIfLarge() ABSL_EXCLUSIVE_LOCKS_REQUIRED(link_mutex_);

  // A tail entry that has been processed; slot is index::kNoSlot if it got
  // none.
  struct Processed {
    TailEntry* entry;
    uint32_t slot;
  };
  void Retire(absl::Span<const Processed> batch) ABSL_LOCKS_EXCLUDED(mutex_);

  void ScanTail(const TailPin& pin, Lsn snapshot, absl::Span<const float> query,
                uint32_t k, std::vector<Hit>* hits) const;

  absl::Status LoadVectors(const kv::Store& store, const schema::Head& head)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(link_mutex_, mutex_);
  absl::Status LoadLinks(const kv::Store& store, const schema::Head& head)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(link_mutex_, mutex_);

  // Constant after construction.
  const schema::SpaceDescription description_;
  const Lsn created_lsn_;
  const SpaceLimits limits_;
  Observer observer_;

  // Synchronise themselves.
  ingest::AdmissionGate gate_;
  index::Graph graph_;  // written under link_mutex_
  SlotTable slots_;     // appended to under link_mutex_
  // Released when every slot is linked: from then on searches use the graph.
  std::atomic<bool> graph_ready_{false};
  std::atomic<Lsn> dropped_lsn_{0};
  // Counts for the stats; order does not matter.
  mutable std::atomic<uint64_t> searches_{0};
  mutable std::atomic<uint64_t> exact_fallbacks_{0};
  std::atomic<uint64_t> reattached_{0};
  std::atomic<uint64_t> checkpoints_{0};

  // Held by whoever links, and by a checkpoint while it copies. Lock order:
  // link_mutex_ before mutex_. Never held across I/O.
  Mutex link_mutex_;
  index::Scratch link_scratch_ ABSL_GUARDED_BY(link_mutex_);

  // Held for moments only.
  mutable Mutex mutex_;
  Tail tail_ ABSL_GUARDED_BY(mutex_);
  IdArena id_arena_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<absl::string_view, Version> current_
      ABSL_GUARDED_BY(mutex_);
  UnsavedMap unsaved_ ABSL_GUARDED_BY(mutex_);
  UnsavedMap saving_ ABSL_GUARDED_BY(mutex_);  // of the checkpoint under way
  absl::flat_hash_set<std::string> removed_ids_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_set<std::string> saving_removed_ids_ ABSL_GUARDED_BY(mutex_);
  uint64_t unsaved_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t saving_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  Lsn published_lsn_ ABSL_GUARDED_BY(mutex_) = 0;
  Lsn indexed_lsn_ ABSL_GUARDED_BY(mutex_) = 0;
  // No record below it is missing in the head; 0: none at all is.
  Lsn first_unsaved_lsn_ ABSL_GUARDED_BY(mutex_) = 0;
  schema::Head head_ ABSL_GUARDED_BY(mutex_);  // the last one saved
  uint64_t last_generation_ ABSL_GUARDED_BY(mutex_) = 0;
  std::string family_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace engram::space

#endif  // ENGRAM_ENGINE_SPACE_SPACE_STATE_H_
