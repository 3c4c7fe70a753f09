// Who has records waiting: a space, as the workers see it.

#ifndef ENGRAM_ENGINE_INGEST_BACKLOG_OWNER_H_
#define ENGRAM_ENGINE_INGEST_BACKLOG_OWNER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace engram::ingest {

// How long a record that was written by this process took.
struct RecordLatency {
  int64_t durable_to_indexed_micros = 0;  // from its acknowledgement on
  int64_t to_indexed_micros = 0;          // from the call on
};

// What one call of BacklogOwner::Serve() did.
struct Served {
  // Records taken off the front. What was taken is finished by this call, or
  // by another one that is still running when this one returns.
  size_t taken = 0;
  // Records that are finished, taken by this call or an earlier one.
  size_t finished = 0;
  // There is something to Tidy().
  bool untidy = false;
  // Of what is finished.
  std::vector<RecordLatency> latencies = {};
};

// Holds its records itself, in the order in which they were accepted.
class BacklogOwner {
 public:
  virtual ~BacklogOwner() = default;

  // Processes up to `records_max` of the waiting records, oldest first; takes
  // at least one. Called by one worker at a time unless CanShare().
  virtual Served Serve(size_t records_max) = 0;

  // Goes on with work that follows from records that are finished and that
  // nobody waits for; milliseconds of it. Called when a worker has nothing
  // better to do, beside anything. Returns whether there is more, if only to
  // wait for.
  virtual bool Tidy() { return false; }

  // Whether several workers may serve it at once, from now on and for ever. It
  // is then the owner that keeps the records' order.
  virtual bool CanShare() const { return false; }
};

}  // namespace engram::ingest

#endif  // ENGRAM_ENGINE_INGEST_BACKLOG_OWNER_H_
