#include "storage/wal/segments.h"

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "log_harness.h"
#include "schema/wal_codec.h"
#include "storage/base/aligned_buffer.h"
#include "storage/io/posix_directory.h"
#include "storage/wal/segment_files.h"
#include "tests/support/memory_directory.h"
#include "tests/support/temporary_directory.h"

namespace engram::wal {
namespace {

using testing::DiskOperation;
using testing::MemoryDirectory;

std::unique_ptr<Segments> OpenSegments(MemoryDirectory* directory,
                                       uint64_t segments_max = 10,
                                       std::vector<uint64_t> live = {}) {
  auto segments =
      Segments::Open(directory, {kSegmentBytes, segments_max}, live);
  EXPECT_TRUE(segments.ok()) << segments.status();
  return *std::move(segments);
}

MemoryDirectory::Fault RefuseToCreate() {
  return [](const DiskOperation& operation, uint64_t*) {
    return operation.kind == DiskOperation::Kind::kCreate
               ? absl::ResourceExhaustedError("no space left")
               : absl::OkStatus();
  };
}

// As an earlier owner would.
void LeaveSpares(int count, MemoryDirectory* directory) {
  for (int i = 0; i < count; ++i) {
    directory->SetContents(absl::StrCat("spare-", i),
                           std::string(kSegmentBytes, 'x'));
  }
}

TEST(SegmentFileNameTest, RoundTripsAndRefusesOtherNames) {
  EXPECT_EQ(SegmentFileName(0x1f), "000000000000001f.log");
  for (const uint64_t number :
       {uint64_t{1}, uint64_t{255}, schema::kWalNumberMax}) {
    EXPECT_EQ(SegmentFileNumber(SegmentFileName(number)), number);
  }
  for (const char* const name :
       {"", "1.log", "000000000000001F.log", "000000000000001f.tmp",
        "00000000000000001f.log", "+00000000000001f.log", "spare-1",
        "4000000000000001.log", "ffffffffffffffff.log"}) {
    EXPECT_EQ(SegmentFileNumber(name), 0u) << name;
  }
  EXPECT_TRUE(IsSpareFileName("spare-0"));
  EXPECT_FALSE(IsSpareFileName(SegmentFileName(1)));
}

TEST(SegmentsTest, KeepsTwoSparesOfZeros) {
  MemoryDirectory directory;
  const auto segments = OpenSegments(&directory);
  ASSERT_TRUE(segments->WaitReady(Segments::kSpares, kLongMicros).ok());
  const std::vector<std::string> names = *directory.List();
  ASSERT_EQ(names.size(), 2u);
  for (const std::string& name : names) {
    EXPECT_TRUE(IsSpareFileName(name));
    EXPECT_EQ(directory.Contents(name), std::string(kSegmentBytes, '\0'));
  }
}

TEST(SegmentsTest, RemovesSparesOfAnotherSizeAndNothingElse) {
  MemoryDirectory directory;
  directory.SetFault(RefuseToCreate());
  directory.SetContents("spare-9", "half");
  directory.SetContents("spare-8", std::string(kSegmentBytes + 1, 'x'));
  directory.SetContents("spare-x", std::string(kSegmentBytes, 'x'));
  directory.SetContents("notes", "x");
  directory.SetContents(SegmentFileName(3), "x");
  const auto segments = OpenSegments(&directory);
  EXPECT_EQ(*directory.List(),
            (std::vector<std::string>{SegmentFileName(3), "notes"}));
}

TEST(SegmentsTest, ASpareOfAnEarlierOwnerServesAgainWithoutBeingWritten) {
  MemoryDirectory directory;
  directory.SetFault(RefuseToCreate());
  directory.SetContents("spare-5", std::string(kSegmentBytes, 'x'));
  const auto segments = OpenSegments(&directory);
  ASSERT_EQ(segments->ready(), 1);
  ASSERT_TRUE(segments->Take(HeaderOf(1)).ok());
  EXPECT_EQ(*directory.List(), std::vector<std::string>{SegmentFileName(1)});
  // Whatever it was when the power failed, it is a whole file now.
  directory.LosePower();
  EXPECT_EQ(directory.Contents(SegmentFileName(1)).size(), kSegmentBytes);
}

TEST(SegmentsTest, ASpareWithHolesIsMadeAnew) {
  const testing::TemporaryDirectory root;
  const std::string path = root.PathOf("spare-0");
  std::ofstream(path) << "x";
  std::filesystem::resize_file(path, kSegmentBytes);
  const auto directory = io::OpenPosixDirectory(root.path(), false);
  ASSERT_TRUE(directory.ok()) << directory.status();
  const auto segments =
      Segments::Open(directory->get(), {kSegmentBytes, 10}, {});
  ASSERT_TRUE(segments.ok()) << segments.status();
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(SegmentsTest, ASpareThatCannotBeWrittenIsNotTriedByTheNextOwner) {
  MemoryDirectory directory;
  directory.SetContents("spare-5", std::string(kSegmentBytes, 'x'));
  directory.SetFault([](const DiskOperation& operation, uint64_t*) {
    return operation.kind == DiskOperation::Kind::kWrite &&
                   operation.name == "spare-5"
               ? absl::InternalError("bad block")
               : absl::OkStatus();
  });
  EXPECT_FALSE(OpenSegments(&directory)->Take(HeaderOf(1)).ok());
  EXPECT_TRUE(OpenSegments(&directory)->Take(HeaderOf(1)).ok());
}

TEST(SegmentsTest, NewSparesTakeTheNamesOfNoneThatIsThere) {
  MemoryDirectory directory;
  directory.SetContents("spare-0", std::string(kSegmentBytes, 'x'));
  const auto segments = OpenSegments(&directory);
  ASSERT_TRUE(segments->WaitReady(Segments::kSpares, kLongMicros).ok());
  EXPECT_EQ(*directory.List(),
            (std::vector<std::string>{"spare-0", "spare-1"}));
  EXPECT_EQ(directory.Contents("spare-0"), std::string(kSegmentBytes, 'x'));
}

TEST(SegmentsTest, NoMoreSparesAreKeptThanOfSegmentsThatAreGivenBack) {
  MemoryDirectory directory;
  directory.SetFault(RefuseToCreate());
  LeaveSpares(12, &directory);
  const auto segments = OpenSegments(&directory);
  EXPECT_EQ(segments->ready(), Segments::kSparesKept);
  EXPECT_EQ(directory.List()->size(), static_cast<size_t>(segments->ready()));
}

TEST(SegmentsTest, NoMoreSparesAreKeptThanTheLimitOfTheLogAllows) {
  MemoryDirectory directory;
  directory.SetFault(RefuseToCreate());
  LeaveSpares(5, &directory);
  const auto segments = OpenSegments(&directory, /*segments_max=*/4, {1, 2});
  EXPECT_EQ(segments->ready(), 2);
}

TEST(SegmentsTest, AnErasureCoversTheSparesOfAnEarlierOwner) {
  MemoryDirectory directory;
  directory.SetContents("spare-0", std::string(kSegmentBytes, 'x'));
  const auto segments = OpenSegments(&directory);
  segments->StartErasing();
  ASSERT_TRUE(segments->WaitErased(kLongMicros).ok());
  segments->StopErasing();
  // The preparer is done.
  ASSERT_TRUE(segments->WaitReady(Segments::kSpares, kLongMicros).ok());
  const std::vector<std::string> names = *directory.List();
  for (const std::string& name : names) {
    EXPECT_EQ(directory.Contents(name), std::string(kSegmentBytes, '\0'));
  }
}

TEST(SegmentsTest, TakeWritesBothHeadersBeforeTheNameIsThere) {
  MemoryDirectory directory;
  const auto segments = OpenSegments(&directory);
  directory.SetFault([&](const DiskOperation& operation, uint64_t*) {
    return operation.kind == DiskOperation::Kind::kRename
               ? absl::InternalError("stop here")
               : absl::OkStatus();
  });
  EXPECT_FALSE(segments->Take(HeaderOf(1)).ok());
  directory.SetFault(nullptr);
  directory.LosePower();
  const std::vector<std::string> names = *directory.List();
  for (const std::string& name : names) {
    ASSERT_TRUE(IsSpareFileName(name));
    const std::string bytes = directory.Contents(name);
    if (bytes == std::string(kSegmentBytes, '\0')) continue;
    EXPECT_TRUE(schema::DecodeSegmentHeader(bytes.data()).ok());
    EXPECT_TRUE(schema::DecodeSegmentHeader(bytes.data() + 4096).ok());
    return;
  }
  FAIL() << "no header was durable before the rename";
}

TEST(SegmentsTest, NoSegmentIsMadeThatNobodyWouldRead) {
  MemoryDirectory directory;
  const auto segments = OpenSegments(&directory);
  const absl::Status status =
      segments->Take(HeaderOf(schema::kWalNumberMax + 1)).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status)) << status;
  EXPECT_NE(status.message().find("4611686018427387905, allowed are up to"),
            absl::string_view::npos)
      << status;
  EXPECT_TRUE(segments->live().empty());
}

TEST(SegmentsTest, TakesAndRecycles) {
  MemoryDirectory directory;
  const auto segments = OpenSegments(&directory);
  for (uint64_t number = 1; number <= 5; ++number) {
    ASSERT_TRUE(segments->WaitReady(1, kLongMicros).ok());
    const auto file = segments->Take(HeaderOf(number));
    ASSERT_TRUE(file.ok()) << file.status();
    // As it is called now, not when it was a spare.
    EXPECT_EQ((*file)->path(),
              absl::StrCat(directory.path(), "/", SegmentFileName(number)));
  }
  EXPECT_EQ(segments->live(), (std::vector<uint64_t>{1, 2, 3, 4, 5}));
  ASSERT_TRUE(segments->Recycle(2).ok());
  EXPECT_EQ(segments->live(), (std::vector<uint64_t>{1, 3, 4, 5}));
  ASSERT_TRUE(segments->WaitReady(2, kLongMicros).ok());
  ASSERT_TRUE(segments->Recycle(1).ok());
  EXPECT_LE(segments->ready(), Segments::kSpares + 2);
}

TEST(SegmentsTest, RecycledSegmentsSaveTheDiskNewOnesUpToABound) {
  constexpr uint64_t kSegments = 12;
  MemoryDirectory directory;
  const auto segments = OpenSegments(&directory, 20);
  for (uint64_t number = 1; number <= kSegments; ++number) {
    ASSERT_TRUE(segments->WaitReady(1, kLongMicros).ok());
    ASSERT_TRUE(segments->Take(HeaderOf(number)).ok());
  }
  ASSERT_TRUE(segments->WaitReady(Segments::kSpares, kLongMicros).ok());
  directory.SetFault(RefuseToCreate());
  for (uint64_t number = 1; number <= kSegments; ++number) {
    ASSERT_TRUE(segments->Recycle(number).ok());
  }
  EXPECT_EQ(segments->ready(), Segments::kSparesKept);
  EXPECT_EQ(directory.List()->size(),
            static_cast<size_t>(Segments::kSparesKept));
}

TEST(SegmentsTest, AReservedSpareIsNobodyElses) {
  MemoryDirectory directory;
  const auto segments = OpenSegments(&directory);
  ASSERT_TRUE(segments->WaitReady(2, kLongMicros).ok());
  directory.SetFault(RefuseToCreate());
  EXPECT_TRUE(segments->Reserve());
  EXPECT_TRUE(segments->WaitReady(1, 0).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(segments->WaitReady(2, 0)));
  EXPECT_TRUE(segments->Reserve());
  EXPECT_FALSE(segments->Reserve());
  ASSERT_TRUE(segments->Take(HeaderOf(1)).ok());
  ASSERT_TRUE(segments->Take(HeaderOf(2)).ok());
  EXPECT_FALSE(segments->Reserve());
}

TEST(SegmentsTest, AFileOfAnotherSizeIsNoSpare) {
  MemoryDirectory directory;
  directory.SetFault(RefuseToCreate());
  directory.SetContents(SegmentFileName(1), "short");
  const auto segments = OpenSegments(&directory, 10, {1});
  ASSERT_TRUE(segments->Recycle(1).ok());
  EXPECT_EQ(segments->ready(), 0);
  EXPECT_TRUE(directory.List()->empty());
}

TEST(SegmentsTest, ASegmentThatCannotBeRecycledStaysInUse) {
  MemoryDirectory directory;
  const auto segments = OpenSegments(&directory);
  ASSERT_TRUE(segments->Take(HeaderOf(1)).ok());
  ASSERT_TRUE(segments->WaitReady(2, kLongMicros).ok());
  directory.SetFault([](const DiskOperation& operation, uint64_t*) {
    return operation.name == SegmentFileName(1) ? absl::InternalError("broken")
                                                : absl::OkStatus();
  });
  EXPECT_FALSE(segments->Recycle(1).ok());
  EXPECT_EQ(segments->live(), std::vector<uint64_t>{1});
  directory.SetFault(nullptr);
  EXPECT_TRUE(segments->Recycle(1).ok());
  EXPECT_TRUE(segments->live().empty());
}

TEST(SegmentsTest, WaitReadyNamesAFullDiskAndAFullLog) {
  MemoryDirectory full_disk;
  full_disk.SetFault(RefuseToCreate());
  const absl::Status disk = OpenSegments(&full_disk)->WaitReady(1, 50'000);
  EXPECT_TRUE(absl::IsResourceExhausted(disk)) << disk;
  EXPECT_NE(disk.message().find("no space left"), absl::string_view::npos);

  MemoryDirectory directory;
  const auto segments = OpenSegments(&directory, 1);
  ASSERT_TRUE(segments->Take(HeaderOf(1)).ok());
  const absl::Status log = segments->WaitReady(1, 50'000);
  EXPECT_TRUE(absl::IsResourceExhausted(log)) << log;
  EXPECT_NE(log.message().find("checkpoint"), absl::string_view::npos);
}

TEST(SegmentsTest, TakeOnAFullDiskFailsInsteadOfWaiting) {
  MemoryDirectory directory;
  directory.SetFault(RefuseToCreate());
  const auto segments = OpenSegments(&directory);
  EXPECT_TRUE(absl::IsResourceExhausted(segments->Take(HeaderOf(1)).status()));
}

// Else a log that crashed at its limit could never be opened again.
TEST(SegmentsTest, OpeningMayExceedTheLimitByOneSegment) {
  MemoryDirectory directory;
  const auto segments = OpenSegments(&directory, 3, {1, 2, 3});
  ASSERT_TRUE(segments->Take(HeaderOf(4)).ok());
  EXPECT_TRUE(absl::IsResourceExhausted(segments->WaitReady(1, 50'000)));
}

// On a real disk, with a log that is open as long as the test runs.
class HeldSegmentTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto directory = io::OpenPosixDirectory(root_.path(), false, true);
    ASSERT_TRUE(directory.ok()) << directory.status();
    directory_ = *std::move(directory);
    auto segments = Segments::Open(directory_.get(), {kSegmentBytes, 20}, {});
    ASSERT_TRUE(segments.ok()) << segments.status();
    segments_ = *std::move(segments);
    ASSERT_TRUE(segments_->WaitReady(1, kLongMicros).ok());
    ASSERT_TRUE(segments_->Take(HeaderOf(1)).ok());
  }

  // As a reader opens it.
  std::unique_ptr<io::File> Hold() {
    auto file =
        *directory_->Open(SegmentFileName(1), io::OpenMode::kReadDirect);
    file->HoldForReading();
    return file;
  }

  // The number that the header of the file names; 0 without one.
  static uint64_t NumberIn(const io::File& file) {
    AlignedBuffer block(schema::kWalBlockBytes);
    EXPECT_TRUE(file.Read(0, absl::MakeSpan(block.data(), block.size())).ok());
    const auto header = schema::DecodeSegmentHeader(block.data());
    return header.ok() ? header->number : 0;
  }

  // All spares get a use.
  void UseSpares() {
    for (uint64_t number = 2; number < 9; ++number) {
      ASSERT_TRUE(segments_->WaitReady(1, kLongMicros).ok());
      ASSERT_TRUE(segments_->Take(HeaderOf(number)).ok());
    }
  }

  const testing::TemporaryDirectory root_;
  std::unique_ptr<io::Directory> directory_;
  std::unique_ptr<Segments> segments_;
};

TEST_F(HeldSegmentTest, WhatAReaderHoldsGetsNoOtherUse) {
  const auto file = Hold();
  ASSERT_TRUE(segments_->Recycle(1).ok());
  UseSpares();
  EXPECT_EQ(NumberIn(*file), 1u);
}

TEST_F(HeldSegmentTest, WhoReadsBesideTheOwnerHoldsWhatHeOpens) {
  const auto is_held = [&] {
    return (*directory_->Open(SegmentFileName(1), io::OpenMode::kRead))
        ->IsHeldForReading();
  };
  EXPECT_FALSE(is_held());
  {
    const auto all = OpenSegmentFiles(directory_.get(), {}, /*live=*/true);
    ASSERT_TRUE(all.ok()) << all.status();
    EXPECT_TRUE(is_held());
  }
  EXPECT_FALSE(is_held());
  {
    const auto one = OpenSegmentFile(directory_.get(), 1, {}, /*live=*/true);
    ASSERT_TRUE(one.ok()) << one.status();
    EXPECT_TRUE(is_held());
  }
  const auto recovering = OpenSegmentFiles(directory_.get(), {}, false);
  ASSERT_TRUE(recovering.ok()) << recovering.status();
  EXPECT_FALSE(is_held());
}

TEST_F(HeldSegmentTest, WhatNobodyHoldsIsUsedAgain) {
  auto file = Hold();
  file.reset();
  const auto late = *directory_->Open(SegmentFileName(1), io::OpenMode::kRead);
  ASSERT_TRUE(segments_->Recycle(1).ok());
  UseSpares();
  EXPECT_GT(NumberIn(*late), 1u);
}

TEST_F(HeldSegmentTest, WhatIsErasedIsZeroFilledAllTheSame) {
  const auto file = Hold();
  segments_->StartErasing();
  ASSERT_TRUE(segments_->Recycle(1).ok());
  ASSERT_TRUE(segments_->WaitErased(kLongMicros).ok());
  segments_->StopErasing();
  EXPECT_EQ(NumberIn(*file), 0u);
}

}  // namespace
}  // namespace engram::wal
