#include "log_harness.h"

#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "storage/base/status_macros.h"
#include "storage/wal/segment_scanner.h"

namespace engram::wal {
namespace {

constexpr float kVector[] = {1.0f};

void CopyRecords(const Group& group, std::vector<LoggedRecord>* records) {
  group.ForEachRecord([records](const schema::RecordView& record) {
    records->push_back({record.lsn, std::string(record.payload)});
  });
}

}  // namespace

schema::SegmentHeader HeaderOf(uint64_t number) {
  schema::SegmentHeader header = {};
  header.database_id = kDatabase;
  header.number = number;
  header.epoch = 7;
  header.first_lsn = 1;
  header.segment_bytes = kSegmentBytes;
  return header;
}

schema::RecordDraft DraftOf(const std::string& payload) {
  schema::RecordDraft draft;
  draft.space_id = 1;
  draft.id = "id";
  draft.vector = kVector;
  draft.payload = payload;
  return draft;
}

void RecordingSink::OnDurable(Lsn lsn) {
  MutexLock lock(mutex_);
  ASSERT_FALSE(records_.empty());
  EXPECT_LE(lsn, records_.back().lsn);
}

void RecordingSink::Publish(const std::shared_ptr<const Group>& group) {
  MutexLock lock(mutex_);
  const size_t before = records_.size();
  CopyRecords(*group, &records_);
  EXPECT_EQ(records_[before].lsn, group->first_lsn());
  EXPECT_EQ(records_.back().lsn, group->last_lsn());
  for (size_t i = std::max<size_t>(before, 1); i < records_.size(); ++i) {
    EXPECT_EQ(records_[i].lsn, records_[i - 1].lsn + 1);
  }
}

Lsn RecordingSink::last_lsn() const {
  MutexLock lock(mutex_);
  return records_.empty() ? 0 : records_.back().lsn;
}

std::vector<LoggedRecord> RecordingSink::records() const {
  MutexLock lock(mutex_);
  return records_;
}

absl::StatusOr<Recovered> RecoverAll(io::Directory* directory,
                                     RecoveryOptions options) {
  options.database_id = kDatabase;
  Recovered recovered;
  ENGRAM_ASSIGN_OR_RETURN(
      recovered.log,
      Recover(directory, options, [&](std::shared_ptr<const Group> group) {
        CopyRecords(*group, &recovered.records);
        return absl::OkStatus();
      }));
  EXPECT_EQ(recovered.log.records, recovered.records.size());
  return recovered;
}

std::vector<PlacedGroup> GroupsOf(io::Directory* directory, uint64_t segment) {
  std::vector<PlacedGroup> groups;
  const auto file =
      directory->Open(SegmentFileName(segment), io::OpenMode::kRead);
  EXPECT_TRUE(file.ok()) << file.status();
  const auto scanner = SegmentScanner::Open(file->get());
  EXPECT_TRUE(scanner.ok()) << scanner.status();
  uint64_t offset = schema::kGroupsOffset;
  while (true) {
    std::string why;
    const auto scanned = scanner->Read(offset, scanner->file_bytes(), &why);
    EXPECT_TRUE(scanned.ok()) << scanned.status();
    if (*scanned == nullptr) return groups;
    const uint64_t bytes = (*scanned)->group->bytes().size();
    groups.push_back({offset, bytes, (*scanned)->header, (*scanned)->marker});
    offset += bytes;
  }
}

absl::StatusOr<std::unique_ptr<OpenLog>> OpenLog::Open(io::Directory* directory,
                                                       Options options) {
  std::unique_ptr<OpenLog> log(new OpenLog);
  log->directory_ = directory;
  ENGRAM_ASSIGN_OR_RETURN(log->recovered_,
                          RecoverAll(directory, options.recovery));
  std::vector<uint64_t> live;
  for (const auto& segment : log->recovered_.log.segments) {
    live.push_back(segment.number);
  }
  ENGRAM_ASSIGN_OR_RETURN(
      log->segments_,
      Segments::Open(directory, {kSegmentBytes, options.segments_max}, live));
  WriterOptions writer_options;
  writer_options.database_id = kDatabase;
  writer_options.segment_bytes = kSegmentBytes;
  writer_options.queue = options.queue;
  writer_options.create_queue = options.create_queue;
  writer_options.gather_micros = options.gather_micros;
  ENGRAM_ASSIGN_OR_RETURN(
      log->writer_, Writer::Open(writer_options, log->recovered_.log.position,
                                 log->segments_.get(), &log->sink_));
  return log;
}

absl::StatusOr<Lsn> OpenLog::Append(const std::vector<std::string>& payloads,
                                    int64_t room_timeout_micros) {
  std::vector<schema::RecordDraft> drafts;
  for (const std::string& payload : payloads) {
    drafts.push_back(DraftOf(payload));
  }
  return writer_->Append(drafts, room_timeout_micros);
}

void OpenLog::WaitIdle() {
  while (true) {
    const auto groups =
        GroupsOf(directory_, writer_->GetStats().current_segment);
    if (!groups.empty() && groups.back().marker) return;
    ::usleep(500);
  }
}

std::vector<LoggedRecord> WriteClosedLog(io::Directory* directory, int groups,
                                         size_t payload_bytes) {
  auto log = OpenLog::Open(directory);
  EXPECT_TRUE(log.ok()) << log.status();
  for (int i = 0; i < groups; ++i) {
    std::string payload = absl::StrCat("record ", i, " ");
    payload.resize(std::max(payload.size(), payload_bytes), 'p');
    EXPECT_TRUE((*log)->Append({payload}).ok());
  }
  EXPECT_TRUE((*log)->writer().Close().ok());
  return (*log)->sink().records();
}

}  // namespace engram::wal
