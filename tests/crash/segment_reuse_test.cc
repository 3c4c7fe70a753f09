// Segments are recycled again and again, with power cuts in between: no record
// of an earlier use of a segment ever comes back.

#include <cstdint>
#include <cstdio>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "storage/base/mutex.h"
#include "storage/base/status_macros.h"
#include "storage/io/sim_disk.h"
#include "storage/io/sim_file_system.h"
#include "storage/io/sim_queue.h"
#include "storage/wal/reader.h"
#include "storage/wal/segments.h"
#include "storage/wal/writer.h"
#include "tests/crash/crash_points.h"

namespace engram::testing {
namespace {

constexpr schema::DatabaseId kDatabase = {{7}};
constexpr uint64_t kSegmentBytes = 256 << 10;
constexpr size_t kPaddingBytes = 20'000;  // a dozen groups fill a segment
constexpr uint64_t kSegmentsMax = 8;
constexpr uint64_t kOperationsMax = 300;
constexpr int kAppendsPerRecycle = 20;
constexpr int64_t kRoomMicros = 1'000'000;

// The payload of each record says its LSN and which run of the log wrote it.
std::string PayloadOf(Lsn lsn, uint64_t run) {
  return absl::StrCat(lsn, " of run ", run, std::string(kPaddingBytes, ' '));
}

class NullSink final : public wal::GroupSink {
 public:
  void Publish(const std::shared_ptr<const wal::Group>&) override {}
  void OnDurable(Lsn) override {}
};

class SegmentReuseTest : public ::testing::Test {
 protected:
  struct Log {
    explicit Log(io::SimState state) : disk(std::move(state)), files(&disk) {}

    io::SimDisk disk;
    io::SimFileSystem files;
    NullSink sink;
    std::unique_ptr<io::Directory> directory;
    std::unique_ptr<wal::Segments> segments;
    std::unique_ptr<wal::Writer> writer;
  };

  // Recovers, checks, and starts to write again.
  void Start(uint64_t run) {
    log_ = std::make_unique<Log>(std::move(image_));
    auto directory = log_->files.OpenDirectory("/wal", true);
    ASSERT_TRUE(directory.ok()) << directory.status();
    log_->directory = *std::move(directory);
    wal::RecoveryOptions recovery;
    recovery.database_id = kDatabase;
    recovery.low_water_lsn = low_water_;
    recovery.known_durable_lsn = low_water_;
    Lsn last = low_water_;
    const auto recovered = wal::Recover(
        log_->directory.get(), recovery,
        [&](std::shared_ptr<const wal::Group> group) {
          group->ForEachRecord([&](const schema::RecordView& record) {
            CheckRecord(record, &last);
          });
          return absl::OkStatus();
        });
    ASSERT_TRUE(recovered.ok()) << recovered.status();
    ASSERT_GE(last, acknowledged_) << "lost";
    // What was not acknowledged and is gone gets its LSN again, by this run.
    written_by_.resize(last + 1, 0);
    wal::SegmentsOptions segments;
    segments.segment_bytes = kSegmentBytes;
    segments.segments_max =
        std::max(kSegmentsMax, recovered->segments.size() + 3);
    std::vector<uint64_t> live;
    for (const auto& segment : recovered->segments) {
      live.push_back(segment.number);
    }
    auto opened = wal::Segments::Open(log_->directory.get(), segments, live);
    ASSERT_TRUE(opened.ok()) << opened.status();
    log_->segments = *std::move(opened);
    wal::WriterOptions options;
    options.database_id = kDatabase;
    options.segment_bytes = kSegmentBytes;
    options.create_queue = [run] { return io::CreateSimQueue(run); };
    auto writer = wal::Writer::Open(options, recovered->position,
                                    log_->segments.get(), &log_->sink);
    ASSERT_TRUE(writer.ok()) << writer.status();
    log_->writer = *std::move(writer);
  }

  void CheckRecord(const schema::RecordView& record, Lsn* last) {
    if (record.type != schema::RecordType::kObserve) return;
    if (record.lsn > *last) *last = record.lsn;
    if (record.lsn < written_by_.size() && written_by_[record.lsn] != 0) {
      EXPECT_EQ(record.payload, PayloadOf(record.lsn, written_by_[record.lsn]))
          << "a stale record";
    } else if (record.lsn > low_water_) {
      EXPECT_LT(record.lsn, written_by_.size()) << "never written";
    }
  }

  // False once the power has failed.
  bool Append(uint64_t run) {
    const Lsn lsn = log_->writer->last_lsn() + 1;
    written_by_.resize(lsn + 1, 0);
    written_by_[lsn] = run;
    const std::string payload = PayloadOf(lsn, run);
    const std::vector<float> vector = {1};
    schema::RecordDraft draft;
    draft.type = schema::RecordType::kObserve;
    draft.space_id = 1;
    draft.id = "id";
    draft.vector = vector;
    draft.payload = payload;
    const auto appended =
        log_->writer->Append(absl::MakeConstSpan(&draft, 1), kRoomMicros);
    if (!appended.ok()) return false;
    EXPECT_EQ(*appended, lsn);
    acknowledged_ = lsn;
    return true;
  }

  io::SimState image_;
  std::unique_ptr<Log> log_;
  std::vector<uint64_t> written_by_;  // the run, by LSN
  Lsn acknowledged_ = 0;
  Lsn low_water_ = 0;
};

TEST_F(SegmentReuseTest, NoRecordOfAnEarlierUseComesBack) {
  const uint64_t reuses = FromEnvironment("ENGRAM_CRASH_REUSES", 1000);
  std::mt19937_64 random(5);
  uint64_t segments = 0;
  uint64_t run = 0;
  while (segments < reuses) {
    ++run;
    SCOPED_TRACE(absl::StrCat("run ", run));
    Start(run);
    if (HasFailure()) return;
    io::SimPlan plan;
    plan.stop_after = log_->disk.operations() + random() % kOperationsMax;
    log_->disk.SetPlan(plan);
    for (int i = 1; Append(run); ++i) {
      if (i % kAppendsPerRecycle != 0) continue;
      low_water_ = acknowledged_ - random() % 3;
      // Fails when the power does.
      log_->writer->Recycle(low_water_).IgnoreError();
    }
    segments = log_->writer->GetStats().current_segment;
    image_ = log_->disk.AfterCrash(random());
    log_->writer.reset();
    log_->segments.reset();
  }
  std::printf("%llu segments used in %llu runs, 0 stale records\n",
              static_cast<unsigned long long>(segments),
              static_cast<unsigned long long>(run));
}

}  // namespace
}  // namespace engram::testing
