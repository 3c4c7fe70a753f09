// How the results of engram-bench recovery look.

#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"
#include "tools/bench/recovery_command.h"
#include "tools/bench/rounded.h"

namespace engram::bench {

std::vector<std::string> RecoveryTable(const std::vector<RecoveryRow>& rows) {
  std::vector<std::string> lines = {
      absl::StrFormat("%12s %9s %8s %15s %13s %11s %5s %6s", "ACKNOWLEDGED",
                      "REPLAYED", "OPEN MS", "FIRST ANSWER MS", "ALL SPACES MS",
                      "INDEXED MS", "LOST", "WRONG")};
  for (const RecoveryRow& row : rows) {
    lines.push_back(absl::StrFormat(
        "%12d %9d %8.1f %15.1f %13.1f %11.1f %5d %6d", row.acknowledged,
        row.replayed, row.open_millis, row.first_millis, row.all_millis,
        row.indexed_millis, row.lost, row.wrong));
  }
  return lines;
}

std::string RecoveryJson(const RecoveryRow& row) {
  const nlohmann::ordered_json object = {
      {"measurement", "recovery"},
      {"acknowledged", row.acknowledged},
      {"replayed", row.replayed},
      {"open_ms", RoundedToHundredths(row.open_millis)},
      {"first_answer_ms", RoundedToHundredths(row.first_millis)},
      {"all_spaces_ms", RoundedToHundredths(row.all_millis)},
      {"indexed_ms", RoundedToHundredths(row.indexed_millis)},
      {"lost", row.lost},
      {"wrong", row.wrong}};
  return object.dump();
}

}  // namespace engram::bench
