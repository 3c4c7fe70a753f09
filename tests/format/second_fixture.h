// What stands in the databases that make_fixture makes since format version 2,
// beside the spaces of tests/support/fixture.h.
//
// Ids are saved, replaced and removed in turn, so that rows are removed, and
// nodes are gone whose slots others have. Some are copies of others: twins.

#ifndef ENGRAM_TESTS_FORMAT_SECOND_FIXTURE_H_
#define ENGRAM_TESTS_FORMAT_SECOND_FIXTURE_H_

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engram/options.h"
#include "tests/support/test_vectors.h"

namespace engram::testing {

struct SecondFixtureSpace {
  const char* name;
  Metric metric;
  Quantization quantization;
  Stored stored;
};

inline constexpr uint32_t kSecondFixtureDimension = 64;
inline constexpr SecondFixtureSpace kSecondFixtureSpaces[] = {
    {"plain", Metric::kL2, Quantization::kNone, Stored::kF32},
    {"automatic", Metric::kL2, Quantization::kAuto, Stored::kF32},
    {"two_bits", Metric::kCosine, Quantization::kInt2, Stored::kF32},
    {"codes_only", Metric::kCosine, Quantization::kInt8, Stored::kNone},
    {"inner", Metric::kInnerProduct, Quantization::kInt4, Stored::kF32},
};

inline constexpr int kSecondFixtureIds = 80;
inline constexpr int kSecondFixtureSavedFirst = 50;
inline constexpr int kSecondFixtureLateIds = 5;

// One of them is a copy as well; its twin then stays without it.
inline bool IsRemovedInSecondFixture(int i) { return i % 7 == 0; }
inline bool IsReplacedInSecondFixture(int i) {
  return i % 5 == 0 && !IsRemovedInSecondFixture(i);
}
inline bool HasTwinInSecondFixture(int i) { return i % 10 == 3; }

inline std::string SecondFixtureId(int i) { return absl::StrCat("id", i); }
inline std::string SecondFixtureTwinId(int i) {
  return absl::StrCat("twin", i);
}
// Only the log has these.
inline std::string SecondFixtureLateId(int i) {
  return absl::StrCat("late", i);
}

// In quarters, so that the fixture can be compressed.
inline std::vector<float> QuarterVector(int seed) {
  std::vector<float> vector = TestVector(kSecondFixtureDimension, seed);
  for (float& component : vector) component = std::round(component * 4) / 4;
  return vector;
}

inline std::vector<float> SecondFixtureVector(int i) {
  return QuarterVector(i);
}
inline std::vector<float> SecondFixtureReplacement(int i) {
  return QuarterVector(1000 + i);
}
inline std::vector<float> SecondFixtureLateVector(int i) {
  return QuarterVector(2000 + i);
}

inline SpaceOptions OptionsOf(const SecondFixtureSpace& space) {
  SpaceOptions options;
  options.dimension = kSecondFixtureDimension;
  options.metric = space.metric;
  options.quantization = space.quantization;
  options.stored = space.stored;
  return options;
}

}  // namespace engram::testing

#endif  // ENGRAM_TESTS_FORMAT_SECOND_FIXTURE_H_
