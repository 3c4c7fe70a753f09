// Which layers a node stands on.

#ifndef ENGRAM_ENGINE_INDEX_LAYER_ASSIGNMENT_H_
#define ENGRAM_ENGINE_INDEX_LAYER_ASSIGNMENT_H_

#include <cstdint>

namespace engram::index {

// No node stands above this layer. At M = 2 one node in 2^31 would.
inline constexpr uint32_t kLayerMax = 31;

// The top layer of the node in `slot`: floor(-ln(u) / ln(M)) with u in (0, 1]
// drawn from (seed, slot), at most kLayerMax. A function and not a generator:
// plans made on several threads in any order agree with a replay.
uint32_t AssignTopLayer(uint64_t seed, uint32_t slot, uint32_t M);

}  // namespace engram::index

#endif  // ENGRAM_ENGINE_INDEX_LAYER_ASSIGNMENT_H_
