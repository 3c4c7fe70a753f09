// Which spaces there are, and what they share.

#ifndef ENGRAM_ENGINE_SPACE_REGISTRY_H_
#define ENGRAM_ENGINE_SPACE_REGISTRY_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "engine/index/epoch.h"
#include "engine/ingest/scheduler.h"
#include "engine/space/space_state.h"
#include "schema/space_codec.h"
#include "storage/base/mutex.h"

namespace engram::space {

// A space with its place in the worker pool.
struct SpaceEntry {
  std::shared_ptr<SpaceState> state;
  std::shared_ptr<ingest::Backlog> backlog;
};

// Thread safety: all methods may be called concurrently.
class Registry {
 public:
  // Adds a space; its id and name are free.
  void Add(SpaceEntry entry);

  // Takes a space out. What is left to do for its family is kept for
  // TakeDropped().
  void Remove(const std::shared_ptr<SpaceState>& state);

  // Adds what a catalog says is still to be dropped.
  void AddDropped(schema::CatalogEntry entry);

  // An entry without a state if there is none.
  SpaceEntry FindByName(absl::string_view name) const;
  SpaceEntry FindById(uint64_t id) const;

  // What tells the spaces when nobody searches them any more. Outlives them: a
  // space is held by handles that hold the registry's owner.
  index::EpochDomain* epochs() { return &epochs_; }

  // All spaces, by id.
  std::vector<SpaceEntry> All() const;
  size_t size() const;

  // Spaces that were removed since the last call, each with the family that it
  // has by now. Called by whoever assigns families.
  std::vector<schema::CatalogEntry> TakeDropped();

 private:
  // Before the spaces, which use it until they are gone.
  index::EpochDomain epochs_;

  mutable Mutex mutex_;
  absl::flat_hash_map<uint64_t, SpaceEntry> by_id_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, uint64_t> ids_by_name_
      ABSL_GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<SpaceState>> removed_ ABSL_GUARDED_BY(mutex_);
  std::vector<schema::CatalogEntry> dropped_ ABSL_GUARDED_BY(mutex_);
};

// What the catalog says of a space.
schema::CatalogEntry MakeCatalogEntry(const SpaceState& state, bool dropped);

}  // namespace engram::space

#endif  // ENGRAM_ENGINE_SPACE_REGISTRY_H_
