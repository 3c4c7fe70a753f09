#include "tools/demo/agents.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/base/mutex.h"
#include "storage/base/status_macros.h"
#include "tools/demo/elapsed.h"

namespace engram::demo {
namespace {

using std::chrono::steady_clock;

constexpr size_t kThreadsPerAgent = 4;

// Of so many observations one is followed until it is indexed.
constexpr size_t kFollowedOneIn = 16;

// One agent at work: some threads that observe, and one that follows what they
// observed until it is indexed.
class Agent {
 public:
  Agent(Space space, const Words& words, size_t number)
      : space_(std::move(space)), words_(words) {
    for (size_t word = 0; word < words.count(); ++word) {
      if (Observes(number, word)) mine_.push_back(word);
    }
  }

  void Start() {
    for (size_t i = 0; i < kThreadsPerAgent; ++i) {
      writers_.emplace_back([this] { Observe(); });
    }
    follower_ = std::thread([this] { Follow(); });
  }

  void JoinWriters() {
    for (std::thread& writer : writers_) writer.join();
    MutexLock lock(mutex_);
    finished_ = true;
    changed_.NotifyAll();
  }
  void JoinFollower() { follower_.join(); }

  // After the joins.
  absl::Status status() const {
    MutexLock lock(mutex_);
    return status_;
  }
  Lsn last_lsn() const {
    MutexLock lock(mutex_);
    return last_lsn_;
  }
  Durations acknowledged() const {
    MutexLock lock(mutex_);
    return acknowledged_;
  }
  Durations indexed() const {
    MutexLock lock(mutex_);
    return indexed_;
  }

 private:
  struct Followed {
    Lsn lsn;
    steady_clock::time_point begin;
  };

  void Observe() {
    Durations durations;
    absl::Status status;
    Lsn last = 0;
    while (status.ok()) {
      // Relaxed: only hands out numbers.
      const size_t i = next_.fetch_add(1, std::memory_order_relaxed);
      if (i >= mine_.size()) break;
      const size_t word = mine_[i];
      const steady_clock::time_point begin = steady_clock::now();
      const absl::StatusOr<Lsn> lsn =
          space_.Observe({words_.names[word], words_.vectors[word], "",
                          static_cast<int64_t>(word)});
      durations.Add(MicrosSince(begin));
      status = lsn.status();
      if (!lsn.ok()) break;
      last = std::max(last, *lsn);
      if (i % kFollowedOneIn != 0) continue;
      MutexLock lock(mutex_);
      followed_.push_back({*lsn, begin});
      changed_.NotifyAll();
    }
    MutexLock lock(mutex_);
    acknowledged_.Append(durations);
    last_lsn_ = std::max(last_lsn_, last);
    if (status_.ok()) status_ = status;
  }

  void Follow() {
    MutexLock lock(mutex_);
    while (true) {
      while (followed_.empty() && !finished_) changed_.Wait(mutex_);
      if (followed_.empty()) return;
      const Followed next = followed_.front();
      followed_.pop_front();
      lock.Unlock();
      const absl::Status status =
          space_.Wait(next.lsn, Stage::kIndexed, kIndexedTimeout);
      const double micros = MicrosSince(next.begin);
      lock.Lock();
      indexed_.Add(micros);
      if (status_.ok()) status_ = status;
    }
  }

  Space space_;
  const Words& words_;
  std::vector<size_t> mine_;
  std::atomic<size_t> next_{0};
  std::vector<std::thread> writers_;
  std::thread follower_;

