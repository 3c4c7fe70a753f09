#include "storage/wal/group.h"

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "log_harness.h"

namespace engram::wal {
namespace {

TEST(GroupTest, GrowsBeyondItsRoomAndKeepsItsRecords) {
  Group group(0);
  std::vector<std::string> payloads;
  for (int i = 0; i < 40; ++i) {
    payloads.push_back(std::string(static_cast<size_t>(i) * 97, 'a' + i % 26));
  }
  for (size_t i = 0; i < payloads.size(); ++i) {
    group.Add(DraftOf(payloads[i]), 100 + i);
  }
  group.Seal(5, 0, 99);
  EXPECT_EQ(group.first_lsn(), 100u);
  EXPECT_EQ(group.last_lsn(), 139u);
  EXPECT_EQ(group.record_count(), 40u);
  EXPECT_EQ(group.bytes().size() % 4096, 0u);
  size_t next = 0;
  group.ForEachRecord([&](const schema::RecordView& record) {
    EXPECT_EQ(record.lsn, 100 + next);
    EXPECT_EQ(record.payload, payloads[next]);
    ++next;
  });
  EXPECT_EQ(next, payloads.size());
}

TEST(GroupTest, ItsRecordsKeepInMemoryWhatIsNotWritten) {
  constexpr uint8_t kNormal = schema::kNormalPriority;
  const std::string payload = "text";
  const std::vector<uint8_t> priorities = {kNormal, 2, kNormal, 0, kNormal};
  Group group(0);
  Lsn lsn = 1;
  for (const uint8_t priority : priorities) {
    schema::RecordDraft draft = DraftOf(payload);
    draft.priority = priority;
    draft.handed_in_micros = static_cast<int64_t>(lsn) % 3 * 10;
    group.Add(draft, lsn++);
  }
  group.Seal(5, 0, 0);
  std::vector<uint8_t> seen;
  group.ForEachRecord([&](const schema::RecordView& record) {
    seen.push_back(record.priority);
    EXPECT_EQ(record.handed_in_micros,
              static_cast<int64_t>(record.lsn) % 3 * 10);
  });
  EXPECT_EQ(seen, priorities);
}

TEST(GroupTest, ShowsTheStampsOfItsRecordsAlsoWhereItWasRead) {
  const std::string payload = "text";
  Group group(0);
  for (uint64_t i = 0; i < 5; ++i) {
    schema::RecordDraft draft = DraftOf(payload);
    if (i % 2 == 1) draft.stamp = {i, 10 * i, i};
    group.Add(draft, 100 + i);
  }
  group.Seal(5, 0, 99);
  AlignedBuffer copy(group.bytes().size());
  std::memcpy(copy.data(), group.bytes().data(), copy.size());
  schema::GroupHeader header;
  std::memcpy(&header, copy.data(), sizeof(header));
  const Group read(std::move(copy), header);
  for (const Group* one : {&std::as_const(group), &read}) {
    std::vector<Lsn> lsns;
    one->ForEachStamp([&](const schema::ProducerStamp& stamp, Lsn lsn) {
      lsns.push_back(lsn);
      EXPECT_EQ(stamp.producer, lsn - 100);
      EXPECT_EQ(stamp.sequence, 10 * stamp.producer);
      EXPECT_EQ(stamp.previous, stamp.producer);
    });
    EXPECT_EQ(lsns, (std::vector<Lsn>{101, 103}));
  }
}

TEST(GroupTest, AMarkerHasNoLsnOfItsOwn) {
  Group group(64);
  schema::RecordDraft draft;
  draft.type = schema::RecordType::kIdleMarker;
  group.Add(draft, 7);
  group.set_first_lsn(8);
  group.Seal(5, 0, 7);
  EXPECT_EQ(group.last_lsn(), 0u);
  EXPECT_EQ(group.first_lsn(), 8u);
  EXPECT_EQ(group.bytes().size(), 4096u);
}

}  // namespace
}  // namespace engram::wal
