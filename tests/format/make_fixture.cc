// Makes a database for tests/format/fixtures. Run once for each landing that
// changes a format; what it made stays for ever.
//
//   make_fixture DATABASE

#include <cstdio>
#include <string>

#include "absl/strings/str_cat.h"
#include "engram/db.h"
#include "tests/support/fixture.h"
#include "tests/support/test_vectors.h"

namespace engram::testing {
namespace {

absl::Status Make(const std::string& path) {
  auto db = Db::Open(path, FixtureOptions());
  if (!db.ok()) return db.status();
  for (const Metric metric :
       {Metric::kL2, Metric::kCosine, Metric::kInnerProduct}) {
    SpaceOptions options;
    options.dimension = kFixtureDimension;
    options.metric = metric;
    auto space = (*db)->OpenSpace(FixtureSpaceName(metric), options);
    if (!space.ok()) return space.status();
    for (int i = 0; i < kFixtureIds; ++i) {
      const absl::Status status =
          space
              ->Observe({absl::StrCat("id", i),
                         TestVector(kFixtureDimension, i),
                         absl::StrCat("payload ", i), i})
              .status();
      if (!status.ok()) return status;
      if (i != kFixtureIds / 2) continue;
      if (const absl::Status saved = (*db)->Checkpoint(); !saved.ok()) {
        return saved;
      }
    }
    for (int i = 0; i < kFixtureIds; i += kFixtureRemovedEach) {
      const absl::Status status = space->Remove(absl::StrCat("id", i)).status();
      if (!status.ok()) return status;
    }
  }
  // Not closed: the log has to be read as well.
  std::fflush(stdout);
  std::_Exit(0);
}

}  // namespace
}  // namespace engram::testing

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s DATABASE\n", argv[0]);
    return 2;
  }
  const absl::Status status = engram::testing::Make(argv[1]);
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return 1;
}
