// An IoQueue on a simulated disk, whose requests overtake each other.

#ifndef ENGRAM_STORAGE_IO_SIM_QUEUE_H_
#define ENGRAM_STORAGE_IO_SIM_QUEUE_H_

#include <cstdint>
#include <memory>

#include "storage/io/io_queue.h"

namespace engram::io {

// Each Wait() takes one of the requests under way, which one is up to `seed`,
// a step further: its write, and later a sync, which covers all that is written
// by then. Now and then it takes none, so that the owner submits more.
std::unique_ptr<IoQueue> CreateSimQueue(uint64_t seed);

}  // namespace engram::io

#endif  // ENGRAM_STORAGE_IO_SIM_QUEUE_H_
