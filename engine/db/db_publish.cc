// What the log's thread, or recovery, makes visible: records go to their
// spaces, and the workers are told.

#include <algorithm>

#include "engine/db/admission_limits.h"
#include "engine/db/db_impl.h"
#include "storage/base/check.h"
#include "storage/base/clock.h"

namespace engram::internal {

void DbImpl::OnDurable(Lsn) { NotifyProgress(); }

void DbImpl::OnFailed(const absl::Status& status) {
  events_.Push(
      [status](EventListener& listener) { listener.OnLogFailed(status); });
}

void DbImpl::Publish(const std::shared_ptr<const wal::Group>& group) {
  publishing_lsn_.store(group->last_lsn(), std::memory_order_release);
  group->ForEachRecord([this, &group](const schema::RecordView& record) {
    PublishAny(record, group);
  });
  EnqueuePublished();
  published_lsn_.store(group->last_lsn(), std::memory_order_release);
  if (log_meter_.Add(group->last_lsn(), group->bytes().size())) {
    RequestCheckpointOfOldest();
  }
  if (checkpoint_timer_.Add(group->last_lsn(),
                            Clock::System().MonotonicMicros())) {
    SetCheckpointTimer();
  }
  if (LogIsLong()) RequestCheckpoint();
}

void DbImpl::PublishAny(const schema::RecordView& record,
                        const std::shared_ptr<const wal::Group>& group) {
  switch (record.type) {
    case schema::RecordType::kObserve:
    case schema::RecordType::kRemove:
      PublishRecord(record, group);
      break;
    case schema::RecordType::kCreateSpace:
      PublishCreate(record);
      break;
    case schema::RecordType::kDropSpace:
      PublishDrop(record);
      break;
    case schema::RecordType::kIdleMarker:
    case schema::RecordType::kCleanClose:
    case schema::RecordType::kSeal:
      break;
  }
}

void DbImpl::PublishRecord(const schema::RecordView& record,
                           const std::shared_ptr<const wal::Group>& group) {
  const space::SpaceEntry entry = registry_.FindById(record.space_id);
  // Dropped between the admission of the record and this moment.
  if (entry.state == nullptr) return;
  const uint32_t bytes = AdmittedBytes(record);
  if (recovering_) {
    if (record.lsn <= entry.state->head_checkpoint_lsn()) return;
    entry.state->gate().Force(1, bytes);
    total_gate_.Force(1, bytes);
    ++replayed_records_;
  }
  accepted_records_.fetch_add(1, std::memory_order_relaxed);
  entry.state->Publish(record, group, bytes);
  Published& published = published_[entry.backlog];
  published.space = entry.state;
  ++published.records[record.priority];
}

// Once for each group and backlog: each call takes a lock.
void DbImpl::EnqueuePublished() {
  for (const auto& [backlog, published] : published_) {
    for (size_t i = 0; i < published.records.size(); ++i) {
      const size_t records = published.records[i];
      if (records == 0) continue;
      // First: from then on they may be indexed.
      published.space->gate().Publish(records);
      total_gate_.Publish(records);
    }
    if (published.space->HoldBack(published.records)) {
      load_queue_.Request({published.space, backlog});
      continue;
    }
    for (size_t i = 0; i < published.records.size(); ++i) {
      const size_t records = published.records[i];
      if (records == 0) continue;
      pool_->Enqueue(backlog, records, static_cast<ingest::Priority>(i));
    }
  }
  published_.clear();
}

void DbImpl::PublishCreate(const schema::RecordView& record) {
  if (recovering_ && record.lsn <= recovered_catalog_lsn_) return;
  absl::StatusOr<schema::SpaceDescription> description =
      schema::DecodeSpaceDescription(record.description);
  ENGRAM_CHECK(description.ok());  // we wrote it, or CheckRecovered() passed
  next_space_id_.store(std::max(next_space_id_.load(std::memory_order_relaxed),
                                description->id + 1),
                       std::memory_order_relaxed);
  // A catalog may know more than its LSN says.
  if (registry_.FindById(description->id).state != nullptr) return;
  if (recovering_ && IsReplaced(*description, record.lsn)) return;
  AddSpace(*description, record.lsn);
}

void DbImpl::PublishDrop(const schema::RecordView& record) {
  if (recovering_ && record.lsn <= recovered_catalog_lsn_) return;
  const space::SpaceEntry entry = registry_.FindById(record.space_id);
  if (entry.state == nullptr) return;  // as above
  entry.state->MarkDropped(record.lsn);
  entry.state->gate().Close();
  entry.state->quota().Close();
  // What waits for it to be loaded waits for nothing now.
  if (!entry.state->is_resident()) load_queue_.Request(entry);
  MutexLock lock(dropped_mutex_);
  dropped_latencies_.Merge(entry.state->FreezeLatencies());
  registry_.Remove(entry.state);
}

}  // namespace engram::internal
