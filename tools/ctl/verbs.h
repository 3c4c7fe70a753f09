// The verbs of engram-ctl. Each prints to stdout what it found and returns how
// the program is to end; errors are printed by main() alone.

#ifndef ENGRAM_TOOLS_CTL_VERBS_H_
#define ENGRAM_TOOLS_CTL_VERBS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tools/ctl/exit_code.h"

namespace engram::ctl {

// What every verb is given.
struct Global {
  std::string db;     // the database's directory
  bool json = false;  // print one JSON object instead of text
};

// commands_inspect.cc
VerbResult Info(const Global& global);
VerbResult List(const Global& global);
struct StatsArguments {
  std::string space;        // "": all
  bool prometheus = false;  // in the format of Prometheus; not with a space
};
VerbResult Stats(const Global& global, const StatsArguments& arguments);
VerbResult Producers(const Global& global);

// commands_load.cc
struct LoadArguments {
  std::string space;
  std::string file;  // "-": jsonl from stdin

  // Of the space; "" and 0: what it has, or the default if it is created.
  std::string metric;
  uint32_t dimension = 0;
  uint32_t M = 0;
  uint32_t ef_construction = 0;
  std::string quantization;
  std::string stored;

  std::string id_prefix;
  size_t batch_records = 256;
  uint64_t limit = 0;  // 0: all
};
VerbResult Load(const Global& global, const LoadArguments& arguments);

// commands_dump.cc
struct DumpArguments {
  std::string space;
  std::string output;  // "": stdout
};
VerbResult Dump(const Global& global, const DumpArguments& arguments);

// commands_query.cc
struct SearchArguments {
  std::string space;
  std::string id;      // of the observation whose vector is the query, or ""
  std::string vector;  // a JSON array, "-" for one from stdin, or ""
  uint32_t k = 10;
  uint32_t ef_search = 0;
  bool exact = false;
  bool stats = false;  // print what the search cost as well
};
VerbResult Search(const Global& global, const SearchArguments& arguments);
VerbResult Get(const Global& global, const std::string& space,
               const std::string& id);

// commands_dead_letters.cc
struct DeadLettersArguments {
  std::string space;
  uint64_t retry = 0;  // the LSN of one; 0: none
  bool retry_all = false;
  uint64_t drop = 0;  // as retry
};
VerbResult DeadLetters(const Global& global,
                       const DeadLettersArguments& arguments);

// commands_erase.cc
struct EraseArguments {
  std::string space;
  std::vector<std::string> ids;
  uint64_t timeout_s = 600;
  bool yes = false;
};
VerbResult Erase(const Global& global, const EraseArguments& arguments);

// commands_maintain.cc
VerbResult Drop(const Global& global, const std::string& space, bool yes);
VerbResult Compact(const Global& global);
VerbResult Checkpoint(const Global& global);

// commands_backup.cc
VerbResult Backup(const Global& global, const std::string& dir);
struct RestoreArguments {
  std::string backup;
  std::string dir;
};
VerbResult Restore(const Global& global, const RestoreArguments& arguments);
struct ExportArguments {
  std::string space;
  std::string file;
};
VerbResult Export(const Global& global, const ExportArguments& arguments);
VerbResult Import(const Global& global, const ExportArguments& arguments);

// commands_wal.cc; the first three also beside the database's owner
VerbResult WalList(const Global& global);
struct WalShowArguments {
  uint64_t segment = 0;  // 0: all
  uint64_t from_lsn = 0;
  uint64_t to_lsn = UINT64_MAX;
  uint64_t space = 0;  // its id; 0: all, and markers
};
VerbResult WalShow(const Global& global, const WalShowArguments& arguments);
VerbResult WalVerify(const Global& global, size_t findings_max);
VerbResult WalSalvage(const Global& global, bool yes);

// commands_verify.cc
struct VerifyArguments {
  size_t findings_max = 100;
  std::string absent;  // an id that should be nowhere; "": none
  std::string space;   // it should not be in; "": in any
};
VerbResult Verify(const Global& global, const VerifyArguments& arguments);

}  // namespace engram::ctl

#endif  // ENGRAM_TOOLS_CTL_VERBS_H_
