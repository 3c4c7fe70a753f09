// .fvecs, .bvecs and .ivecs through VectorReader and IvecsReader.

#include <sys/stat.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "gtest/gtest.h"
#include "temporary_file.h"
#include "tools/vectors/ivecs_reader.h"
#include "tools/vectors/vector_reader.h"

namespace engram {
namespace {

template <typename Component>
std::string Record(const std::vector<Component>& components) {
  std::string bytes = BytesOf(static_cast<int32_t>(components.size()));
  for (const Component component : components) bytes += BytesOf(component);
  return bytes;
}

// Opens and reads all; the status is that of the first failure.
absl::StatusOr<std::vector<std::vector<float>>> ReadAll(
    const std::string& path) {
  auto reader = VectorReader::Open(path);
  if (!reader.ok()) return reader.status();
  std::vector<std::vector<float>> rows;
  std::vector<float> row;
  while (true) {
    const absl::StatusOr<bool> more = (*reader)->Next(&row);
    if (!more.ok()) return more.status();
    if (!*more) break;
    EXPECT_EQ(row.size(), (*reader)->dimension());
    rows.push_back(row);
  }
  EXPECT_EQ(rows.size(), (*reader)->count());
  return rows;
}

absl::Status ReadStatus(const std::string& ending, const std::string& bytes) {
  const TemporaryFile file(ending, bytes);
  const absl::Status status = ReadAll(file.path()).status();
  if (!status.ok()) {
    EXPECT_TRUE(absl::StrContains(std::string(status.message()), file.path()))
        << status;
  }
  return status;
}

TEST(TexmexReaderTest, ReadsFloats) {
  const std::vector<std::vector<float>> rows = {
      {1, -2.5f, 3e-20f}, {0, -0.0f, std::numeric_limits<float>::max()}};
  const TemporaryFile file(".fvecs", Record(rows[0]) + Record(rows[1]));
  const auto read = ReadAll(file.path());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, rows);
}

TEST(TexmexReaderTest, ReadsBytes) {
  const TemporaryFile file(".bvecs", Record<uint8_t>({0, 127, 128, 255}));
  const auto read = ReadAll(file.path());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, (std::vector<std::vector<float>>{{0, 127, 128, 255}}));
}

TEST(TexmexReaderTest, ReadsIntegersThatAreFloats) {
  const TemporaryFile file(".ivecs", Record<int32_t>({-7, 1 << 24, 1 << 30}));
  const auto read = ReadAll(file.path());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ((*read)[0], (std::vector<float>{-7, 0x1p24f, 0x1p30f}));
}

TEST(TexmexReaderTest, RefusesIntegersThatAreNoFloats) {
  const absl::Status status = ReadStatus(
      ".ivecs", Record<int32_t>({1}) + Record<int32_t>({(1 << 24) + 1}));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(absl::StrContains(std::string(status.message()),
                                "vector 1 holds the integer 16777217"))
      << status;
}

TEST(TexmexReaderTest, IvecsReaderKeepsEveryInteger) {
  const std::vector<int32_t> row = {std::numeric_limits<int32_t>::min(),
                                    (1 << 24) + 1,
                                    std::numeric_limits<int32_t>::max()};
  const TemporaryFile file(".ivecs", Record(row));
  auto reader = IvecsReader::Open(file.path());
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ(reader->count(), 1u);
  EXPECT_EQ(reader->dimension(), 3u);
  std::vector<int32_t> read;
  ASSERT_TRUE(reader->Next(&read).value());
  EXPECT_EQ(read, row);
  EXPECT_FALSE(reader->Next(&read).value());
}

TEST(TexmexReaderTest, ReadsMoreThanOneBuffer) {
  std::string bytes;
  for (int row = 0; row < 5000; ++row) {
    bytes += Record(std::vector<float>(37, static_cast<float>(row)));
  }
  const TemporaryFile file(".fvecs", bytes);
  const auto read = ReadAll(file.path());
  ASSERT_TRUE(read.ok()) << read.status();
  for (int row = 0; row < 5000; ++row) {
    ASSERT_EQ((*read)[row], std::vector<float>(37, static_cast<float>(row)));
  }
}

TEST(TexmexReaderTest, TruncatedAtEveryByte) {
  const std::string record = Record<float>({1, 2, 3});
  const std::string whole = record + record + record;
  for (size_t bytes = 0; bytes < whole.size(); ++bytes) {
    const absl::Status status = ReadStatus(".fvecs", whole.substr(0, bytes));
    if (bytes > 0 && bytes % record.size() == 0) {
      EXPECT_TRUE(status.ok()) << bytes << ": " << status;
    } else {
      EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << bytes;
    }
  }
  const absl::Status status = ReadStatus(".fvecs", whole.substr(0, 47));
  EXPECT_TRUE(absl::StrContains(std::string(status.message()),
                                "truncated: 47 bytes, expected multiple of 16"))
      << status;
}

TEST(TexmexReaderTest, RefusesHostileDimensions) {
  for (const int32_t dimension :
       {0, -1, 65536, std::numeric_limits<int32_t>::min(),
        std::numeric_limits<int32_t>::max()}) {
    for (const char* ending : {".fvecs", ".bvecs", ".ivecs"}) {
      EXPECT_EQ(
          ReadStatus(ending, BytesOf(dimension) + std::string(12, 'x')).code(),
          absl::StatusCode::kInvalidArgument)
          << ending << " " << dimension;
    }
  }
}

TEST(TexmexReaderTest, RefusesDimensionThatChanges) {
  const std::string bytes =
      Record<float>({1, 2}) + BytesOf(int32_t{-2}) + std::string(8, '\0');
  const absl::Status status = ReadStatus(".fvecs", bytes);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(absl::StrContains(std::string(status.message()),
                                "vector 1 has dimension -2, vector 0 has 2"))
      << status;
}

TEST(TexmexReaderTest, NoticesThatTheFileShrinks) {
  const std::string record = Record(std::vector<float>(60000, 1));
  const TemporaryFile file(".fvecs", record + record + record);
  auto reader = VectorReader::Open(file.path());
  ASSERT_TRUE(reader.ok());
  ASSERT_EQ(::truncate(file.path().c_str(), 100000), 0);
  std::vector<float> row;
  absl::StatusOr<bool> more = true;
  for (int i = 0; i < 3 && more.ok(); ++i) more = (*reader)->Next(&row);
  EXPECT_EQ(more.status().code(), absl::StatusCode::kDataLoss);
}

TEST(TexmexReaderTest, RefusesWhatIsNoRegularFile) {
  EXPECT_EQ(VectorReader::Open("/nonexistent/a.fvecs").status().code(),
            absl::StatusCode::kNotFound);
  EXPECT_EQ(ReadStatus(".parquet", "x").code(),
            absl::StatusCode::kInvalidArgument);
  const std::string fifo = ::testing::TempDir() + "engram_vectors_fifo_" +
                           std::to_string(::getpid()) + ".fvecs";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_EQ(VectorReader::Open(fifo).status().code(),
            absl::StatusCode::kInvalidArgument);
  ::unlink(fifo.c_str());
}

}  // namespace
}  // namespace engram
