// Engram: an embedded database for observations (an id, an embedding, a
// payload) that are durable and searchable from the moment they are
// acknowledged.
//
//   #include "engram/db.h"
//
//   auto db = engram::Db::Open("/var/lib/agent/memory", {});
//   if (!db.ok()) return db.status();
//   engram::SpaceOptions options;
//   options.dimension = 768;
//   options.metric = engram::Metric::kCosine;
//   auto space = (*db)->OpenSpace("agent-7", options);
//   auto lsn = space->Observe({"note-1", embedding, "what was seen"});
//   auto hits = space->Search(query, {});
//
// A directory is a database. One process at a time owns it and writes; any
// number may read it beside the owner (Options::read_only).

#ifndef ENGRAM_DB_H_
#define ENGRAM_DB_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "engram/event_listener.h"
#include "engram/metrics.h"
#include "engram/observation.h"
#include "engram/options.h"
#include "engram/producer.h"
#include "engram/refusal.h"
#include "engram/salvage.h"
#include "engram/space.h"
#include "engram/stats.h"
#include "engram/write_batch.h"

namespace engram {

// Thread safety: all methods may be called concurrently.
//
// The child of a fork() has none of the database's threads: writes fail there
// with FAILED_PRECONDITION, and it must not close or destroy the handle; it may
// exec or _exit.
class Db {
 public:
  // Opens the database in the directory `path`, and recovers it if its last
  // owner did not close it: what was acknowledged is there and searchable when
  // Open() returns.
  //   NOT_FOUND           no such directory, and create_if_missing is false
  //   INVALID_ARGUMENT    an option is out of range
  //   FAILED_PRECONDITION `path` holds files but no database
  //   UNIMPLEMENTED       the database has a newer format than this build
  //   UNAVAILABLE         another process (it is named) owns the database; with
  //                       Options::read_only: it changed the database faster
  //                       than it was read
  //   DATA_LOSS           acknowledged data is damaged (of a space's index this
  //                       shows when it is first used); the message names the
  //                       file, the range of LSNs and the spaces, as far as
  //                       they can be read (see Options::salvage_damaged_log)
  static absl::StatusOr<std::unique_ptr<Db>> Open(const std::string& path,
                                                  const Options& options);

  // Closes the database if Close() was not called, and drops its status.
  ~Db();

  Db(const Db&) = delete;
  Db& operator=(const Db&) = delete;

  // Opens the space `name` (1..128 bytes of A-Z a-z 0-9 _ . -) and creates it
  // if there is none; its creation is then durable.
  // With options.dimension = 0 it is only opened, whatever options it has.
  //   INVALID_ARGUMENT    the name, or an option, is out of range
  //   FAILED_PRECONDITION the space exists with other options: both values
  //                       are named
  //   NOT_FOUND           there is none and options.dimension is 0
  absl::StatusOr<Space> OpenSpace(absl::string_view name,
                                  const SpaceOptions& options);

  // Removes a space with all it holds. Durable, and no longer searchable, when
  // it returns; disk space follows with the next checkpoint. NOT_FOUND.
  absl::Status DropSpace(absl::string_view name);

  // The names of all spaces, sorted.
  absl::StatusOr<std::vector<std::string>> ListSpaces() const;

  // Writes a batch: all of it becomes durable, and is replayed after a crash,
  // or none of it. Returns the LSN of its last record. A space that is dropped
  // at the same moment takes its part of the batch along: NOT_FOUND. Other
  // errors as for Space::Observe(), and INVALID_ARGUMENT for a batch that is
  // empty, too large, or has spaces of another database. `duplicate` is as for
  // Space::Observe().
  absl::StatusOr<Lsn> Write(const WriteBatch& batch,
                            const WriteOptions& options = {},
                            bool* duplicate = nullptr);

  // How far a producer has come (see engram/producer.h), once that is durable;
  // a sequence of 0 if it never wrote. INVALID_ARGUMENT for producer 0; the
  // log's error if it failed before that write was durable.
  absl::StatusOr<ProducerPosition> LastSequence(uint64_t producer) const;

  // The same of every producer, by number.
  absl::StatusOr<std::vector<ProducerPosition>> ListProducers() const;

  // Waits until every record with an LSN <= `lsn`, of all spaces, has reached
  // `stage`. DEADLINE_EXCEEDED after `timeout`; asking for kCheckpointed
  // starts no checkpoint.
  absl::Status Wait(Lsn lsn, Stage stage, absl::Duration timeout) const;

