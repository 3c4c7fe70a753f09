#include "engine/db/event_queue.h"

#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace engram::internal {
namespace {

using ::testing::ElementsAre;

// Notes what it is told, and can be held up.
class Recorder : public EventListener {
 public:
  void OnCheckpointBegin() override {
    holding_ = true;
    holding_.notify_all();
    open_.wait(false);
    told.push_back("begin");
  }
  void OnWriteRefused(const RefusedWrite& write) override {
    told.push_back(absl::StrCat("refused ", write.status.message(), " missed ",
                                write.missed));
  }
  void OnPressureChanged(const PressureChange& change) override {
    told.push_back(absl::StrCat("pressure ", static_cast<int>(change.before),
                                " to ", static_cast<int>(change.after), " at ",
                                change.pressure));
  }
  void OnSpaceCreated(const SpaceInfo& info) override {
    told.push_back(absl::StrCat("created ", info.name));
  }

  // What comes behind OnCheckpointBegin() waits for Release().
  void Hold(EventQueue* queue) {
    queue->Push([](EventListener& listener) { listener.OnCheckpointBegin(); });
    holding_.wait(false);
  }
  void Release() {
    open_ = true;
    open_.notify_all();
  }

  std::vector<std::string> told;  // to be read after Stop()

 private:
  std::atomic<bool> holding_{false};
  std::atomic<bool> open_{false};
};

EventQueue::Event Created(const std::string& name) {
  return [name](EventListener& listener) {
    listener.OnSpaceCreated({name, 1, 1});
  };
}

class EventQueueTest : public ::testing::Test {
 protected:
  void SetLevel(PressureLevel level, double pressure) {
    level_ = {level, pressure};
    queue_.NotePressure();
  }

  // Until what was pushed is told.
  void WaitTold() {
    std::promise<void> told;
    queue_.Push([&](EventListener&) { told.set_value(); });
    told.get_future().wait();
  }

  std::shared_ptr<Recorder> recorder_ = std::make_shared<Recorder>();
  EventQueue::Pressure level_;
  EventQueue queue_{recorder_, [this] { return level_; }};
};

TEST_F(EventQueueTest, TellsInOrderWhatWasPushedBeforeAndAfterItsStart) {
  queue_.Push(Created("a"));
  queue_.Push(Created("b"));
  queue_.Start();
  queue_.Push(Created("c"));
  queue_.Stop();
  EXPECT_THAT(recorder_->told,
              ElementsAre("created a", "created b", "created c"));
}

TEST_F(EventQueueTest, TellsNothingThatWasNeverStarted) {
  queue_.Push(Created("a"));
  queue_.Stop();
  EXPECT_TRUE(recorder_->told.empty());
}

TEST_F(EventQueueTest, RefusalsBeyondTheBoundAreCounted) {
  queue_.Start();
  recorder_->Hold(&queue_);
  for (uint64_t i = 0; i < kUntoldRefusalsMax + 7; ++i) {
    queue_.PushRefusal({}, absl::ResourceExhaustedError(absl::StrCat(i)));
  }
  queue_.Push(Created("a"));
  recorder_->Release();
  queue_.Stop();
  ASSERT_EQ(recorder_->told.size(), kUntoldRefusalsMax + 2);
  EXPECT_EQ(recorder_->told[1], "refused 0 missed 7");
  EXPECT_EQ(recorder_->told[2], "refused 1 missed 0");
  EXPECT_EQ(recorder_->told[kUntoldRefusalsMax],
            absl::StrCat("refused ", kUntoldRefusalsMax - 1, " missed 0"));
  EXPECT_EQ(recorder_->told.back(), "created a");
}

TEST_F(EventQueueTest, ThereIsRoomAgainForRefusalsThatWereTold) {
  queue_.Start();
  for (uint64_t i = 0; i < 2 * kUntoldRefusalsMax; ++i) {
    queue_.PushRefusal({}, absl::ResourceExhaustedError("full"));
    if (i % 100 == 0) WaitTold();
  }
  queue_.Stop();
  EXPECT_EQ(recorder_->told.size(), 2 * kUntoldRefusalsMax);
}

TEST_F(EventQueueTest, ALevelIsToldOnceAndBesideWhatWasToldBefore) {
  queue_.Start();
  SetLevel(PressureLevel::kNone, .1);
  recorder_->Hold(&queue_);
  SetLevel(PressureLevel::kHigh, .8);
  queue_.Push(Created("a"));
  SetLevel(PressureLevel::kHigh, .9);
  recorder_->Release();
  queue_.Stop();
  EXPECT_THAT(recorder_->told,
              ElementsAre("begin", "pressure 0 to 2 at 0.9", "created a"));
}

TEST_F(EventQueueTest, LevelsThatPassUntoldAreLeftOut) {
  queue_.Start();
  recorder_->Hold(&queue_);
  SetLevel(PressureLevel::kHigh, .8);
  SetLevel(PressureLevel::kCritical, .99);
  SetLevel(PressureLevel::kNone, .2);
  recorder_->Release();
  queue_.Stop();
  EXPECT_THAT(recorder_->told, ElementsAre("begin"));
}

TEST_F(EventQueueTest, ALevelFollowsTheOneThatWasTold) {
  queue_.Start();
  SetLevel(PressureLevel::kElevated, .5);
  WaitTold();
  recorder_->Hold(&queue_);
  SetLevel(PressureLevel::kCritical, 1);
  recorder_->Release();
  queue_.Stop();
  EXPECT_THAT(recorder_->told, ElementsAre("pressure 0 to 1 at 0.5", "begin",
                                           "pressure 1 to 3 at 1"));
}

TEST_F(EventQueueTest, KnowsTheListener) {
  bool is_listener = false;
  queue_.Start();
  queue_.Push([&](EventListener&) { is_listener = queue_.IsListener(); });
  EXPECT_FALSE(queue_.IsListener());
  WaitTold();  // Stop() takes the thread along
  queue_.Stop();
  EXPECT_TRUE(is_listener);
}

TEST_F(EventQueueTest, LetsTheListenerGo) {
  queue_.Start();
  EXPECT_EQ(recorder_.use_count(), 2);
  queue_.Stop();
  EXPECT_EQ(recorder_.use_count(), 1);
}

TEST(EventQueueWithoutListenerTest, DoesNothing) {
  int reads = 0;
  EventQueue queue(nullptr, [&] {
    ++reads;
    return EventQueue::Pressure{PressureLevel::kHigh, 1};
  });
  queue.Start();
  queue.Push([](EventListener&) { FAIL(); });
  queue.PushRefusal({}, absl::ResourceExhaustedError("full"));
  queue.NotePressure();
  queue.Stop();
  EXPECT_EQ(reads, 0);
}

TEST(EventQueueThreadsTest, TheLastLevelIsTheOneThatIs) {
  class Last : public EventListener {
   public:
    void OnPressureChanged(const PressureChange& change) override {
      EXPECT_EQ(change.before, level);
      EXPECT_NE(change.after, level);
      level = change.after;
    }
    PressureLevel level = PressureLevel::kNone;
  };
  const auto last = std::make_shared<Last>();
  std::atomic<int> value{0};
  EventQueue queue(last, [&] {
    const int now = value;
    return EventQueue::Pressure{static_cast<PressureLevel>(now % 4), 0};
  });
  queue.Start();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 2000; ++j) {
        value.fetch_add(1);
        queue.NotePressure();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  value.fetch_add(3);
  queue.NotePressure();
  queue.Stop();
  EXPECT_EQ(last->level, PressureLevel::kCritical) << value;
}

}  // namespace
}  // namespace engram::internal
