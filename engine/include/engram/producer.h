// Writing exactly once.
//
// A program that takes its observations from elsewhere (a log, a queue, a file)
// and is stopped at any moment does not know which of its last writes have come
// through. So it numbers them: each write carries the number of its producer
// and a sequence that rises from write to write, the offset in the source, say.
// The database keeps each producer's last sequence, in the same log record as
// the write, and answers a write that it already has instead of doing it again.
// After a restart the program asks Db::LastSequence() where to go on, or just
// repeats what it is not sure of.
//
//   WriteOptions options;
//   options.stamp = ProducerStamp{7, offset};
//   bool duplicate = false;
//   db->Write(batch, options, &duplicate);

#ifndef ENGRAM_PRODUCER_H_
#define ENGRAM_PRODUCER_H_

#include <cstdint>
#include <optional>

namespace engram {

// Which write of a producer this is. A batch has one stamp: it is written as a
// whole or not at all.
struct ProducerStamp {
  // The application's own number for whoever writes in one order: the hash of a
  // topic and partition, say. 1 or more. One producer's writes are best handed
  // in by one thread: of two that come at once, the one with the higher
  // sequence may be first, and the other one is a duplicate then.
  uint64_t producer = 0;

  // Rises from write to write of this producer, over the whole database, by one
  // or more. 1 or more. A write whose sequence is not above that of the last
  // accepted one is a duplicate: nothing is logged, and it is answered with the
  // LSN of the producer's last write, once that is durable.
  uint64_t sequence = 0;

  // If given, the write is accepted only right behind the one with this
  // sequence; 0: as the producer's first. With it, no write can be skipped:
  // where one was refused, those behind it are, too.
  std::optional<uint64_t> previous = std::nullopt;
};

// How far a producer has come.
struct ProducerPosition {
  uint64_t producer = 0;
  uint64_t sequence = 0;  // of its last accepted write; 0: there is none
  uint64_t lsn = 0;       // of that write
};

}  // namespace engram

#endif  // ENGRAM_PRODUCER_H_
