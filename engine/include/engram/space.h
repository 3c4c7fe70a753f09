// One memory space: the observations of one tenant or agent.

#ifndef ENGRAM_SPACE_H_
#define ENGRAM_SPACE_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "engram/dead_letter.h"
#include "engram/observation.h"
#include "engram/options.h"
#include "engram/stats.h"

namespace engram {

namespace internal {
class DbImpl;
}  // namespace internal
namespace space {
class SpaceState;
}  // namespace space

// Is told what became of an asynchronous write: what the blocking call would
// have returned.
using WriteCallback = std::function<void(const absl::StatusOr<Lsn>& lsn)>;

// A handle of a space; cheap to copy. All copies mean the same space.
//
// Thread safety: all methods may be called concurrently.
//
// After Db::Close() every method returns FAILED_PRECONDITION, after
// Db::DropSpace() of this space NOT_FOUND. A handle may outlive its Db.
class Space {
 public:
  // A handle of no space; every method returns FAILED_PRECONDITION.
  Space() = default;

  // The space's name; empty for a handle of no space.
  absl::string_view name() const;

  // The options that the space was created with.
  SpaceOptions options() const;

  // Writes one observation; replaces the one with the same id if there is one.
  // Returns its LSN once it is as durable as options.durability asks for: by
  // default it then survives a power cut. Every search that begins later sees
  // it.
  //   INVALID_ARGUMENT    wrong dimension, not finite, squared norm out of
  //                       range, id empty or too long, payload too long
  //   RESOURCE_EXHAUSTED  refused at admission; nothing was logged, and
  //                       RefusalOf() says what was full and when to try again
  //   FAILED_PRECONDITION closed, read-only, or called in a forked child; or
  //                       options.stamp names another write before this one
  //                       than there is
  //   any other           the log failed; whether the write survives is known
  //                       only after reopening, and no further write succeeds
  // `duplicate`, if given, is set to whether options.stamp was one of a write
  // that had been accepted before; the LSN is then that of its producer's last.
  absl::StatusOr<Lsn> Observe(const Observation& observation,
                              const WriteOptions& options = {},
                              bool* duplicate = nullptr);

  // The same without waiting for the log, so that one thread can keep the disk
  // busy; it may wait for room as Observe() does, for up to
  // options.admission_timeout. Borrows nothing once it has returned.
  // If it returns OK, `callback` is called once, on a thread of the database
  // that runs all callbacks one by one, in the order of LSNs: one that waits
  // for the write only may so wait for the sync of one before it. While a
  // callback runs, no other does. It may write and search, but must not close
  // or destroy the database, nor wait for another callback. A duplicate (see
  // WriteOptions::stamp) has the LSN of an earlier write, and may be called
  // back before those in between. If it returns an error, nothing was logged
  // and `callback` is dropped; beside those of Observe():
  //   RESOURCE_EXHAUSTED  also: Options::async_writes_max callbacks are due. At
  //                       once if it is called from a callback
  absl::Status ObserveAsync(const Observation& observation,
                            const WriteOptions& options,
                            WriteCallback callback);

  // Removes the observation with this id; it is not an error if there is none.
  // Durability, errors and `duplicate` as for Observe().
  absl::StatusOr<Lsn> Remove(absl::string_view id,
                             const WriteOptions& options = {},
                             bool* duplicate = nullptr);

  // Removes the observation with this id for good: when this returns OK, no
  // file of the database holds the id as one of this space, nor a vector or
  // payload that was observed under it up to the returned LSN, which is that of
  // the removal: deleted, replaced or logged. What is observed under the id
  // later is there as usual. It is no error if there is none: what there was
  // once is erased.
  //
  // This takes its time: everything that was logged is indexed and saved, the
  // space's vectors are read, the tables that may hold it are written anew, and
  // the log's old segments are zero-filled. Several ids cost hardly more than
  // one. Writes and searches go on; other checkpoints wait. Not touched are
  // copies outside, as backups and exports, and what a salvage wrote down
  // (docs/decisions/020-erasing.md).
  //   DEADLINE_EXCEEDED  not done within `timeout`: the message says what was
  //                      in the way (a search, a backup, a reader in this
  //                      process). The observation is removed; call again
  //   RESOURCE_EXHAUSTED refused at admission, as by Remove(): not removed
  //   INVALID_ARGUMENT   id empty or too long; no id
  //   DATA_LOSS          what holds it, or pins the log, cannot be read
  //   any other          as for Remove(); or, if the message says so, it was
  //                      removed and is not erased: a checkpoint failed, say
  absl::StatusOr<Lsn> Erase(absl::string_view id, absl::Duration timeout);
  absl::StatusOr<Lsn> Erase(absl::Span<const std::string> ids,
                            absl::Duration timeout);

  // Replaces the space's quota, for whoever waits for it, too. Not stored: it
  // lasts until the database is closed.
  //   INVALID_ARGUMENT  a rate above 10^12
  absl::Status SetQuota(const SpaceQuota& quota);

  // What could not be indexed, by LSN; see engram/dead_letter.h.
  absl::StatusOr<std::vector<DeadLetter>> ListDeadLetters() const;

  // Observes a dead letter once more, under a new LSN, which is returned when
  // that is as durable as asked for. If it cannot be indexed again, it is a
  // dead letter again, under the new LSN. Whoever writes the same id at the
  // same moment may be first or last. Errors as for Observe(), and
  //   NOT_FOUND         there is no dead letter with this LSN: it was written
  //                     over, say. So of two equal calls one changes anything,
  //                     and `options` take no stamp
  //   INVALID_ARGUMENT  they have one
  absl::StatusOr<Lsn> RetryDeadLetter(Lsn lsn,
                                      const WriteOptions& options = {});

  // Removes a dead letter, and so the current version of its id; as above.
  absl::StatusOr<Lsn> DropDeadLetter(Lsn lsn, const WriteOptions& options = {});

  // Returns the current version of an id. NOT_FOUND if there is none,
  // DATA_LOSS if its saved record is damaged.
  absl::StatusOr<StoredObservation> Get(absl::string_view id) const;

  // Returns the `k` observations nearest to `query` in ascending distance,
  // fewer only if the space holds fewer. Each id is returned at most once.
  // Sees every write that was acknowledged before the call, indexed or not:
  // HNSW search of the graph merged with an exact scan of the rest.
  // `stats`, if given, says what it cost.
  //   INVALID_ARGUMENT  query.size() is not the dimension, not finite, norm
  //                     out of range; k or ef_search out of range
  absl::StatusOr<std::vector<Hit>> Search(absl::Span<const float> query,
                                          const SearchOptions& options,
                                          SearchStats* stats = nullptr) const;

  // The ids of all live observations, sorted bytewise.
  absl::StatusOr<std::vector<std::string>> ListIds() const;

  // Waits until every record of this space with an LSN <= `lsn` has reached
  // `stage`. DEADLINE_EXCEEDED after `timeout`; asking for kCheckpointed
  // starts no checkpoint.
  absl::Status Wait(Lsn lsn, Stage stage, absl::Duration timeout) const;

  absl::StatusOr<SpaceStats> GetStats() const;

 private:
  friend class Db;
  friend class internal::DbImpl;

  Space(std::shared_ptr<internal::DbImpl> db,
        std::shared_ptr<space::SpaceState> state);

  std::shared_ptr<internal::DbImpl> db_;
  std::shared_ptr<space::SpaceState> state_;
};

}  // namespace engram

#endif  // ENGRAM_SPACE_H_
