// Everything that can be set when a database, a space, a write or a search is
// opened or made. Defaults are meant to be kept.

#ifndef ENGRAM_OPTIONS_H_
#define ENGRAM_OPTIONS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "absl/time/time.h"
#include "engram/producer.h"

namespace engram {

class EventListener;

// Log sequence number: the one token of the database. Every accepted write has
// one, they rise by one, and they are never used twice. 0 means "no write".
using Lsn = uint64_t;

// How far a write has come. Each stage includes the ones before it.
enum class Stage : uint8_t {
  kDurable,       // synced to the log: survives a power cut; searchable. Also
                  // for writes that were acknowledged as kProcess
  kIndexed,       // linked into the space's graph
  kCheckpointed,  // saved in RocksDB: recovery no longer needs the log for it
};

// When a write is acknowledged. Its LSN, and its order among all writes, are
// the same either way: what is recovered after any crash is a prefix of what
// was written.
enum class Durability : uint8_t {
  kDefault,  // as Options::durability says
  kSync,     // synced: it survives a power cut
  kProcess,  // written to the disk, and its sync has begun or is about to: it
             // survives the end of the process, kill -9 too. A power cut or a
             // crash of the system may take it, with everything written after
             // it; its LSN may then be given to another write. Searches see it
             // from its acknowledgement on, and indexing does not wait for the
             // sync; Wait() and checkpoints do.
};

// How urgent a write is, among those of all spaces. The order within a space
// is always that of LSNs.
enum class Priority : uint8_t {
  // Refused first where the queues fill up; its space gets half of the turns.
  kLow = 0,
  kNormal = 1,
  // Refused only where they are full; its space gets twice the turns while it
  // is waiting to be indexed.
  kHigh = 2,
};

// How full the queues of accepted but not yet indexed records are.
enum class PressureLevel : uint8_t {
  kNone = 0,
  kElevated = 1,  // Options::low_priority_percent: low writes are refused
  kHigh = 2,      // Options::normal_priority_percent: normal ones, too
  kCritical = 3,  // 95 %: soon all are
};

// How the distance between two vectors is computed. Smaller is nearer.
enum class Metric : uint8_t {
  kL2 = 0,            // squared Euclidean distance
  kCosine = 1,        // 1 - cos(a, b); vectors need not be normalised
  kInnerProduct = 2,  // -<a, b>
};

// How a graph compares vectors while it walks. Compact codes are made of the
// rotated, centred vector (after RaBitQ, arXiv:2405.12497), and the best
// candidates of a walk are compared again in more detail: an insert with 8 bits
// a component (kInt2 from 512 dimensions on: 4), a search with the stored
// vectors. Memory is that of the codes, for each component; recall is after
// that second comparison.
enum class Quantization : uint8_t {
  kAuto = 0,  // kNone below 32 dimensions; kInt2 from 512 on, but kInt4 for
              // inner product; else kInt4
  kNone = 1,  // walks in the stored vectors: no memory, slowest
  kInt8 = 2,  // 1 byte: recall as kNone
  kInt4 = 3,  // 1 byte: kInt8, split so that the walk reads half of it
  kInt2 = 4,  // 1.25 bytes: kInt4 and two further bits that the walk reads
};

// What memory keeps of a vector beside its codes. Files always hold all of it.
enum class Stored : uint8_t {
  kF32 = 0,   // 4 bytes a component: hits have exact distances
  kNone = 1,  // nothing: distances of hits are those of 8-bit codes, recall@10
              // ends at about .985, and Get() reads the vector from disk. Not
              // with Quantization::kNone
};

// How the log talks to the disk. GetStats() says which one is in use.
enum class WalBackend : uint8_t {
  kAuto,    // io_uring, or pwrite where the system refuses io_uring
  kUring,   // io_uring, or Open() fails
  kPwrite,  // pwrite + fdatasync
};

// How much may be written to one space in a second, so that one tenant leaves
// something to the others: after a pause, what a second allows may come at
// once, and one more write of any size, for which those behind it wait the
// longer. 0: no limit. A removal is a record, too; bytes are those of vectors,
// payloads and ids, and a little for each record. A write that comes too early
// waits for its turn as for room (see WriteOptions::admission_timeout), in the
// order of arrival; one whose turn would come too late is refused without
// waiting, and RefusalOf() says when to try again.
struct SpaceQuota {
  uint64_t records_per_second = 0;
  uint64_t bytes_per_second = 0;
};

struct Options {
  // Open() creates the directory and an empty database where there is none.
  bool create_if_missing = true;

