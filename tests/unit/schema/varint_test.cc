#include "schema/varint.h"

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>

#include "gtest/gtest.h"

namespace engram::schema {
namespace {

void Append(uint32_t value, std::string* bytes) {
  char buffer[kVarintBytesMax];
  bytes->append(buffer, WriteVarint(value, buffer));
}

TEST(VarintTest, WhatWasWrittenIsRead) {
  std::string bytes;
  const uint32_t values[] = {0, 1, 127, 128, 16'383, 16'384, UINT32_MAX};
  for (const uint32_t value : values) Append(value, &bytes);
  EXPECT_EQ(bytes.size(), 1u + 1 + 1 + 2 + 2 + 3 + 5);
  VarintReader reader(bytes);
  for (const uint32_t value : values) EXPECT_EQ(reader.Varint(), value);
  EXPECT_TRUE(reader.ok() && reader.AtEnd());
}

TEST(VarintTest, SkippingEndsWhereReadingDoes) {
  std::mt19937 random(1);
  for (int round = 0; round < 200; ++round) {
    std::string bytes;
    for (int i = 0; i < 60; ++i) {
      Append(static_cast<uint32_t>(random()) >> (random() % 32), &bytes);
    }
    for (size_t count = 0; count <= 60; ++count) {
      VarintReader read(bytes);
      for (size_t i = 0; i < count; ++i) read.Varint();
      VarintReader skipped(bytes);
      skipped.SkipVarints(count);
      ASSERT_TRUE(skipped.ok());
      ASSERT_EQ(skipped.rest(), read.rest()) << count << " varints";
    }
  }
}

TEST(VarintTest, SkippingMoreThanThereIsFails) {
  std::string bytes;
  for (uint32_t i = 0; i < 20; ++i) Append(i * 1000, &bytes);
  VarintReader reader(bytes);
  reader.SkipVarints(21);
  EXPECT_FALSE(reader.ok());
  const std::string no_end(50, '\x80');
  VarintReader endless(no_end);
  endless.SkipVarints(1);
  EXPECT_FALSE(endless.ok());
}

}  // namespace
}  // namespace engram::schema
