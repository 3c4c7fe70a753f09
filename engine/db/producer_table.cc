#include "engine/db/producer_table.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "storage/base/mutant.h"
#include "storage/base/status_macros.h"

namespace engram::internal {

absl::StatusOr<ProducerTable::Verdict> ProducerTable::Judge(
    const ProducerStamp& stamp, Lsn* last_lsn) const {
  const schema::ProducerState last = Find(stamp.producer);
  if (!Mutant("repeat_writes") && stamp.sequence <= last.sequence) {
    *last_lsn = last.lsn;
    return Verdict::kDuplicate;
  }
  if (stamp.previous.has_value() && *stamp.previous != last.sequence) {
    return absl::FailedPreconditionError(
        absl::StrCat("producer ", stamp.producer, ", sequence ", stamp.sequence,
                     ": its previous one is to be ", *stamp.previous,
                     ", the last one is ", last.sequence));
  }
  return Verdict::kNew;
}

void ProducerTable::Accept(const schema::ProducerState& state) {
  MutexLock lock(mutex_);
  Last& last = last_[state.producer];
  if (state.lsn <= last.lsn) return;
  last = {state.sequence, state.lsn};
  unsaved_.insert(state.producer);
}

void ProducerTable::AcceptSaved(const schema::ProducerState& state) {
  MutexLock lock(mutex_);
  last_[state.producer] = {state.sequence, state.lsn};
}

schema::ProducerState ProducerTable::Find(uint64_t producer) const {
  MutexLock lock(mutex_);
  const auto it = last_.find(producer);
  if (it == last_.end()) return {producer, 0, 0};
  return {producer, it->second.sequence, it->second.lsn};
}

ProducerTable::Unsaved ProducerTable::FindUnsaved(Lsn up_to) const {
  Unsaved unsaved;
  MutexLock lock(mutex_);
  for (const uint64_t producer : unsaved_) {
    const Last& last = last_.find(producer)->second;
    if (last.lsn <= up_to) {
      unsaved.states.push_back({producer, last.sequence, last.lsn});
    } else {
      unsaved.beyond_lsn = std::max(unsaved.beyond_lsn, last.lsn);
    }
  }
  return unsaved;
}

void ProducerTable::MarkSaved(absl::Span<const schema::ProducerState> states) {
  MutexLock lock(mutex_);
  for (const schema::ProducerState& state : states) {
    // It may have written again meanwhile.
    if (last_[state.producer].lsn == state.lsn) unsaved_.erase(state.producer);
  }
}

std::vector<schema::ProducerState> ProducerTable::All() const {
  std::vector<schema::ProducerState> all;
  {
    MutexLock lock(mutex_);
    all.reserve(last_.size());
    for (const auto& [producer, last] : last_) {
      all.push_back({producer, last.sequence, last.lsn});
    }
  }
  std::sort(all.begin(), all.end(),
            [](const schema::ProducerState& a, const schema::ProducerState& b) {
              return a.producer < b.producer;
            });
  return all;
}

size_t ProducerTable::size() const {
  MutexLock lock(mutex_);
  return last_.size();
}

absl::Status StampCondition::Check() {
  if (!stamp_.has_value()) return absl::OkStatus();
  ENGRAM_ASSIGN_OR_RETURN(const ProducerTable::Verdict verdict,
                          table_.Judge(*stamp_, &duplicate_of_));
  if (verdict == ProducerTable::Verdict::kNew) return absl::OkStatus();
  return absl::AlreadyExistsError(absl::StrCat("producer ", stamp_->producer,
                                               ", sequence ", stamp_->sequence,
                                               " was written before"));
}

void StampCondition::OnLogged(Lsn lsn) {
  table_.Accept({stamp_->producer, stamp_->sequence, lsn});
}

}  // namespace engram::internal
