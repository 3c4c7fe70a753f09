// The indexes that Engram is compared with.

#ifndef ENGRAM_TOOLS_BENCH_PEERS_H_
#define ENGRAM_TOOLS_BENCH_PEERS_H_

#include <memory>

#include "absl/status/statusor.h"
#include "tools/bench/subject.h"

namespace engram::bench {

inline constexpr char kHnswlib[] = "hnswlib";
inline constexpr char kFaiss[] = "faiss";

// Each is UNIMPLEMENTED if this program was built without that library.
absl::StatusOr<std::unique_ptr<Subject>> MakeHnswlib(
    const IndexShape& shape, const IndexParameters& parameters);
absl::StatusOr<std::unique_ptr<Subject>> MakeFaiss(
    const IndexShape& shape, const IndexParameters& parameters);

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_PEERS_H_
