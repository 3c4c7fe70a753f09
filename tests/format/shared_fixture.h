// What stands in the databases that make_shared_fixture makes: one space with a
// family of its own, and others that share a second one.

#ifndef ENGRAM_TESTS_FORMAT_SHARED_FIXTURE_H_
#define ENGRAM_TESTS_FORMAT_SHARED_FIXTURE_H_

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engram/options.h"
#include "tests/support/fixture.h"
#include "tests/support/test_vectors.h"

namespace engram::testing {

struct SharedFixtureSpace {
  const char* name;
  uint64_t seed;  // of its vectors
  uint32_t dimension;
  int ids;
  int removed_each;  // 0: none is
};

inline constexpr SharedFixtureSpace kDedicatedSpace = {"own", 1000, 16, 8, 0};
// Beyond kFullSpaceRoom, its ids are dead letters.
inline constexpr SharedFixtureSpace kFullSpace = {"full", 2000, 16, 15, 0};
inline constexpr int kFullSpaceRoom = 10;
// Has a graph, removed ids and deltas of links.
inline constexpr SharedFixtureSpace kGraphSpace = {"graph", 3000, 16, 60, 7};
inline constexpr int kGraphSpaceSavedFirst = 40;
inline constexpr SharedFixtureSpace kFlatSpace = {"flat", 4000, 24, 12, 5};
// Its keys are gone, and another space of its name came after it.
inline constexpr SharedFixtureSpace kDroppedSpace = {"again", 5000, 16, 30, 0};
inline constexpr SharedFixtureSpace kNewSpace = {"again", 6000, 8, 9, 4};
// Its keys are there, but the log says that it was dropped.
inline constexpr SharedFixtureSpace kDropLoggedSpace = {"gone", 7000, 8, 10, 0};
// It was never saved, and has no place in a family.
inline constexpr SharedFixtureSpace kLoggedSpace = {"new", 8000, 8, 10, 3};

// What is there when the database is opened, by name.
inline constexpr SharedFixtureSpace kSharedFixtureSpaces[] = {
    kNewSpace,   kFlatSpace,   kFullSpace,
    kGraphSpace, kLoggedSpace, kDedicatedSpace};

inline std::string SharedFixtureId(int i) { return absl::StrCat("id", i); }

inline bool IsRemoved(const SharedFixtureSpace& space, int i) {
  return space.removed_each != 0 && i % space.removed_each == 0;
}

// In quarters, so that the fixture can be compressed.
inline std::vector<float> SharedFixtureVector(const SharedFixtureSpace& space,
                                              int i) {
  std::vector<float> vector =
      TestVector(space.dimension, space.seed + static_cast<uint64_t>(i));
  for (float& component : vector) component = std::round(component * 4) / 4;
  return vector;
}

inline std::string SharedFixturePayload(const SharedFixtureSpace& space,
                                        int i) {
  return absl::StrCat("payload ", space.seed + static_cast<uint64_t>(i));
}

inline SpaceOptions OptionsOf(const SharedFixtureSpace& space) {
  SpaceOptions options;
  options.dimension = space.dimension;
  return options;
}

// The log is too long for a checkpoint that nobody asks for.
inline Options SharedFixtureOptions() {
  Options options = FixtureOptions();
  options.wal_limit_bytes = 16 << 20;
  options.max_dedicated_spaces = 1;
  return options;
}

}  // namespace engram::testing

#endif  // ENGRAM_TESTS_FORMAT_SHARED_FIXTURE_H_
