#include "storage/base/crc32c.h"

#include <cstdint>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace engram {
namespace {

using ExtendFunction = uint32_t (*)(uint32_t, const void*, size_t);

class Crc32cTest : public ::testing::TestWithParam<ExtendFunction> {
 protected:
  uint32_t Crc(const std::string& bytes) const {
    return GetParam()(0, bytes.data(), bytes.size());
  }
};

INSTANTIATE_TEST_SUITE_P(ChosenAndGeneric, Crc32cTest,
                         ::testing::Values(&ExtendCrc32c,
                                           &internal::ExtendCrc32cGeneric));

// RFC 3720, B.4.
TEST_P(Crc32cTest, MatchesTheVectorsOfTheStandard) {
  EXPECT_EQ(Crc(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(Crc(std::string(32, '\xff')), 0x62a8ab43u);
  std::string rising(32, '\0');
  std::iota(rising.begin(), rising.end(), '\0');
  EXPECT_EQ(Crc(rising), 0x46dd794eu);
  EXPECT_EQ(Crc(std::string(rising.rbegin(), rising.rend())), 0x113fdb5cu);
  EXPECT_EQ(Crc("123456789"), 0xe3069283u);
  const unsigned char read_command[48] = {
      0x01, 0xc0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,    0, 0, 0, 0,
      0x14, 0,    0, 0, 0, 0, 4, 0, 0, 0, 0, 0x14, 0, 0, 0, 0x18,
      0x28, 0,    0, 0, 0, 0, 0, 0, 2, 0, 0, 0,    0, 0, 0, 0};
  EXPECT_EQ(GetParam()(0, read_command, sizeof(read_command)), 0xd9963a56u);
}

TEST_P(Crc32cTest, IsZeroForTheEmptyString) { EXPECT_EQ(Crc(""), 0u); }

TEST_P(Crc32cTest, ExtendsToTheCrcOfTheConcatenation) {
  const std::string text = "the quick brown fox jumps over the lazy dog";
  for (size_t cut = 0; cut <= text.size(); ++cut) {
    const uint32_t first = GetParam()(0, text.data(), cut);
    EXPECT_EQ(GetParam()(first, text.data() + cut, text.size() - cut),
              Crc(text));
  }
}

TEST(Crc32cComparisonTest, HardwareEqualsGenericAtAllLengthsAndAlignments) {
  std::mt19937 random(1);
  std::vector<unsigned char> bytes(4200);
  for (unsigned char& byte : bytes) byte = static_cast<unsigned char>(random());
  for (size_t start = 0; start < 16; ++start) {
    for (size_t size = 0; size <= 300; ++size) {
      ASSERT_EQ(ExtendCrc32c(7, &bytes[start], size),
                internal::ExtendCrc32cGeneric(7, &bytes[start], size))
          << start << " " << size;
    }
    ASSERT_EQ(ExtendCrc32c(0, &bytes[start], 4096 + start),
              internal::ExtendCrc32cGeneric(0, &bytes[start], 4096 + start));
  }
}

// Lengths around those at which the streams are put together.
TEST(Crc32cComparisonTest, HardwareEqualsGenericForRandomRanges) {
  constexpr size_t kBytesMax = 10'000;
  std::mt19937 random(2);
  std::vector<unsigned char> bytes(kBytesMax + 64);
  for (unsigned char& byte : bytes) byte = static_cast<unsigned char>(random());
  for (int i = 0; i < 5000; ++i) {
    const size_t start = random() % 64;
    const size_t size = random() % kBytesMax;
    const uint32_t crc = random();
    ASSERT_EQ(ExtendCrc32c(crc, &bytes[start], size),
              internal::ExtendCrc32cGeneric(crc, &bytes[start], size))
        << start << " " << size << " " << crc;
  }
}

class Crc32cConcatTest : public ::testing::TestWithParam<uint32_t (*)(
                             uint32_t, uint32_t, size_t)> {};

INSTANTIATE_TEST_SUITE_P(Versions, Crc32cConcatTest,
                         ::testing::Values(&ConcatCrc32c,
                                           &internal::ConcatCrc32cGeneric));

TEST_P(Crc32cConcatTest, IsTheCrcOfTheConcatenation) {
  std::mt19937 random(3);
  std::vector<unsigned char> bytes(70'000);
  for (unsigned char& byte : bytes) byte = static_cast<unsigned char>(random());
  for (const size_t first : {0, 1, 7, 24, 4096}) {
    for (const size_t second : {0, 1, 2, 3, 4, 5, 8, 31, 3200, 4095, 65'000}) {
      const uint32_t first_crc = Crc32c(bytes.data(), first);
      const uint32_t second_crc = Crc32c(&bytes[first], second);
      EXPECT_EQ(GetParam()(first_crc, second_crc, second),
                Crc32c(bytes.data(), first + second))
          << first << " " << second;
    }
  }
}

// No string is that long; zeros appended in two steps are those of one.
TEST_P(Crc32cConcatTest, AppendsAnyLength) {
  const size_t half = size_t{1} << 62;
  const uint32_t in_steps =
      GetParam()(GetParam()(0x12345678, 0, half), 0, half);
  EXPECT_EQ(GetParam()(0x12345678, 0, 2 * half), in_steps);
  EXPECT_NE(in_steps, 0x12345678u);
}

}  // namespace
}  // namespace engram
