#include "engine/space/link_snapshot.h"

#include <algorithm>
#include <utility>

#include "storage/base/check.h"

namespace engram::space {
namespace {

constexpr uint32_t kRemoved = uint32_t{1} << 31;

}  // namespace

void LinkSnapshot::Add(const schema::NodeLinks& node) {
  ENGRAM_CHECK(node.slot == row_count_);
  ++row_count_;
  words_.push_back(static_cast<uint32_t>(node.layers.size()) |
                   (node.removed ? kRemoved : 0));
  words_.push_back(node.twin_of);
  for (const std::vector<uint32_t>& ids : node.layers) {
    words_.push_back(static_cast<uint32_t>(ids.size()));
    words_.insert(words_.end(), ids.begin(), ids.end());
  }
}

schema::NodeLinks LinkSnapshot::TakeOne() {
  schema::NodeLinks node;
  node.slot = rows_taken_++;
  const uint32_t flags = words_[taken_++];
  node.removed = (flags & kRemoved) != 0;
  node.twin_of = words_[taken_++];
  node.layers.resize(flags & ~kRemoved);
  for (std::vector<uint32_t>& ids : node.layers) {
    const uint32_t degree = words_[taken_++];
    const auto first = words_.begin() + static_cast<ptrdiff_t>(taken_);
    ids.assign(first, first + degree);
    taken_ += degree;
  }
  return node;
}

std::vector<schema::NodeLinks> LinkSnapshot::Take(size_t count) {
  std::vector<schema::NodeLinks> nodes;
  nodes.reserve(std::min<size_t>(count, row_count_ - rows_taken_));
  while (nodes.size() < count && rows_taken_ < row_count_) {
    nodes.push_back(TakeOne());
  }
  return nodes;
}

}  // namespace engram::space
