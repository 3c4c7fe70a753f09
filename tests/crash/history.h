// What was asked of a database, what it acknowledged, and when: the oracle of
// the crash tests, kept outside the disk.

#ifndef ENGRAM_TESTS_CRASH_HISTORY_H_
#define ENGRAM_TESTS_CRASH_HISTORY_H_

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engram/db.h"
#include "storage/base/mutex.h"

namespace engram::testing {

// Of each space, the payload of each id. Each client is a producer, too: its
// last sequence stands as if it were an observation in a space kProducers.
using Contents = std::map<std::string, std::map<std::string, std::string>>;
inline constexpr char kProducers[] = "(producers)";

struct Write {
  std::string space;
  std::string id;
  std::string payload;
  bool remove = false;
};

// One call of one client.
struct Step {
  static constexpr uint64_t kNever = std::numeric_limits<uint64_t>::max();
  enum class Kind { kWrite, kCreateSpace, kDropSpace };

  Kind kind = Kind::kWrite;
  std::vector<Write> writes;  // all or none of them
  std::string space;          // created or dropped

  // Operations that the disk had begun before the call, and after it returned
  // OK, unless that was before its sync. A power cut after operation n can only
  // know of what was submitted_at
  // <= n, and must not forget what was acknowledged_at <= n.
  uint64_t submitted_at = 0;
  uint64_t acknowledged_at = kNever;
  Lsn lsn = 0;  // of its last record, once acknowledged
};

// The ids of a client, and nobody else's, start with this. Only client 0
// creates and drops spaces, and writes to those that it drops.
std::string ClientPrefix(int client);

// Its number as a producer, and where its last sequence stands.
inline uint64_t ProducerOf(int client) {
  return static_cast<uint64_t>(client) + 1;
}
std::string ProducerId(int client);

// Thread safety: all methods may be called concurrently; a client's steps are
// one after the other.
class History {
 public:
  // `base` was in the database before the first step, durably.
  explicit History(int clients, Contents base = {});

  // Returns the place of a step that is about to begin. `refused` takes it
  // back: nothing was logged.
  size_t Begin(int client, Step step);
  void Acknowledge(int client, size_t place, uint64_t operations, Lsn lsn);
  void Refuse(int client, size_t place);

  // Why `found` cannot be what is left after operation `operations` was the
  // last; empty if it can. That is: of each client it holds the first so many
  // steps, all those that were acknowledged among them, and none that was not
  // submitted; and no record without those that the log has before it.
  std::string Check(const Contents& found, uint64_t operations) const;

  uint64_t steps() const;

 private:
  // What one client's steps must have left.
  struct Range {
    size_t first = 0;  // the smallest number of steps that explains it
    size_t last = 0;   // the largest
  };

  std::string CheckClient(int client, const Contents& found,
                          uint64_t operations, Range* range) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Contents base_;
  mutable Mutex mutex_;
  std::vector<std::vector<Step>> steps_ ABSL_GUARDED_BY(mutex_);
};

// All that the database holds, by ListIds() and Get(), and each of it found by
// a search for its own vector.
absl::StatusOr<Contents> ReadContents(Db* db);

}  // namespace engram::testing

#endif  // ENGRAM_TESTS_CRASH_HISTORY_H_
