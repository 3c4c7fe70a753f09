#include "tools/bench/peers.h"

namespace engram::bench {

absl::StatusOr<std::unique_ptr<Subject>> MakeHnswlib(const IndexShape&,
                                                     const IndexParameters&) {
  return absl::UnimplementedError(
      "hnswlib was not found when this program was configured: no comparison "
      "with "
      "it");
}

}  // namespace engram::bench