  // Opens the database as it is at this moment, to read it: beside its owner,
  // in this process or another, or without one, on media that cannot be
  // written too. Any number of such handles may be open; none takes a lock or
  // writes anything, so the owner does not notice.
  //
  // The handle is a snapshot: it holds everything that was acknowledged before
  // Open() was called (and, beside an owner, possibly a write whose sync is
  // still under way), and never changes, whatever the owner does, also where
  // it drops spaces; open another one to see more. Until it is closed, tables
  // and segments that the owner removes keep their room on the disk, and the
  // process has all tables of the database open. If that are more than half of
  // the descriptors that it has left (RLIMIT_NOFILE, whose soft limit is
  // raised), they are opened when they are needed, and Get() is UNAVAILABLE
  // once the owner has removed the one. Every write is FAILED_PRECONDITION.
  //
  // Open() starts over where the owner changes what it is reading. UNAVAILABLE
  // if that happens each of 100 times; DATA_LOSS is damage that was found
  // again and again.
  bool read_only = false;

  // Opens a database although acknowledged writes in its log are damaged, where
  // Open() would fail with DATA_LOSS. What is not damaged is kept; what is lost
  // is listed by Db::salvage_report() and, for good, in the file LOST of the
  // database's folder. Everything kept is checkpointed, and the old log is
  // given up, before Open() returns; the database then opens without this
  // option. A lost write may have been a removal: what it removed is back. Copy
  // the folder first if the damaged bytes may be wanted later. With read_only
  // nothing is written, and the damage stays. Has no effect on a log that is
  // not damaged; what is damaged elsewhere is still DATA_LOSS.
  bool salvage_damaged_log = false;

  // Threads that link observations into graphs. 0: one per processor.
  int workers = 0;

  WalBackend wal_backend = WalBackend::kAuto;

  // Of writes that do not say otherwise. kDefault means kSync. Creating and
  // dropping a space is always kSync.
  Durability durability = Durability::kSync;

  // Asynchronous writes whose callback has not returned; further ones wait (see
  // WriteOptions::admission_timeout). 1 to 1,000,000.
  uint32_t async_writes_max = 16384;

  // Size of one log segment, a multiple of 4,096 from 256 KiB to 1 GiB. A
  // WriteBatch must fit in one.
  uint64_t wal_segment_bytes = uint64_t{64} << 20;

  // A space is checkpointed in the background before more than about this much
  // log has been written since its last checkpoint (of what is indexed by then;
  // a little earlier if there are several, so that they take turns), and all
  // are when the log has reached half its limit.
  uint64_t checkpoint_wal_bytes = uint64_t{256} << 20;

  // A space is checkpointed, too, once an indexed record has waited for it for
  // so long; up to a twelfth earlier, so that spaces that are due soon are
  // saved together, and at most 16 times in an interval. So a database to which
  // nobody writes gives its log back, and then does nothing. At least 100 ms;
  // infinite: never because of time.
  absl::Duration checkpoint_interval = absl::Minutes(5);

  // What checkpoints and compactions may write to the disk in a second, for
  // disks that are shared with others; 0: no limit. What waits for a checkpoint
  // then waits longer: Checkpoint(), Compact(), and writes where the log is at
  // wal_limit_bytes or memory at its budget; so it should be several times what
  // is logged in a second. Other writes, searches, backups and Close(), which
  // is not limited, do not wait. 1 MiB to 10^12.
  uint64_t checkpoint_bytes_per_second = 0;

  // How long indexing what the log has beyond the checkpoints should take after
  // a crash; while that goes on, all of it is searched exactly. Where the
  // estimate (DbStats::recovery_estimate) comes near it, checkpoints are made
  // earlier than checkpoint_wal_bytes says. Above 0; infinite: no matter.
  absl::Duration recovery_time_target = absl::Seconds(2);

  // Upper bound of the log on disk. Writes wait at it for a checkpoint (see
  // WriteOptions::admission_timeout). At least four segments.
  uint64_t wal_limit_bytes = uint64_t{2} << 30;

  // Memory for the indexes of spaces (vectors, codes, links, ids), their
  // records that are not indexed or not checkpointed yet, and RocksDB's caches.
  // 0: no limit. Above it, the spaces that were not used for the longest time
  // are checkpointed and leave memory; their handles stay valid, and the next
  // search, read or write brings them back. Between two checks, up to 1/16 of
  // it is written; then writes wait for the next check, as at
  // total_pending_bytes_max; more passes as long as there is room. Each space
  // takes 8 KB, and so the least that can be kept is 10 KB for each. While the
  // space that was used last is larger, there is more in use.
  uint64_t memory_budget_bytes = 0;

  // So many spaces are saved in a RocksDB column family of their own; those
  // that are saved for the first time later share families, unless they have
  // megabytes to save. Each family costs 65 KB of memory. May be changed from
  // one Open() to the next: spaces stay where they are.
  uint64_t max_dedicated_spaces = 128;

