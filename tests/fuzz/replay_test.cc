// The fuzzers' entries without a fuzzer: seeds, and many mutations of them. An
// entry aborts where a decoder does something wrong.

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/fuzz/entries.h"

namespace engram::fuzz {
namespace {

constexpr int kMutations = 20'000;

size_t Below(size_t bound, std::mt19937& random) {
  return std::uniform_int_distribution<size_t>(0, bound - 1)(random);
}

std::string Mutate(std::string bytes, std::mt19937& random) {
  const size_t changes = 1 + Below(4, random);
  for (size_t i = 0; i < changes && !bytes.empty(); ++i) {
    const size_t at = Below(bytes.size(), random);
    switch (Below(5, random)) {
      case 0:
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << Below(8, random)));
        break;
      case 1:
        bytes[at] = static_cast<char>(random());
        break;
      case 2:
        bytes[at] = static_cast<char>(Below(2, random) == 0 ? 0xff : 0x00);
        break;
      case 3:
        bytes.resize(at);
        break;
      case 4:
        bytes.insert(at, bytes.substr(Below(bytes.size(), random), 16));
        break;
    }
  }
  return bytes;
}

class FuzzReplayTest : public ::testing::TestWithParam<Entry> {};

INSTANTIATE_TEST_SUITE_P(Entries, FuzzReplayTest,
                         ::testing::ValuesIn(AllEntries()),
                         [](const auto& test) {
                           return std::string(test.param.name);
                         });

TEST_P(FuzzReplayTest, SurvivesSeedsAndTheirMutations) {
  const Entry& entry = GetParam();
  const std::vector<std::string> seeds = entry.seeds();
  int accepted = 0;
  for (const std::string& seed : seeds) {
    accepted += entry.run(seed) ? 1 : 0;
    for (size_t size = 0; size <= seed.size(); ++size) {
      entry.run(seed.substr(0, size));
    }
  }
  // Else nothing behind the first checks would be reached.
  EXPECT_GE(accepted, 2);
  std::mt19937 random(7);
  for (int i = 0; i < kMutations; ++i) {
    entry.run(Mutate(seeds[Below(seeds.size(), random)], random));
  }
}

}  // namespace
}  // namespace engram::fuzz
