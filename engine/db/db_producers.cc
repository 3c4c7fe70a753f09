// Writes that happen once; see engram/producer.h.

#include <algorithm>

#include "engine/db/db_impl.h"
#include "storage/base/status_macros.h"

namespace engram::internal {
namespace {

ProducerPosition ToPosition(const schema::ProducerState& state) {
  return {state.producer, state.sequence, state.lsn};
}

}  // namespace

absl::StatusOr<ProducerPosition> DbImpl::LastSequence(uint64_t producer) {
  const Operation operation(gate_);
  ENGRAM_RETURN_IF_ERROR(CheckOpen(operation, nullptr));
  if (producer == 0) {
    return absl::InvalidArgumentError("producer is 0, allowed are 1 and more");
  }
  const schema::ProducerState last = producers_.Find(producer);
  ENGRAM_RETURN_IF_ERROR(WaitLoggedDurable(last.lsn));
  return ToPosition(last);
}

absl::StatusOr<std::vector<ProducerPosition>> DbImpl::ListProducers() {
  const Operation operation(gate_);
  ENGRAM_RETURN_IF_ERROR(CheckOpen(operation, nullptr));
  std::vector<ProducerPosition> positions;
  Lsn last_lsn = 0;
  for (const schema::ProducerState& state : producers_.All()) {
    positions.push_back(ToPosition(state));
    last_lsn = std::max(last_lsn, state.lsn);
  }
  ENGRAM_RETURN_IF_ERROR(WaitLoggedDurable(last_lsn));
  return positions;
}

// Before that, a power cut could take back what the answer promises.
absl::StatusOr<Lsn> DbImpl::AnswerDuplicate(Lsn lsn) {
  ENGRAM_RETURN_IF_ERROR(WaitLoggedDurable(lsn));
  duplicate_writes_.fetch_add(1, std::memory_order_relaxed);
  return lsn;
}

absl::Status DbImpl::WaitLoggedDurable(Lsn lsn) const {
  return writer_ == nullptr ? absl::OkStatus() : writer_->WaitDurable(lsn);
}

// As far as the log is right, and whatever has become of the spaces.
void DbImpl::AcceptRecovered(const wal::Group& group) {
  group.ForEachStamp([this](const schema::ProducerStamp& stamp, Lsn lsn) {
    producers_.Accept({stamp.producer, stamp.sequence, lsn});
  });
}

}  // namespace engram::internal
