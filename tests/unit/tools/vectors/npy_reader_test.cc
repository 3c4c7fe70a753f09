// .npy through VectorReader.

#include "tools/vectors/npy_reader.h"

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "temporary_file.h"
#include "tools/vectors/vector_reader.h"

namespace engram {
namespace {

std::string Dictionary(const std::string& descr, const std::string& shape,
                       const std::string& order = "False") {
  return absl::StrCat("{'descr': '", descr, "', 'fortran_order': ", order,
                      ", 'shape': ", shape, ", }");
}

// `major` 1 has a length of two bytes, 2 and 3 of four.
std::string File(int major, std::string dictionary, const std::string& values) {
  const size_t length_bytes = major == 1 ? 2 : 4;
  while ((8 + length_bytes + dictionary.size() + 1) % 64 != 0) {
    dictionary += ' ';
  }
  dictionary += '\n';
  const auto length = static_cast<uint32_t>(dictionary.size());
  return std::string("\x93NUMPY") + static_cast<char>(major) + '\0' +
         BytesOf(length).substr(0, length_bytes) + dictionary + values;
}

template <typename T>
std::string Values(const std::vector<T>& values) {
  std::string bytes;
  for (const T value : values) bytes += BytesOf(value);
  return bytes;
}

absl::StatusOr<std::vector<std::vector<float>>> Read(const std::string& bytes) {
  const TemporaryFile file(".npy", bytes);
  auto reader = VectorReader::Open(file.path());
  if (!reader.ok()) {
    EXPECT_TRUE(
        absl::StrContains(std::string(reader.status().message()), file.path()))
        << reader.status();
    return reader.status();
  }
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

using Rows = std::vector<std::vector<float>>;

TEST(NpyReaderTest, ReadsFloatsInEveryVersion) {
  for (const int major : {1, 2, 3}) {
    const auto rows = Read(File(major, Dictionary("<f4", "(3, 2)"),
                                Values<float>({1, 2, 3, 4, 5.5f, -6})));
    ASSERT_TRUE(rows.ok()) << rows.status();
    EXPECT_EQ(*rows, (Rows{{1, 2}, {3, 4}, {5.5f, -6}}));
  }
}

TEST(NpyReaderTest, ReadsHalves) {
  const auto rows = Read(
      File(1, Dictionary("<f2", "(2, 3)"),
           Values<uint16_t>({0x3c00, 0xc000, 0x0001, 0x7c00, 0xfc00, 0x7e00})));
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_EQ((*rows)[0], (std::vector<float>{1, -2, 0x1p-24f}));
  EXPECT_EQ((*rows)[1][0], INFINITY);
  EXPECT_EQ((*rows)[1][1], -INFINITY);
  EXPECT_TRUE(std::isnan((*rows)[1][2]));
}

TEST(NpyReaderTest, ReadsBytes) {
  const auto rows = Read(
      File(1, Dictionary("|u1", "(2, 2)"), Values<uint8_t>({0, 1, 128, 255})));
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_EQ(*rows, (Rows{{0, 1}, {128, 255}}));
}

TEST(NpyReaderTest, ReadsNoRows) {
  const auto rows = Read(File(1, Dictionary("<f4", "(0, 5)"), ""));
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_TRUE(rows->empty());
}

TEST(NpyReaderTest, TruncatedAtEveryByte) {
  const std::string whole =
      File(1, Dictionary("<f4", "(3, 2)"), Values<float>({1, 2, 3, 4, 5, 6}));
  for (size_t bytes = 0; bytes < whole.size(); ++bytes) {
    EXPECT_EQ(Read(whole.substr(0, bytes)).status().code(),
              absl::StatusCode::kDataLoss)
        << bytes;
  }
}

TEST(NpyReaderTest, NeverCrashesOnAChangedHeaderByte) {
  const std::string whole =
      File(1, Dictionary("<f4", "(1, 2)"), Values<float>({1, 2}));
  for (size_t i = 0; i < whole.size() - 8; ++i) {
    for (const int flip : {0x01, 0x04, 0x10, 0x80, 0xff}) {
      std::string changed = whole;
      changed[i] = static_cast<char>(changed[i] ^ flip);
      Read(changed).IgnoreError();
    }
  }
}

TEST(NpyReaderTest, RefusesShapesThatLie) {
  const std::string values = Values<float>({1, 2, 3, 4});
  const struct {
    const char* shape;
    absl::StatusCode code;
  } cases[] = {
      {"(1, 2)", absl::StatusCode::kInvalidArgument},  // bytes left over
      {"(0, 2)", absl::StatusCode::kInvalidArgument},
      {"(3, 2)", absl::StatusCode::kDataLoss},
      {"(18446744073709551615, 2)", absl::StatusCode::kDataLoss},
      {"(4611686018427387906, 2)", absl::StatusCode::kDataLoss},  // wraps to 16
      {"(2, 18446744073709551615)", absl::StatusCode::kInvalidArgument},
      {"(2, 65536)", absl::StatusCode::kInvalidArgument},
      {"(4, 0)", absl::StatusCode::kInvalidArgument},
      {"(4,)", absl::StatusCode::kInvalidArgument},
      {"()", absl::StatusCode::kInvalidArgument},
      {"(1, 2, 2)", absl::StatusCode::kInvalidArgument},
  };
  for (const auto& test : cases) {
    EXPECT_EQ(
        Read(File(1, Dictionary("<f4", test.shape), values)).status().code(),
        test.code)
        << test.shape;
  }
}

TEST(NpyReaderTest, RefusesWhatIsNotSupported) {
  const std::string values(32, '\0');
  for (const char* descr : {"<f8", ">f4", "|i1", "|O", ""}) {
    const absl::Status status =
        Read(File(1, Dictionary(descr, "(2, 2)"), values)).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << descr;
    EXPECT_TRUE(absl::StrContains(std::string(status.message()),
                                  absl::StrCat("descr is '", descr, "'")))
        << status;
  }
  EXPECT_EQ(Read(File(1, Dictionary("<f4", "(2, 2)", "True"), values))
                .status()
                .code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Read(File(4, Dictionary("<f4", "(2, 2)"), values)).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Read("PK\x03\x04, an .npz").status().code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(NpyReaderTest, RefusesHugeHeaders) {
  const std::string bytes =
      std::string("\x93NUMPY\x02", 7) + '\0' + BytesOf(uint32_t{0xffffffff});
  EXPECT_EQ(Read(bytes + std::string(100, ' ')).status().code(),
            absl::StatusCode::kInvalidArgument);
  const std::string longer = File(
      2, Dictionary("<f4", "(1, 1)") + std::string(kNpyHeaderBytesMax, ' '),
      BytesOf(1.0f));
  EXPECT_EQ(Read(longer).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace engram
