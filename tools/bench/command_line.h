// What can be asked of engram-bench.

#ifndef ENGRAM_TOOLS_BENCH_COMMAND_LINE_H_
#define ENGRAM_TOOLS_BENCH_COMMAND_LINE_H_

#include "CLI/CLI.hpp"
#include "tools/bench/acks_command.h"
#include "tools/bench/checkpoint_command.h"
#include "tools/bench/index_options.h"
#include "tools/bench/ingest_options.h"
#include "tools/bench/recall.h"
#include "tools/bench/recovery_command.h"
#include "tools/bench/tenants_command.h"
#include "tools/bench/wal_options.h"

namespace engram::bench {

// Each adds a subcommand, which fills `options`; they live as long as `app`.
CLI::App* AddRecall(CLI::App& app, RecallOptions& options);
CLI::App* AddIndex(CLI::App& app, IndexOptions& options);
CLI::App* AddWal(CLI::App& app, WalOptions& options);
CLI::App* AddIngest(CLI::App& app, IngestOptions& options);
CLI::App* AddAcks(CLI::App& app, AcksOptions& options);
CLI::App* AddCheckpoint(CLI::App& app, CheckpointOptions& options);
CLI::App* AddRecovery(CLI::App& app, RecoveryOptions& options);
CLI::App* AddTenants(CLI::App& app, TenantsOptions& options);

// For memory_measure.h. Takes what of AddIndex() decides about memory.
CLI::App* AddMemoryChild(CLI::App& app, IndexOptions& options,
                         std::string& engine, std::string& folder);

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_COMMAND_LINE_H_
