// engram-demo: four agents observe words, are asked, and survive a kill -9.

#include <sys/stat.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "engram/db.h"
#include "storage/base/status_macros.h"
#include "tools/demo/agents.h"
#include "tools/demo/ask.h"
#include "tools/demo/child_process.h"
#include "tools/demo/crash.h"
#include "tools/demo/inspect.h"
#include "tools/demo/screen.h"
#include "tools/demo/words.h"

namespace engram::demo {
namespace {

constexpr char kIngestVerb[] = "ingest";

struct CommandLine {
  std::string words;
  std::string db;
  std::string ctl;
  bool keep = false;
};

absl::Status CheckAbsent(const std::string& path) {
  struct stat info;
  if (::lstat(path.c_str(), &info) != 0) return absl::OkStatus();
  return absl::AlreadyExistsError(
      absl::StrCat(path, ": exists; the demo makes a database of its own"));
}

absl::Status RemoveDatabase(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (!error) return absl::OkStatus();
  return absl::InternalError(
      absl::StrCat("remove ", path, ": ", error.message()));
}

void PrintTitle(const Words& words, const Screen& screen) {
  screen.Title(absl::StrCat("Engram ", ENGRAM_VERSION));
  screen.Text(absl::StrCat(Thousands(words.count()), " English words, ",
                           words.dimension(), " components each; ",
                           std::thread::hardware_concurrency(),
                           " processors."));
  screen.Text(absl::StrCat("Every agent observes the ", Thousands(kSharedWords),
                           " most frequent words and a quarter of the others: ",
                           Thousands(ObservationCount(words)),
                           " observations."));
}

absl::Status RunParts(const CommandLine& line, const Words& words,
                      const Screen& screen) {
  ENGRAM_ASSIGN_OR_RETURN(std::unique_ptr<Db> db, Db::Open(line.db, {}));
  ENGRAM_RETURN_IF_ERROR(ObserveWords(*db, words, screen));
  ENGRAM_RETURN_IF_ERROR(AskAgents(*db, words, screen));
  ENGRAM_RETURN_IF_ERROR(db->Close());
  ENGRAM_ASSIGN_OR_RETURN(const std::string own_path, OwnPath());
  ENGRAM_ASSIGN_OR_RETURN(db, KillAndRecover(line.db,
                                             {own_path, "--words", line.words,
                                              "--db", line.db, kIngestVerb},
                                             words, screen));
  ENGRAM_RETURN_IF_ERROR(db->Close());
  return Inspect(line.ctl, line.db, screen);
}

absl::Status Run(CommandLine line) {
  ENGRAM_RETURN_IF_ERROR(CheckAbsent(line.db));
  if (line.ctl.empty()) {
    ENGRAM_ASSIGN_OR_RETURN(const std::string own_path, OwnPath());
    line.ctl = std::filesystem::path(own_path).replace_filename("engram-ctl");
  }
  ENGRAM_ASSIGN_OR_RETURN(const Words words, LoadWords(line.words));
  const Screen screen;
  const auto begin = std::chrono::steady_clock::now();
  PrintTitle(words, screen);
  if (const absl::Status status = RunParts(line, words, screen); !status.ok()) {
    std::fprintf(stderr, "engram-demo: the database is left in %s\n",
                 line.db.c_str());
    return status;
  }
  const std::chrono::duration<double, std::micro> micros =
      std::chrono::steady_clock::now() - begin;
  screen.Section(absl::StrCat("Done in ", screen.Duration(micros.count()),
                              "; every check passed."));
  if (line.keep) {
    screen.Text(absl::StrCat("The database is in ", line.db, "."));
    return absl::OkStatus();
  }
  return RemoveDatabase(line.db);
}

absl::Status RunChild(const CommandLine& line) {
  ENGRAM_ASSIGN_OR_RETURN(const Words words, LoadWords(line.words));
  return IngestAsChild(line.db, words);
}

int Main(int argc, char** argv) {
  CommandLine line;
  CLI::App app(
      "Shows what Engram does: agents observe words and are asked for "
      "neighbors; a process is killed, and what it was told is safe, is safe.",
      "engram-demo");
  app.add_option("--words", line.words,
                 "Folder that holds words.txt and words.fvecs")
      ->required();
  app.add_option("--db", line.db, "Folder for the database; must not exist")
      ->required();
  app.add_option("--ctl", line.ctl,
                 "engram-ctl (default: the one beside this program)");
  app.add_flag("--keep", line.keep, "Leave the database there");
  app.get_formatter()->label("SUBCOMMAND", "");
  app.get_formatter()->label("TEXT", "PATH");
  // Without a group it is not in the help.
  CLI::App* const ingest = app.add_subcommand(kIngestVerb)->group("");
  CLI11_PARSE(app, argc, argv);
  const absl::Status status =
      ingest->parsed() ? RunChild(line) : Run(std::move(line));
  if (status.ok()) return 0;
  std::fprintf(stderr, "engram-demo: %s\n",
               std::string(status.message()).c_str());
  return 1;
}

}  // namespace
}  // namespace engram::demo

int main(int argc, char** argv) { return engram::demo::Main(argc, argv); }
