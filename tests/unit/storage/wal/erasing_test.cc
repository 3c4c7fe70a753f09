// What was logged once is overwritten before the file is used again, for those
// who ask for it.

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "log_harness.h"
#include "storage/wal/segments.h"
#include "tests/support/memory_directory.h"

namespace engram::wal {
namespace {

using testing::DiskOperation;
using testing::MemoryDirectory;

constexpr int64_t kMomentMicros = 20'000;

class ErasingTest : public ::testing::Test {
 protected:
  ErasingTest() {
    auto segments = Segments::Open(&directory_, {kSegmentBytes, 20}, {});
    EXPECT_TRUE(segments.ok()) << segments.status();
    segments_ = *std::move(segments);
  }

  void Take(uint64_t number) {
    ASSERT_TRUE(segments_->WaitReady(1, kLongMicros).ok());
    ASSERT_TRUE(segments_->Take(HeaderOf(number)).ok());
  }

  // How many files of the folder are not all zeros.
  size_t CountWritten() const {
    const std::vector<std::string> names = *directory_.List();
    size_t written = 0;
    for (const std::string& name : names) {
      if (directory_.Contents(name).find_first_not_of('\0') !=
          std::string::npos) {
        ++written;
      }
    }
    return written;
  }

  mutable MemoryDirectory directory_;
  std::unique_ptr<Segments> segments_;
};

TEST_F(ErasingTest, WithoutItASpareKeepsWhatWasLogged) {
  Take(1);
  ASSERT_TRUE(segments_->Recycle(1).ok());
  EXPECT_TRUE(segments_->WaitErased(0).ok());
  EXPECT_EQ(CountWritten(), 1u);
}

TEST_F(ErasingTest, WhatIsGivenBackMeanwhileIsZeroFilled) {
  for (uint64_t number = 1; number <= 3; ++number) Take(number);
  segments_->StartErasing();
  ASSERT_TRUE(segments_->Recycle(1).ok());
  ASSERT_TRUE(segments_->Recycle(2).ok());
  ASSERT_TRUE(segments_->WaitErased(kLongMicros).ok());
  EXPECT_EQ(CountWritten(), 1u);  // the third
  segments_->StopErasing();
  ASSERT_TRUE(segments_->Recycle(3).ok());
  EXPECT_EQ(CountWritten(), 1u);
}

TEST_F(ErasingTest, SoAreTheSparesThatWereInUseBefore) {
  for (uint64_t number = 1; number <= 4; ++number) Take(number);
  for (uint64_t number = 1; number <= 4; ++number) {
    ASSERT_TRUE(segments_->Recycle(number).ok());
  }
  ASSERT_EQ(CountWritten(), 4u);
  segments_->StartErasing();
  ASSERT_TRUE(segments_->WaitErased(kLongMicros).ok());
  EXPECT_EQ(CountWritten(), 0u);
  segments_->StopErasing();
}

TEST_F(ErasingTest, ZerosAreDurableBeforeItIsDone) {
  Take(1);
  segments_->StartErasing();
  ASSERT_TRUE(segments_->Recycle(1).ok());
  ASSERT_TRUE(segments_->WaitErased(kLongMicros).ok());
  directory_.LosePower();
  EXPECT_EQ(CountWritten(), 0u);
  segments_->StopErasing();
}

// Whoever reserved it has been promised room.
TEST_F(ErasingTest, AReservedSpareIsTheNextToBeTakenInstead) {
  Take(1);
  ASSERT_TRUE(segments_->WaitReady(2, kLongMicros).ok());
  ASSERT_TRUE(segments_->Recycle(1).ok());
  ASSERT_EQ(segments_->ready(), 3);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(segments_->Reserve());
  segments_->StartErasing();
  EXPECT_TRUE(segments_->WaitErased(0).ok());
  EXPECT_EQ(CountWritten(), 1u);
  // Of three spares two are clean; the header goes over the old one first.
  ASSERT_TRUE(segments_->Take(HeaderOf(2)).ok());
  EXPECT_EQ(CountWritten(), 1u);
  ASSERT_TRUE(segments_->Take(HeaderOf(3)).ok());
  EXPECT_EQ(CountWritten(), 2u);
  segments_->StopErasing();
}

TEST_F(ErasingTest, AFileThatCannotBeOverwrittenIsRemoved) {
  Take(1);
  directory_.SetFault([](const DiskOperation& operation, uint64_t*) {
    return operation.kind == DiskOperation::Kind::kWrite
               ? absl::InternalError("bad block")
               : absl::OkStatus();
  });
  segments_->StartErasing();
  ASSERT_TRUE(segments_->Recycle(1).ok());
  ASSERT_TRUE(segments_->WaitErased(kLongMicros).ok());
  EXPECT_EQ(CountWritten(), 0u);
  segments_->StopErasing();
}

TEST_F(ErasingTest, AFileOfZerosThatCannotBeRemovedIsErasedNonetheless) {
  constexpr int kMany = Segments::kSparesKept + 4;
  for (int number = 1; number <= kMany; ++number) {
    Take(static_cast<uint64_t>(number));
  }
  directory_.SetFault([](const DiskOperation& operation, uint64_t*) {
    return operation.kind == DiskOperation::Kind::kRemove
               ? absl::InternalError("not permitted")
               : absl::OkStatus();
  });
  segments_->StartErasing();
  for (int number = 1; number <= kMany; ++number) {
    ASSERT_TRUE(segments_->Recycle(static_cast<uint64_t>(number)).ok());
  }
  const absl::Status status = segments_->WaitErased(kLongMicros);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(CountWritten(), 0u);
  segments_->StopErasing();
}

TEST_F(ErasingTest, AFileThatIsGoneHoldsNothingOnceThatIsDurable) {
  Take(1);
  int syncs = 0;
  directory_.SetFault([&syncs](const DiskOperation& operation, uint64_t*) {
    if (operation.kind == DiskOperation::Kind::kWrite) {
      return absl::InternalError("bad block");
    }
    const bool refused =
        operation.kind == DiskOperation::Kind::kDirectorySync && ++syncs == 2;
    return refused ? absl::InternalError("not now") : absl::OkStatus();
  });
  segments_->StartErasing();
  ASSERT_TRUE(segments_->Recycle(1).ok());  // the first sync
  const absl::Status status = segments_->WaitErased(kLongMicros);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_GE(syncs, 3);
  segments_->StopErasing();
}

TEST_F(ErasingTest, WhatStandsInTheWayIsNamedAndTriedAgain) {
  Take(1);
  directory_.SetFault([](const DiskOperation& operation, uint64_t*) {
    const bool refused = operation.kind == DiskOperation::Kind::kWrite ||
                         operation.kind == DiskOperation::Kind::kRemove;
    return refused ? absl::InternalError("bad block") : absl::OkStatus();
  });
  segments_->StartErasing();
  ASSERT_TRUE(segments_->Recycle(1).ok());
  absl::Status status;
  do {
    status = segments_->WaitErased(kMomentMicros);
    ASSERT_TRUE(absl::IsDeadlineExceeded(status)) << status;
  } while (status.message().find("bad block") == absl::string_view::npos);
  EXPECT_NE(status.message().find("1 segments"), absl::string_view::npos);
  directory_.SetFault(nullptr);
  EXPECT_TRUE(segments_->WaitErased(kLongMicros).ok());
  EXPECT_EQ(CountWritten(), 0u);
  segments_->StopErasing();
}

TEST_F(ErasingTest, WhatStandsInTheWayKeepsNoWriterWaiting) {
  Take(1);
  directory_.SetFault([](const DiskOperation& operation, uint64_t*) {
    const bool refused = operation.kind == DiskOperation::Kind::kWrite ||
                         operation.kind == DiskOperation::Kind::kRemove;
    return refused && operation.name == "spare-3"
               ? absl::InternalError("bad block")
               : absl::OkStatus();
  });
  ASSERT_TRUE(segments_->WaitReady(2, kLongMicros).ok());
  segments_->StartErasing();
  ASSERT_TRUE(segments_->Recycle(1).ok());
  ASSERT_TRUE(absl::IsDeadlineExceeded(segments_->WaitErased(kMomentMicros)));
  for (uint64_t number = 2; number <= 6; ++number) Take(number);
  EXPECT_TRUE(absl::IsDeadlineExceeded(segments_->WaitErased(0)));
  segments_->StopWaiting();
  EXPECT_TRUE(absl::IsFailedPrecondition(segments_->WaitErased(kLongMicros)));
  segments_->StopErasing();
}

}  // namespace
}  // namespace engram::wal
