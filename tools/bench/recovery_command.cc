#include "tools/bench/recovery_command.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "engram/db.h"
#include "nlohmann/json.hpp"
#include "storage/base/errno_status.h"
#include "storage/base/status_macros.h"
#include "storage/base/unique_fd.h"
#include "tools/bench/dataset.h"
#include "tools/bench/noisy_rows.h"
#include "tools/bench/patience.h"
#include "tools/bench/run_header.h"
#include "tools/bench/scratch_folder.h"

namespace engram::bench {
namespace {

constexpr uint64_t kTurn = 64;

double MillisSince(absl::Time begin) {
  return absl::ToDoubleMilliseconds(absl::Now() - begin);
}

std::string NameOf(uint64_t number) {
  return absl::StrCat("observation-", number);
}

absl::StatusOr<std::vector<Space>> OpenSpaces(Db* db,
                                              const RecoveryOptions& options,
                                              uint32_t dimension) {
  std::vector<Space> spaces;
  for (uint32_t i = 0; i < options.spaces; ++i) {
    SpaceOptions space_options;
    space_options.dimension = dimension;
    space_options.metric = options.metric;
    ENGRAM_ASSIGN_OR_RETURN(
        Space space, db->OpenSpace(absl::StrCat("space-", i), space_options));
    spaces.push_back(std::move(space));
  }
  return spaces;
}

// Which space an observation goes to: each gets a batch in turn.
uint64_t SpaceOf(uint64_t number, uint64_t spaces) {
  return number / kTurn % spaces;
}

// The process that is killed. Writes batch after batch, and to `progress` how
// many observations are acknowledged.
absl::Status WriteUntilKilled(const RecoveryOptions& options,
                              const Dataset& dataset, const std::string& path,
                              int progress) {
  ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<Db> db,
                          Db::Open(path, Options()));
  ENGRAM_ASSIGN_OR_RETURN(
      std::vector<Space> spaces,
      OpenSpaces(db.get(), options, dataset.base.dimension()));
  NoisyRows rows(dataset.base, options.seed);
  WriteOptions write;
  write.admission_timeout = kPatience;
  const absl::Time begin = absl::Now();
  for (uint64_t number = 0;;) {
    if (options.rate > 0) {
      absl::SleepFor(begin + absl::Seconds(number) / options.rate -
                     absl::Now());
    }
    WriteBatch batch;
    Space& space = spaces[SpaceOf(number, spaces.size())];
    for (uint64_t i = 0; i < kTurn; ++i) {
      const std::string id = NameOf(number++);
      batch.Observe(space, {.id = id, .vector = rows.Next(), .payload = {}});
    }
    ENGRAM_RETURN_IF_ERROR(db->Write(batch, write).status());
    if (::write(progress, &number, sizeof(number)) !=
        static_cast<ssize_t>(sizeof(number))) {
      return ErrnoStatus(errno, "write", "the pipe");
    }
  }
}

// Lets a child write for a while and kills it. Returns how many observations
// were acknowledged.
absl::StatusOr<uint64_t> WriteAndKill(const RecoveryOptions& options,
                                      const Dataset& dataset,
                                      const std::string& path) {
  int ends[2];
  if (::pipe(ends) != 0) return ErrnoStatus(errno, "make", "a pipe");
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) return ErrnoStatus(errno, "fork", "a writer");
  if (child == 0) {
    EndWithParent();
    const absl::Status status =
        WriteUntilKilled(options, dataset, path, writer.get());
    std::fprintf(stderr, "engram-bench: the writer: %s\n",
                 status.ToString().c_str());
    ::_exit(1);
  }
  writer = UniqueFd();
  uint64_t acknowledged = 0;
  const absl::Time end = absl::Now() + absl::Seconds(options.seconds);
  uint64_t number = 0;
  bool is_killed = false;
  // What it wrote before it died is acknowledged as well.
  while (::read(reader.get(), &number, sizeof(number)) ==
         static_cast<ssize_t>(sizeof(number))) {
    acknowledged = number;
    if (is_killed || absl::Now() < end) continue;
    ::kill(child, SIGKILL);
    is_killed = true;
  }
  int status = 0;
  if (::waitpid(child, &status, 0) != child) {
    return ErrnoStatus(errno, "wait for", "the writer");
  }
  if (!is_killed) return absl::InternalError("the writer ended by itself");
  return acknowledged;
}

