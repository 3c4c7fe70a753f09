// The database that engram-bench ingest writes to.

#ifndef ENGRAM_TOOLS_BENCH_INGEST_SPACES_H_
#define ENGRAM_TOOLS_BENCH_INGEST_SPACES_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engram/db.h"
#include "tools/bench/ingest_options.h"
#include "tools/bench/noisy_rows.h"

namespace engram::bench {

// Spaces alike. Not thread-safe, but for what Db and Space themselves are.
class IngestSpaces {
 public:
  // Makes a database of `count` spaces in `path`, which must not exist, with
  // options.preload observations each. `pending_per_space` may wait in each.
  static absl::StatusOr<std::unique_ptr<IngestSpaces>> Create(
      const std::string& path, int count, uint64_t pending_per_space,
      uint32_t dimension, const IngestOptions& options, NoisyRows* rows);
  // Removes the database.
  ~IngestSpaces();

  IngestSpaces(const IngestSpaces&) = delete;
  IngestSpaces& operator=(const IngestSpaces&) = delete;

  // Closes and opens again, so that all counts begin at 0.
  absl::Status Reopen(int workers);

  Db& db() { return *db_; }
  size_t count() const { return spaces_.size(); }
  Space& space(size_t i) { return spaces_[i]; }

  // An id that was never used.
  std::string NextId();

  // Observations in all spaces.
  absl::StatusOr<uint64_t> CountLive() const;

  // Share of the 10 nearest that a search with default options finds, of
  // vectors like those that were written; mean over `searches`.
  absl::StatusOr<double> Recall(size_t space, int searches, NoisyRows* rows);

  // After a checkpoint, of all spaces.
  absl::StatusOr<uint64_t> CountUnreachable();

 private:
  explicit IngestSpaces(std::string path) : path_(std::move(path)) {}

  absl::Status Preload(uint32_t observations, NoisyRows* rows);

  const std::string path_;
  Options options_;
  SpaceOptions space_options_;
  std::unique_ptr<Db> db_;
  std::vector<Space> spaces_;
  uint64_t next_id_ = 0;
};

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_INGEST_SPACES_H_
