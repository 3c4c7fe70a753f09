#include "tools/bench/subject.h"

namespace engram::bench {

absl::StatusOr<std::unique_ptr<Subject>> MakeBaseline(const Dataset&,
                                                      const IndexParameters&) {
  return absl::UnimplementedError(
      "hnswlib was not found when this program was configured: nothing to "
      "compare with");
}

}  // namespace engram::bench
