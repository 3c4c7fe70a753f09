// Power cuts at chosen operations of work that was recorded once.
//
// What a database does after the power has failed changes nothing on the disk.
// So the disk's journal of one run holds every power cut of that run: its first
// n operations are what a machine leaves whose disk stops after operation n.

#ifndef ENGRAM_TESTS_CRASH_CRASH_POINTS_H_
#define ENGRAM_TESTS_CRASH_CRASH_POINTS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/io/sim_state.h"
#include "tests/crash/history.h"
#include "tests/crash/workload.h"

namespace engram::testing {

// A run of a database from the moment its disk was `start`.
struct Recording {
  io::SimState start;
  std::vector<io::SimOperation> journal;
  uint64_t opened_at = 0;  // operations that Db::Open() made
  std::unique_ptr<History> history;
};

// The workload from an empty disk to Close().
absl::StatusOr<Recording> RecordWorkload(const WorkloadSize& size,
                                         uint64_t seed);

// The disk after so many operations of a recording; they may only rise.
class DiskAt {
 public:
  explicit DiskAt(const Recording* recording)
      : recording_(*recording), state_(recording->start) {}

  const io::SimState& After(uint64_t operations);

 private:
  const Recording& recording_;
  io::SimState state_;
  uint64_t operations_ = 0;
};

// Starts a machine on `image`, what a power cut after operation `operations` of
// `past` left, and checks that the database opens, holds what it must, takes
// writes, and is clean for verify: before it is opened or after it was closed,
// as `seed` says. Returns what is wrong, with the place of a copy of the image,
// or nothing. `next`, if not null, becomes the recording of it all.
std::string CheckRecovery(const io::SimState& image, const Recording& past,
                          uint64_t operations, uint64_t seed, Recording* next);

// The value of an environment variable, or `otherwise`.
uint64_t FromEnvironment(const char* name, uint64_t otherwise);

}  // namespace engram::testing

#endif  // ENGRAM_TESTS_CRASH_CRASH_POINTS_H_
