// Versions that were accepted and could not be indexed.

#ifndef ENGRAM_ENGINE_SPACE_DEAD_LETTERS_H_
#define ENGRAM_ENGINE_SPACE_DEAD_LETTERS_H_

#include <cstddef>
#include <map>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "engine/space/space_snapshot.h"
#include "engine/space/tail.h"
#include "schema/wal_codec.h"

namespace engram::space {

// Each is an entry as in the tail, with memory of its own: found by its id, and
// by the exact scan of searches, until a later record replaces or removes it
// and that one is indexed.
//
// Not thread-safe; the space's mutex guards it. What Entries() returned stays
// readable without.
class DeadLetters {
 public:
  struct Letter {
    std::shared_ptr<TailEntry> entry;
    absl::Status status;  // why
    bool saved = false;   // in a head
  };

  // Keeps a copy of `record`, which is the current version of its id, and
  // returns it.
  TailEntry* Add(const schema::RecordView& record, float inverse_norm,
                 const absl::Status& status, bool saved);

  // The record that ended the letter with this LSN is indexed.
  void End(Lsn lsn);

  size_t size() const { return letters_.size(); }
  const std::map<Lsn, Letter>& letters() const { return letters_; }

  // Null if there is none with this LSN.
  std::shared_ptr<const TailEntry> Find(Lsn lsn) const {
    const auto it = letters_.find(lsn);
    return it == letters_.end() ? nullptr : it->second.entry;
  }

  // The entries, in the order of LSNs; null if there are none. Every search
  // asks, under the space's mutex; so the list is made anew only after a letter
  // came or went.
  using EntryList = std::vector<std::shared_ptr<const TailEntry>>;
  std::shared_ptr<const EntryList> Entries() const;

  // Tells a checkpoint what is new and what is gone since the last one that
  // was committed. One at a time.
  void BeginSave(SpaceSnapshot* snapshot);
  void CommitSave();
  void AbortSave();

 private:
  std::map<Lsn, Letter> letters_;
  mutable std::shared_ptr<const EntryList> entries_;  // null: to be made anew
  std::vector<Lsn> ended_;         // since the last checkpoint began
  std::vector<Lsn> saving_;        // of the checkpoint under way: new ones
  std::vector<Lsn> saving_ended_;  // and those that are gone
};

}  // namespace engram::space

#endif  // ENGRAM_ENGINE_SPACE_DEAD_LETTERS_H_
