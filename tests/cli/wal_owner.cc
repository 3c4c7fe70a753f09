// The owner of a database that wal_test.sh looks into. Says "ready" and goes on
// until it is killed.
//
//   wal_owner rest PATH   40 observations, then nothing
//   wal_owner write PATH  writes, checkpoints and recycles all the time

#include <unistd.h>

#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engram/db.h"

namespace engram {
namespace {

// The idle marker follows after 2 ms, on a busy machine later.
constexpr int kIdleMicros = 200'000;

// Otherwise segments as small as these pass faster than a program starts.
constexpr int kPauseMicros = 2'000;

constexpr int kWritesBetweenCheckpoints = 50;

bool Observe(Space* space, const std::string& id, const std::string& payload) {
  const std::vector<float> vector = {1, 2, 3, 4};
  return space->Observe({id, vector, payload}).ok();
}

void SayReady() {
  std::puts("ready");
  std::fflush(stdout);
}

int Run(const std::string& mode, const std::string& path) {
  Options options;
  options.wal_segment_bytes = 256 << 10;
  options.wal_limit_bytes = 4 << 20;
  options.workers = 1;
  auto db = Db::Open(path, options);
  if (!db.ok()) return 1;
  SpaceOptions space_options;
  space_options.dimension = 4;
  auto space = (*db)->OpenSpace("notes", space_options);
  if (!space.ok()) return 1;
  if (mode == "rest") {
    for (int i = 0; i < 40; ++i) {
      const std::string id = absl::StrCat("id", i);
      if (!Observe(&*space, id, "of " + id)) return 1;
    }
    ::usleep(kIdleMicros);
    SayReady();
    while (true) ::pause();
  }
  const std::string payload(20'000, 'p');
  for (int i = 0;; ++i) {
    if (!Observe(&*space, absl::StrCat(i % 500), payload)) return 1;
    if (i % kWritesBetweenCheckpoints == 0 && !(*db)->Checkpoint().ok()) {
      return 1;
    }
    if (i == 4 * kWritesBetweenCheckpoints) SayReady();
    ::usleep(kPauseMicros);
  }
}

}  // namespace
}  // namespace engram

int main(int argc, char** argv) {
  return argc == 3 ? engram::Run(argv[1], argv[2]) : 2;
}
