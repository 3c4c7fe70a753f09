#include "engine/db/family_assigner.h"

#include "schema/key_layout.h"

namespace engram::internal {

void FamilyAssigner::Add(absl::string_view name) {
  const schema::FamilyPlace place = schema::PlaceOf(name);
  if (place.member == 0) {
    ++dedicated_;
    return;
  }
  ++members_[place.family];
}

void FamilyAssigner::Remove(absl::string_view name) {
  const schema::FamilyPlace place = schema::PlaceOf(name);
  if (place.member == 0) {
    --dedicated_;
    return;
  }
  // An empty one is used again; the next owner drops it if it is not.
  --members_[place.family];
}

// Sets open_family_ to one with room, if there is any.
void FamilyAssigner::FindRoom() {
  const auto open = members_.find(open_family_);
  if (open != members_.end() && open->second < kMembersMax) return;
  open_family_.clear();
  for (const auto& [family, members] : members_) {
    if (members < kMembersMax) open_family_ = family;
  }
}

std::string FamilyAssigner::Assign(uint64_t space_id, uint64_t unsaved_bytes,
                                   uint64_t* next_family,
                                   std::vector<std::string>* new_families) {
  const size_t dedicated_max = unsaved_bytes >= kLargeBytes
                                   ? dedicated_max_ * kLargeFactor
                                   : dedicated_max_;
  if (dedicated_ < dedicated_max) {
    ++dedicated_;
    new_families->push_back(schema::FamilyName((*next_family)++));
    return new_families->back();
  }
  FindRoom();
  if (open_family_.empty()) {
    open_family_ = schema::FamilyName((*next_family)++);
    new_families->push_back(open_family_);
  }
  ++members_[open_family_];
  return schema::MemberName(open_family_, space_id);
}

}  // namespace engram::internal
