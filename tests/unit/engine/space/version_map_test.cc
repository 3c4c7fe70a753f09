#include "engine/space/version_map.h"

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"

namespace engram::space {
namespace {

using ::testing::ElementsAre;

class VersionMapTest : public ::testing::Test {
 protected:
  VersionRef SlotOf(const std::string& id) {
    ids_.push_back(std::make_unique<std::string>(id));
    SlotInfo& info = slots_.Next();
    slots_.Publish();
    info.id_data = ids_.back()->data();
    info.id_size = static_cast<uint16_t>(id.size());
    return VersionRef::InSlot(static_cast<uint32_t>(slots_.size() - 1));
  }
  VersionRef EntryOf(const std::string& id) {
    ids_.push_back(std::make_unique<std::string>(id));
    entries_.push_back(std::make_unique<TailEntry>());
    entries_.back()->record.id = *ids_.back();
    return VersionRef::InTail(entries_.back().get());
  }

  std::vector<std::string> Ids() const {
    std::vector<std::string> ids;
    map_.ForEach(
        [&](absl::string_view id, VersionRef) { ids.emplace_back(id); });
    std::sort(ids.begin(), ids.end());
    return ids;
  }

  std::vector<std::unique_ptr<std::string>> ids_;
  std::vector<std::unique_ptr<TailEntry>> entries_;
  SlotTable slots_;
  VersionMap map_{&slots_};
};

TEST_F(VersionMapTest, AReferenceSaysWhereItLeads) {
  TailEntry entry;
  EXPECT_EQ(VersionRef::InTail(&entry).entry(), &entry);
  for (const uint32_t slot : {0u, 1u, 77u, UINT32_MAX}) {
    EXPECT_EQ(VersionRef::InSlot(slot).entry(), nullptr);
    EXPECT_EQ(VersionRef::InSlot(slot).slot(), slot);
  }
}

TEST_F(VersionMapTest, AVersionMovesFromTheTailToASlotAndBack) {
  EXPECT_FALSE(map_.Find("a").has_value());
  const VersionRef entry = EntryOf("a");
  map_.Put("a", entry);
  map_.Put("b", SlotOf("b"));
  EXPECT_EQ(map_.Find("a")->entry(), entry.entry());
  map_.Put("a", SlotOf("a"));
  EXPECT_EQ(map_.Find("a")->slot(), 1u);
  map_.Put("a", EntryOf("a"));
  EXPECT_NE(map_.Find("a")->entry(), nullptr);
  EXPECT_EQ(map_.size(), 2u);
  EXPECT_THAT(Ids(), ElementsAre("a", "b"));
  map_.Erase("a");
  map_.Erase("a");
  EXPECT_THAT(Ids(), ElementsAre("b"));
}

TEST_F(VersionMapTest, HoldsWhatAModelHolds) {
  std::mt19937 random(3);
  std::map<std::string, uint32_t> model;
  for (int i = 0; i < 20'000; ++i) {
    const std::string id = absl::StrCat("id", random() % 3000);
    if (random() % 3 == 0) {
      map_.Erase(id);
      model.erase(id);
    } else {
      const VersionRef ref = SlotOf(id);
      map_.Put(id, ref);
      model[id] = ref.slot();
    }
  }
  EXPECT_EQ(map_.size(), model.size());
  for (const auto& [id, slot] : model) ASSERT_EQ(map_.Find(id)->slot(), slot);
  EXPECT_EQ(Ids().size(), model.size());
}

// 16 bytes an entry and a control byte, at a load between 7/16 and 7/8.
TEST_F(VersionMapTest, AnIdCostsLittleMemory) {
  constexpr size_t kIds = 100'000;
  for (size_t i = 0; i < kIds; ++i) {
    const std::string id = absl::StrCat("observation/", i);
    map_.Put(id, SlotOf(id));
  }
  const double bytes = static_cast<double>(map_.memory_bytes()) / kIds;
  EXPECT_GE(bytes, 17.0);
  EXPECT_LE(bytes, 40.0);
  RecordProperty("bytes_per_id", static_cast<int>(bytes));
}

}  // namespace
}  // namespace engram::space
