// What was accepted and could not be indexed.
//
// A write is checked before it is accepted, so this is rare: the system gives
// no more memory, or a space has as many versions as one can have. The write
// stays what it was: durable, returned by Get(), found by every search, by an
// exact scan. It is kept as a dead letter, with the reason, over restarts and
// checkpoints, until its id is written or removed again, which one does with
// Space::RetryDeadLetter() once the reason has gone, or DropDeadLetter().
//
// Each dead letter makes every search of its space a little slower, so a space
// with Options::dead_letters_max of them takes no further observations.

#ifndef ENGRAM_DEAD_LETTER_H_
#define ENGRAM_DEAD_LETTER_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "engram/options.h"

namespace engram {

struct DeadLetter {
  Lsn lsn = 0;  // of the write
  std::string id;
  absl::Status status;  // why it could not be indexed
  size_t payload_bytes = 0;
  int64_t timestamp_us = 0;  // as it was observed
};

}  // namespace engram

#endif  // ENGRAM_DEAD_LETTER_H_
