// Writes to a database until it is killed, and says what was acknowledged.
//
//   crash_child DATABASE LEDGER SEED uring|pwrite
//
// Several threads observe and remove in several spaces; checkpoints go on, and
// one space is dropped and made again. Each thread owns its ids, so the order
// of the writes to one id is known. It appends fixed-size entries to the ledger
// with one write() each: an intent before every call, an acknowledgement after
// it returned. A killed process keeps what it has written there.

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engram/db.h"
#include "tests/support/ledger.h"
#include "tests/support/test_vectors.h"

namespace engram::testing {
namespace {

[[noreturn]] void Fail(const absl::Status& status) {
  std::fprintf(stderr, "crash_child: %s\n", status.ToString().c_str());
  std::exit(1);
}

class LedgerWriter {
 public:
  explicit LedgerWriter(const char* path)
      : fd_(::open(path, O_WRONLY | O_CREAT | O_APPEND, 0600)) {
    if (fd_ < 0) Fail(absl::InternalError("cannot open the ledger"));
  }

  void Write(const LedgerEntry& entry) const {
    if (::write(fd_, &entry, sizeof(entry)) != sizeof(entry)) {
      Fail(absl::InternalError("cannot write to the ledger"));
    }
  }

 private:
  const int fd_;
};

// One thread's writes; never returns.
void WriteForEver(std::vector<Space> spaces, const LedgerWriter& ledger,
                  uint32_t thread, uint32_t seed) {
  std::mt19937 random(seed * kLedgerThreads + thread);
  for (uint64_t sequence = 1;; ++sequence) {
    LedgerEntry entry = {};
    entry.thread = thread;
    entry.space = random() % kLedgerSpaces;
    entry.number = random() % LedgerIdsOf(entry.space);
    // Rises from run to run too: the seed does. No two threads have the same.
    entry.version = uint64_t{seed} << 32 | (sequence * kLedgerThreads + thread);
    entry.remove = random() % 5 == 0;
    ledger.Write(entry);
    // Either survives the end of the process.
    WriteOptions options;
    if (random() % 4 == 0) options.durability = Durability::kProcess;
    const std::string id = LedgerId(entry);
    absl::StatusOr<Lsn> lsn =
        entry.remove != 0
            ? spaces[entry.space].Remove(id, options)
            : spaces[entry.space].Observe(
                  {id, TestVector(kLedgerDimension, entry.version),
                   LedgerPayload(entry), 0},
                  options);
    if (!lsn.ok()) Fail(lsn.status());
    entry.acknowledged = 1;
    ledger.Write(entry);
  }
}

void ChurnForEver(Db* db) {
  SpaceOptions options;
  options.dimension = kLedgerDimension;
  while (true) {
    auto space = db->OpenSpace("churn", options);
    if (!space.ok()) Fail(space.status());
    const auto lsn =
        space->Observe({"x", TestVector(kLedgerDimension, 1), "y"});
    if (!lsn.ok()) Fail(lsn.status());
    if (const absl::Status status = db->Checkpoint(); !status.ok()) {
      Fail(status);
    }
    if (const absl::Status status = db->DropSpace("churn"); !status.ok()) {
      Fail(status);
    }
  }
}

std::vector<Space> OpenSpaces(Db* db) {
  std::vector<Space> spaces;
  SpaceOptions options;
  options.dimension = kLedgerDimension;
  for (uint32_t i = 0; i < kLedgerSpaces; ++i) {
    auto space = db->OpenSpace(LedgerSpaceName(i), options);
    if (!space.ok()) Fail(space.status());
    spaces.push_back(*space);
  }
  return spaces;
}

int Run(char** arguments) {
  const uint32_t seed = static_cast<uint32_t>(std::atoi(arguments[3]));
  auto db = Db::Open(arguments[1],
                     LedgerOptions(std::strcmp(arguments[4], "pwrite") == 0));
  if (!db.ok()) Fail(db.status());
  // Before the ledger, whose first byte says that the child is at work.
  const std::vector<Space> spaces = OpenSpaces(db->get());
  const LedgerWriter ledger(arguments[2]);
  std::vector<std::thread> threads;
  for (uint32_t i = 0; i < kLedgerThreads; ++i) {
    threads.emplace_back([&, i] { WriteForEver(spaces, ledger, i, seed); });
  }
  threads.emplace_back([&] { ChurnForEver(db->get()); });
  for (std::thread& thread : threads) thread.join();
  return 0;
}

}  // namespace
}  // namespace engram::testing

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: %s DATABASE LEDGER SEED uring|pwrite\n",
                 argv[0]);
    return 2;
  }
  return engram::testing::Run(argv);
}
