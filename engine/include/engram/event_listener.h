// What a program is told of a database, as it happens.
//
//   class Alarm : public engram::EventListener {
//    public:
//     void OnLogFailed(const absl::Status& status) override { Page(status); }
//   };
//
//   engram::Options options;
//   options.listener = std::make_shared<Alarm>();
//   auto db = engram::Db::Open("/var/lib/agent/memory", options);

#ifndef ENGRAM_EVENT_LISTENER_H_
#define ENGRAM_EVENT_LISTENER_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "engram/options.h"
#include "engram/refusal.h"

namespace engram {

struct RecoveryInfo {
  uint64_t replayed_records = 0;                   // read from the log
  absl::Duration duration = absl::ZeroDuration();  // of loading and replaying
};

struct CheckpointInfo {
  // Not OK: the log keeps what was not saved, and another one follows.
  absl::Status status;
  uint64_t bytes = 0;         // written
  uint64_t spaces_saved = 0;  // 0: there was nothing to save
  absl::Duration duration = absl::ZeroDuration();
};

struct SpaceInfo {
  std::string name;
  uint64_t id = 0;  // as in SpaceStats
  Lsn lsn = 0;      // of its creation, or of its end
};

struct RefusedWrite {
  Refusal refusal;
  absl::Status status;  // what the caller was told; names the space
  // Refusals that happened before this one and are not told, because the
  // listener is slower than they come: see kUntoldRefusalsMax.
  uint64_t missed = 0;
};

struct DeadLetterInfo {
  std::string space;
  Lsn lsn = 0;
  std::string id;
  absl::Status status;  // why it could not be indexed
};

// Of all spaces together, as in DbStats.
struct PressureChange {
  PressureLevel before = PressureLevel::kNone;
  PressureLevel after = PressureLevel::kNone;  // another one
  double pressure = 0;                         // at `after`
};

// Refusals that wait to be told, at most; further ones are only counted.
inline constexpr uint64_t kUntoldRefusalsMax = 10'000;

// Passed as Options::listener, best a different one for each database: no call
// says which database it is of, and each has a thread of its own for them.
//
// Thread: the calls for one database come one by one, on a thread that it has
// for nothing else, in the order in which things happened to it. So whatever a
// method does, no write, search or checkpoint waits for it; what it is told may
// have passed meanwhile.
//
// Locks: none is held. A method may call everything of Db and Space, also what
// leads to further events, but must not close or destroy the database (Close()
// returns FAILED_PRECONDITION there), nor wait for another event. The pointer
// to the database comes from the program: calls may begin before the caller of
// Open() has it.
//
// Time: calls begin when Open() succeeds, with what happened in it; for one
// that fails there are none. Close(), or the destructor of Db, waits until
// everything is told, and there are none afterwards. While Close() waits, calls
// into the database fail with FAILED_PRECONDITION. What a method does not get
// done is kept in memory: all events but refusals and levels of pressure, which
// are bounded, and more rare than writes by far.
//
// Lifetime: the database holds a reference until Close() returns. So a listener
// may hold a Space, but that keeps memory until the database is closed.
//
// Exceptions: none may leave a method; one that does ends the process.
class EventListener {
 public:
  virtual ~EventListener() = default;

  // Open() has read the log. The first call, once for each Open().
  virtual void OnRecovered(const RecoveryInfo& /*info*/) {}

  // Around every checkpoint: in the background, asked for, and of Close().
  virtual void OnCheckpointBegin() {}
  virtual void OnCheckpointEnd(const CheckpointInfo& /*info*/) {}

  // The creation, or the end, of a space is durable.
  virtual void OnSpaceCreated(const SpaceInfo& /*info*/) {}
  virtual void OnSpaceDropped(const SpaceInfo& /*info*/) {}

  // A write was refused with RESOURCE_EXHAUSTED; see kUntoldRefusalsMax.
  virtual void OnWriteRefused(const RefusedWrite& /*write*/) {}

  // A record was accepted and could not be indexed; see engram/dead_letter.h.
  virtual void OnDeadLetter(const DeadLetterInfo& /*letter*/) {}

  // Levels that pass before they can be told are left out; `before` is always
  // what was told last, at first kNone.
  virtual void OnPressureChanged(const PressureChange& /*change*/) {}

  // The log has failed: no write succeeds until the database is reopened.
  // Once at most.
  virtual void OnLogFailed(const absl::Status& /*status*/) {}
};

}  // namespace engram

#endif  // ENGRAM_EVENT_LISTENER_H_
