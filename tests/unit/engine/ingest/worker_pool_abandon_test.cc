#include <chrono>
#include <memory>
#include <thread>

#include "engine/ingest/worker_pool.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "scripted_owner.h"

namespace engram::ingest {
namespace {

using ::testing::Lt;
using ::testing::SizeIs;

TEST(WorkerPoolAbandonTest, WhatWaitsIsNotServed) {
  constexpr uint64_t kRecords = 2'000;
  WorkerPool pool(1);
  Barrier barrier;
  const auto owner = std::make_shared<ScriptedOwner>();
  owner->set_batch_max(1);
  owner->set_before_serve([&barrier] {
    barrier.Wait();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  });
  const BacklogPtr backlog = pool.Add(1, owner);
  for (uint64_t i = 0; i < kRecords; ++i) owner->Push(i);
  pool.Enqueue(backlog, kRecords);
  barrier.AwaitArrival();
  std::thread opening([&barrier] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    barrier.Open();
  });
  pool.Abandon();  // mostly before the first batch ends; all take two seconds
  opening.join();
  EXPECT_THAT(owner->served(), SizeIs(Lt(kRecords)));
}

}  // namespace
}  // namespace engram::ingest
