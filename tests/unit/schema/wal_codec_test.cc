#include "schema/wal_codec.h"

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "schema/limits.h"
#include "storage/base/aligned_buffer.h"
#include "storage/base/crc32c.h"
#include "tests/support/damage.h"

namespace engram::schema {
namespace {

using testing::FlipBit;

constexpr uint64_t kEpoch = 0x1122334455667788;
constexpr Lsn kFirstLsn = 41;

// --- Groups made by hand -----------------------------------------------------

struct BuiltGroup {
  GroupHeader header = {};
  std::string bytes;
};

Lsn LsnOf(const RecordDraft& draft, Lsn lsn) {
  return IsMarker(draft.type) ? lsn - 1 : lsn;
}

BuiltGroup Build(const std::vector<RecordDraft>& drafts) {
  size_t record_bytes = 0;
  for (const RecordDraft& draft : drafts) record_bytes += RecordBytes(draft);
  // Dirty, so that a byte that the codec forgets to write shows.
  BuiltGroup group;
  group.bytes.assign(GroupBytes(record_bytes), '\xee');
  char* next = group.bytes.data() + sizeof(GroupHeader);
  Lsn lsn = kFirstLsn;
  for (const RecordDraft& draft : drafts) {
    EncodeRecord(draft, LsnOf(draft, lsn++), next);
    next += RecordBytes(draft);
  }
  std::fill(next, group.bytes.data() + group.bytes.size(), '\0');
  GroupSeal seal;
  seal.epoch = kEpoch;
  seal.sequence = 3;
  seal.first_lsn = kFirstLsn;
  seal.durable_lsn = kFirstLsn - 1;
  seal.record_count = static_cast<uint32_t>(drafts.size());
  seal.record_bytes = static_cast<uint32_t>(record_bytes);
  SealGroup(seal, absl::MakeSpan(group.bytes.data(), group.bytes.size()));
  std::memcpy(&group.header, group.bytes.data(), sizeof(group.header));
  return group;
}

// Makes all checksums of a changed group right again.
void FixChecksums(BuiltGroup* group) {
  std::memcpy(&group->header, group->bytes.data(), sizeof(group->header));
  char* record = group->bytes.data() + sizeof(GroupHeader);
  const char* const end = record + group->header.record_bytes;
  while (record + sizeof(RecordHeader) <= end) {
    uint32_t length = 0;
    std::memcpy(&length, record, sizeof(length));
    if (length < sizeof(RecordHeader) ||
        length > static_cast<size_t>(end - record)) {
      break;
    }
    uint32_t crc = Crc32c(&group->header.epoch, sizeof(uint64_t));
    crc = ExtendCrc32c(crc, record + 8, length - 8);
    std::memcpy(record + offsetof(RecordHeader, crc), &crc, sizeof(crc));
    record += RecordStride(record);
  }
  group->header.body_crc = Crc32c(group->bytes.data() + sizeof(GroupHeader),
                                  group->bytes.size() - sizeof(GroupHeader));
  group->header.header_crc =
      Crc32c(&group->header, offsetof(GroupHeader, header_crc));
  std::memcpy(group->bytes.data(), &group->header, sizeof(group->header));
}

// What a reader does with the bytes of a group.
absl::Status Read(
    const std::string& bytes, uint64_t epoch = kEpoch,
    const std::function<void(const RecordView&)>& visit = nullptr) {
  GroupHeader header;
  if (!DecodeGroupHeader(bytes.data(), epoch, bytes.size(), &header)) {
    return absl::DataLossError("no group header");
  }
  // Aligned, as the readers of the log do it.
  AlignedBuffer aligned(GroupBytes(header.record_bytes));
  std::memcpy(aligned.data(), bytes.data(), aligned.size());
  return DecodeGroup(header,
                     absl::MakeConstSpan(aligned.data(), aligned.size()),
                     [&visit](const RecordView& record) {
                       if (visit) visit(record);
                     });
}

template <typename T>
void Poke(BuiltGroup* group, size_t offset, T value) {
  std::memcpy(group->bytes.data() + offset, &value, sizeof(value));
}

const float kVector[] = {1.5f, -2.0f, 3.25f};

RecordDraft Observe() {
  RecordDraft draft;
  draft.type = RecordType::kObserve;
  draft.space_id = 7;
  draft.id = "agent/1";
  draft.vector = kVector;
  draft.payload = "payload";
  draft.timestamp_us = -9;
  return draft;
}

RecordDraft Draft(RecordType type) {
  RecordDraft draft;
  draft.type = type;
  draft.space_id = 7;
  return draft;
}

RecordDraft Remove() {
  RecordDraft draft = Draft(RecordType::kRemove);
  draft.id = "agent/1";
  return draft;
}

RecordDraft Create() {
  RecordDraft draft = Draft(RecordType::kCreateSpace);
  draft.description = "description";
  return draft;
}

RecordDraft Seal() {
  RecordDraft draft = Draft(RecordType::kSeal);
  draft.next_segment = 12;
  return draft;
}

// --- Round trips -------------------------------------------------------------

TEST(WalCodecTest, EachTypeOfRecordRoundTrips) {
  std::vector<RecordType> types;
  const BuiltGroup group =
      Build({Observe(), Remove(), Create(), Draft(RecordType::kDropSpace)});
  const absl::Status status =
      Read(group.bytes, kEpoch, [&](const RecordView& record) {
        EXPECT_EQ(record.lsn, kFirstLsn + types.size());
        EXPECT_EQ(record.space_id, 7u);
        types.push_back(record.type);
        if (record.type == RecordType::kObserve) {
          EXPECT_EQ(record.id, "agent/1");
          EXPECT_EQ(record.payload, "payload");
          EXPECT_EQ(record.timestamp_us, -9);
          EXPECT_EQ(
              std::vector<float>(record.vector.begin(), record.vector.end()),
              (std::vector<float>{1.5f, -2.0f, 3.25f}));
        }
        if (record.type == RecordType::kRemove) {
          EXPECT_EQ(record.id, "agent/1");
        }
        if (record.type == RecordType::kCreateSpace) {
          EXPECT_EQ(record.description, "description");
        }
      });
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(types, (std::vector<RecordType>{
                       RecordType::kObserve, RecordType::kRemove,
                       RecordType::kCreateSpace, RecordType::kDropSpace}));
  EXPECT_EQ(group.header.sequence, 3u);
  EXPECT_EQ(group.header.durable_lsn, kFirstLsn - 1);
}

TEST(WalCodecTest, StampsRoundTripAndImpossibleOnesAreRefused) {
  RecordDraft stamped = Remove();
  stamped.stamp = {7, 12, 9};
  const BuiltGroup group = Build({Observe(), stamped});
  ASSERT_TRUE(Read(group.bytes).ok());
  const char* const first = group.bytes.data() + sizeof(GroupHeader);
  EXPECT_EQ(ViewStamp(first).producer, 0u);
  const ProducerStamp stamp = ViewStamp(first + RecordStride(first));
  EXPECT_EQ(stamp.producer, 7u);
  EXPECT_EQ(stamp.sequence, 12u);
  EXPECT_EQ(stamp.previous, 9u);
  for (const ProducerStamp& impossible :
       {ProducerStamp{0, 1, 0}, ProducerStamp{0, 0, 1}, ProducerStamp{7, 0, 0},
        ProducerStamp{7, 5, 5}, ProducerStamp{7, 5, 6}}) {
    stamped.stamp = impossible;
    EXPECT_TRUE(absl::IsDataLoss(Read(Build({stamped}).bytes)));
  }
}

TEST(WalCodecTest, MarkersRoundTripWithTheLsnBeforeThem) {
  for (const RecordDraft& draft : {Draft(RecordType::kIdleMarker),
                                   Draft(RecordType::kCleanClose), Seal()}) {
    int visited = 0;
    const absl::Status status =
        Read(Build({draft}).bytes, kEpoch, [&](const RecordView& record) {
          ++visited;
          EXPECT_EQ(record.type, draft.type);
          EXPECT_EQ(record.lsn, kFirstLsn - 1);
          EXPECT_EQ(record.next_segment, draft.next_segment);
        });
    EXPECT_TRUE(status.ok()) << status;
    EXPECT_EQ(visited, 1);
  }
}

TEST(WalCodecTest, LimitsRoundTripAndOneMoreIsRefused) {
  const std::vector<float> vector(kDimensionMax + 1, 0.5f);
  const std::string payload(kPayloadBytesMax + 1, 'p');
  const std::string id(kIdBytesMax + 1, 'i');
  RecordDraft largest = Observe();
  largest.vector = absl::MakeConstSpan(vector.data(), kDimensionMax);
  largest.payload = absl::string_view(payload.data(), kPayloadBytesMax);
  largest.id = absl::string_view(id.data(), kIdBytesMax);
  EXPECT_TRUE(Read(Build({largest}).bytes).ok());

  RecordDraft draft = largest;
  draft.vector = vector;
  EXPECT_TRUE(absl::IsDataLoss(Read(Build({draft}).bytes)));
  draft = largest;
  draft.payload = payload;
  EXPECT_TRUE(absl::IsDataLoss(Read(Build({draft}).bytes)));
  draft = largest;
  draft.id = id;
  EXPECT_TRUE(absl::IsDataLoss(Read(Build({draft}).bytes)));
  draft = Remove();
  draft.id = id;
  EXPECT_TRUE(absl::IsDataLoss(Read(Build({draft}).bytes)));
}

TEST(WalCodecTest, EmptyFieldsAreRefused) {
  RecordDraft no_vector = Observe();
  no_vector.vector = {};
  RecordDraft no_id = Observe();
  no_id.id = "";
  RecordDraft no_removed_id = Remove();
  no_removed_id.id = "";
  RecordDraft no_description = Create();
  no_description.description = "";
  for (const RecordDraft& draft :
       {no_vector, no_id, no_removed_id, no_description}) {
    EXPECT_TRUE(absl::IsDataLoss(Read(Build({draft}).bytes)));
  }
  RecordDraft no_payload = Observe();
  no_payload.payload = "";
  EXPECT_TRUE(Read(Build({no_payload}).bytes).ok());
}

TEST(WalCodecTest, ComponentsThatAreNoNumbersAreRefused) {
  for (const float value :
       {std::nanf(""), -std::nanf(""), std::numeric_limits<float>::infinity(),
        -std::numeric_limits<float>::infinity()}) {
    const float vector[] = {1, value, 2};
    RecordDraft draft = Observe();
    draft.vector = vector;
    EXPECT_TRUE(absl::IsDataLoss(Read(Build({draft}).bytes)));
  }
  const float vector[] = {std::numeric_limits<float>::max(),
                          std::numeric_limits<float>::lowest(),
                          std::numeric_limits<float>::denorm_min(), -0.0f};
  RecordDraft draft = Observe();
  draft.vector = vector;
  EXPECT_TRUE(Read(Build({draft}).bytes).ok());
}

// --- Damage ------------------------------------------------------------------

TEST(WalCodecTest, EverySingleBitFlipOfAGroupIsRefused) {
  const BuiltGroup group = Build({Observe(), Remove(), Create()});
  ASSERT_TRUE(Read(group.bytes).ok());
  for (size_t bit = 0; bit < group.bytes.size() * 8; ++bit) {
    ASSERT_TRUE(absl::IsDataLoss(Read(FlipBit(group.bytes, bit)))) << bit;
  }
}

TEST(WalCodecTest, AGroupOfAnotherEpochIsNotSeen) {
  EXPECT_TRUE(absl::IsDataLoss(Read(Build({Observe()}).bytes, kEpoch + 1)));
}

TEST(WalCodecTest, AGroupThatIsLongerThanItsRoomIsNotSeen) {
  std::string payload(10'000, 'p');
  RecordDraft draft = Observe();
  draft.payload = payload;
  const BuiltGroup group = Build({draft});
  GroupHeader header;
  EXPECT_TRUE(DecodeGroupHeader(group.bytes.data(), kEpoch, group.bytes.size(),
                                &header));
  for (size_t room = 0; room < group.bytes.size(); room += 512) {
    EXPECT_FALSE(DecodeGroupHeader(group.bytes.data(), kEpoch, room, &header));
  }
}

// Changes a group, makes all checksums right, and expects a refusal without a
// visit.
void ExpectRefused(const std::vector<RecordDraft>& drafts,
                   const std::function<void(BuiltGroup*)>& change) {
  BuiltGroup group = Build(drafts);
  change(&group);
  FixChecksums(&group);
  int visited = 0;
  EXPECT_TRUE(absl::IsDataLoss(
      Read(group.bytes, kEpoch, [&visited](const RecordView&) { ++visited; })));
  EXPECT_EQ(visited, 0);
}

TEST(WalCodecTest, LyingGroupHeadersAreRefusedUnderRightChecksums) {
  const std::vector<RecordDraft> two = {Observe(), Remove()};
  const size_t bytes = RecordBytes(two[0]) + RecordBytes(two[1]);
  const auto poke32 = [&two](size_t offset, uint32_t value) {
    ExpectRefused(two, [=](BuiltGroup* g) { Poke(g, offset, value); });
  };
  for (const uint32_t count : {0u, 1u, 3u, 0xffffffffu}) {
    poke32(offsetof(GroupHeader, record_count), count);
  }
  for (const uint32_t wrong : {0u, 8u, 0x7fffffffu, 0xffffffffu}) {
    // FixChecksums() trusts this field, so it changes only the header's crc.
    BuiltGroup group = Build(two);
    group.header.record_bytes = wrong;
    group.header.header_crc =
        Crc32c(&group.header, offsetof(GroupHeader, header_crc));
    std::memcpy(group.bytes.data(), &group.header, sizeof(group.header));
    EXPECT_TRUE(absl::IsDataLoss(Read(group.bytes)));
  }
  poke32(offsetof(GroupHeader, record_bytes), static_cast<uint32_t>(bytes - 8));
  poke32(offsetof(GroupHeader, record_bytes), static_cast<uint32_t>(bytes + 8));
  for (const Lsn lsn : {Lsn{0}, kFirstLsn + 1, kWalNumberMax + 1, ~Lsn{0}}) {
    ExpectRefused(two, [lsn](BuiltGroup* g) {
      Poke(g, offsetof(GroupHeader, first_lsn), lsn);
    });
  }
  for (const Lsn lsn : {kFirstLsn, kFirstLsn + 1, ~Lsn{0}}) {
    ExpectRefused(two, [lsn](BuiltGroup* g) {
      Poke(g, offsetof(GroupHeader, durable_lsn), lsn);
    });
  }
}

TEST(WalCodecTest, LyingRecordsAreRefusedUnderRightChecksums) {
  constexpr size_t kRecord = sizeof(GroupHeader);
  constexpr size_t kBody = kRecord + sizeof(RecordHeader);
  const auto poke = [](size_t offset, auto value) {
    ExpectRefused({Observe(), Remove()},
                  [=](BuiltGroup* g) { Poke(g, offset, value); });
  };
  for (const uint32_t length : {0u, 1u, 55u, 56u, 60u, 4096u, 0xffffffffu}) {
    poke(kRecord + offsetof(RecordHeader, length), length);
  }
  poke(kRecord + offsetof(RecordHeader, lsn), Lsn{kFirstLsn - 1});
  poke(kRecord + offsetof(RecordHeader, lsn), Lsn{kFirstLsn + 1});
  for (int type = 0; type < 256; ++type) {
    if (type == static_cast<int>(RecordType::kObserve) ||
        type == static_cast<int>(RecordType::kCreateSpace)) {
      continue;  // a description may be any bytes here
    }
    poke(kRecord + offsetof(RecordHeader, type), static_cast<uint8_t>(type));
  }
  for (const uint32_t value : {0u, 2u, 4u, 0x40000003u, 0xffffffffu}) {
    poke(kBody + offsetof(ObserveBody, dimension), value);
  }
  for (const uint32_t value : {0u, 6u, 8u, 0xffffffffu}) {
    poke(kBody + offsetof(ObserveBody, payload_bytes), value);
  }
  for (const uint32_t value : {1u, 0xffffffffu}) {
    poke(kBody + offsetof(ObserveBody, attributes_bytes), value);
  }
  for (const uint16_t value : {0, 6, 8, 0xffff}) {
    poke(kBody + offsetof(ObserveBody, id_bytes), value);
  }
}

// --- Records of a damaged group ----------------------------------------------

class LooseRecordTest : public ::testing::Test {
 protected:
  LooseRecordTest() : group_(Build({Observe(), Remove()})) {}

  bool Decode(size_t offset, Lsn first, Lsn last, LooseRecord* record) {
    aligned_ = AlignedBuffer(group_.bytes.size());
    std::memcpy(aligned_.data(), group_.bytes.data(), aligned_.size());
    return DecodeLooseRecord(
        kEpoch,
        absl::MakeConstSpan(aligned_.data() + offset, aligned_.size() - offset),
        first, last, record);
  }

  static constexpr size_t kFirst = sizeof(GroupHeader);

  BuiltGroup group_;
  AlignedBuffer aligned_;
};

TEST_F(LooseRecordTest, IsFoundByItself) {
  LooseRecord record;
  ASSERT_TRUE(Decode(kFirst, kFirstLsn, kFirstLsn + 1, &record));
  EXPECT_TRUE(record.intact);
  EXPECT_EQ(record.view.lsn, kFirstLsn);
  EXPECT_EQ(record.view.id, Observe().id);
  ASSERT_TRUE(Decode(kFirst + RecordBytes(Observe()), kFirstLsn, kFirstLsn + 1,
                     &record));
  EXPECT_EQ(record.view.type, RecordType::kRemove);
}

TEST_F(LooseRecordTest, IsOnlyLikelyWhereItsChecksumIsWrong) {
  LooseRecord record;
  Poke(&group_, kFirst + sizeof(RecordHeader) + sizeof(ObserveBody), 2.5f);
  ASSERT_TRUE(Decode(kFirst, kFirstLsn, kFirstLsn, &record));
  EXPECT_FALSE(record.intact);
  EXPECT_EQ(record.view.id, Observe().id);
  // What is zero in every record that was written says more against it.
  Poke(&group_, kFirst + offsetof(RecordHeader, flags), uint8_t{1});
  EXPECT_FALSE(Decode(kFirst, kFirstLsn, kFirstLsn, &record));
}

TEST_F(LooseRecordTest, IsNoneElsewhereOrOfOtherLsnsOrSizes) {
  LooseRecord record;
  EXPECT_FALSE(Decode(kFirst + 8, kFirstLsn, kFirstLsn + 1, &record));
  EXPECT_FALSE(Decode(kFirst, kFirstLsn + 1, kFirstLsn + 1, &record));
  EXPECT_FALSE(Decode(kFirst, kFirstLsn - 1, kFirstLsn - 1, &record));
  EXPECT_FALSE(
      Decode(group_.bytes.size() - 8, kFirstLsn, kFirstLsn + 1, &record));
  for (const uint32_t length : {0u, 55u, 56u, 4096u, 0xffffffffu}) {
    BuiltGroup saved = group_;
    Poke(&group_, kFirst + offsetof(RecordHeader, length), length);
    EXPECT_FALSE(Decode(kFirst, kFirstLsn, kFirstLsn + 1, &record)) << length;
    group_ = saved;
  }
}

TEST(WalCodecTest, AMarkerAloneInItsGroup) {
  for (const RecordDraft& marker : {Draft(RecordType::kIdleMarker),
                                    Draft(RecordType::kCleanClose), Seal()}) {
    EXPECT_TRUE(absl::IsDataLoss(Read(Build({marker, Observe()}).bytes)));
    EXPECT_TRUE(absl::IsDataLoss(Read(Build({Observe(), marker}).bytes)));
  }
}

TEST(WalCodecTest, ChainCrcDependsOnEachGroupAndTheirOrder) {
  const GroupHeader a = Build({Observe()}).header;
  const GroupHeader b = Build({Remove()}).header;
  EXPECT_NE(ChainCrc(0, a), ChainCrc(0, b));
  EXPECT_NE(ChainCrc(ChainCrc(0, a), b), ChainCrc(ChainCrc(0, b), a));
}

}  // namespace
}  // namespace engram::schema
