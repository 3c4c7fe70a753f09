#include "engine/index/layer_assignment.h"

#include <algorithm>
#include <cmath>

namespace engram::index {
namespace {

// The step of the splitmix64 generator.
uint64_t SplitMix64(uint64_t state) {
  state += 0x9E3779B97F4A7C15u;
  state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9u;
  state = (state ^ (state >> 27)) * 0x94D049BB133111EBu;
  return state ^ (state >> 31);
}

}  // namespace

uint32_t AssignTopLayer(uint64_t seed, uint32_t slot, uint32_t M) {
  // The seed is mixed first, so that seeds that differ by 1 do not give
  // sequences that are shifted by one slot.
  const uint64_t random = SplitMix64(SplitMix64(seed) + slot);
  const double u = (static_cast<double>(random >> 11) + 1.0) * 0x1p-53;
  const double layer = -std::log(u) / std::log(static_cast<double>(M));
  return static_cast<uint32_t>(std::min<double>(layer, kLayerMax));
}

}  // namespace engram::index