  mutable Mutex mutex_;
  CondVar changed_;
  std::deque<Followed> followed_ ABSL_GUARDED_BY(mutex_);
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  Lsn last_lsn_ ABSL_GUARDED_BY(mutex_) = 0;
  Durations acknowledged_ ABSL_GUARDED_BY(mutex_);
  Durations indexed_ ABSL_GUARDED_BY(mutex_);
};

void PrintRates(const Screen& screen, uint64_t count, double acknowledged_us,
                double indexed_us) {
  const auto rate = [count](double micros) {
    return absl::StrCat(Thousands(static_cast<uint64_t>(
                            static_cast<double>(count) * 1e6 / micros)),
                        "/s");
  };
  screen.Line(
      "acknowledged", rate(acknowledged_us),
      absl::StrCat(Thousands(count), " in ", screen.Duration(acknowledged_us),
                   ", each synced to the log"));
  screen.Line(
      "indexed", rate(indexed_us),
      absl::StrCat("all linked into graphs after ", screen.Duration(indexed_us),
                   "; searches see them before"));
}

void PrintLatencies(const Screen& screen, const Durations& acknowledged,
                    const Durations& indexed) {
  const auto print = [&screen](absl::string_view label,
                               const Durations& durations,
                               absl::string_view note) {
    screen.Line(absl::StrCat(label, ", P50"),
                screen.Duration(durations.Percentile(50)), note);
    screen.Line(absl::StrCat(label, ", P99"),
                screen.Duration(durations.Percentile(99)));
  };
  print("call to acknowledged", acknowledged, "every observation");
  print("call to indexed", indexed,
        absl::StrCat("1 in ", kFollowedOneIn, ": ", Thousands(indexed.count()),
                     " observations"));
}

}  // namespace

size_t ObservationCount(const Words& words) {
  size_t count = 0;
  for (size_t agent = 0; agent < kAgents; ++agent) {
    for (size_t word = 0; word < words.count(); ++word) {
      if (Observes(agent, word)) ++count;
    }
  }
  return count;
}

std::string AgentName(size_t agent) {
  return absl::StrCat("agent-", agent + 1);
}

absl::StatusOr<Space> OpenAgent(Db& db, const Words& words, size_t agent) {
  SpaceOptions options;
  options.dimension = words.dimension();
  options.metric = Metric::kCosine;
  return db.OpenSpace(AgentName(agent), options);
}

absl::Status ObserveWords(Db& db, const Words& words, const Screen& screen) {
  screen.Section("1. Four agents observe");
  screen.Text(absl::StrCat("Each has a space, and ", kThreadsPerAgent,
                           " threads that wait for every acknowledgement."));
  std::vector<std::unique_ptr<Agent>> agents;
  for (size_t number = 0; number < kAgents; ++number) {
    ENGRAM_ASSIGN_OR_RETURN(Space space, OpenAgent(db, words, number));
    agents.push_back(std::make_unique<Agent>(std::move(space), words, number));
  }
  const steady_clock::time_point begin = steady_clock::now();
  for (const auto& agent : agents) agent->Start();
  for (const auto& agent : agents) agent->JoinWriters();
  const double acknowledged_us = MicrosSince(begin);
  Lsn last_lsn = 0;
  for (const auto& agent : agents) {
    last_lsn = std::max(last_lsn, agent->last_lsn());
  }
  const absl::Status waited =
      db.Wait(last_lsn, Stage::kIndexed, kIndexedTimeout);
  const double indexed_us = MicrosSince(begin);
  Durations acknowledged;
  Durations indexed;
  absl::Status status = waited;
  for (const auto& agent : agents) {
    agent->JoinFollower();
    if (status.ok()) status = agent->status();
    acknowledged.Append(agent->acknowledged());
    indexed.Append(agent->indexed());
  }
  ENGRAM_RETURN_IF_ERROR(status);
  PrintRates(screen, acknowledged.count(), acknowledged_us, indexed_us);
  PrintLatencies(screen, acknowledged, indexed);
  return CheckAgents(db, words);
}

absl::Status CheckAgents(Db& db, const Words& words) {
  for (size_t number = 0; number < kAgents; ++number) {
    ENGRAM_ASSIGN_OR_RETURN(const Space space, OpenAgent(db, words, number));
    ENGRAM_ASSIGN_OR_RETURN(const SpaceStats stats, space.GetStats());
    uint64_t expected = 0;
    for (size_t word = 0; word < words.count(); ++word) {
      if (Observes(number, word)) ++expected;
    }
    if (stats.live_records != expected) {
      return absl::DataLossError(absl::StrCat("space ", AgentName(number),
                                              " holds ", stats.live_records,
                                              " observations of ", expected));
    }
  }
  return absl::OkStatus();
}

}  // namespace engram::demo
