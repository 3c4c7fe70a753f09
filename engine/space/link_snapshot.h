// The links that have changed since the last checkpoint, as a new one found
// them.

#ifndef ENGRAM_ENGINE_SPACE_LINK_SNAPSHOT_H_
#define ENGRAM_ENGINE_SPACE_LINK_SNAPSHOT_H_

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "engine/index/graph.h"
#include "schema/link_node.h"
#include "storage/base/mapped_allocator.h"

namespace engram::space {

// Indexing waits while it is filled, so that only copies: slots stay what they
// are in memory, in any order. They become rows, and get the order of rows,
// when the links are taken out.
class LinkSnapshot {
 public:
  // Gets memory for about so many nodes, before anybody waits.
  void Reserve(size_t nodes, uint32_t M);

  // The row of a version that is no node.
  void AddPlain(uint32_t row, bool removed);
  void AddTwin(uint32_t row, uint32_t head_slot);
  void AddNode(uint32_t row, bool removed, const index::Graph& graph,
               uint32_t slot);

  size_t count() const { return starts_.size(); }

  // Which row stands in each slot, of all that the links name. Called once,
  // between adding and taking.
  void Sort(std::vector<uint32_t, MappedAllocator<uint32_t>> rows_of_slots);

  // Gives the rows in ascending order, each once; false at their end.
  bool Take(uint32_t* row, schema::LinkNode* node);

 private:
  void Begin(uint32_t row, uint32_t flags);
  uint32_t RowOf(uint32_t slot) const;

  using Words = std::vector<uint32_t, MappedAllocator<uint32_t>>;

  // node := flags: kRemoved | kTwin | layers   head's slot, of a twin
  //         { degree   slots } per layer
  Words words_;
  std::vector<std::pair<uint32_t, size_t>> starts_;  // row, place in words_
  Words rows_of_slots_;
  size_t taken_ = 0;
  std::vector<uint32_t> neighbors_;
};

}  // namespace engram::space

#endif  // ENGRAM_ENGINE_SPACE_LINK_SNAPSHOT_H_
