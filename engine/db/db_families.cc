// The column families that spaces are saved in: who gets which, and how they
// are kept small.

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "engine/db/db_impl.h"
#include "schema/key_layout.h"
#include "storage/base/status_macros.h"

namespace engram::internal {

absl::Status DbImpl::AssignFamilies(
    absl::Span<const space::SpaceEntry> entries) {
  FamilyAssigner families = families_;
  std::vector<SpacePtr> spaces;
  std::vector<schema::CatalogEntry> assigned;
  std::vector<std::string> new_families;
  for (const space::SpaceEntry& entry : entries) {
    if (!entry.state->HasUnsaved() || !entry.state->family().empty()) continue;
    // It may have left the registry, and the catalog with it, for good: an
    // entry would bring it back. One that is dropped from now on is still to
    // leave, with the family that it gets here.
    if (entry.state->dropped_lsn() != 0) continue;
    spaces.push_back(entry.state);
    assigned.push_back(space::MakeCatalogEntry(*entry.state, false));
    assigned.back().family =
        families.Assign(entry.state->id(), entry.state->record_bytes(),
                        &catalog_.next_family, &new_families);
  }
  if (assigned.empty()) return absl::OkStatus();
  ENGRAM_RETURN_IF_ERROR(store_->CreateFamilies(new_families));
  // A space gets its family, and so a head, only once the catalog says so:
  // recovery drops families that nobody owns. If this fails, the next
  // checkpoint assigns others.
  catalog_.next_space_id = next_space_id_.load(std::memory_order_relaxed);
  ENGRAM_RETURN_IF_ERROR(
      space::SaveCatalog(store_.get(), catalog_, {assigned, {}, {}}));
  families_ = std::move(families);
  for (size_t i = 0; i < spaces.size(); ++i) {
    spaces[i]->set_family(assigned[i].family);
  }
  return absl::OkStatus();
}

// Its family keeps what was replaced until it is compacted.
absl::Status DbImpl::RewriteSpace(const space::SpaceEntry& entry) {
  ENGRAM_ASSIGN_OR_RETURN(const uint64_t bytes,
                          entry.state->Rewrite(store_.get()));
  MutexLock lock(progress_mutex_);
  checkpoint_bytes_ += bytes;
  return absl::OkStatus();
}

absl::Status DbImpl::CompactFamilies(
    absl::Span<const space::SpaceEntry> entries) {
  std::set<std::string> families = {std::string(kv::kDefaultFamily)};
  for (const space::SpaceEntry& entry : entries) {
    const std::string family = entry.state->family();
    if (family.empty() || entry.state->dropped_lsn() != 0) continue;
    if (entry.state->IsMostlyDead()) {
      ENGRAM_RETURN_IF_ERROR(RewriteSpace(entry));
      ENGRAM_RETURN_IF_ERROR(store_->CompactFamily(family));
      continue;
    }
    families.emplace(schema::PlaceOf(family).family);
  }
  for (const std::string& family : families) {
    ENGRAM_RETURN_IF_ERROR(store_->CompactIfNeeded(family));
  }
  return absl::OkStatus();
}

absl::Status DbImpl::DropFamilies(std::vector<schema::CatalogEntry> dropped) {
  std::vector<std::string> members;
  for (const schema::CatalogEntry& entry : dropped) {
    if (schema::PlaceOf(entry.family).member != 0) {
      members.push_back(entry.family);
    }
  }
  // What cannot be read cannot be deleted key by key. It stays, as dropped, and
  // the next owner tries again; everything else goes on. Whoever used the space
  // was told of the damage, and verify tells of it.
  std::vector<std::string> damaged;
  const absl::Status of_members = store_->DropMembers(members, &damaged);
  absl::Status status = of_members;
  std::vector<uint64_t> gone;
  for (schema::CatalogEntry& entry : dropped) {
    if (entry.family.empty()) continue;
    absl::Status one = of_members;
    if (schema::PlaceOf(entry.family).member == 0) {
      one = store_->DropFamily(entry.family);
      if (absl::IsNotFound(one)) one = absl::OkStatus();
    } else if (one.ok() &&
               std::count(damaged.begin(), damaged.end(), entry.family) > 0) {
      continue;
    }
    status.Update(one);
    if (one.ok()) {
      families_.Remove(entry.family);
      gone.push_back(entry.space.id);
    } else {
      registry_.AddDropped(std::move(entry));
    }
  }
  if (!gone.empty()) {
    // An entry leaves the catalog only after its family is gone. Should this
    // fail, it is dropped once more by the next owner, which does no harm.
    ENGRAM_RETURN_IF_ERROR(
        space::SaveCatalog(store_.get(), catalog_, {{}, gone, {}}));
  }
  return status;
}

}  // namespace engram::internal
