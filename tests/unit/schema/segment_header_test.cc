// The first block of a segment of the log: see schema/wal_layout.h.

#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "schema/limits.h"
#include "schema/wal_codec.h"
#include "storage/base/aligned_buffer.h"
#include "storage/base/crc32c.h"
#include "tests/support/damage.h"

namespace engram::schema {
namespace {

using testing::FlipBit;

constexpr uint64_t kEpoch = 0x1122334455667788;

SegmentHeader Header() {
  SegmentHeader header = {};
  header.database_id.bytes[0] = 9;
  header.number = 5;
  header.epoch = kEpoch;
  header.first_lsn = 100;
  header.segment_bytes = kSegmentBytesMin;
  header.predecessor = {4, 77, 99, 8192, 1234, 0};
  return header;
}

std::string Block(const SegmentHeader& header) {
  std::string block(kWalBlockBytes, '\xee');
  EncodeSegmentHeader(header, block.data());
  return block;
}

absl::Status ReadHeaderWith(const std::function<void(SegmentHeader*)>& change) {
  SegmentHeader header = Header();
  change(&header);
  return DecodeSegmentHeader(Block(header).data()).status();
}

TEST(SegmentHeaderTest, RoundTrips) {
  const auto header = DecodeSegmentHeader(Block(Header()).data());
  ASSERT_TRUE(header.ok()) << header.status();
  EXPECT_EQ(header->version, kWalFormatVersion);
  EXPECT_EQ(header->database_id, Header().database_id);
  EXPECT_EQ(header->number, 5u);
  EXPECT_EQ(header->epoch, kEpoch);
  EXPECT_EQ(header->first_lsn, 100u);
  EXPECT_EQ(header->segment_bytes, kSegmentBytesMin);
  EXPECT_EQ(header->predecessor.number, 4u);
  EXPECT_EQ(header->predecessor.epoch, 77u);
  EXPECT_EQ(header->predecessor.last_lsn, 99u);
  EXPECT_EQ(header->predecessor.end_offset, 8192u);
  EXPECT_EQ(header->predecessor.chain_crc, 1234u);
}

TEST(SegmentHeaderTest, EverySingleBitFlipOfTheBlockIsRefused) {
  const std::string block = Block(Header());
  for (size_t bit = 0; bit < block.size() * 8; ++bit) {
    ASSERT_TRUE(absl::IsDataLoss(
        DecodeSegmentHeader(FlipBit(block, bit).data()).status()))
        << bit;
  }
}

TEST(SegmentHeaderTest, RefusesFieldsOutOfRangeUnderARightChecksum) {
  using Change = std::function<void(SegmentHeader*)>;
  for (const Change& change : std::initializer_list<Change>{
           [](SegmentHeader* h) { h->number = 0; },
           [](SegmentHeader* h) { h->number = kWalNumberMax + 1; },
           [](SegmentHeader* h) { h->epoch = 0; },
           [](SegmentHeader* h) { h->first_lsn = 0; },
           [](SegmentHeader* h) { h->first_lsn = 99; },
           [](SegmentHeader* h) { h->first_lsn = kWalNumberMax + 1; },
           [](SegmentHeader* h) { h->segment_bytes = 0; },
           [](SegmentHeader* h) { h->segment_bytes = kSegmentBytesMin - 4096; },
           [](SegmentHeader* h) { h->segment_bytes = kSegmentBytesMin + 1; },
           [](SegmentHeader* h) { h->segment_bytes = kSegmentBytesMax + 4096; },
           [](SegmentHeader* h) { h->predecessor.number = 5; }}) {
    EXPECT_TRUE(absl::IsDataLoss(ReadHeaderWith(change)));
  }
  EXPECT_TRUE(ReadHeaderWith([](SegmentHeader* h) {
                h->segment_bytes = kSegmentBytesMax;
              }).ok());
}

std::string BlockOfVersion(uint32_t version) {
  std::string block = Block(Header());
  std::memcpy(block.data() + offsetof(SegmentHeader, version), &version, 4);
  std::memset(block.data() + offsetof(SegmentHeader, header_crc), 0, 4);
  const uint32_t crc = Crc32c(block.data(), block.size());
  std::memcpy(block.data() + offsetof(SegmentHeader, header_crc), &crc, 4);
  return block;
}

TEST(SegmentHeaderTest, ANewerVersionIsUnimplemented) {
  EXPECT_TRUE(DecodeSegmentHeader(BlockOfVersion(1).data()).ok());
  EXPECT_TRUE(absl::IsUnimplemented(
      DecodeSegmentHeader(BlockOfVersion(kWalFormatVersion + 1).data())
          .status()));
  EXPECT_TRUE(
      absl::IsDataLoss(DecodeSegmentHeader(BlockOfVersion(0).data()).status()));
}

}  // namespace
}  // namespace engram::schema
