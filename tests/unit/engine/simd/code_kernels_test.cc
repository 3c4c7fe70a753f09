// The integer kernels, bit for bit, in every table.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "engine/simd/kernels.h"
#include "gtest/gtest.h"

namespace engram::simd {
namespace {

constexpr size_t kRowCountMax = 20;

std::vector<size_t> CodeCounts(size_t block) {
  std::vector<size_t> counts;
  for (size_t dimension : {1, 2, 31, 32, 100, 128, 300, 768, 784, 1536}) {
    counts.push_back((dimension + block - 1) / block * block);
  }
  return counts;
}

// The codes as the header words them.
int Nibble(const uint8_t* row, size_t j) {
  const uint8_t byte = row[j / 128 * 64 + j % 64];
  return j % 128 < 64 ? byte % 16 : byte / 16;
}

int Crumb(const uint8_t* row, size_t j) {
  const int powers[] = {1, 4, 16, 64};
  return row[j / 256 * 64 + j % 64] / powers[j % 256 / 64] % 4;
}

// A query and rows of random bytes, each exactly as long as its codes and one
// byte off any alignment that the allocator gives.
struct Codes {
  Codes(size_t code_count, size_t row_bytes) {
    std::mt19937 random(static_cast<uint32_t>(code_count));
    const auto fill = [&random](std::vector<uint8_t>* bytes, size_t size) {
      bytes->resize(size + 1);
      for (uint8_t& byte : *bytes) byte = static_cast<uint8_t>(random());
    };
    query_memory.resize(code_count + 1);
    for (int8_t& code : query_memory) {
      code = static_cast<int8_t>(static_cast<int>(random() % 255) - 127);
    }
    query = query_memory.data() + 1;
    for (auto* rows_memory : {&first_memory, &second_memory}) {
      rows_memory->resize(kRowCountMax);
      for (std::vector<uint8_t>& row : *rows_memory) fill(&row, row_bytes);
    }
    for (size_t i = 0; i < kRowCountMax; ++i) {
      first.push_back(first_memory[i].data() + 1);
      second.push_back(second_memory[i].data() + 1);
    }
  }

  std::vector<int8_t> query_memory;
  std::vector<std::vector<uint8_t>> first_memory;
  std::vector<std::vector<uint8_t>> second_memory;
  const int8_t* query;
  std::vector<const uint8_t*> first;
  std::vector<const uint8_t*> second;
};

int32_t Expected(const int8_t* query, size_t code_count,
                 const std::function<int(size_t)>& code) {
  int64_t sum = 0;
  for (size_t j = 0; j < code_count; ++j) sum += query[j] * code(j);
  return static_cast<int32_t>(sum);
}

class CodeKernelsTest : public testing::TestWithParam<std::string> {
 protected:
  static constexpr int32_t kUntouched = 123456789;

  void SetUp() override {
    kernels_ = KernelsByName(GetParam());
    if (kernels_ == nullptr) GTEST_SKIP() << "this CPU lacks " << GetParam();
  }

  // Runs `kernel` for every batch size and compares; the element behind the
  // batch must stay untouched.
  void Check(const std::vector<int32_t>& expected,
             const std::function<void(size_t, int32_t*)>& kernel) {
    for (size_t count = 0; count <= kRowCountMax; ++count) {
      std::vector<int32_t> out(kRowCountMax + 1, kUntouched);
      kernel(count, out.data());
      for (size_t i = 0; i < count; ++i) {
        ASSERT_EQ(out[i], expected[i]) << "row " << i << " of " << count;
      }
      for (size_t i = count; i < out.size(); ++i) {
        ASSERT_EQ(out[i], kUntouched) << i << " behind " << count;
      }
    }
  }

  const Kernels* kernels_ = nullptr;
};

TEST_P(CodeKernelsTest, NibbleDotIsExact) {
  for (size_t code_count : CodeCounts(kNibbleBlock)) {
    SCOPED_TRACE(code_count);
    const Codes codes(code_count, code_count / 2);
    std::vector<int32_t> expected;
    for (const uint8_t* row : codes.first) {
      expected.push_back(Expected(codes.query, code_count,
                                  [=](size_t j) { return Nibble(row, j); }));
    }
    Check(expected, [&](size_t count, int32_t* out) {
      kernels_->nibble_dot(codes.query, codes.first.data(), count, code_count,
                           out);
    });
  }
}

TEST_P(CodeKernelsTest, CrumbDotIsExact) {
  for (size_t code_count : CodeCounts(kCrumbBlock)) {
    SCOPED_TRACE(code_count);
    const Codes codes(code_count, code_count / 4);
    std::vector<int32_t> expected;
    for (const uint8_t* row : codes.first) {
      expected.push_back(Expected(codes.query, code_count,
                                  [=](size_t j) { return Crumb(row, j); }));
    }
    Check(expected, [&](size_t count, int32_t* out) {
      kernels_->crumb_dot(codes.query, codes.first.data(), count, code_count,
                          out);
    });
  }
}

TEST_P(CodeKernelsTest, SplitDotIsExact) {
  for (size_t code_count : CodeCounts(kNibbleBlock)) {
    SCOPED_TRACE(code_count);
    const Codes codes(code_count, code_count / 2);
    std::vector<int32_t> expected;
    for (size_t i = 0; i < kRowCountMax; ++i) {
      expected.push_back(Expected(codes.query, code_count, [&](size_t j) {
        return 16 * Nibble(codes.first[i], j) + Nibble(codes.second[i], j);
      }));
    }
    Check(expected, [&](size_t count, int32_t* out) {
      kernels_->split_dot(codes.query, codes.first.data(), codes.second.data(),
                          count, code_count, out);
    });
  }
}

// 65,536 components is the most there can be: the largest sum that 32 bits
// must hold, and the place where a 16-bit sum in between would saturate.
TEST_P(CodeKernelsTest, ExtremeCodesNeitherSaturateNorOverflow) {
  for (const size_t code_count : {size_t{256}, size_t{65536}}) {
    for (const int query_code : {-127, 127}) {
      const std::vector<int8_t> query(code_count,
                                      static_cast<int8_t>(query_code));
      const auto sum = static_cast<int32_t>(code_count) * query_code;
      for (const int byte : {0, 255}) {
        const std::vector<uint8_t> memory(code_count / 2,
                                          static_cast<uint8_t>(byte));
        const std::vector<const uint8_t*> rows(5, memory.data());
        std::vector<int32_t> out(rows.size());
        const int ones = byte & 1;
        kernels_->nibble_dot(query.data(), rows.data(), rows.size(), code_count,
                             out.data());
        for (int32_t dot : out) EXPECT_EQ(dot, 15 * ones * sum);
        kernels_->crumb_dot(query.data(), rows.data(), rows.size(), code_count,
                            out.data());
        for (int32_t dot : out) EXPECT_EQ(dot, 3 * ones * sum);
        kernels_->split_dot(query.data(), rows.data(), rows.data(), rows.size(),
                            code_count, out.data());
        for (int32_t dot : out) EXPECT_EQ(dot, 255 * ones * sum);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(EveryTable, CodeKernelsTest,
                         testing::Values("generic", "avx2", "avx512"),
                         [](const auto& tested) { return tested.param; });

}  // namespace
}  // namespace engram::simd
