#include "engine/space/registry.h"

#include <algorithm>
#include <utility>

#include "storage/base/check.h"

namespace engram::space {

void Registry::Add(SpaceEntry entry) {
  const uint64_t id = entry.state->id();
  MutexLock lock(mutex_);
  const bool new_name =
      ids_by_name_.try_emplace(entry.state->name(), id).second;
  const bool new_id = by_id_.try_emplace(id, std::move(entry)).second;
  ENGRAM_CHECK(new_name && new_id);
}

void Registry::Remove(const std::shared_ptr<SpaceState>& state) {
  MutexLock lock(mutex_);
  ids_by_name_.erase(state->name());
  by_id_.erase(state->id());
  removed_.push_back(state);
}

void Registry::AddDropped(schema::CatalogEntry entry) {
  MutexLock lock(mutex_);
  dropped_.push_back(std::move(entry));
}

SpaceEntry Registry::FindByName(absl::string_view name) const {
  MutexLock lock(mutex_);
  const auto it = ids_by_name_.find(name);
  return it == ids_by_name_.end() ? SpaceEntry() : by_id_.at(it->second);
}

SpaceEntry Registry::FindById(uint64_t id) const {
  MutexLock lock(mutex_);
  const auto it = by_id_.find(id);
  return it == by_id_.end() ? SpaceEntry() : it->second;
}

std::vector<SpaceEntry> Registry::All() const {
  std::vector<SpaceEntry> entries;
  {
    MutexLock lock(mutex_);
    for (const auto& [id, entry] : by_id_) entries.push_back(entry);
  }
  std::sort(entries.begin(), entries.end(),
            [](const SpaceEntry& a, const SpaceEntry& b) {
              return a.state->id() < b.state->id();
            });
  return entries;
}

size_t Registry::size() const {
  MutexLock lock(mutex_);
  return by_id_.size();
}

std::vector<schema::CatalogEntry> Registry::TakeDropped() {
  std::vector<schema::CatalogEntry> dropped;
  std::vector<std::shared_ptr<SpaceState>> removed;
  {
    MutexLock lock(mutex_);
    dropped = std::exchange(dropped_, {});
    removed = std::exchange(removed_, {});
  }
  for (const std::shared_ptr<SpaceState>& state : removed) {
    dropped.push_back(MakeCatalogEntry(*state, true));
  }
  return dropped;
}

schema::CatalogEntry MakeCatalogEntry(const SpaceState& state, bool dropped) {
  schema::CatalogEntry entry;
  entry.space = state.description();
  entry.created_lsn = state.created_lsn();
  entry.family = state.family();
  entry.dropped = dropped;
  return entry;
}

}  // namespace engram::space
