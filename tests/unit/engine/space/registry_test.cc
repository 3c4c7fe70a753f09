#include "engine/space/registry.h"

#include "gtest/gtest.h"
#include "space_harness.h"

namespace engram::space {
namespace {

SpaceEntry MakeEntry(uint64_t id, const std::string& name) {
  schema::SpaceDescription space = TestSpace();
  space.id = id;
  space.name = name;
  SpaceEntry entry;
  static index::EpochDomain epochs;
  entry.state =
      std::make_shared<SpaceState>(space, 10 * id, SpaceLimits(), &epochs);
  return entry;
}

TEST(RegistryTest, FindsByNameAndById) {
  Registry registry;
  const SpaceEntry a = MakeEntry(3, "a");
  registry.Add(a);
  registry.Add(MakeEntry(1, "b"));
  EXPECT_EQ(registry.size(), 2u);
  EXPECT_EQ(registry.FindByName("a").state, a.state);
  EXPECT_EQ(registry.FindById(3).state, a.state);
  EXPECT_EQ(registry.FindByName("c").state, nullptr);
  EXPECT_EQ(registry.FindById(2).state, nullptr);
}

TEST(RegistryTest, AllAreListedById) {
  Registry registry;
  for (const uint64_t id : {9, 2, 5}) {
    registry.Add(MakeEntry(id, std::string(1, static_cast<char>('a' + id))));
  }
  const std::vector<SpaceEntry> all = registry.All();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[0].state->id(), 2u);
  EXPECT_EQ(all[1].state->id(), 5u);
  EXPECT_EQ(all[2].state->id(), 9u);
}

TEST(RegistryTest, ARemovedSpaceIsGoneAndHandedOutOnceToBeDropped) {
  Registry registry;
  const SpaceEntry a = MakeEntry(3, "a");
  a.state->set_family("p000004");
  registry.Add(a);
  EXPECT_TRUE(registry.TakeDropped().empty());
  registry.Remove(a.state);
  EXPECT_EQ(registry.size(), 0u);
  EXPECT_EQ(registry.FindByName("a").state, nullptr);
  EXPECT_EQ(registry.FindById(3).state, nullptr);
  registry.Add(MakeEntry(4, "a"));
  EXPECT_EQ(registry.FindByName("a").state->id(), 4u) << "the name is free";

  const std::vector<schema::CatalogEntry> dropped = registry.TakeDropped();
  ASSERT_EQ(dropped.size(), 1u);
  EXPECT_EQ(dropped[0].space.id, 3u);
  EXPECT_EQ(dropped[0].created_lsn, 30u);
  EXPECT_EQ(dropped[0].family, "p000004");
  EXPECT_TRUE(dropped[0].dropped);
  EXPECT_TRUE(registry.TakeDropped().empty());
  registry.AddDropped(dropped[0]);
  EXPECT_EQ(registry.TakeDropped().size(), 1u);
}

TEST(RegistryDeathTest, ATakenNameOrIdIsABug) {
  Registry registry;
  registry.Add(MakeEntry(3, "a"));
  EXPECT_DEATH(registry.Add(MakeEntry(4, "a")), "");
  EXPECT_DEATH(registry.Add(MakeEntry(3, "b")), "");
}

}  // namespace
}  // namespace engram::space
