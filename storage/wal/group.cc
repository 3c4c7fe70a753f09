#include "storage/wal/group.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "storage/base/check.h"

namespace engram::wal {

using schema::GroupBytes;
using schema::GroupHeader;

Group::Group(size_t record_bytes) : data_(GroupBytes(record_bytes)) {}

Group::Group(std::shared_ptr<BufferPool> pool)
    : pool_(std::move(pool)), data_(pool_->Take()) {}

Group::~Group() {
  if (pool_ != nullptr) pool_->Put(std::move(data_));
}

Group::Group(AlignedBuffer data, const GroupHeader& header)
    : data_(std::move(data)),
      record_bytes_(header.record_bytes),
      record_count_(header.record_count),
      first_lsn_(header.first_lsn),
      stamped_(true) {
  ENGRAM_CHECK(data_.size() == GroupBytes(record_bytes_));
  ForEachRecord([this](const schema::RecordView& record) {
    if (!schema::IsMarker(record.type)) last_lsn_ = record.lsn;
  });
}

void Group::Add(const schema::RecordDraft& draft, Lsn lsn) {
  const size_t bytes = schema::RecordBytes(draft);
  if (GroupBytes(record_bytes_ + bytes) > data_.size()) {
    Grow(record_bytes_ + bytes);
  }
  schema::EncodeRecord(draft, lsn,
                       data_.data() + sizeof(GroupHeader) + record_bytes_);
  record_bytes_ += bytes;
  if (draft.priority != schema::kNormalPriority ||
      draft.handed_in_micros != 0) {
    tags_.resize(record_count_);
    tags_.push_back({draft.priority, draft.handed_in_micros});
  }
  ++record_count_;
  stamped_ = stamped_ || draft.stamp.producer != 0;
  if (schema::IsMarker(draft.type)) return;
  if (first_lsn_ == 0) first_lsn_ = lsn;
  last_lsn_ = lsn;
}

void Group::Grow(size_t record_bytes) {
  AlignedBuffer larger(std::max(GroupBytes(record_bytes), 2 * data_.size()));
  std::memcpy(larger.data(), data_.data(), sizeof(GroupHeader) + record_bytes_);
  data_ = std::move(larger);
}

void Group::Seal(uint64_t epoch, uint64_t sequence, Lsn durable_lsn) {
  const size_t used = sizeof(GroupHeader) + record_bytes_;
  std::memset(data_.data() + used, 0, bytes().size() - used);
  schema::GroupSeal seal;
  seal.epoch = epoch;
  seal.sequence = sequence;
  seal.first_lsn = first_lsn_;
  seal.durable_lsn = durable_lsn;
  seal.record_count = record_count_;
  seal.record_bytes = static_cast<uint32_t>(record_bytes_);
  schema::SealGroup(seal, absl::MakeSpan(data_.data(), bytes().size()));
}

absl::Span<const char> Group::bytes() const {
  return absl::MakeConstSpan(data_.data(), GroupBytes(record_bytes_));
}

void Group::ForEachRecord(
    absl::FunctionRef<void(const schema::RecordView&)> visit) const {
  const char* record = data_.data() + sizeof(GroupHeader);
  for (uint32_t i = 0; i < record_count_; ++i) {
    schema::RecordView view = schema::ViewRecord(record);
    if (i < tags_.size()) {
      view.priority = tags_[i].priority;
      view.handed_in_micros = tags_[i].handed_in_micros;
    }
    visit(view);
    record += schema::RecordStride(record);
  }
}

void Group::ForEachStamp(
    absl::FunctionRef<void(const schema::ProducerStamp&, Lsn)> visit) const {
  if (!stamped_) return;
  const char* record = data_.data() + sizeof(GroupHeader);
  for (uint32_t i = 0; i < record_count_; ++i) {
    const schema::ProducerStamp stamp = schema::ViewStamp(record);
    if (stamp.producer != 0) visit(stamp, first_lsn_ + i);
    record += schema::RecordStride(record);
  }
}

}  // namespace engram::wal
