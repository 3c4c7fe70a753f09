#include "storage/wal/log_end.h"

#include <cstring>
#include <random>

#include "storage/base/check.h"
#include "storage/base/status_macros.h"

namespace engram::wal {
namespace {

using schema::kGroupsOffset;
using schema::kWalBlockBytes;

uint64_t RandomEpoch() {
  std::random_device random;
  uint64_t epoch = 0;
  while (epoch == 0) {
    epoch = (uint64_t{random()} << 32) | random();
  }
  return epoch;
}

}  // namespace

LogEnd::LogEnd(const schema::DatabaseId& database_id,
               const LogPosition& position, Segments* segments)
    : database_id_(database_id),
      segments_(segments),
      predecessor_(position.predecessor),
      predecessor_groups_(position.predecessor_groups),
      next_segment_(position.next_segment),
      last_lsn_(position.next_lsn - 1) {}

absl::Status LogEnd::Start() {
  ENGRAM_RETURN_IF_ERROR(StartSegment());
  if (predecessor_.number == 0) return absl::OkStatus();
  ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<io::File> file,
                          segments_->OpenForWrite(predecessor_.number));
  return SealPredecessor(file.get(), predecessor_groups_);
}

bool LogEnd::Fits(size_t group_bytes) const {
  return offset_ + group_bytes + kReservedBytes <= segments_->segment_bytes();
}

bool LogEnd::FitsMarker() const {
  return offset_ + kReservedBytes <= segments_->segment_bytes();
}

io::WriteRequest LogEnd::Place(Group* group, Lsn durable_lsn) {
  ENGRAM_CHECK(group->first_lsn() == last_lsn_ + 1);
  ENGRAM_CHECK(durable_lsn <= last_lsn_);
  group->Seal(header_.epoch, sequence_, durable_lsn);
  const absl::Span<const char> bytes = group->bytes();
  ENGRAM_CHECK(offset_ + bytes.size() + kWalBlockBytes <=
               segments_->segment_bytes());
  io::WriteRequest request;
  request.file = file_.get();
  request.offset = offset_;
  request.data = bytes;
  schema::GroupHeader header;
  std::memcpy(&header, bytes.data(), sizeof(header));
  chain_crc_ = schema::ChainCrc(chain_crc_, header);
  offset_ += bytes.size();
  ++sequence_;
  if (group->last_lsn() != 0) last_lsn_ = group->last_lsn();
  return request;
}

absl::Status LogEnd::WriteMarker(schema::RecordType type) {
  Group group(sizeof(schema::RecordHeader));
  schema::RecordDraft draft;
  draft.type = type;
  group.Add(draft, last_lsn_);
  group.set_first_lsn(last_lsn_ + 1);
  const io::WriteRequest request = Place(&group, last_lsn_);
  return request.file->WriteDurable(request.offset, request.data);
}

absl::Status LogEnd::Roll() {
  const std::unique_ptr<io::File> full = std::move(file_);
  const uint64_t groups = sequence_;
  predecessor_ = {};
  predecessor_.number = header_.number;
  predecessor_.epoch = header_.epoch;
  predecessor_.last_lsn = last_lsn_;
  predecessor_.end_offset = offset_;
  predecessor_.chain_crc = chain_crc_;
  ENGRAM_RETURN_IF_ERROR(StartSegment());
  return SealPredecessor(full.get(), groups);
}

absl::Status LogEnd::StartSegment() {
  header_ = {};
  header_.database_id = database_id_;
  header_.number = next_segment_++;
  header_.epoch = RandomEpoch();
  header_.first_lsn = last_lsn_ + 1;
  header_.segment_bytes = segments_->segment_bytes();
  header_.predecessor = predecessor_;
  ENGRAM_ASSIGN_OR_RETURN(file_, segments_->Take(header_));
  offset_ = kGroupsOffset;
  sequence_ = 0;
  chain_crc_ = 0;
  return absl::OkStatus();
}

// A sealed segment whose successor is missing is a loss that recovery can see.
absl::Status LogEnd::SealPredecessor(io::File* file, uint64_t groups) {
  Group seal(sizeof(schema::RecordHeader) + sizeof(schema::SealBody));
  schema::RecordDraft draft;
  draft.type = schema::RecordType::kSeal;
  draft.next_segment = header_.number;
  seal.Add(draft, predecessor_.last_lsn);
  seal.set_first_lsn(predecessor_.last_lsn + 1);
  seal.Seal(predecessor_.epoch, groups, predecessor_.last_lsn);
  return file->WriteDurable(predecessor_.end_offset, seal.bytes());
}

}  // namespace engram::wal
