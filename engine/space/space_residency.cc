// The part of SpaceState that loads it on first use, and forgets what files
// have.

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "engine/space/part_reader.h"
#include "engine/space/space_loader.h"
#include "engine/space/space_state.h"
#include "schema/vector_check.h"
#include "storage/base/check.h"
#include "storage/base/clock.h"
#include "storage/base/status_macros.h"

namespace engram::space {
namespace {

// Between looks whether the searches are gone that may be in an index; a
// search takes some hundred microseconds.
constexpr absl::Duration kReaderPause = absl::Microseconds(200);

}  // namespace

absl::Status SpaceState::StartCold(const kv::Store* store,
                                   const schema::Head& head) {
  ENGRAM_CHECK(store != nullptr);
  MutexLock turn_lock(turn_mutex_);
  MutexLock lock(mutex_);
  ENGRAM_CHECK(published_lsn_ == 0 && index().slot_count() == 0);
  store_ = store;
  head_ = head;
  last_generation_ = head.generation;
  published_lsn_ = head.checkpoint_lsn;
  indexed_lsn_ = head.checkpoint_lsn;
  index_.store(nullptr, std::memory_order_release);
  owned_index_.reset();
  ENGRAM_ASSIGN_OR_RETURN(const std::vector<schema::DeadLetter> letters,
                          ReadDeadLetters(*store, family_, description_));
  return AddDeadLetters(letters, head);
}

// `letters` is what the family of `head` holds.
absl::Status SpaceState::AddDeadLetters(
    absl::Span<const schema::DeadLetter> letters, const schema::Head& head) {
  if (letters.size() != head.dead_letters) {
    return InFamily(family_, "m/head",
                    absl::DataLossError(absl::StrCat(
                        "there are ", letters.size(),
                        " dead letters, and it says ", head.dead_letters)));
  }
  for (const schema::DeadLetter& letter : letters) {
    absl::Status status = schema::CheckVector(description_, letter.vector);
    if (status.ok() && letter.lsn > head.checkpoint_lsn) {
      status = absl::DataLossError(
          absl::StrCat("the head's LSN is ", head.checkpoint_lsn));
    }
    if (status.ok() && versions_.Find(letter.id).has_value()) {
      status = absl::DataLossError("its id is live elsewhere");
    }
    if (!status.ok()) {
      return InFamily(family_, absl::StrCat("d/", letter.lsn),
                      absl::DataLossError(status.message()));
    }
    schema::RecordView record;
    record.lsn = letter.lsn;
    record.space_id = id();
    record.id = letter.id;
    record.vector = letter.vector;
    record.payload = letter.payload;
    record.timestamp_us = letter.timestamp_us;
    TailEntry* const entry =
        dead_letters_.Add(record, distance_.InverseNorm(record.vector),
                          letter.status, /*saved=*/true);
    versions_.Put(entry->record.id, VersionRef::InTail(entry));
  }
  dead_letter_count_.store(dead_letters_.size(), std::memory_order_relaxed);
  return absl::OkStatus();
}

absl::Status SpaceState::Load(const kv::Store& store,
                              const schema::Head& head) {
  ENGRAM_RETURN_IF_ERROR(StartCold(&store, head));
  return EnsureResident();
}

absl::Status SpaceState::EnsureResident() {
  if (is_resident()) return absl::OkStatus();
  MutexLock load_lock(load_mutex_);
  if (is_resident()) return absl::OkStatus();
  absl::StatusOr<LoadedSpace> loaded = ReadIndex();
  absl::Status status = loaded.status();
  BacklogCounts waiting = {};
  if (status.ok()) status = Install(*std::move(loaded), &waiting);
  Touch();
  // Relaxed: what it leads to is read under the mutex.
  load_failed_micros_.store(status.ok() ? 0 : Clock::System().MonotonicMicros(),
                            std::memory_order_relaxed);
  {
    MutexLock lock(mutex_);
    load_status_ = status;
  }
  if (status.ok() && observer_.on_loaded) observer_.on_loaded(waiting);
  return status;
}

void SpaceState::Touch() {
  // Relaxed: any recent time will do.
  last_used_micros_.store(Clock::System().MonotonicMicros(),
                          std::memory_order_relaxed);
}

absl::StatusOr<LoadedSpace> SpaceState::ReadIndex() const {
  if (dropped_lsn() != 0) {
    // What waits is only counted, and its files may be gone.
    auto index = std::make_unique<SpaceIndex>(description_, limits_.slots_max);
    const SlotTable* const slots = &index->slots();
    return LoadedSpace{std::move(index), VersionMap(slots), 0, {}};
  }
  schema::Head head;
  std::string family;
  const kv::Store* store = nullptr;
  {
    MutexLock lock(mutex_);
    head = head_;
    family = family_;
    store = store_;
  }
  return LoadSpace(*store, family, description_, head, limits_.slots_max);
}

// Puts the index under what was published meanwhile. Sets `waiting` to the
// records that nobody was told of.
absl::Status SpaceState::Install(LoadedSpace loaded, BacklogCounts* waiting) {
  MutexLock turn_lock(turn_mutex_);
  MutexLock lock(mutex_);
  ENGRAM_CHECK(replaced_.size() == 0 && unlinked_.size() == 0);
  // The first record of an id ends the version that files have; the versions
  // behind it know each other already.
  const TailPin pin = tail_.Pin(tail_.count());
  absl::flat_hash_map<absl::string_view, TailEntry*> first;
  for (TailEntry* const entry : pin.Entries()) {
    first.emplace(entry->record.id, entry);
  }
  Lsn twice = 0;  // a dead letter of an id that is live in a slot as well
  versions_.ForEach([&twice, &loaded](absl::string_view id, VersionRef ref) {
    if (ref.entry()->dead && loaded.versions.Find(id).has_value()) {
      twice = ref.entry()->record.lsn;
    }
  });
  if (twice != 0) {
    return InFamily(family_, absl::StrCat("d/", twice),
                    absl::DataLossError("its id is live elsewhere"));
  }
  owned_index_ = std::move(loaded.index);
  // Release: whoever sees it sees all of it.
  index_.store(owned_index_.get(), std::memory_order_release);
  for (const auto& [id, entry] : first) {
    const std::optional<VersionRef> saved = loaded.versions.Find(id);
    if (!saved.has_value()) continue;
    Supersede(*saved, entry);
    loaded.versions.Erase(id);
  }
  versions_.ForEach([&loaded](absl::string_view id, VersionRef ref) {
    loaded.versions.Put(id, ref);
  });
  versions_ = std::move(loaded.versions);
  ended_slots_ = {};
  gone_rows_ = std::move(loaded.gone_rows);
  published_slots_.store(loaded.slots, std::memory_order_relaxed);
  has_graph_.store(index().graph() != nullptr, std::memory_order_relaxed);
  reattached_.fetch_add(loaded.reattached, std::memory_order_relaxed);
  unreachable_.store(loaded.unreachable, std::memory_order_relaxed);
  *waiting = std::exchange(held_back_, {});
  return absl::OkStatus();
}

bool SpaceState::HoldBack(const BacklogCounts& records) {
  // What waits keeps it in memory, so this is not going to change.
  if (is_resident()) return false;
  MutexLock lock(mutex_);
  if (is_resident()) return false;
  for (size_t i = 0; i < records.size(); ++i) held_back_[i] += records[i];
  return true;
}

absl::Status SpaceState::load_status() const {
  if (load_failed_micros() == 0) return absl::OkStatus();
  MutexLock lock(mutex_);
  return load_status_;
}

bool SpaceState::Evict() {
  std::unique_ptr<SpaceIndex> evicted;
  VersionMap left_versions(nullptr);  // freed without the locks
  {
    MutexLock load_lock(load_mutex_);
    MutexLock turn_lock(turn_mutex_);
    MutexLock lock(mutex_);
    const bool all_saved = head_.generation != 0 && tail_.count() == 0 &&
                           unsaved_.empty() && saving_.empty() &&
                           removed_ids_.empty() && store_ != nullptr &&
                           indexed_lsn_ <= head_.checkpoint_lsn;
    // A slot that waits for a search is one of this index.
    if (!is_resident() || !all_saved || replaced_.size() != 0 ||
        unlinked_.size() != 0 || left_flat_ != nullptr) {
      return false;
    }
    // With an empty tail, all versions outside of slots are dead letters.
    VersionMap versions(nullptr);
    for (const auto& [lsn, letter] : dead_letters_.letters()) {
      const absl::string_view id = letter.entry->record.id;
      const std::optional<VersionRef> current = versions_.Find(id);
      if (current.has_value() && current->entry() == letter.entry.get()) {
        versions.Put(id, *current);
      }
    }
    left_versions = std::exchange(versions_, std::move(versions));
    index_.store(nullptr, std::memory_order_release);
    evicted = std::move(owned_index_);
    turn_scratch_.reset();
    ended_slots_ = {};
    gone_rows_ = {};
    published_slots_.store(0, std::memory_order_relaxed);
    has_graph_.store(false, std::memory_order_relaxed);
  }
  // Searches that came before are still in it.
  const uint64_t ticket = epochs_->Retire();
  while (!epochs_->HasPassed(ticket)) absl::SleepFor(kReaderPause);
  evictions_.fetch_add(1, std::memory_order_relaxed);
  return true;
}

}  // namespace engram::space
