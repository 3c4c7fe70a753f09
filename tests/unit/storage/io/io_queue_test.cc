#include "storage/io/io_queue.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "gtest/gtest.h"
#include "storage/base/aligned_buffer.h"
#include "storage/base/clock.h"
#include "storage/base/unique_fd.h"
#include "storage/io/directory_lock.h"
#include "storage/io/posix_directory.h"
#include "tests/support/temporary_directory.h"

namespace engram::io {
namespace {

constexpr size_t kBlock = 4096;

// A file that only fails, to see errors come back.
class BrokenFile final : public File {
 public:
  explicit BrokenFile(int fd) : File("broken"), fd_(fd) {}

  int fd() const override { return fd_; }
  bool direct() const override { return false; }
  absl::StatusOr<uint64_t> Size() const override { return uint64_t{0}; }
  absl::StatusOr<size_t> Read(uint64_t, absl::Span<char>) const override {
    return size_t{0};
  }
  absl::Status Write(uint64_t, absl::Span<const char>) override {
    return absl::InternalError("write");
  }
  absl::Status Sync() override { return absl::InternalError("sync"); }
  absl::Status SyncData() override { return absl::InternalError("sync"); }

 private:
  const int fd_;
};

// (io_uring or pwrite, direct or buffered)
class IoQueueTest : public ::testing::TestWithParam<std::tuple<bool, bool>> {
 protected:
  void SetUp() override {
    const auto [uring, direct] = GetParam();
    auto directory = OpenPosixDirectory(root_.path(), false, direct);
    ASSERT_TRUE(directory.ok());
    directory_ = *std::move(directory);
    if (!uring) {
      queue_ = CreatePwriteQueue();
      return;
    }
    auto queue = CreateUringQueue(-1);
    if (!queue.ok()) GTEST_SKIP() << "no io_uring here: " << queue.status();
    queue_ = *std::move(queue);
  }

  Completion WaitForCompletion() {
    std::optional<Completion> completion;
    while (!completion.has_value()) completion = queue_->Wait(-1);
    return *completion;
  }