  // Saves everything that is indexed when it is called into RocksDB, and frees
  // the log that is no longer needed. Inserts go on meanwhile. On an error
  // nothing is lost: the log is kept.
  absl::Status Checkpoint();

  // Checkpoints, then writes the checkpoints of all spaces anew, so that what
  // was replaced or removed no longer takes room in RocksDB. Needs room for
  // the largest space a second time. (The log is not part of it: a segment
  // keeps what was written to it until it is used again; see Space::Erase().)
  absl::Status Compact();

  // Copies the database into the folder `dir`, which must not exist; writes,
  // searches and checkpoints go on meanwhile. The copy is a database like any
  // other, with all that was acknowledged before the call, and with nothing or
  // all of each write since. It is durable, and appears under its name at the
  // end: who finds `dir` finds a complete backup. A process that is killed
  // leaves `dir`.unfinished instead, which the next backup to `dir` removes.
  // Tables of checkpoints are not copied where `dir` is on the same file
  // system: they get a second name (they never change), so such a backup helps
  // against mistakes, and not against a disk that fails. The log is copied.
  // Until that is done it is not shortened, so it may reach
  // Options::wal_limit_bytes.
  //   ALREADY_EXISTS      there is something under that name
  //   NOT_FOUND           there is no folder to put it in
  //   INVALID_ARGUMENT    `dir` lies in the database
  //   UNAVAILABLE         another backup to `dir` is under way
  //   RESOURCE_EXHAUSTED  no room
  //   DATA_LOSS           the log is damaged, so a copy of it would be
  //   FAILED_PRECONDITION closed, read-only, or called in a forked child
  //   any other           reading, writing, or the log, failed
  // After an error nothing of it is left, and the database is as it was.
  absl::Status Backup(const std::string& dir);

  // Writes a space to one file, `path`, which must not exist: its options and
  // all its live observations (id, vector, payload, timestamp), those too that
  // wait to be indexed or could not be, as they are after one write to it.
  // Other writes go on meanwhile. Producers are not in it. The file is durable
  // when this returns, has checksums and mode 0600 (docs/formats/export.md).
  //   NOT_FOUND       there is no such space, or it was dropped meanwhile
  //   ALREADY_EXISTS  there is something under that name
  //   ABORTED         the space was written to faster than the file
  //   any other       reading or writing failed, or the database was closed
  // After an error there is no such file.
  absl::Status ExportSpace(absl::string_view name,
                           const std::string& path) const;

  // Creates the space `name` with what ExportSpace() wrote to `path`. The whole
  // file is checked before anything is created; the observations are then
  // written as by Write(), with new LSNs, and are durable when this returns.
  // The space is visible while it is being filled; if that fails, it is
  // dropped. A process that is killed meanwhile leaves a part of it, to be
  // dropped.
  //   ALREADY_EXISTS      there is a space of that name
  //   NOT_FOUND           there is no such file
  //   INVALID_ARGUMENT    the name, or an observation that a segment of the log
  //                       has no room for
  //   DATA_LOSS           the file is damaged, cut off, or no export
  //   UNIMPLEMENTED       the file has a newer format than this build
  //   FAILED_PRECONDITION closed, read-only, or called in a forked child
  //   any other           as for Write()
  absl::Status ImportSpace(const std::string& path, absl::string_view name);

  absl::StatusOr<DbStats> GetStats() const;

  // The same with the stats of every space, as PrometheusText() wants them.
  absl::StatusOr<Metrics> GetMetrics() const;

  // What Open() lost with Options::salvage_damaged_log. Lives as long as the
  // handle, also when it is closed.
  const SalvageReport& salvage_report() const;

  // Refuses new calls, waits for those in progress, indexes and checkpoints
  // everything, releases the directory, and waits until Options::listener is
  // told of it. Afterwards every call, on every handle, returns
  // FAILED_PRECONDITION. The first failure is returned; data is safe in the log
  // even then.
  absl::Status Close();

 private:
  friend class internal::DbImpl;

  explicit Db(std::shared_ptr<internal::DbImpl> impl);

  // Writes what is in the file to `space`, which is new.
  absl::Status FillSpace(const std::string& path, const Space& space);

  std::shared_ptr<internal::DbImpl> impl_;
};

}  // namespace engram

#endif  // ENGRAM_DB_H_
