#include "tools/demo/crash.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/base/errno_status.h"
#include "storage/base/mutex.h"
#include "storage/base/status_macros.h"
#include "tools/demo/agents.h"
#include "tools/demo/child_process.h"
#include "tools/demo/elapsed.h"

namespace engram::demo {
namespace {

using std::chrono::steady_clock;

constexpr char kSpaceName[] = "witness";
constexpr size_t kChildThreads = 8;

// report := word: u32, with kAcknowledgedBit set after it
// Smaller than what a pipe takes at once, so reports do not mix.
constexpr uint32_t kAcknowledgedBit = uint32_t{1} << 31;

absl::StatusOr<Space> OpenWitness(Db& db, const Words& words) {
  SpaceOptions options;
  options.dimension = words.dimension();
  options.metric = Metric::kCosine;
  return db.OpenSpace(kSpaceName, options);
}

std::string Payload(const Words& words, size_t word) {
  return absl::StrCat("the witness saw ", words.names[word]);
}

absl::Status Report(uint32_t report) {
  if (::write(kReportFd, &report, sizeof(report)) !=
      static_cast<ssize_t>(sizeof(report))) {
    return ErrnoStatus(errno, "write", "report");
  }
  return absl::OkStatus();
}

absl::Status ObserveOne(Space& space, const Words& words, size_t word) {
  ENGRAM_RETURN_IF_ERROR(Report(static_cast<uint32_t>(word)));
  const std::string payload = Payload(words, word);
  ENGRAM_RETURN_IF_ERROR(space
                             .Observe({words.names[word], words.vectors[word],
                                       payload, static_cast<int64_t>(word)})
                             .status());
  return Report(static_cast<uint32_t>(word) | kAcknowledgedBit);
}

enum class Fate : uint8_t { kUntouched, kInFlight, kAcknowledged };

struct Reports {
  std::vector<Fate> fates;  // by word
  size_t acknowledged = 0;
  size_t in_flight = 0;
};

absl::Status Apply(absl::string_view bytes, Reports* reports) {
  for (size_t at = 0; at + sizeof(uint32_t) <= bytes.size();
       at += sizeof(uint32_t)) {
    uint32_t report;
    std::memcpy(&report, bytes.data() + at, sizeof(report));
    const size_t word = report & ~kAcknowledgedBit;
    if (word >= reports->fates.size()) {
      return absl::InternalError("the child reported a word that is none");
    }
    if ((report & kAcknowledgedBit) == 0) {
      reports->fates[word] = Fate::kInFlight;
      ++reports->in_flight;
    } else {
      reports->fates[word] = Fate::kAcknowledged;
      --reports->in_flight;
      ++reports->acknowledged;
    }
  }
  return absl::OkStatus();
}

// Runs the child, kills it when half of the words are acknowledged, and
// returns what it reported until it was dead.
absl::StatusOr<Reports> RunAndKill(const std::vector<std::string>& arguments,
                                   const Words& words) {
  Reports reports;
  reports.fates.resize(words.count(), Fate::kUntouched);
  ENGRAM_ASSIGN_OR_RETURN(ChildProcess child,
                          ChildProcess::Start(arguments, kReportFd));
  std::string bytes;
  bool killed = false;
  while (true) {
    ENGRAM_ASSIGN_OR_RETURN(const bool more, child.Read(&bytes));
    if (!more) break;
    const size_t whole = bytes.size() - bytes.size() % sizeof(uint32_t);
    ENGRAM_RETURN_IF_ERROR(
        Apply(absl::string_view(bytes).substr(0, whole), &reports));
    bytes.erase(0, whole);
    if (killed || reports.acknowledged < words.count() / 2) continue;
    ENGRAM_RETURN_IF_ERROR(child.Kill());
    killed = true;
  }
  ENGRAM_ASSIGN_OR_RETURN(const int result, child.Wait());
  if (!killed || !WIFSIGNALED(result) || WTERMSIG(result) != SIGKILL) {
    return absl::InternalError(
        absl::StrCat("the child ended by itself after ", reports.acknowledged,
                     " acknowledgements, status ", result));
  }
  return reports;
}

// OK if the observation is what the child wrote, bit for bit.
absl::Status CheckStored(const Space& space, const Words& words, size_t word) {
  ENGRAM_ASSIGN_OR_RETURN(const StoredObservation stored,
                          space.Get(words.names[word]));
  const std::vector<float>& expected = words.vectors[word];
  if (stored.vector.size() != expected.size() ||
      std::memcmp(stored.vector.data(), expected.data(),
                  expected.size() * sizeof(float)) != 0 ||
      stored.payload != Payload(words, word) ||
      stored.timestamp_us != static_cast<int64_t>(word)) {
    return absl::DataLossError(absl::StrCat("\"", words.names[word],
                                            "\" is not what was acknowledged"));
  }
  return absl::OkStatus();
}

absl::Status CheckFound(const Space& space, const Words& words, size_t word) {
  SearchOptions options;
  options.k = 1;
  ENGRAM_ASSIGN_OR_RETURN(const std::vector<Hit> hits,
                          space.Search(words.vectors[word], options));
  if (hits.size() == 1 && hits[0].id == words.names[word]) {
    return absl::OkStatus();
  }
  return absl::DataLossError(absl::StrCat(
      "a search for the vector of \"", words.names[word], "\" finds ",
      hits.empty() ? "nothing" : absl::StrCat("\"", hits[0].id, "\"")));
}

// Checks all words against their fate; returns how many of those in flight
// are there.
absl::StatusOr<size_t> CheckFates(const Space& space, const Words& words,
                                  const Reports& reports) {
  size_t survived = 0;
  for (size_t word = 0; word < words.count(); ++word) {
    const Fate fate = reports.fates[word];
    const absl::Status stored = CheckStored(space, words, word);
    if (fate != Fate::kAcknowledged && absl::IsNotFound(stored)) continue;
    if (!stored.ok()) {
      return absl::DataLossError(absl::StrCat(
          fate == Fate::kAcknowledged ? "acknowledged and lost: " : "",
          stored.message()));
    }
    if (fate == Fate::kUntouched) {
      return absl::DataLossError(absl::StrCat(
          "\"", words.names[word], "\" is there, but was never observed"));
    }
    ENGRAM_RETURN_IF_ERROR(CheckFound(space, words, word));
    if (fate == Fate::kInFlight) ++survived;
  }
  return survived;
}

}  // namespace

absl::Status IngestAsChild(const std::string& db_path, const Words& words) {
  Options options;
  options.create_if_missing = false;
  ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<Db> db,
                          Db::Open(db_path, options));
  ENGRAM_ASSIGN_OR_RETURN(Space space, OpenWitness(*db, words));
  std::atomic<size_t> next{0};
  Mutex mutex;
  absl::Status status;
  std::vector<std::thread> threads;
  for (size_t i = 0; i < kChildThreads; ++i) {
    threads.emplace_back([&] {
      while (true) {
        // Relaxed: only hands out numbers.
        const size_t word = next.fetch_add(1, std::memory_order_relaxed);
        if (word >= words.count()) return;
        const absl::Status observed = ObserveOne(space, words, word);
        if (observed.ok()) continue;
        MutexLock lock(mutex);
        status = observed;
        return;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  return status;
}

absl::StatusOr<std::unique_ptr<Db>> KillAndRecover(
    const std::string& db_path, const std::vector<std::string>& arguments,
    const Words& words, const Screen& screen) {
  screen.Section("3. A process is killed while it observes");
  screen.Text(absl::StrCat("A second process observes the words from ",
                           kChildThreads, " threads in a space of its own;"));
  screen.Text("it is killed (kill -9) when half of them are acknowledged.");
  ENGRAM_ASSIGN_OR_RETURN(const Reports reports, RunAndKill(arguments, words));
  screen.Line("acknowledged", Thousands(reports.acknowledged),
              "told so before the process died");
  screen.Line("in flight", Thousands(reports.in_flight),
              "begun, never acknowledged: may be there or not");

  const steady_clock::time_point begin = steady_clock::now();
  Options options;
  options.create_if_missing = false;
  ENGRAM_ASSIGN_OR_RETURN(std::unique_ptr<Db> db, Db::Open(db_path, options));
  const double open_us = MicrosSince(begin);
  ENGRAM_ASSIGN_OR_RETURN(const DbStats stats, db->GetStats());
  screen.Line("recovered in", screen.Duration(open_us),
              absl::StrCat("to open; all of it is searchable, ",
                           Thousands(stats.replayed_records),
                           " records replayed from the log"));
  // First while records still wait to be indexed, as far as they do.
  ENGRAM_ASSIGN_OR_RETURN(const Space space, OpenWitness(*db, words));
  ENGRAM_ASSIGN_OR_RETURN(const size_t survived,
                          CheckFates(space, words, reports));
  ENGRAM_RETURN_IF_ERROR(
      db->Wait(stats.last_lsn, Stage::kIndexed, kIndexedTimeout));
  ENGRAM_ASSIGN_OR_RETURN(const size_t survived_indexed,
                          CheckFates(space, words, reports));
  ENGRAM_ASSIGN_OR_RETURN(const SpaceStats space_stats, space.GetStats());
  if (survived_indexed != survived ||
      space_stats.live_records != reports.acknowledged + survived) {
    return absl::DataLossError(absl::StrCat(
        "space ", kSpaceName, " holds ", space_stats.live_records,
        " observations, expected ", reports.acknowledged + survived));
  }
  ENGRAM_RETURN_IF_ERROR(CheckAgents(*db, words));
  screen.Line("in flight, and there",
              absl::StrCat(survived, " of ", reports.in_flight));
  screen.Passed(absl::StrCat("all ", Thousands(reports.acknowledged),
                             " acknowledged are there, bit for bit"));
  screen.Passed("each is the first that a search for its vector finds");
  screen.Passed(absl::StrCat("the agents' ", Thousands(ObservationCount(words)),
                             " are all there too"));
  return db;
}

}  // namespace engram::demo
