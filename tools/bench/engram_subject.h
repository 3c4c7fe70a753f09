// Engram, through its public headers.

#ifndef ENGRAM_TOOLS_BENCH_ENGRAM_SUBJECT_H_
#define ENGRAM_TOOLS_BENCH_ENGRAM_SUBJECT_H_

#include <memory>
#include <string>
#include <vector>

#include "engram/db.h"
#include "tools/bench/subject.h"

namespace engram::bench {

class EngramSubject final : public Subject {
 public:
  // Makes a database in `path`, which must not exist.
  static absl::StatusOr<std::unique_ptr<EngramSubject>> Create(
      const std::string& path, const Dataset& dataset,
      const IndexParameters& parameters);

  std::string name() const override { return "engram"; }
  std::string building() const override;
  absl::Status Build(const Matrix& base) override;

  // Checkpoints, which re-attaches nodes: later searches and those after
  // Reopen() then see the same graph.
  absl::Status Settle() override;

  absl::Status Search(absl::Span<const float> query, uint32_t ef,
                      std::vector<Found>* found) override;

  // Closes the database and opens it again.
  absl::Status Reopen();

  absl::Status Close() { return db_->Close(); }

 private:
  EngramSubject(std::string path, const Dataset& dataset,
                const IndexParameters& parameters);

  absl::Status Open();

  const std::string path_;
  const IndexParameters parameters_;
  SpaceOptions space_options_;
  std::unique_ptr<Db> db_;
  Space space_;
};

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_ENGRAM_SUBJECT_H_
