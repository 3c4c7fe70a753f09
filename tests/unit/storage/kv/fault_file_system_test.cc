// The store on a disk whose manifest fails.

#include "storage/kv/fault_file_system.h"

#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "rocksdb/env.h"
#include "storage/io/sim_disk.h"
#include "storage/kv/store.h"

namespace engram::kv {
namespace {

const char kPath[] = "/kv";
const char kFamily[] = "p000001";
constexpr uint64_t kFaultsMax = 60;

class FaultFileSystemTest : public ::testing::Test {
 protected:
  // The disk, what stands on it, and a store with a family, or none.
  struct Machine {
    explicit Machine(io::SimState state)
        : disk(std::move(state)), env(NewSimEnv(&disk)) {}

    absl::Status Open() {
      StoreOptions options;
      options.env = env.get();
      auto opened = Store::Open(kPath, options);
      if (opened.ok()) store = *std::move(opened);
      return opened.status();
    }

    absl::Status Commit(const std::string& key) {
      auto ingest = store->NewIngest(kFamily);
      if (!ingest.ok()) return ingest.status();
      const absl::Status put = (*ingest)->Put(key, "value");
      return put.ok() ? (*ingest)->Commit() : put;
    }

    io::SimDisk disk;
    std::unique_ptr<rocksdb::Env> env;
    std::unique_ptr<Store> store;
  };

  static std::unique_ptr<Machine> NewStore() {
    auto machine = std::make_unique<Machine>(io::SimState("kv"));
    EXPECT_TRUE(machine->disk.CreateFolder(kPath).ok());
    EXPECT_TRUE(machine->disk.SyncFolder("/").ok());
    EXPECT_TRUE(machine->Open().ok());
    EXPECT_TRUE(machine->store->CreateFamily(kFamily).ok());
    EXPECT_TRUE(machine->Commit("a").ok());
    return machine;
  }

  // Commits with the N-th operation of `target` failing, for all N, and calls
  // `check` with the machine and the status of the commit.
  template <typename Check>
  static void ForEachFault(io::SimFault::Target target,
                           io::SimFault::Effect effect, Check check) {
    uint64_t struck = 0;
    for (uint64_t nth = 1; nth < kFaultsMax; ++nth) {
      const auto machine = NewStore();
      io::SimPlan plan;
      plan.fault = {target, effect, nth, false};
      machine->disk.SetPlan(plan);
      const absl::Status status = machine->Commit("b");
      machine->disk.SetPlan({});
      if (status.ok()) break;
      ++struck;
      check(machine.get());
    }
    EXPECT_GT(struck, 2u);
  }
};

TEST_F(FaultFileSystemTest, WhatWasCommittedSurvivesEveryCrash) {
  const auto machine = NewStore();
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Machine later(machine->disk.AfterCrash(seed));
    ASSERT_TRUE(later.Open().ok());
    EXPECT_EQ(*later.store->Get(kFamily, "a"), "value");
  }
}

// RocksDB itself would go on and ingest under file number 0.
TEST_F(FaultFileSystemTest, AFullDiskIsForgottenOrTheStoreStopsForGood) {
  ForEachFault(io::SimFault::Target::kWrites, io::SimFault::Effect::kNoSpace,
               [](Machine* machine) {
                 const absl::Status again = machine->Commit("c");
                 if (!again.ok()) {
                   EXPECT_FALSE(machine->Commit("d").ok());
                   EXPECT_FALSE(machine->store->CreateFamily("p000002").ok());
                 }
                 machine->store.reset();
                 ASSERT_TRUE(machine->Open().ok());
                 EXPECT_EQ(*machine->store->Get(kFamily, "a"), "value");
                 EXPECT_EQ(machine->store->Get(kFamily, "c").ok(), again.ok());
                 EXPECT_TRUE(machine->Commit("e").ok());
               });
}

TEST_F(FaultFileSystemTest, AFamilyWhoseDropFailedIsStillThere) {
  uint64_t struck = 0;
  for (uint64_t nth = 1; nth < kFaultsMax; ++nth) {
    const auto machine = NewStore();
    io::SimPlan plan;
    plan.fault = {io::SimFault::Target::kSyncs, io::SimFault::Effect::kIoError,
                  nth, false};
    machine->disk.SetPlan(plan);
    if (machine->store->DropFamily(kFamily).ok()) break;
    ++struck;
    EXPECT_FALSE(absl::IsNotFound(machine->store->DropFamily(kFamily)));
  }
  EXPECT_GT(struck, 0u);
}

// RocksDB itself would remove the tables that the manifest may hold.
TEST_F(FaultFileSystemTest, AStoreOpensAgainWhicheverSyncHadFailed) {
  ForEachFault(io::SimFault::Target::kSyncs, io::SimFault::Effect::kIoError,
               [](Machine* machine) {
                 machine->store.reset();
                 const absl::Status status = machine->Open();
                 ASSERT_TRUE(status.ok()) << status;
                 EXPECT_EQ(*machine->store->Get(kFamily, "a"), "value");
                 EXPECT_TRUE(machine->Commit("e").ok());
               });
}

}  // namespace
}  // namespace engram::kv