// The last acknowledged observation of each space.
struct Last {
  uint64_t number = 0;
  std::vector<float> vector;
};

absl::StatusOr<RecoveryRow> ComeBack(const RecoveryOptions& options,
                                     const Dataset& dataset,
                                     const std::string& path,
                                     uint64_t acknowledged) {
  RecoveryRow row;
  row.acknowledged = acknowledged;
  std::vector<Last> lasts(options.spaces);
  NoisyRows rows(dataset.base, options.seed);
  for (uint64_t number = 0; number < acknowledged; ++number) {
    const absl::Span<const float> vector = rows.Next();
    // Those before it would be overwritten anyway.
    if (number % kTurn != kTurn - 1) continue;
    Last& last = lasts[SpaceOf(number, options.spaces)];
    last.number = number;
    last.vector.assign(vector.begin(), vector.end());
  }
  absl::Time begin = absl::Now();
  ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<Db> db,
                          Db::Open(path, Options()));
  row.open_millis = MillisSince(begin);
  ENGRAM_ASSIGN_OR_RETURN(
      std::vector<Space> spaces,
      OpenSpaces(db.get(), options, dataset.base.dimension()));
  begin = absl::Now();
  for (size_t i = 0; i < spaces.size(); ++i) {
    if (lasts[i].vector.empty()) continue;
    SearchOptions search;
    search.k = 1;
    ENGRAM_ASSIGN_OR_RETURN(const std::vector<Hit> hits,
                            spaces[i].Search(lasts[i].vector, search));
    if (hits.empty() || hits[0].id != NameOf(lasts[i].number)) ++row.wrong;
    if (i == 0) row.first_millis = MillisSince(begin);
  }
  row.all_millis = MillisSince(begin);
  ENGRAM_ASSIGN_OR_RETURN(const DbStats stats, db->GetStats());
  row.replayed = stats.replayed_records;
  ENGRAM_RETURN_IF_ERROR(db->Wait(stats.last_lsn, Stage::kIndexed, kPatience));
  row.indexed_millis = MillisSince(begin);
  for (uint64_t number = 0; number < acknowledged; ++number) {
    const absl::Status status =
        spaces[SpaceOf(number, spaces.size())].Get(NameOf(number)).status();
    if (absl::IsNotFound(status)) {
      ++row.lost;
    } else if (!status.ok()) {
      return status;
    }
  }
  ENGRAM_RETURN_IF_ERROR(db->Close());
  return row;
}

}  // namespace

absl::Status RunRecoveryCommand(const RecoveryOptions& options) {
  // Before any thread is started.
  ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<ScratchFolder> scratch,
                          ScratchFolder::Create());
  ENGRAM_ASSIGN_OR_RETURN(const Dataset dataset,
                          LoadVectors(options.dataset, options.metric, 0));
  PrintRunHeader(
      options.json, options.commit, dataset,
      {{"spaces", options.spaces},
       {"seconds", options.seconds},
       {"rate", options.rate},
       {"seed", options.seed}},
      absl::StrFormat("%d spaces, killed after %d s of %s, seed %d\n",
                      options.spaces, options.seconds,
                      options.rate == 0
                          ? "all that is let in"
                          : absl::StrCat(options.rate, " a second"),
                      options.seed));
  // All writers before this process has opened a database: those that are
  // forked later lack the threads of RocksDB that it has started.
  std::vector<std::pair<std::string, uint64_t>> killed;
  for (int run = 0; run < options.runs; ++run) {
    const std::string path = scratch->Next();
    ENGRAM_ASSIGN_OR_RETURN(const uint64_t acknowledged,
                            WriteAndKill(options, dataset, path));
    killed.emplace_back(path, acknowledged);
  }
  std::vector<RecoveryRow> rows;
  uint64_t bad = 0;
  for (const auto& [path, acknowledged] : killed) {
    ENGRAM_ASSIGN_OR_RETURN(RecoveryRow row,
                            ComeBack(options, dataset, path, acknowledged));
    bad += row.lost + row.wrong;
    if (options.json) PrintLine(RecoveryJson(row));
    rows.push_back(row);
  }
  for (const std::string& line : RecoveryTable(rows)) {
    if (!options.json) PrintLine(line);
  }
  if (bad == 0) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat(bad, " acknowledged observations are lost or not found"));
}

}  // namespace engram::bench
