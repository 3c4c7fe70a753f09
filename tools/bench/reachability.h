// Which nodes of a graph a walk can come to.

#ifndef ENGRAM_TOOLS_BENCH_REACHABILITY_H_
#define ENGRAM_TOOLS_BENCH_REACHABILITY_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace engram::bench {

// The number of nodes 0..count-1 that no path from `entry` leads to;
// `links`(node) are the nodes that `node` links to.
template <typename Links>
uint64_t CountUnreachable(size_t count, uint32_t entry, const Links& links) {
  std::vector<bool> reached(count, false);
  std::vector<uint32_t> open = {entry};
  reached[entry] = true;
  uint64_t unreached = count - 1;
  while (!open.empty()) {
    const uint32_t node = open.back();
    open.pop_back();
    for (const auto link : links(node)) {
      const auto next = static_cast<uint32_t>(link);
      if (reached[next]) continue;
      reached[next] = true;
      --unreached;
      open.push_back(next);
    }
  }
  return unreached;
}

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_REACHABILITY_H_
