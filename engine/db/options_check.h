// Which options Db::Open(), OpenSpace(), Search() and writes take.

#ifndef ENGRAM_ENGINE_DB_OPTIONS_CHECK_H_
#define ENGRAM_ENGINE_DB_OPTIONS_CHECK_H_

#include "absl/status/status.h"
#include "engram/options.h"
#include "schema/space_codec.h"

namespace engram::internal {

// INVALID_ARGUMENT naming the option, its value and what is allowed.
absl::Status CheckOptions(const Options& options);
absl::Status CheckSearchOptions(const SearchOptions& options);
absl::Status CheckQuota(const SpaceQuota& quota);
absl::Status CheckWriteOptions(const WriteOptions& options);
absl::Status CheckStage(Stage stage);

// FAILED_PRECONDITION naming both values unless `options` are those that the
// space was created with.
absl::Status CheckSameOptions(const schema::SpaceDescription& space,
                              const SpaceOptions& options);

// `ef_search` as the search runs it.
uint32_t EffectiveEfSearch(const SearchOptions& options);

}  // namespace engram::internal

#endif  // ENGRAM_ENGINE_DB_OPTIONS_CHECK_H_
