// engram-ctl: the command line of an Engram database.
//
//   engram-ctl [--json] --db PATH VERB [arguments]
//
// Exit codes (exit_code.h):
//   0    ok
//   1    the operation failed
//   2    the command line makes no sense
//   3    stored data is damaged
//   4    the database is locked, is not there, or is no database
//   5    the database has a newer format
//   7    verify, or wal verify, found warnings only
//   130  interrupted by ^C

#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "tools/ctl/exit_code.h"
#include "tools/ctl/nearest_name.h"
#include "tools/ctl/utf8.h"
#include "tools/ctl/verbs.h"

namespace engram::ctl {
namespace {

constexpr char kExitCodes[] =
    "Exit codes: 0 ok, 1 failed, 2 usage, 3 damaged data, 4 database locked or "
    "not\nthere, 5 newer format, 7 verify found warnings only, 130 interrupted."
    "\n\nengram-ctl VERB --help tells more.\n";

// What the command line says, and the verb that it chose.
struct CommandLine {
  Global global;
  std::string space;
  std::string id;
  bool yes = false;
  size_t findings_max = 100;
  EraseArguments erase;
  VerifyArguments verify;
  StatsArguments stats;
  LoadArguments load;
  DumpArguments dump;
  DeadLettersArguments dead_letters;
  std::string backup;
  RestoreArguments restore;
  ExportArguments space_file;
  SearchArguments search;
  WalShowArguments wal_show;
  std::function<VerbResult()> run;
};

// Adds a verb whose help ends in `example`.
CLI::App* AddVerb(CLI::App& app, CommandLine& line, const std::string& name,
                  const std::string& description, const std::string& example,
                  std::function<VerbResult()> run) {
  CLI::App* verb = app.add_subcommand(name, description);
  verb->fallthrough();  // --db and --json may follow the verb
  verb->footer(absl::StrCat("Example:\n  engram-ctl --db /var/lib/memory ",
                            example, "\n"));
  verb->group("Verbs");
  verb->callback([&line, run = std::move(run)] { line.run = run; });
  return verb;
}

// Named in the error alone: the help would be twice as long.
CLI::Validator RangeOf(int min, int max) {
  return CLI::Range(min, max).description("");
}

void AddSpace(CLI::App* verb, std::string& space) {
  verb->add_option("SPACE", space, "Name of the space")->required();
}

void AddInspection(CLI::App& app, CommandLine& line) {
  AddVerb(app, line, "info", "Says what the database is and how far it is",
          "info", [&line] { return Info(line.global); });
  AddVerb(app, line, "ls", "Lists the spaces", "ls",
          [&line] { return List(line.global); });
  AddVerb(app, line, "producers",
          "Lists the last write of each producer that numbers them",
          "producers", [&line] { return Producers(line.global); });
  CLI::App* stats = AddVerb(
      app, line, "stats", "Prints every statistic of the database or a space",
      "stats agent-7\nCounts begin when the database is opened. If another "
      "process has it open, its counts\nare shown, as it published them last; "
      "else there are none yet, as engram-ctl opens it.",
      [&line] { return Stats(line.global, line.stats); });
  CLI::Option* space =
      stats->add_option("SPACE", line.stats.space, "Name of the space");
  stats
      ->add_flag("--prometheus", line.stats.prometheus,
                 "Print all of it in the text format of Prometheus")
      ->excludes(space)
      ->excludes(app.get_option("--json"));
}

void AddLoad(CLI::App& app, CommandLine& line) {
  LoadArguments& load = line.load;
  CLI::App* verb = AddVerb(
      app, line, "load", "Writes the observations of a file into a space",
      "load notes base.fvecs --metric cosine --id-prefix n-\n"
      "Creates the database and the space where there are none. Each batch is "
      "written\nas a whole or not at all; an error names those before it.",
      [&line] { return Load(line.global, line.load); });
  AddSpace(verb, load.space);
  verb->add_option("FILE", load.file,
                   "*.fvecs, *.bvecs, *.ivecs, *.npy, *.jsonl, or - (JSON "
                   "lines)")
      ->required();
  verb->add_option("--dimension", load.dimension, "Components of a vector")
      ->type_name("N")
      ->check(RangeOf(1, 65535));
  verb->add_option("--metric", load.metric, "l2, cosine or ip (default l2)")
      ->type_name("METRIC")
      ->check(CLI::IsMember({"l2", "cosine", "ip"}).description(""));
  verb->add_option("--m", load.M, "Links of a node (default 16)")
      ->type_name("N")
      ->check(RangeOf(2, 128));
  verb->add_option("--ef-construction", load.ef_construction,
                   "Beam width of inserts (default 100)")
      ->type_name("N")
      ->check(RangeOf(2, 4096));
  verb->add_option("--quantization", load.quantization,
                   "auto, none, int8, int4 or int2 (default auto)")
      ->type_name("CODES")
      ->check(CLI::IsMember({"auto", "none", "int8", "int4", "int2"})
                  .description(""));
  verb->add_option("--stored", load.stored,
                   "Vectors in memory: f32 or none (default f32)")
      ->type_name("KIND")
      ->check(CLI::IsMember({"f32", "none"}).description(""));
  verb->add_option("--id-prefix", load.id_prefix,
                   "Vector files: ids are this and the row number")
      ->type_name("PREFIX");
  verb->add_option("--batch", load.batch_records,
                   "Observations of a batch (default 256)")
      ->type_name("N")
      ->check(RangeOf(1, 100000));
  verb->add_option("--limit", load.limit, "Stop after so many (default: all)")
      ->type_name("N");
}

void AddDump(CLI::App& app, CommandLine& line) {
  CLI::App* verb = AddVerb(
      app, line, "dump", "Writes a space as lines of JSON that load reads back",
      "dump notes --output notes.jsonl",
      [&line] { return Dump(line.global, line.dump); });
  AddSpace(verb, line.dump.space);
  verb->add_option("--output", line.dump.output,
                   "A file that must not exist yet (default: stdout)")
      ->type_name("FILE");
}

void AddQueries(CLI::App& app, CommandLine& line) {
  SearchArguments& search = line.search;
  CLI::App* verb =
      AddVerb(app, line, "search", "Finds the observations nearest to a vector",
              "search notes --id note-1 --k 5",
              [&line] { return Search(line.global, line.search); });
  AddSpace(verb, search.space);
  CLI::Option* id = verb->add_option("--id", search.id,
                                     "Query: the vector of this observation")
                        ->type_name("ID");
  verb->add_option("--vector", search.vector,
                   "Query: \"[0.5,-1]\", or - for such a line from stdin")
      ->type_name("VECTOR")
      ->excludes(id);
  verb->add_option("--k", search.k, "Number of hits (default 10)")
      ->type_name("N")
      ->check(RangeOf(1, 10000));
  verb->add_option("--ef", search.ef_search, "Beam width (default 100)")
      ->type_name("N")
      ->check(RangeOf(1, 100000));
  verb->add_flag("--exact", search.exact, "Compare with every observation");
  verb->add_flag("--stats", search.stats, "Print what the search cost, too");

  CLI::App* get =
      AddVerb(app, line, "get", "Prints one observation", "get notes note-1",
              [&line] { return Get(line.global, line.space, line.id); });
  AddSpace(get, line.space);
  get->add_option("ID", line.id, "Id of the observation")->required();
}

void AddDeadLetters(CLI::App& app, CommandLine& line) {
  DeadLettersArguments& arguments = line.dead_letters;
  CLI::App* verb = AddVerb(
      app, line, "dead-letters",
      "Lists what a space could not index, retries or drops it",
      "dead-letters notes --retry-all\nThey are found by searches all the "
      "same, more slowly.",
      [&line] { return DeadLetters(line.global, line.dead_letters); });
  AddSpace(verb, arguments.space);
  CLI::Option* retry =
      verb->add_option("--retry", arguments.retry, "Index this one again")
          ->type_name("LSN");
  CLI::Option* all = verb->add_flag("--retry-all", arguments.retry_all,
                                    "Index all of them again")
                         ->excludes(retry);
  verb->add_option("--drop", arguments.drop, "Remove this one")
      ->type_name("LSN")
      ->excludes(retry)
      ->excludes(all);
}

void AddBackup(CLI::App& app, CommandLine& line) {
  CLI::App* backup = AddVerb(
      app, line, "backup", "Copies the database to a new folder",
      "backup /backups/memory-monday\nThe copy is a database like any other; "
      "restore copies it back. While a process has\nthe database open, only "
      "that process can do it, by Db::Backup().",
      [&line] { return Backup(line.global, line.backup); });
  backup->add_option("DIR", line.backup, "The folder, which must not exist")
      ->required();
  RestoreArguments& arguments = line.restore;
  CLI::App* restore =
      AddVerb(app, line, "restore", "Makes a database of a backup", "",
              [&line] { return Restore(line.global, line.restore); });
  restore->footer(
      "Example:\n  engram-ctl restore /backups/memory-monday /var/lib/memory\n"
      "Copies every byte, and verifies the copy before it gets its name.\n");
  restore->add_option("BACKUP", arguments.backup, "Folder of the backup")
      ->required();
  restore->add_option("DIR", arguments.dir, "The folder, which must not exist")
      ->required();
}

void AddExport(CLI::App& app, CommandLine& line) {
  ExportArguments& arguments = line.space_file;
  CLI::App* verb =
      AddVerb(app, line, "export", "Writes a space to one file with checksums",
              "export notes notes.engram",
              [&line] { return Export(line.global, line.space_file); });
  AddSpace(verb, arguments.space);
  verb->add_option("FILE", arguments.file, "The file, which must not exist")
      ->required();
  verb = AddVerb(app, line, "import", "Makes a new space of such a file",
                 "import notes.engram notes\nCreates the database where there "
                 "is none. The file is checked first.",
                 [&line] { return Import(line.global, line.space_file); });
  verb->add_option("FILE", arguments.file, "What export wrote")->required();
  verb->add_option("SPACE", arguments.space,
                   "Name of the space, which must not exist")
      ->required();
}

void AddMaintenance(CLI::App& app, CommandLine& line) {
  CLI::App* drop =
      AddVerb(app, line, "drop", "Removes a space with all it holds",
              "drop notes --yes",
              [&line] { return Drop(line.global, line.space, line.yes); });
  AddSpace(drop, line.space);
  drop->add_flag("--yes", line.yes, "Yes, remove it");
  EraseArguments& erase = line.erase;
  CLI::App* verb =
      AddVerb(app, line, "erase",
              "Removes observations from every file of the database",
              "erase notes note-17 note-18 --yes\nWho just removes them leaves "
              "them in files "
              "until these are written anew. Backups and\nexports keep them.",
              [&line] { return Erase(line.global, line.erase); });
  AddSpace(verb, erase.space);
  verb->add_option("ID", erase.ids, "Ids of the observations")->required();
  verb->add_option("--timeout", erase.timeout_s,
                   "Seconds after which it gives up (default 600)")
      ->type_name("N");
  verb->add_flag("--yes", erase.yes, "Yes, erase them");
  AddVerb(app, line, "compact",
          "Rewrites the tables so that what is gone takes no space", "compact",
          [&line] { return Compact(line.global); });
  AddVerb(app, line, "checkpoint", "Saves what is indexed, and frees the log",
          "checkpoint", [&line] { return Checkpoint(line.global); });
  CLI::App* verify = AddVerb(
      app, line, "verify", "Reads everything that is stored and reports damage",
      "verify --absent note-17 --space notes",
      [&line] { return Verify(line.global, line.verify); });
  verify
      ->add_option("--findings", line.verify.findings_max,
                   "Show at most so many (default 100)")
      ->type_name("N");
  verify
      ->add_option("--absent", line.verify.absent,
                   "Say where this id still is, removed or not")
      ->type_name("ID");
  verify
      ->add_option("--space", line.verify.space,
                   "Where --absent is not to be (default: in any)")
      ->type_name("NAME");
}

// As AddVerb(), for the second word of "wal".
CLI::App* AddWalVerb(CLI::App& wal, CommandLine& line, const std::string& name,
                     const std::string& description, const std::string& example,
                     std::function<VerbResult()> run) {
  CLI::App* verb =
      AddVerb(wal, line, name, description, "wal " + example, std::move(run));
  verb->fallthrough();
  return verb;
}

void AddWal(CLI::App& app, CommandLine& line) {
  CLI::App* wal = app.add_subcommand("wal", "Looks into the log");
  wal->group("Verbs");
  wal->fallthrough();
  wal->require_subcommand(1);
  wal->footer("ls, show and verify also work beside the database's owner.\n");
  AddWalVerb(*wal, line, "ls", "Lists the segments", "ls",
             [&line] { return WalList(line.global); });
  WalShowArguments& show = line.wal_show;
  CLI::App* verb =
      AddWalVerb(*wal, line, "show", "Prints groups and records",
                 "show --from-lsn 100 --to-lsn 120 --space 1\n"
                 "With --json: one object for each record.",
                 [&line] { return WalShow(line.global, line.wal_show); });
  verb->add_option("--segment", show.segment, "Only this segment")
      ->type_name("N");
  verb->add_option("--from-lsn", show.from_lsn, "No records before it")
      ->type_name("LSN");
  verb->add_option("--to-lsn", show.to_lsn, "No records behind it")
      ->type_name("LSN");
  verb->add_option("--space", show.space, "Only records of the space (its id)")
      ->type_name("N");
  CLI::App* verify = AddWalVerb(
      *wal, line, "verify", "Reads the log and reports damage", "verify",
      [&line] { return WalVerify(line.global, line.findings_max); });
  verify
      ->add_option("--findings", line.findings_max,
                   "Show at most so many (default 100)")
      ->type_name("N");
  CLI::App* salvage = AddWalVerb(
      *wal, line, "salvage",
      "Gives up what is damaged in the log, and lists it", "salvage --yes",
      [&line] { return WalSalvage(line.global, line.yes); });
  salvage->add_flag("--yes", line.yes, "Yes, give it up");
}

// Prints the one line that every failure has on stderr.
int PrintError(absl::string_view message, ExitCode code) {
  // It may name what a file said.
  std::fprintf(stderr, "engram-ctl: %s\n", PrintableLines(message).c_str());
  return static_cast<int>(code);
}

// What is wrong with a command line that CLI11 refused.
std::string UsageMessage(const CLI::App& app, const CLI::ParseError& error) {
  const std::vector<std::string> rest = app.remaining();
  if (!app.get_subcommands().empty() || rest.empty() || rest[0][0] == '-') {
    return absl::StrCat(error.what(), " (engram-ctl --help tells more)");
  }
  std::vector<std::string> names;
  for (const CLI::App* verb : app.get_subcommands({})) {
    names.push_back(verb->get_name());
  }
  return absl::StrCat("unknown verb \"", rest[0], "\"; did you mean \"",
                      NearestName(rest[0], names), "\"?");
}

int Main(int argc, char** argv) {
  CommandLine line;
  CLI::App app("Looks into an Engram database and changes it.", "engram-ctl");
  app.set_version_flag("--version", "engram-ctl " ENGRAM_VERSION);
  app.footer(kExitCodes);
  app.get_formatter()->label("SUBCOMMAND", "VERB [ARGUMENTS]");
  app.get_formatter()->label("TEXT", "");
  app.get_formatter()->label("REQUIRED", "");
  app.get_formatter()->column_width(28);
  app.require_subcommand(1);
  app.add_option("--db", line.global.db, "Directory of the database")
      ->type_name("PATH");
  app.add_flag("--json", line.global.json, "Print one JSON object");
  AddInspection(app, line);
  AddLoad(app, line);
  AddDump(app, line);
  AddQueries(app, line);
  AddDeadLetters(app, line);
  AddMaintenance(app, line);
  AddBackup(app, line);
  AddExport(app, line);
  AddWal(app, line);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // help, version
    return PrintError(UsageMessage(app, error), ExitCode::kUsage);
  }
  // restore alone names its folders itself.
  if (line.global.db.empty() && !app.got_subcommand("restore")) {
    return PrintError("--db is required (engram-ctl --help tells more)",
                      ExitCode::kUsage);
  }
  const VerbResult result = line.run();
  if (result.ok()) return static_cast<int>(*result);
  return PrintError(result.status().message(), ExitCodeOf(result.status()));
}

}  // namespace
}  // namespace engram::ctl

int main(int argc, char** argv) { return engram::ctl::Main(argc, argv); }
