#include "tools/bench/command_line.h"

#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "tools/bench/ingest_scenario.h"
#include "tools/bench/memory_measure.h"
#include "tools/bench/names.h"
#include "tools/bench/peers.h"
#include "tools/bench/wal_path.h"

namespace engram::bench {
namespace {

// Named in the error alone: the help would be twice as long.
CLI::Validator RangeOf(int min, int max) {
  return CLI::Range(min, max).description("");
}

// As CLI::CheckedTransformer, whose message names numbers.
template <typename T>
CLI::Validator OneOf(const std::map<std::string, T>& names) {
  const auto replace_by_number = [&names](std::string& text) -> std::string {
    const auto found = names.find(text);
    if (found != names.end()) {
      text = absl::StrCat(static_cast<int>(found->second));
      return "";
    }
    std::vector<std::string> known;
    for (const auto& [name, value] : names) known.push_back(name);
    return absl::StrCat("\"", text, "\" is none of ",
                        absl::StrJoin(known, ", "));
  };
  return CLI::Validator(replace_by_number, "");
}

void AddDataset(CLI::App* command, std::string& dataset, Metric& metric) {
  command
      ->add_option("--dataset", dataset,
                   "Reads PREFIX.base.{fvecs,bvecs,npy}, PREFIX.query.* and, "
                   "if there, PREFIX.gt.{l2,cos}.ivecs")
      ->type_name("PREFIX")
      ->required();
  command->add_option("--metric", metric, "l2 or cosine (default l2)")
      ->transform(OneOf(Metrics()))
      ->type_name("METRIC");
}

void AddGraph(CLI::App* command, IndexParameters& parameters) {
  command->add_option("--m", parameters.M, "Links of a node (16)")
      ->check(RangeOf(2, 128))
      ->type_name("N");
  command
      ->add_option("--ef-construction", parameters.ef_construction,
                   "Beam width of inserts (100)")
      ->check(RangeOf(2, 4096))
      ->type_name("N");
}

// What decides about an index and its memory.
void AddIndexed(CLI::App* command, IndexOptions& options) {
  AddDataset(command, options.dataset, options.metric);
  AddGraph(command, options.parameters);
  command->add_option("--limit", options.limit, "Take so many rows (all)")
      ->type_name("N");
  command
      ->add_option("--order", options.order,
                   "Inserts rows shuffled, or clustered: topic after topic "
                   "(shuffled)")
      ->transform(OneOf(RowOrders()))
      ->type_name("ORDER");
  command
      ->add_option("--workers", options.parameters.threads,
                   "Threads that build, also the peers'. More than one are "
                   "not pinned to a core (1)")
      ->check(RangeOf(1, 1024))
      ->type_name("N");
  command
      ->add_option("--quantization", options.parameters.quantization,
                   "Engram's codes: auto, none, int8, int4, int2 (auto)")
      ->transform(OneOf(Quantizations()))
      ->type_name("CODES");
  command
      ->add_option("--stored", options.parameters.stored,
                   "What Engram keeps in memory beside codes: f32, none (f32)")
      ->transform(OneOf(StoredForms()))
      ->type_name("FORM");
}

void AddChurn(CLI::App* command, IndexOptions& options) {
  command
      ->add_option("--live", options.live,
                   "churn: vectors that live at a time (half of the rows)")
      ->check(RangeOf(40, 1 << 30))
      ->type_name("N");
  command
      ->add_option("--churn-ef", options.churn_ef,
                   "churn: beam width of searches (48 from 512 dimensions on, "
                   "else 100)")
      ->check(RangeOf(1, 100000))
      ->type_name("N");
  command->add_option("--seeds", options.seeds, "churn: repetitions (3)")
      ->check(RangeOf(1, 1000))
      ->type_name("N");
}

}  // namespace

CLI::App* AddRecall(CLI::App& app, RecallOptions& options) {
  CLI::App* const command = app.add_subcommand(
      "recall", "Recall, queries and inserts per second, beside hnswlib");
  AddDataset(command, options.dataset, options.metric);
  AddGraph(command, options.parameters);
  command
      ->add_option("--ef", options.efs, "Beam widths of searches (50,100,200)")
      ->delimiter(',')
      ->check(RangeOf(1, 100000))
      ->type_name("N,...");
  command
      ->add_option("--threads", options.parameters.threads,
                   "Threads that build (one per processor)")
      ->check(RangeOf(1, 1024))
      ->type_name("N");
  command->add_option("--limit", options.limit, "Take so many rows (all)")
      ->type_name("N");
  command
      ->add_option("--db", options.db,
                   "Folder of the database, which stays there; must not exist "
                   "(a temporary one)")
      ->type_name("DIR");
  command->add_flag("--json", options.json, "One JSON object a line");
  return command;
}

CLI::App* AddIndex(CLI::App& app, IndexOptions& options) {
  CLI::App* const command = app.add_subcommand(
      "index", "All that is claimed of the index, beside its peers");
  AddIndexed(command, options);
  command
      ->add_option("--peer", options.peers,
                   "hnswlib, faiss, or both with a comma (hnswlib)")
      ->delimiter(',')
      ->check(CLI::IsMember({kHnswlib, kFaiss}).description(""))
      ->type_name("NAME,...");
  command
      ->add_option("--measure", options.measurements,
                   "build, search, memory, churn, duplicates, concurrent (all)")
      ->delimiter(',')
      ->check(CLI::IsMember(
                  {kBuild, kSearch, kMemory, kChurn, kDuplicates, kConcurrent})
                  .description(""))
      ->type_name("WHAT,...");
  command
      ->add_option("--runs", options.runs,
                   "Repetitions, Engram and peers in turns; medians are "
                   "printed (3)")
      ->check(RangeOf(1, 1000))
      ->type_name("N");
  command
      ->add_option("--ef", options.efs,
                   "Beam widths of searches (10,16,24,32,48,64,96,128,192,256,"
                   "384,512)")
      ->delimiter(',')
      ->check(RangeOf(1, 100000))
      ->type_name("N,...");
  command
      ->add_option("--probes", options.probes,
                   "Search Engram for so many of its own vectors, and a peer "
                   "for 2,000 at most (20,000)")
      ->type_name("N");
  command
      ->add_option("--core", options.core,
                   "Measure on this core (the last one)")
      ->check(RangeOf(0, 1023))
      ->type_name("C");
  AddChurn(command, options);
  command->add_flag("--json", options.json, "One JSON object a line");
  command
      ->add_option("--plot", options.plot,
                   "Draw recall against queries per second")
      ->type_name("FILE.svg");
  return command;
}

CLI::App* AddWal(CLI::App& app, WalOptions& options) {
  CLI::App* const command = app.add_subcommand(
      "wal", "The log's rates and latencies, beside the device and RocksDB");
  command
      ->add_option("--appenders", options.appenders,
                   "Threads that wait for each record (1,8,64); 0: none")
      ->delimiter(',')
      ->check(RangeOf(0, 4096))
      ->type_name("N,...");
  command
      ->add_option("--window", options.windows,
                   "One thread with so many records under way (256,1024,4096); "
                   "0: none")
      ->delimiter(',')
      ->check(RangeOf(0, 1 << 20))
      ->type_name("N,...");
  command
      ->add_option("--record-bytes", options.record_bytes,
                   "Bytes of a record in the log (600,3200)")
      ->delimiter(',')
      ->check(RangeOf(256, 1 << 20))
      ->type_name("N,...");
  command
      ->add_option("--path", options.paths,
                   "engram-uring, engram-pwrite, device, pwrite, rocksdb (all)")
      ->delimiter(',')
      ->check(CLI::IsMember(
                  {kEngramUring, kEngramPwrite, kDevice, kPwrite, kRocksdb})
                  .description(""))
      ->type_name("PATH,...");
  command
      ->add_option("--runs", options.runs,
                   "Repetitions, all paths in turns; medians are printed (3)")
      ->check(RangeOf(1, 1000))
      ->type_name("N");
  command->add_option("--seconds", options.seconds, "Of each measurement (1)")
      ->check(CLI::Range(0.01, 3600.0).description(""))
      ->type_name("S");
  command->add_flag("--busy", options.busy,
                    "Meanwhile all processors compare vectors at nice 5");
  command
      ->add_option(
          "--folder", options.folder,
          "Where to write; must not exist, and stays (a temporary one)")
      ->type_name("DIR");
  command->add_flag("--json", options.json, "One JSON object a line");
  return command;
}

CLI::App* AddIngest(CLI::App& app, IngestOptions& options) {
  CLI::App* const command = app.add_subcommand(
      "ingest", "Whole databases under load: rates, latencies, balance");
  AddDataset(command, options.dataset, options.metric);
  command
      ->add_option("--scenario", options.scenarios,
                   absl::StrCat(absl::StrJoin(IngestScenarioNames(), ", "),
                                " (all, one after the other)"))
      ->delimiter(',')
      ->check(CLI::IsMember(IngestScenarioNames()).description(""))
      ->type_name("NAME,...");
  command
      ->add_option("--workers", options.workers,
                   "Threads that index (0: one per processor)")
      ->check(RangeOf(0, 1024))
      ->type_name("N");
  command
      ->add_option("--seconds", options.seconds,
                   "Of each phase of a scenario (10)")
      ->check(CLI::Range(0.01, 3600.0).description(""))
      ->type_name("S");
  command
      ->add_option("--preload", options.preload,
                   "Observations that a space begins with (20,000)")
      ->check(RangeOf(0, 10'000'000))
      ->type_name("N");
  command->add_option("--m", options.M, "Links of a node (16)")
      ->check(RangeOf(2, 128))
      ->type_name("N");
  command
      ->add_option("--ef-construction", options.ef_construction,
                   "Beam width of inserts (100)")
      ->check(RangeOf(2, 4096))
      ->type_name("N");
  command->add_option("--seed", options.seed, "Of the vectors' noise (1)")
      ->type_name("N");
  command->add_flag("--json", options.json, "One JSON object a line");
  command
      ->add_option("--plot", options.plot,
                   "Draw rates, latencies and what waits, second by second")
      ->type_name("FILE.svg");
  return command;
}

CLI::App* AddCheckpoint(CLI::App& app, CheckpointOptions& options) {
  CLI::App* const command = app.add_subcommand(
      "checkpoint", "What saving and coming back cost, beside RocksDB");
  AddDataset(command, options.dataset, options.metric);
  command
      ->add_option("--observations", options.observations,
                   "That the space begins with (100,000)")
      ->check(RangeOf(1, 10'000'000))
      ->type_name("N");
  command
      ->add_option("--runs", options.runs,
                   "Checkpoints of each kind; medians are printed (3)")
      ->check(RangeOf(1, 1000))
      ->type_name("N");
  command
      ->add_option("--overwrites", options.overwrites,
                   "In the end, write everything so many times more (0)")
      ->check(RangeOf(0, 1000))
      ->type_name("N");
  command->add_option("--seed", options.seed, "Of the vectors' noise (1)")
      ->type_name("N");
  command->add_flag("--json", options.json, "One JSON object a line");
  return command;
}

CLI::App* AddAcks(CLI::App& app, AcksOptions& options) {
  CLI::App* const command = app.add_subcommand(
      "acks", "When writes are acknowledged beside checkpoints");
  AddDataset(command, options.dataset, options.metric);
  command
      ->add_option("--observations", options.observations,
                   "Of the space that is saved (100,000)")
      ->check(RangeOf(1, 10'000'000))
      ->type_name("N");
  command
      ->add_option("--rate", options.rate,
                   "Writes of one writer, a second (500)")
      ->check(RangeOf(1, 100'000))
      ->type_name("N");
  command
      ->add_option("--limit", options.limit,
                   "Options::checkpoint_bytes_per_second; 0: none (0)")
      ->type_name("BYTES");
  command->add_option("--runs", options.runs, "Checkpoints of 32 MiB (5)")
      ->check(RangeOf(1, 1000))
      ->type_name("N");
  command->add_option("--seed", options.seed, "Of the vectors' noise (1)")
      ->type_name("N");
  command->add_flag("--json", options.json, "One JSON object a line");
  return command;
}

CLI::App* AddRecovery(CLI::App& app, RecoveryOptions& options) {
  CLI::App* const command = app.add_subcommand(
      "recovery", "What comes back after a kill -9, and how soon");
  AddDataset(command, options.dataset, options.metric);
  command->add_option("--spaces", options.spaces, "(20)")
      ->check(RangeOf(1, 10'000))
      ->type_name("N");
  command
      ->add_option("--seconds", options.seconds, "Of writing to the kill (10)")
      ->check(RangeOf(1, 3600))
      ->type_name("S");
  command
      ->add_option("--rate", options.rate,
                   "Observations a second; 0: all that is let in (0)")
      ->check(RangeOf(0, 10'000'000))
      ->type_name("N");
  command->add_option("--runs", options.runs, "(3)")
      ->check(RangeOf(1, 1000))
      ->type_name("N");
  command->add_option("--seed", options.seed, "Of the vectors' noise (1)")
      ->type_name("N");
  command->add_flag("--json", options.json, "One JSON object a line");
  return command;
}

CLI::App* AddTenants(CLI::App& app, TenantsOptions& options) {
  CLI::App* const command = app.add_subcommand(
      "tenants", "Thousands of small spaces under a memory budget");
  AddDataset(command, options.dataset, options.metric);
  command->add_option("--spaces", options.spaces, "(10,000)")
      ->check(RangeOf(1, 1'000'000))
      ->type_name("N");
  command->add_option("--observations", options.observations, "In each (100)")
      ->check(RangeOf(1, 1'000'000))
      ->type_name("N");
  command
      ->add_option("--budget", options.budget_bytes,
                   "Options::memory_budget_bytes; 0: none (256 MiB)")
      ->type_name("BYTES");
  command
      ->add_option("--cold", options.cold_searches,
                   "Spaces that are searched first after opening (500)")
      ->check(RangeOf(0, 1'000'000))
      ->type_name("N");
  command
      ->add_option("--zipf", options.zipf_searches,
                   "Searches of spaces by rank after that (0)")
      ->check(RangeOf(0, 100'000'000))
      ->type_name("N");
  command->add_option("--seed", options.seed, "Of all that is random (1)")
      ->type_name("N");
  command->add_option("--plot", options.plot, "A picture of memory over time")
      ->type_name("FILE.svg");
  command->add_flag("--json", options.json, "One JSON object a line");
  return command;
}

CLI::App* AddMemoryChild(CLI::App& app, IndexOptions& options,
                         std::string& engine, std::string& folder) {
  CLI::App* const command = app.add_subcommand(kMemoryChild);
  command->group("");  // not in the help
  command->add_option("ENGINE", engine)->required();
  command->add_option("FOLDER", folder)->required();
  AddIndexed(command, options);
  return command;
}

}  // namespace engram::bench
