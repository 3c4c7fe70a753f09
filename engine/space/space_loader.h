// Makes a space's index anew from its checkpoint.

#ifndef ENGRAM_ENGINE_SPACE_SPACE_LOADER_H_
#define ENGRAM_ENGINE_SPACE_SPACE_LOADER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/space/space_index.h"
#include "engine/space/version_map.h"
#include "schema/part_codec.h"
#include "schema/space_codec.h"
#include "storage/kv/store.h"

namespace engram::space {

// What a head lists, in memory.
struct LoadedSpace {
  std::unique_ptr<SpaceIndex> index;
  VersionMap versions;  // the live ones, which stand in slots of `index`
  uint64_t slots = 0;   // in use

  // Rows that the files have as removed nodes, and that have left the graph.
  std::vector<uint32_t> gone_rows;

  // Nodes that nothing led to, and that were linked again; and those that are
  // out of reach all the same.
  uint64_t reattached = 0;
  uint64_t unreachable = 0;
};

// Reads all that `head` lists, on several threads where it is much. What is
// read may be hostile: it is checked value by value when it is decoded, and
// here, and by the graph, as a whole.
//   DATA_LOSS           names family and key
//   RESOURCE_EXHAUSTED  there is no memory for so many versions
absl::StatusOr<LoadedSpace> LoadSpace(const kv::Store& store,
                                      const std::string& family,
                                      const schema::SpaceDescription& space,
                                      const schema::Head& head,
                                      uint32_t slots_max);

}  // namespace engram::space

#endif  // ENGRAM_ENGINE_SPACE_SPACE_LOADER_H_
