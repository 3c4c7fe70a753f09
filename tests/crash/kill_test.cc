// Kills a writing process again and again, and looks whether the database
// still holds what it acknowledged.
//
// ENGRAM_KILL_CYCLES_URING and ENGRAM_KILL_CYCLES_PWRITE set the number of
// cycles.

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engram/db.h"
#include "gtest/gtest.h"
#include "tests/support/ledger.h"
#include "tests/support/temporary_directory.h"
#include "tests/support/test_vectors.h"

namespace engram::testing {
namespace {

int CyclesFromEnvironment(const char* name, int otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::atoi(text);
}

// The child writes until it is killed; its start, recovery included, gets
// this long at least.
constexpr int kLifeMicrosMin = 5'000;
constexpr int kLifeMicrosMax = 60'000;
constexpr int kCyclesPerVerify = 10;

class KillTest : public ::testing::Test {
 protected:
  absl::Status TryToOpen(bool pwrite) const {
    return Db::Open(directory_.PathOf("first"), LedgerOptions(pwrite)).status();
  }

  void RunCycles(bool pwrite, int cycles) {
    std::mt19937 random(20'260'101);
    uint64_t acknowledged = 0;
    for (int cycle = 1; cycle <= cycles; ++cycle) {
      SCOPED_TRACE(absl::StrCat("cycle ", cycle));
      const int life_micros =
          kLifeMicrosMin +
          static_cast<int>(random() % (kLifeMicrosMax - kLifeMicrosMin));
      RunChild(pwrite, cycle, life_micros);
      acknowledged += ReadLedger();
      const bool thorough = cycle % kCyclesPerVerify == 0 || cycle == cycles;
      CheckDatabase(pwrite, thorough);
      if (HasFatalFailure() || HasNonfatalFailure()) return;
      if (thorough) Verify();
    }
    RecordProperty("acknowledged", std::to_string(acknowledged));
    std::printf("%d cycles, %llu writes acknowledged, 0 lost\n", cycles,
                static_cast<unsigned long long>(acknowledged));
    EXPECT_GT(acknowledged, static_cast<uint64_t>(cycles));
  }

 private:
  using Key = std::tuple<uint32_t, std::string>;  // space, id

  // What may stand under an id: the last acknowledged write, or one that was
  // begun after it.
  struct Allowed {
    bool absent = true;
    std::set<std::string> payloads;
  };

  void RunChild(bool pwrite, int seed, int life_micros) {
    const std::string seed_text = std::to_string(seed);
    std::remove(ledger_.c_str());
    const pid_t pid = ::fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
      ::execl(ENGRAM_CRASH_CHILD, ENGRAM_CRASH_CHILD, db_.c_str(),
              ledger_.c_str(), seed_text.c_str(), pwrite ? "pwrite" : "uring",
              nullptr);
      ::_exit(127);
    }
    // From its first write on; it has recovered by then.
    int status = 0;
    while (::access(ledger_.c_str(), F_OK) != 0) {
      ASSERT_EQ(::waitpid(pid, &status, WNOHANG), 0)
          << "the child ended by itself";
      ::usleep(1000);
    }
    ::usleep(static_cast<useconds_t>(life_micros));
    ::kill(pid, SIGKILL);
    ASSERT_EQ(::waitpid(pid, &status, 0), pid);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the child ended by itself";
  }

  // Brings allowed_ and touched_ up to date; returns the number of acknowledged
  // writes.
  uint64_t ReadLedger() {
    touched_.clear();
    std::ifstream file(ledger_, std::ios::binary);
    uint64_t acknowledged = 0;
    LedgerEntry entry;
    while (file.read(reinterpret_cast<char*>(&entry), sizeof(entry))) {
      const Key key(entry.space, LedgerId(entry));
      touched_.insert(key);
      Allowed& allowed = allowed_[key];
      if (entry.acknowledged != 0) {
        ++acknowledged;
        allowed = Allowed();
        allowed.absent = entry.remove != 0;
      } else if (entry.remove != 0) {
        allowed.absent = true;
      }
      if (entry.remove == 0) allowed.payloads.insert(LedgerPayload(entry));
    }
    return acknowledged;
  }

