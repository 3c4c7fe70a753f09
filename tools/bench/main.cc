// engram-bench: measures Engram through its public API, and the log alone.
//
// Exit codes: 0 measured, 1 failed, 2 the command line makes no sense;
// 128 and the signal's number after a signal.

#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "tools/bench/acks_command.h"
#include "tools/bench/checkpoint_command.h"
#include "tools/bench/command_line.h"
#include "tools/bench/core_pin.h"
#include "tools/bench/index_command.h"
#include "tools/bench/ingest_command.h"
#include "tools/bench/machine.h"
#include "tools/bench/memory_measure.h"
#include "tools/bench/recovery_command.h"
#include "tools/bench/tenants_command.h"
#include "tools/bench/wal_command.h"

namespace engram::bench {
namespace {

constexpr int kFailed = 1;
constexpr int kUsage = 2;

// Returns the exit code; prints what is wrong, if anything.
int End(const absl::Status& status, int code_if_not_ok) {
  if (status.ok()) return 0;
  std::fprintf(stderr, "engram-bench: %s\n",
               std::string(status.message()).c_str());
  return code_if_not_ok;
}

absl::Status UsageError(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<std::string> rest = app.remaining();
  std::string message = error.what();
  if (app.get_subcommands().empty() && !rest.empty() && rest[0][0] != '-') {
    message = absl::StrCat("there is no command \"", rest[0], "\"");
  }
  return absl::InvalidArgumentError(
      absl::StrCat(message, " (engram-bench --help tells more)"));
}

int RunIndex(IndexOptions options) {
  if (const absl::Status status = CheckTogether(options); !status.ok()) {
    return End(status, kUsage);
  }
  std::sort(options.efs.begin(), options.efs.end());
  options.efs.erase(std::unique(options.efs.begin(), options.efs.end()),
                    options.efs.end());
  const absl::StatusOr<CorePin> pin = options.parameters.threads > 1
                                          ? CorePin::None()
                                          : CorePin::Of(options.core);
  if (!pin.ok()) return End(pin.status(), kUsage);
  return End(RunIndexCommand(options, *pin), kFailed);
}

int Main(int argc, char** argv) {
  RecallOptions recall_options;
  recall_options.commit = ENGRAM_COMMIT;
  recall_options.parameters.threads = Processors();
  IndexOptions index_options;
  index_options.commit = ENGRAM_COMMIT;
  WalOptions wal_options;
  wal_options.commit = ENGRAM_COMMIT;
  IngestOptions ingest_options;
  ingest_options.commit = ENGRAM_COMMIT;
  AcksOptions acks_options;
  acks_options.commit = ENGRAM_COMMIT;
  CheckpointOptions checkpoint_options;
  checkpoint_options.commit = ENGRAM_COMMIT;
  RecoveryOptions recovery_options;
  recovery_options.commit = ENGRAM_COMMIT;
  TenantsOptions tenants_options;
  tenants_options.commit = ENGRAM_COMMIT;
  std::string engine;
  std::string folder;
  CLI::App app("Measures Engram.", "engram-bench");
  app.set_version_flag("--version",
                       "engram-bench " ENGRAM_VERSION " (" ENGRAM_COMMIT ")");
  app.require_subcommand(1);
  const CLI::App* const recall = AddRecall(app, recall_options);
  const CLI::App* const index = AddIndex(app, index_options);
  const CLI::App* const wal = AddWal(app, wal_options);
  const CLI::App* const ingest = AddIngest(app, ingest_options);
  const CLI::App* const acks = AddAcks(app, acks_options);
  const CLI::App* const checkpoint = AddCheckpoint(app, checkpoint_options);
  const CLI::App* const recovery = AddRecovery(app, recovery_options);
  const CLI::App* const tenants = AddTenants(app, tenants_options);
  AddMemoryChild(app, index_options, engine, folder);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // help, version
    return End(UsageError(app, error), kUsage);
  }
  if (recall->parsed()) return End(MeasureRecall(recall_options), kFailed);
  if (index->parsed()) return RunIndex(std::move(index_options));
  if (ingest->parsed()) return End(RunIngestCommand(ingest_options), kFailed);
  if (acks->parsed()) return End(RunAcksCommand(acks_options), kFailed);
  if (checkpoint->parsed()) {
    return End(RunCheckpointCommand(checkpoint_options), kFailed);
  }
  if (recovery->parsed()) {
    return End(RunRecoveryCommand(recovery_options), kFailed);
  }
  if (tenants->parsed()) {
    return End(RunTenantsCommand(tenants_options), kFailed);
  }
  if (wal->parsed()) return End(RunWalCommand(wal_options), kFailed);
  return End(RunMemoryChild(index_options, engine, folder), kFailed);
}

}  // namespace
}  // namespace engram::bench

int main(int argc, char** argv) { return engram::bench::Main(argc, argv); }