  // Upper bounds of what one space may hold accepted but not yet indexed.
  // Such records are searched exactly, so they bound the cost of a search too.
  uint64_t pending_records_max = 20000;
  uint64_t pending_bytes_max = uint64_t{64} << 20;

  // The same for all spaces together: they bound the memory of the queues.
  uint64_t total_pending_records_max = 1'000'000;
  uint64_t total_pending_bytes_max = uint64_t{1} << 30;

  // How much of these four limits writes of low and normal priority may fill,
  // in percent, 1 to 100; those of high priority may fill all.
  uint32_t low_priority_percent = 50;
  uint32_t normal_priority_percent = 80;

  // Of each space that has no other one by Space::SetQuota().
  SpaceQuota space_quota;

  // Observations that a space keeps although they could not be indexed (see
  // engram/dead_letter.h); with so many, further ones are refused, but for new
  // versions of these. 1 to 1,000,000.
  uint32_t dead_letters_max = 1000;

  // A space is scanned exactly while it holds at most this many versions of
  // observations, and gets its graph beyond.
  uint32_t flat_records_max = 1000;

  // How often the owner writes its metrics to the file STATS of the database's
  // folder, for `engram-ctl stats` in another process; less often where there
  // is so much of them that it would take more than 1 % of a processor. Nothing
  // is synced. Zero: never.
  absl::Duration stats_interval = absl::Seconds(1);

  // Is told of checkpoints, refusals, failures and the like; see
  // engram/event_listener.h. Null: nobody is.
  std::shared_ptr<EventListener> listener;
};

struct SpaceOptions {
  // Number of components of every vector of the space, 1..65,535. Required
  // when the space is created; with 0, OpenSpace() opens an existing space
  // whatever its options are.
  uint32_t dimension = 0;

  Metric metric = Metric::kL2;

  // HNSW (Malkov & Yashunin, arXiv:1603.09320): links per node and layer,
  // 2..128; layer 0 has twice as many. More is better recall, more memory.
  uint32_t M = 16;

  // Beam width of the search that finds the neighbors of a new node,
  // M..4,096. More is better recall and slower inserts.
  uint32_t ef_construction = 100;

  Quantization quantization = Quantization::kAuto;
  Stored stored = Stored::kF32;
};

struct WriteOptions {
  // How long a write may wait for room (see Options::pending_records_max,
  // total_pending_records_max and wal_limit_bytes) before it is refused with
  // RESOURCE_EXHAUSTED, of which RefusalOf() says more. Zero refuses at once. A
  // refused write was never logged.
  absl::Duration admission_timeout = absl::Seconds(10);

  // Not stored: after a crash, what was not indexed yet counts as normal.
  Priority priority = Priority::kNormal;

  Durability durability = Durability::kDefault;

  // Makes the write happen once, however often it is handed in; see
  // engram/producer.h.
  std::optional<ProducerStamp> stamp = std::nullopt;
};

struct SearchOptions {
  // Number of hits wanted, 1..10,000.
  uint32_t k = 10;

  // Beam width of the graph search, up to 100,000; raised to k where it is
  // smaller. More is better recall and slower. 0 means 100.
  uint32_t ef_search = 0;

  // Compares the query with every observation instead of walking the graph:
  // slow and complete. Exact as far as vectors are stored (see Stored).
  bool exact = false;
};

// How one search was answered.
enum class SearchPlan : uint8_t {
  kFlat,      // the space has no graph yet: everything was compared
  kGraph,     // a walk of the graph
  kFiltered,  // a second walk, around versions that the first one found but
              // that were removed meanwhile or stand in the tail
  kExact,     // everything was compared: asked for, or the walks left less
              // than k
};

// What one search cost.
struct SearchStats {
  SearchPlan plan = SearchPlan::kFlat;
  uint64_t distances = 0;  // comparisons in the graph, or by a full scan
  uint64_t hops = 0;       // nodes whose links were followed
  // Pending observations that were compared, by their vectors or by codes.
  uint64_t tail_distances = 0;
  uint64_t micros = 0;  // from call to return
};

// Limits of a single observation.
inline constexpr size_t kIdBytesMax = 512;
inline constexpr size_t kPayloadBytesMax = size_t{1} << 20;
inline constexpr uint32_t kDimensionMax = 65535;
inline constexpr size_t kSpaceNameBytesMax = 128;
inline constexpr size_t kWriteBatchBytesMax = size_t{16} << 20;
// The squared norm of a vector is at most kSquaredNormMax, and at least
// kSquaredNormMin where the metric is cosine.
inline constexpr double kSquaredNormMax = 1e30;
inline constexpr double kSquaredNormMin = 1e-30;

}  // namespace engram

#endif  // ENGRAM_OPTIONS_H_
