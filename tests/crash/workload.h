// Work for a database on a simulated machine, with its history.

#ifndef ENGRAM_TESTS_CRASH_WORKLOAD_H_
#define ENGRAM_TESTS_CRASH_WORKLOAD_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "engram/db.h"
#include "tests/crash/history.h"
#include "tests/crash/sim_machine.h"

namespace engram::testing {

inline constexpr int kWorkloadClients = 3;

struct WorkloadSize {
  int rounds = 13;  // each ends with something that is no write: see Run()
  int steps_per_burst = 14;
};

// Runs on `machine` and tells `history`, which has kWorkloadClients, of each
// step. Both outlive it.
class Workload {
 public:
  Workload(SimMachine* machine, History* history, uint64_t seed);
  ~Workload();

  // Creates the spaces, then lets the clients write at the same time, round by
  // round; between the rounds it checkpoints, compacts, makes a space and drops
  // it, erases something, closes and opens again. Returns the first error, and
  // never begins a step after one.
  absl::Status Run(const WorkloadSize& size);

  // So many steps of client 0 in the spaces that are there, or in a new one.
  absl::Status WriteSome(Db* db, int steps);

  // After Run() has failed: the clients try again, whatever happens, and close
  // the database if it is open.
  void TryOn(int steps);

  // How long a write waits for room; see WriteOptions.
  void set_admission_timeout(absl::Duration timeout) {
    write_options_.admission_timeout = timeout;
  }

  // How long an erase is tried, which a file that cannot be removed holds up.
  void set_erase_timeout(absl::Duration timeout) { erase_timeout_ = timeout; }

  // Whether a step was acknowledged that began after the sync of a file of the
  // log had failed.
  bool acknowledged_after_failed_sync() const {
    return acknowledged_after_failed_sync_;
  }

 private:
  absl::Status Open();
  absl::Status CreateSpaces(Db* db);
  absl::Status CreateSpace(Db* db, const std::string& name, int kind);
  absl::Status DropSpace(Db* db, const std::string& name);
  absl::Status Burst(int steps);
  absl::Status ReadSequences(Db* db);
  absl::Status WriteOnce(Db* db, int client, std::mt19937_64* random);
  absl::Status Repeat(Db* db, const std::vector<Write>& writes,
                      uint64_t version, const WriteOptions& options, Lsn lsn);
  absl::StatusOr<Lsn> Hand(Db* db, const std::vector<Write>& writes,
                           uint64_t version, const WriteOptions& options,
                           bool* duplicate);
  absl::Status EndRound(int round);
  absl::Status EraseOne();
  absl::Status TemporarySpace(bool checkpoint);
  size_t Begin(int client, Step step);
  absl::Status Finish(int client, size_t place, const absl::Status& status,
                      Lsn lsn);

  SimMachine* const machine_;
  History* const history_;
  std::vector<std::mt19937_64> random_;  // by client
  std::vector<uint64_t> versions_;       // by client: makes payloads unique
  std::vector<uint64_t> sequences_;      // by client: of its last write
  std::unique_ptr<Db> db_;
  std::vector<std::string> spaces_;
  int temporary_spaces_ = 0;
  WriteOptions write_options_;
  absl::Duration erase_timeout_ = absl::Minutes(2);
  std::atomic<bool> acknowledged_after_failed_sync_{false};
};

}  // namespace engram::testing

#endif  // ENGRAM_TESTS_CRASH_WORKLOAD_H_
