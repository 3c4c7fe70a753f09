// What stands in the databases that make_fixture makes since format version 3,
// beside what earlier ones have: producers, and dead letters.

#ifndef ENGRAM_TESTS_FORMAT_THIRD_FIXTURE_H_
#define ENGRAM_TESTS_FORMAT_THIRD_FIXTURE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engram/options.h"
#include "tests/support/test_vectors.h"

namespace engram::testing {

inline constexpr char kThirdFixtureSpace[] = "full";
inline constexpr uint32_t kThirdFixtureDimension = 16;
// Of its ids, the first ones had room in the index.
inline constexpr int kThirdFixtureRoom = 10;
inline constexpr int kThirdFixtureIds = 15;

// Who wrote them, with the sequences 1, 2, 3, ...
inline constexpr uint64_t kSavedProducer = 7;

// Who wrote once, under this sequence, and only the log knows.
inline constexpr uint64_t kLoggedProducer = 8;
inline constexpr uint64_t kLoggedSequence = 1000;

inline std::string ThirdFixtureId(int i) { return absl::StrCat("id", i); }
inline std::vector<float> ThirdFixtureVector(int i) {
  return TestVector(kThirdFixtureDimension, 3000 + i);
}

inline SpaceOptions ThirdFixtureOptions() {
  SpaceOptions options;
  options.dimension = kThirdFixtureDimension;
  return options;
}

}  // namespace engram::testing

#endif  // ENGRAM_TESTS_FORMAT_THIRD_FIXTURE_H_
