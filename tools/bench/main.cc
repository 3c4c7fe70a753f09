// engram-bench: measures Engram through its public API.

#include <cstdio>
#include <map>
#include <string>

#include "CLI/CLI.hpp"
#include "engram/options.h"
#include "tools/bench/machine.h"
#include "tools/bench/recall.h"

namespace engram::bench {
namespace {

void AddRecall(CLI::App& app, RecallOptions& options) {
  CLI::App* const recall = app.add_subcommand(
      "recall", "Recall, queries and inserts per second, beside hnswlib");
  recall
      ->add_option("--dataset", options.dataset,
                   "Reads PREFIX.base.{fvecs,bvecs,npy}, PREFIX.query.* and, "
                   "if there, PREFIX.gt.{l2,cos}.ivecs")
      ->type_name("PREFIX")
      ->required();
  recall->add_option("--metric", options.metric, "l2 or cosine (default l2)")
      ->transform(CLI::CheckedTransformer(std::map<std::string, Metric>{
          {"l2", Metric::kL2}, {"cosine", Metric::kCosine}}))
      ->type_name("METRIC");
  recall->add_option("--m", options.parameters.M, "Links of a node (16)")
      ->check(CLI::Range(2, 128))
      ->type_name("N");
  recall
      ->add_option("--ef-construction", options.parameters.ef_construction,
                   "Beam width of inserts (100)")
      ->check(CLI::Range(2, 4096))
      ->type_name("N");
  recall
      ->add_option("--ef", options.efs, "Beam widths of searches (50,100,200)")
      ->delimiter(',')
      ->check(CLI::Range(1, 100000))
      ->type_name("N,...");
  recall
      ->add_option("--threads", options.parameters.threads,
                   "Threads that build (one per processor)")
      ->check(CLI::Range(1, 1024))
      ->type_name("N");
  recall->add_option("--limit", options.limit, "Take so many rows (all)")
      ->type_name("N");
  recall
      ->add_option("--db", options.db,
                   "Folder of the database, which stays there; must not exist "
                   "(a temporary one)")
      ->type_name("DIR");
  recall->add_flag("--json", options.json, "One JSON object a line");
}

int Main(int argc, char** argv) {
  RecallOptions options;
  options.commit = ENGRAM_COMMIT;
  options.parameters.threads = Processors();
  CLI::App app("Measures Engram.", "engram-bench");
  app.set_version_flag("--version",
                       "engram-bench " ENGRAM_VERSION " (" ENGRAM_COMMIT ")");
  app.require_subcommand(1);
  AddRecall(app, options);
  CLI11_PARSE(app, argc, argv);
  const absl::Status status = MeasureRecall(options);
  if (status.ok()) return 0;
  std::fprintf(stderr, "engram-bench: %s\n",
               std::string(status.message()).c_str());
  return 1;
}

}  // namespace
}  // namespace engram::bench

int main(int argc, char** argv) { return engram::bench::Main(argc, argv); }
