// Which column family a space is saved in.
//
// The first spaces, and large ones, get a family of their own: their files can
// be compacted and dropped for themselves. Beyond `dedicated_max`, small ones
// share families, since each family costs 65 KB of memory, and RocksDB writes
// the options of all of them whenever one is added (0.2 s with a thousand).

#ifndef ENGRAM_ENGINE_DB_FAMILY_ASSIGNER_H_
#define ENGRAM_ENGINE_DB_FAMILY_ASSIGNER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"

namespace engram::internal {

// Thread safety: none of its own. Copyable: an assignment that could not be
// made durable is forgotten by going back to a copy.
class FamilyAssigner {
 public:
  // A space that has so much to save at first is large.
  static constexpr uint64_t kLargeBytes = uint64_t{4} << 20;
  // Large spaces may have so many times as many families as small ones.
  static constexpr size_t kLargeFactor = 4;
  // Of one family, so that dropping and compacting one has an end.
  static constexpr size_t kMembersMax = 4096;

  explicit FamilyAssigner(size_t dedicated_max)
      : dedicated_max_(dedicated_max) {}

  // Tells of a space that has the place `name`, or that has left it.
  void Add(absl::string_view name);
  void Remove(absl::string_view name);

  // Returns a place for a space. If its family has to be made first, that gets
  // the number `*next_family`, which rises, and is added to `new_families`.
  std::string Assign(uint64_t space_id, uint64_t unsaved_bytes,
                     uint64_t* next_family,
                     std::vector<std::string>* new_families);

 private:
  void FindRoom();

  size_t dedicated_max_;
  size_t dedicated_ = 0;
  absl::flat_hash_map<std::string, size_t> members_;  // by shared family
  std::string open_family_;  // the shared one that was used last
};

}  // namespace engram::internal

#endif  // ENGRAM_ENGINE_DB_FAMILY_ASSIGNER_H_
