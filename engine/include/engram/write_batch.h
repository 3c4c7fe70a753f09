// Several writes that become durable together.

#ifndef ENGRAM_WRITE_BATCH_H_
#define ENGRAM_WRITE_BATCH_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "engram/observation.h"
#include "engram/space.h"

namespace engram {

// Collects writes to any number of spaces of one database for Db::Write().
// Copies what it is given. Not thread-safe.
//
//   WriteBatch batch;
//   batch.Observe(notes, {"n1", vector, "text"});
//   batch.Remove(drafts, "d7");
//   absl::StatusOr<Lsn> lsn = db->Write(batch);
class WriteBatch {
 public:
  void Observe(const Space& space, const Observation& observation);
  void Remove(const Space& space, absl::string_view id);
  void Clear();

  size_t count() const { return entries_.size(); }

  // Bytes that the batch takes in the log, about; at most
  // kWriteBatchBytesMax are accepted.
  size_t bytes() const { return bytes_; }

 private:
  friend class internal::DbImpl;

  struct Entry {
    Space space;
    bool remove = false;
    std::string id;
    std::vector<float> vector;
    std::string payload;
    int64_t timestamp_us = 0;
  };

  std::vector<Entry> entries_;
  size_t bytes_ = 0;
};

}  // namespace engram

#endif  // ENGRAM_WRITE_BATCH_H_
