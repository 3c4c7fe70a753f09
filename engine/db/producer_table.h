// How far each producer has come: what makes its writes happen once.

#ifndef ENGRAM_ENGINE_DB_PRODUCER_TABLE_H_
#define ENGRAM_ENGINE_DB_PRODUCER_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "engram/producer.h"
#include "schema/producer_codec.h"
#include "schema/wal_codec.h"
#include "storage/base/mutex.h"
#include "storage/wal/writer.h"

namespace engram::internal {

// A write is accepted when it gets its LSN, so that sequences rise with LSNs.
// Should the log then fail, it takes no further write, and what the table is
// ahead of the disk is forgotten with the handle.
//
// Thread safety: all methods may be called concurrently. The lock is taken
// behind that of the log's writer.
class ProducerTable {
 public:
  // How a write with a stamp stands to what was accepted.
  enum class Verdict { kNew, kDuplicate };

  // kDuplicate puts the LSN of the producer's last write in `last_lsn`.
  // FAILED_PRECONDITION names the sequence that the stamp takes for the last
  // one, and the one that is.
  absl::StatusOr<Verdict> Judge(const ProducerStamp& stamp, Lsn* last_lsn) const
      ABSL_LOCKS_EXCLUDED(mutex_);

  // A write is accepted, or was read from the log. Of a producer's writes the
  // one with the highest LSN counts.
  void Accept(const schema::ProducerState& state) ABSL_LOCKS_EXCLUDED(mutex_);

  // What the catalog holds, before anything else is accepted.
  void AcceptSaved(const schema::ProducerState& state)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // All zero but for its number if it never wrote.
  schema::ProducerState Find(uint64_t producer) const
      ABSL_LOCKS_EXCLUDED(mutex_);

  // Of the producers whose last write no catalog holds: in `states` those with
  // that write at or below an LSN, for the next catalog to hold, and the
  // highest LSN of the others' last writes, 0 if there are none.
  //
  // Of the others nothing is to be saved, as it may never be on disk. But an
  // earlier write of theirs, of which the table knows nothing any more, may be
  // known to the log alone. So no log may be given up on the strength of that
  // catalog before `beyond_lsn` is durable.
  struct Unsaved {
    std::vector<schema::ProducerState> states;
    Lsn beyond_lsn = 0;
  };
  Unsaved FindUnsaved(Lsn up_to) const ABSL_LOCKS_EXCLUDED(mutex_);

  // A catalog holds these `states` now.
  void MarkSaved(absl::Span<const schema::ProducerState> states)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // All, by number.
  std::vector<schema::ProducerState> All() const ABSL_LOCKS_EXCLUDED(mutex_);

  size_t size() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Last {
    uint64_t sequence = 0;
    Lsn lsn = 0;
  };

  mutable Mutex mutex_;
  absl::flat_hash_map<uint64_t, Last> last_ ABSL_GUARDED_BY(mutex_);
  // Those whose last write no catalog holds: a checkpoint looks at these alone,
  // as appends wait for the lock meanwhile and producers never go.
  absl::flat_hash_set<uint64_t> unsaved_ ABSL_GUARDED_BY(mutex_);
};

// Lets a write into the log if it is new, and takes note of it there.
//
// Thread safety: none; of one write.
class StampCondition final : public wal::AppendCondition {
 public:
  // Without a stamp there is no condition.
  StampCondition(const std::optional<ProducerStamp>& stamp,
                 ProducerTable* table)
      : stamp_(stamp), table_(*table) {}

  // What the writer is given.
  wal::AppendCondition* get() { return stamp_.has_value() ? this : nullptr; }

  // ALREADY_EXISTS for a duplicate; then duplicate_of() is set.
  absl::Status Check() override;
  void OnLogged(Lsn lsn) override;

  // The LSN of the producer's last write; 0 if the write is no duplicate.
  Lsn duplicate_of() const { return duplicate_of_; }

 private:
  const std::optional<ProducerStamp> stamp_;
  ProducerTable& table_;
  Lsn duplicate_of_ = 0;
};

}  // namespace engram::internal

#endif  // ENGRAM_ENGINE_DB_PRODUCER_TABLE_H_
