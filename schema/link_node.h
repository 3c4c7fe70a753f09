// What a link part says of one row.

#ifndef ENGRAM_SCHEMA_LINK_NODE_H_
#define ENGRAM_SCHEMA_LINK_NODE_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace engram::schema {

// The bytes of a row but for its number, one row at a time.
class LinkNode {
 public:
  // A row without layers: of a space without a graph, or gone.
  void SetPlain(bool removed);

  void SetTwin(uint32_t head_row);

  // A node, whose lists follow, from layer 0 up, each ascending: `layers`
  // calls of AddLayer().
  void SetLayers(uint32_t layers, bool removed);
  void AddLayer(absl::Span<const uint32_t> neighbors);

  absl::string_view bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

}  // namespace engram::schema

#endif  // ENGRAM_SCHEMA_LINK_NODE_H_