  const testing::TemporaryDirectory root_;
  std::unique_ptr<Directory> directory_;
  std::unique_ptr<IoQueue> queue_;
};

INSTANTIATE_TEST_SUITE_P(Queues, IoQueueTest,
                         ::testing::Combine(::testing::Bool(),
                                            ::testing::Bool()));

TEST_P(IoQueueTest, NamesItself) {
  EXPECT_EQ(queue_->name(), std::get<0>(GetParam()) ? "io_uring" : "pwrite");
}

TEST_P(IoQueueTest, EachRequestIsWrittenThenDurableOnce) {
  constexpr int kRequests = 50;
  auto file = directory_->CreateZeroed("a", kRequests * 2 * kBlock);
  ASSERT_TRUE(file.ok()) << file.status();
  std::vector<AlignedBuffer> buffers;
  for (int i = 0; i < kRequests; ++i) {
    buffers.emplace_back(2 * kBlock);
    std::fill_n(buffers.back().data(), 2 * kBlock, static_cast<char>(i + 1));
  }
  std::set<uint64_t> written;
  std::set<uint64_t> done;
  uint32_t under_way = 0;
  const auto wait = [&] {
    const Completion completion = WaitForCompletion();
    EXPECT_TRUE(completion.status.ok()) << completion.status;
    if (completion.stage == Completion::Stage::kWritten) {
      EXPECT_TRUE(written.insert(completion.tag).second);
      return;
    }
    EXPECT_EQ(written.count(completion.tag), 1u);
    EXPECT_TRUE(done.insert(completion.tag).second);
    --under_way;
  };
  for (int i = 0; i < kRequests; ++i) {
    while (under_way == IoQueue::kDepth) wait();
    const uint64_t offset = static_cast<uint64_t>(i) * 2 * kBlock;
    ASSERT_TRUE(
        queue_
            ->Submit({file->get(), offset,
                      absl::MakeConstSpan(buffers[i].data(), 2 * kBlock),
                      1000 + static_cast<uint64_t>(i)})
            .ok());
    ++under_way;
  }
  while (under_way > 0) wait();
  EXPECT_EQ(done.size(), static_cast<size_t>(kRequests));
  EXPECT_EQ(*done.begin(), 1000u);

  const auto reader = directory_->Open("a", OpenMode::kRead);
  std::string bytes(2 * kBlock, '\0');
  for (int i = 0; i < kRequests; ++i) {
    ASSERT_TRUE((*reader)
                    ->Read(static_cast<uint64_t>(i) * 2 * kBlock,
                           absl::MakeSpan(&bytes[0], bytes.size()))
                    .ok());
    EXPECT_EQ(bytes, std::string(2 * kBlock, static_cast<char>(i + 1)));
  }
}

TEST_P(IoQueueTest, ReportsAWriteThatFails) {
  BrokenFile broken(-1);
  AlignedBuffer buffer(kBlock);
  std::fill_n(buffer.data(), kBlock, 'x');
  ASSERT_TRUE(
      queue_
          ->Submit({&broken, 0, absl::MakeConstSpan(buffer.data(), kBlock), 9})
          .ok());
  const Completion completion = WaitForCompletion();
  EXPECT_EQ(completion.tag, 9u);
  EXPECT_FALSE(completion.status.ok());
  EXPECT_TRUE(completion.last());
  EXPECT_FALSE(queue_->Wait(0).has_value()) << "it completed again";
}

// A read-only descriptor refuses the write; the queue goes on with others.
TEST_P(IoQueueTest, GoesOnAfterAFailure) {
  auto file = directory_->CreateZeroed("a", 2 * kBlock);
  ASSERT_TRUE(file.ok());
  const UniqueFd read_only(::open("/dev/null", O_RDONLY));
  BrokenFile broken(read_only.get());
  AlignedBuffer buffer(kBlock);
  std::fill_n(buffer.data(), kBlock, 'x');
  const auto data = absl::MakeConstSpan(buffer.data(), kBlock);
  ASSERT_TRUE(queue_->Submit({&broken, 0, data, 1}).ok());
  ASSERT_TRUE(queue_->Submit({file->get(), 0, data, 2}).ok());
  for (int due = 2; due > 0;) {
    const Completion completion = WaitForCompletion();
    EXPECT_EQ(completion.status.ok(), completion.tag == 2) << completion.status;
    if (completion.last()) --due;
  }
}

// A pipe can be written but not synced.
TEST(UringQueueTest, ASyncThatFailsFailsAllThatWaitForOne) {
  auto queue = CreateUringQueue(-1);
  if (!queue.ok()) GTEST_SKIP() << "no io_uring here: " << queue.status();
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const UniqueFd read_end(ends[0]);
  const UniqueFd write_end(ends[1]);
  BrokenFile pipe(write_end.get());
  AlignedBuffer buffer(kBlock);
  std::fill_n(buffer.data(), kBlock, 'x');
  constexpr uint64_t kRequests = IoQueue::kDepth;
  for (int round = 0; round < 2; ++round) {  // no slot is lost
    for (uint64_t tag = 0; tag < kRequests; ++tag) {
      ASSERT_TRUE(
          (*queue)
              ->Submit(
                  {&pipe, 0, absl::MakeConstSpan(buffer.data(), kBlock), tag})
              .ok());
    }
    std::set<uint64_t> written;
    std::set<uint64_t> failed;
    while (failed.size() < kRequests) {
      const std::optional<Completion> completion = (*queue)->Wait(-1);
      if (!completion.has_value()) continue;
      if (!completion->last()) {
        EXPECT_TRUE(written.insert(completion->tag).second);
        continue;
      }
      EXPECT_FALSE(completion->status.ok());
      EXPECT_EQ(completion->stage, Completion::Stage::kDurable);
      EXPECT_EQ(written.count(completion->tag), 1u);
      EXPECT_TRUE(failed.insert(completion->tag).second);
    }
    EXPECT_FALSE((*queue)->Wait(0).has_value()) << "one completed again";
    std::string drained(kRequests * kBlock, '\0');
    ASSERT_EQ(::read(read_end.get(), &drained[0], drained.size()),
              static_cast<ssize_t>(drained.size()));
  }
}

TEST_P(IoQueueTest, WakeEndsAWait) {
  std::thread other([this] { queue_->Wake(); });
  EXPECT_FALSE(queue_->Wait(-1).has_value());
  other.join();
  // One that came before is not lost, and counts once.
  queue_->Wake();
  EXPECT_FALSE(queue_->Wait(-1).has_value());
  const int64_t start = Clock::System().MonotonicMicros();
  EXPECT_FALSE(queue_->Wait(20'000).has_value());
  EXPECT_GE(Clock::System().MonotonicMicros() - start, 20'000);
}

TEST_P(IoQueueTest, WakeTakesNoCompletionAway) {
  auto file = directory_->CreateZeroed("a", kBlock);
  ASSERT_TRUE(file.ok());
  AlignedBuffer buffer(kBlock);
  std::fill_n(buffer.data(), kBlock, 'x');
  for (uint64_t tag = 0; tag < 20; ++tag) {
    queue_->Wake();
    ASSERT_TRUE(queue_
                    ->Submit({file->get(), 0,
                              absl::MakeConstSpan(buffer.data(), kBlock), tag})
                    .ok());
    queue_->Wake();
    EXPECT_EQ(WaitForCompletion().stage, Completion::Stage::kWritten);
    const Completion durable = WaitForCompletion();
    EXPECT_EQ(durable.stage, Completion::Stage::kDurable);
    EXPECT_EQ(durable.tag, tag);
  }
}

// The lock lives on in the ring after its own descriptor is closed.
TEST(UringQueueTest, KeepsTheLockUntilItEnds) {
  const testing::TemporaryDirectory root;
  std::unique_ptr<IoQueue> queue;
  {
    const auto lock = DirectoryLock::Acquire(root.path());
    ASSERT_TRUE(lock.ok());
    auto created = CreateUringQueue(lock->fd());
    if (!created.ok()) {
      GTEST_SKIP() << "no io_uring here: " << created.status();
    }
    queue = *std::move(created);
  }
  EXPECT_TRUE(
      absl::IsUnavailable(DirectoryLock::Acquire(root.path()).status()));
  queue.reset();
  EXPECT_TRUE(DirectoryLock::Acquire(root.path()).ok());
}

}  // namespace
}  // namespace engram::io
