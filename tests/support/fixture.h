// What stands in the databases of tests/format/fixtures.

#ifndef ENGRAM_TESTS_SUPPORT_FIXTURE_H_
#define ENGRAM_TESTS_SUPPORT_FIXTURE_H_

#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "engram/options.h"

namespace engram::testing {

inline constexpr uint32_t kFixtureDimension = 6;
inline constexpr int kFixtureIds = 60;
inline constexpr int kFixtureRemovedEach = 7;

inline std::string FixtureSpaceName(Metric metric) {
  return absl::StrCat("metric", static_cast<int>(metric));
}

// Spaces with a graph, and files that are small.
inline Options FixtureOptions() {
  Options options;
  options.wal_segment_bytes = 256 << 10;
  options.wal_limit_bytes = 1 << 20;
  options.flat_records_max = 20;
  options.workers = 1;
  return options;
}

}  // namespace engram::testing

#endif  // ENGRAM_TESTS_SUPPORT_FIXTURE_H_