  // Looks for every id; reads, and searches for, those of this cycle or all.
  void CheckDatabase(bool pwrite, bool reads_all) {
    auto db = Db::Open(db_, LedgerOptions(pwrite));
    ASSERT_TRUE(db.ok()) << db.status();
    std::set<Key> present;
    for (uint32_t i = 0; i < kLedgerSpaces; ++i) {
      auto space = (*db)->OpenSpace(LedgerSpaceName(i), {});
      if (absl::IsNotFound(space.status())) continue;
      ASSERT_TRUE(space.ok()) << space.status();
      CheckSpace(&*space, i, reads_all, &present);
    }
    for (const auto& [key, allowed] : allowed_) {
      ASSERT_TRUE(allowed.absent || present.count(key) == 1)
          << "lost: " << std::get<1>(key) << " of space " << std::get<0>(key);
    }
    // Once killed, once closed: both ways of leaving are seen by the next
    // cycle.
    if (pwrite) {
      ASSERT_TRUE((*db)->Close().ok());
    }
  }

  void CheckSpace(Space* space, uint32_t number, bool reads_all,
                  std::set<Key>* present) {
    const auto ids = space->ListIds();
    ASSERT_TRUE(ids.ok()) << ids.status();
    for (const std::string& id : *ids) {
      const Key key(number, id);
      ASSERT_TRUE(present->insert(key).second) << "twice: " << id;
      if (!reads_all && touched_.count(key) == 0) continue;
      const auto stored = space->Get(id);
      ASSERT_TRUE(stored.ok()) << stored.status();
      Allowed& allowed = allowed_[key];
      ASSERT_EQ(allowed.payloads.count(stored->payload), 1u)
          << id << " holds " << stored->payload;
      const auto hits = space->Search(stored->vector, {1, 0});
      ASSERT_TRUE(hits.ok()) << hits.status();
      ASSERT_EQ(hits->size(), 1u);
      ASSERT_EQ((*hits)[0].id, id) << "not found by its own vector";
      // From now on this is what was acknowledged: it was read.
      allowed.payloads = {stored->payload};
      allowed.absent = false;
    }
    for (auto it = allowed_.lower_bound(Key(number, ""));
         it != allowed_.end() && std::get<0>(it->first) == number; ++it) {
      if (present->count(it->first) == 1) continue;
      if (it->second.absent) it->second.payloads.clear();
    }
  }

  void Verify() {
    const std::string command =
        absl::StrCat(ENGRAM_CTL, " --db ", db_, " verify > ", report_, " 2>&1");
    const int status = std::system(command.c_str());
    std::ifstream file(report_);
    const std::string text((std::istreambuf_iterator<char>(file)),
                           std::istreambuf_iterator<char>());
    ASSERT_EQ(WEXITSTATUS(status), 0) << text;
  }

  // A killed process leaves its files to the kernel, be they in memory; what
  // a power cut leaves is for crash_point_test.cc. ENGRAM_KILL_FOLDER is
  // another place, on a real disk.
  static std::string Folder() {
    const char* folder = std::getenv("ENGRAM_KILL_FOLDER");
    if (folder != nullptr) return folder;
    return ::access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "";
  }

  TemporaryDirectory directory_{Folder()};
  const std::string db_ = directory_.PathOf("db");
  const std::string ledger_ = directory_.PathOf("ledger");
  const std::string report_ = directory_.PathOf("report");
  std::map<Key, Allowed> allowed_;
  std::set<Key> touched_;  // in the last cycle
};

TEST_F(KillTest, NothingAcknowledgedIsLostWithUring) {
  const absl::Status status = TryToOpen(false);
  if (absl::IsPermissionDenied(status)) {
    GTEST_SKIP() << "no io_uring here: " << status;
  }
  RunCycles(false, CyclesFromEnvironment("ENGRAM_KILL_CYCLES_URING", 150));
}

TEST_F(KillTest, NothingAcknowledgedIsLostWithPwrite) {
  RunCycles(true, CyclesFromEnvironment("ENGRAM_KILL_CYCLES_PWRITE", 50));
}

}  // namespace
}  // namespace engram::testing
