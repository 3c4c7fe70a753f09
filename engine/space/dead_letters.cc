#include "engine/space/dead_letters.h"

#include <algorithm>
#include <utility>

#include "storage/base/check.h"
#include "storage/base/mutant.h"
#include "storage/wal/group.h"

namespace engram::space {

TailEntry* DeadLetters::Add(const schema::RecordView& record,
                            float inverse_norm, const absl::Status& status,
                            bool saved) {
  ENGRAM_CHECK(!status.ok());
  // A group of its own: the one it came in may be a thousand times as large.
  schema::RecordDraft draft;
  draft.space_id = record.space_id;
  draft.id = record.id;
  draft.vector = record.vector;
  draft.payload = record.payload;
  draft.timestamp_us = record.timestamp_us;
  auto group = std::make_shared<wal::Group>(schema::RecordBytes(draft));
  group->Add(draft, record.lsn);
  auto entry = std::make_shared<TailEntry>();
  group->ForEachRecord(
      [&entry](const schema::RecordView& copy) { entry->record = copy; });
  entry->group = std::move(group);
  entry->inverse_norm = inverse_norm;
  entry->dead = true;
  TailEntry* const added = entry.get();
  const bool is_new =
      letters_.try_emplace(record.lsn, Letter{std::move(entry), status, saved})
          .second;
  ENGRAM_CHECK(is_new);
  entries_.reset();
  return added;
}

void DeadLetters::End(Lsn lsn) {
  ENGRAM_CHECK(letters_.erase(lsn) == 1);
  entries_.reset();
  // Also where it was never saved: the checkpoint under way may have it.
  ended_.push_back(lsn);
}

std::shared_ptr<const DeadLetters::EntryList> DeadLetters::Entries() const {
  if (entries_ != nullptr || letters_.empty()) return entries_;
  auto entries = std::make_shared<EntryList>();
  entries->reserve(letters_.size());
  for (const auto& [lsn, letter] : letters_) entries->push_back(letter.entry);
  entries_ = std::move(entries);
  return entries_;
}

void DeadLetters::BeginSave(SpaceSnapshot* snapshot) {
  ENGRAM_CHECK(saving_.empty() && saving_ended_.empty());
  if constexpr (Mutant("forget_dead_letters")) return;
  for (const auto& [lsn, letter] : letters_) {
    if (letter.saved) continue;
    saving_.push_back(lsn);
    snapshot->dead_letters.push_back({letter.entry, letter.status});
  }
  snapshot->dead_letter_count = static_cast<uint32_t>(letters_.size());
  saving_ended_ = std::exchange(ended_, {});
  std::sort(saving_ended_.begin(), saving_ended_.end());
  snapshot->ended_dead_letters = saving_ended_;
}

void DeadLetters::CommitSave() {
  for (const Lsn lsn : std::exchange(saving_, {})) {
    const auto it = letters_.find(lsn);
    if (it != letters_.end()) it->second.saved = true;
  }
  saving_ended_.clear();
}

void DeadLetters::AbortSave() {
  saving_.clear();
  ended_.insert(ended_.end(), saving_ended_.begin(), saving_ended_.end());
  saving_ended_.clear();
}

}  // namespace engram::space
