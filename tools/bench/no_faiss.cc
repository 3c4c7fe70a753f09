#include "tools/bench/peers.h"

namespace engram::bench {

absl::StatusOr<std::unique_ptr<Subject>> MakeFaiss(const IndexShape&,
                                                   const IndexParameters&) {
  return absl::UnimplementedError(
      "faiss was not found when this program was configured: no comparison "
      "with "
      "it");
}

}  // namespace engram::bench
