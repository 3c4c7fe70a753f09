#include "tests/crash/sim_machine.h"

#include <cstdlib>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "engine/db/db_impl.h"
#include "storage/io/sim_queue.h"
#include "storage/kv/fault_file_system.h"
#include "tests/support/files_with.h"
#include "tests/support/temporary_directory.h"
#include "tools/ctl/verify.h"

namespace engram::testing {

namespace {

// Versions that a space has memory for: enough for a graph, and too few for all
// ids of the workload, so that there are dead letters.
constexpr uint32_t kSlotsMax = 24;

// In memory where there is a file system for that.
std::string FolderForFiles() {
  static constexpr char kMemory[] = "/dev/shm";
  return std::filesystem::exists(kMemory) ? kMemory : "";
}

}  // namespace

Options SimOptions() {
  Options options;
  options.workers = 1;
  options.wal_segment_bytes = 256 << 10;
  options.wal_limit_bytes = 2 << 20;
  options.flat_records_max = 20;
  options.max_dedicated_spaces = 1;
  options.wal_backend = WalBackend::kPwrite;
  options.stats_interval = absl::ZeroDuration();  // a file of the real disk
  return options;
}

SimMachine::SimMachine(io::SimState state, uint64_t seed)
    : disk_(std::move(state)), files_(&disk_), env_(kv::NewSimEnv(&disk_)) {
  environment_.files = &files_;
  environment_.store_env = env_.get();
  environment_.slots_max = kSlotsMax;
  if (seed % 2 == 0) {
    environment_.log_queue = [seed] { return io::CreateSimQueue(seed); };
  }
}

absl::StatusOr<std::unique_ptr<Db>> SimMachine::Open(const Options& options,
                                                     const std::string& path) {
  return internal::DbImpl::OpenOn(environment_, path, options);
}

std::string VerifySimDisk(const io::SimDisk& disk,
                          const std::string& database) {
  const TemporaryDirectory folder(FolderForFiles());  // verify syncs
  const std::string path = folder.PathOf("db");
  const absl::Status exported = disk.Export(database, path);
  if (!exported.ok()) return exported.ToString();
  const absl::StatusOr<ctl::VerifyReport> report = ctl::VerifyDatabase(path);
  // A power cut before the database was complete.
  if (absl::IsFailedPrecondition(report.status())) return "";
  if (!report.ok()) return report.status().ToString();
  std::string findings;
  for (const ctl::VerifyFinding& finding : report->findings) {
    if (finding.severity != ctl::VerifyFinding::Severity::kDamage) continue;
    absl::StrAppend(&findings, finding.place, ": ", finding.message, "\n");
  }
  if (report->unreachable_nodes != 0) {
    absl::StrAppend(&findings, report->unreachable_nodes, " unreachable\n");
  }
  return findings;
}

std::string SimFilesWith(const io::SimDisk& disk, const std::string& bytes) {
  const TemporaryDirectory folder(FolderForFiles());
  const std::string path = folder.PathOf("db");
  const absl::Status exported = disk.Export(kSimDatabasePath, path);
  if (!exported.ok()) return exported.ToString();
  return absl::StrJoin(FilesWith(path, bytes), " ");
}

}  // namespace engram::testing
