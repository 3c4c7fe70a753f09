// Engram, through its public headers.

#ifndef ENGRAM_TOOLS_BENCH_ENGRAM_SUBJECT_H_
#define ENGRAM_TOOLS_BENCH_ENGRAM_SUBJECT_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engram/db.h"
#include "tools/bench/subject.h"

namespace engram::bench {

inline constexpr char kEngram[] = "engram";

// What becomes of the database's folder when the subject is destroyed.
enum class Folder { kKept, kRemoved };

// Searches may run beside one call that writes.
class EngramSubject final : public Subject {
 public:
  // Makes a database in `path`, which must not exist.
  static absl::StatusOr<std::unique_ptr<EngramSubject>> Create(
      const std::string& path, Folder folder, const IndexShape& shape,
      const IndexParameters& parameters);

  ~EngramSubject() override;

  std::string name() const override { return kEngram; }
  std::string building() const override;

  absl::Status Insert(const Matrix& base,
                      absl::Span<const Item> items) override;

  // As Insert(), but at most `batches` of a write batch's size are acknowledged
  // and not yet linked: a search compares its query with all of those.
  absl::Status InsertPaced(const Matrix& base, absl::Span<const Item> items,
                           size_t batches);

  absl::Status Replace(const Matrix& base, absl::Span<const uint32_t> removed,
                       absl::Span<const Item> inserted) override;

  // Checkpoints, which re-attaches nodes: later searches and those after
  // Reopen() then see the same graph.
  absl::Status Settle() override;

  absl::Status Search(absl::Span<const float> query, uint32_t ef,
                      std::vector<Found>* found) override;

  absl::StatusOr<uint64_t> CountUnreachable() override;

  absl::StatusOr<SpaceStats> Stats() const { return space_.GetStats(); }

  // Closes the database and opens it again.
  absl::Status Reopen();

  absl::Status Close() { return db_->Close(); }

 private:
  EngramSubject(std::string path, Folder folder, const IndexShape& shape,
                const IndexParameters& parameters);

  absl::Status Open();

  // Writes what `add`(0) .. `add`(count - 1) put into the batch; returns when
  // it is indexed. At most `batches` of it are pending at any time.
  absl::Status WriteAll(size_t count, size_t batches,
                        const std::function<void(size_t, WriteBatch*)>& add);

  const std::string path_;
  const Folder folder_;
  const IndexParameters parameters_;
  SpaceOptions space_options_;
  std::unique_ptr<Db> db_;
  Space space_;
};

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_ENGRAM_SUBJECT_H_
