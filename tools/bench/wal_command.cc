#include "tools/bench/wal_command.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "nlohmann/json.hpp"
#include "storage/base/status_macros.h"
#include "tools/bench/machine.h"
#include "tools/bench/run_header.h"
#include "tools/bench/samples.h"
#include "tools/bench/scratch_folder.h"
#include "tools/bench/wal_busy.h"

namespace engram::bench {
namespace {

// Names of samples.
constexpr char kRate[] = "records_per_s";
constexpr char kP50[] = "p50";
constexpr char kP99[] = "p99";
constexpr char kP999[] = "p999";

void PrintRun(const WalOptions& options, const std::string& folder) {
  const double load = LoadAverage();
  if (options.json) {
    const nlohmann::ordered_json run = {{"measurement", "run"},
                                        {"commit", options.commit},
                                        {"processor", ProcessorModel()},
                                        {"processors", Processors()},
                                        {"load", load},
                                        {"folder", folder},
                                        {"runs", options.runs},
                                        {"seconds", options.seconds},
                                        {"busy", options.busy}};
    return PrintLine(run.dump());
  }
  PrintLine(absl::StrFormat(
      "commit      %s\nmachine     %s, %d of them, load average %.1f\n"
      "folder      %s\nparameters  medians of %d runs in turns, %g s each; "
      "%s\n",
      options.commit, ProcessorModel(), Processors(), load, folder,
      options.runs, options.seconds,
      options.busy ? "all processors busy at nice 5" : "nothing else runs"));
}

absl::StatusOr<std::vector<std::unique_ptr<WalPath>>> OpenPaths(
    const WalOptions& options, const std::string& folder) {
  const auto wanted = [&options](const char* name) {
    return options.paths.empty() ||
           std::count(options.paths.begin(), options.paths.end(), name) > 0;
  };
  std::vector<std::unique_ptr<WalPath>> paths;
  if (wanted(kEngramUring)) {
    paths.push_back(NewEngramPath(true, folder + "/uring"));
  }
  if (wanted(kEngramPwrite)) {
    paths.push_back(NewEngramPath(false, folder + "/blocking"));
  }
  if (wanted(kDevice)) {
    ENGRAM_ASSIGN_OR_RETURN(paths.emplace_back(),
                            NewDevicePath(folder + "/device"));
  }
  if (wanted(kPwrite)) {
    ENGRAM_ASSIGN_OR_RETURN(paths.emplace_back(),
                            NewPwritePath(folder + "/pwrite"));
  }
  if (wanted(kRocksdb)) {
    ENGRAM_ASSIGN_OR_RETURN(paths.emplace_back(),
                            NewRocksdbPath(folder + "/rocksdb"));
  }
  return paths;
}

std::vector<WalSetting> SettingsOf(const WalOptions& options) {
  std::vector<WalSetting> settings;
  for (const int bytes : options.record_bytes) {
    for (const int appenders : options.appenders) {
      if (appenders == 0) continue;
      settings.push_back({appenders, 0, bytes, options.seconds});
    }
    for (const int window : options.windows) {
      if (window == 0) continue;
      settings.push_back({1, window, bytes, options.seconds});
    }
  }
  return settings;
}

// Runs every path that can, in turns; the first of each run is another one
// each time, as what runs first may find the device busier.
absl::StatusOr<std::vector<WalRow>> MeasureSetting(
    const WalOptions& options, const WalSetting& setting,
    absl::Span<const std::unique_ptr<WalPath>> paths) {
  Samples samples;
  for (int run = 0; run < options.runs; ++run) {
    for (size_t turn = 0; turn < paths.size(); ++turn) {
      WalPath& path = *paths[(turn + static_cast<size_t>(run)) % paths.size()];
      if (!path.Supports(setting)) continue;
      ENGRAM_ASSIGN_OR_RETURN(WalResult result, path.Run(setting));
      samples.Add(run, path.name(), kRate,
                  static_cast<double>(result.records) / result.seconds);
      samples.Add(run, path.name(), kP50, Percentile(&result.ack_us, 0.5));
      samples.Add(run, path.name(), kP99, Percentile(&result.ack_us, 0.99));
      samples.Add(run, path.name(), kP999, Percentile(&result.ack_us, 0.999));
    }
  }
  std::vector<WalRow> rows;
  for (const auto& path : paths) {
    if (!path->Supports(setting)) continue;
    WalRow row;
    row.path = path->name();
    row.setting = setting;
    row.busy = options.busy;
    row.records_per_s = *samples.MedianOf(row.path, kRate);
    row.bytes_per_s = row.records_per_s * setting.record_bytes;
    row.ack_p50_us = *samples.MedianOf(row.path, kP50);
    row.ack_p99_us = *samples.MedianOf(row.path, kP99);
    row.ack_p999_us = *samples.MedianOf(row.path, kP999);
    for (const auto& peer : paths) {
      const std::optional<double> ratio =
          samples.RatioOf(row.path, peer->name(), kRate);
      if (peer != path && ratio.has_value()) row.ratio[peer->name()] = *ratio;
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace

absl::Status RunWalCommand(const WalOptions& options) {
  // Before any thread is started.
  std::unique_ptr<ScratchFolder> scratch;
  std::string folder = options.folder;
  if (folder.empty()) {
    ENGRAM_ASSIGN_OR_RETURN(scratch, ScratchFolder::Create());
    folder = scratch->Next();
  }
  std::error_code error;
  if (!std::filesystem::create_directory(folder, error)) {
    return absl::AlreadyExistsError(
        absl::StrCat(folder, ": exists, or cannot be made"));
  }
  PrintRun(options, folder);
  ENGRAM_ASSIGN_OR_RETURN(const std::vector<std::unique_ptr<WalPath>> paths,
                          OpenPaths(options, folder));
  std::optional<IndexingLoad> load;
  if (options.busy) load.emplace();
  bool first = true;
  for (const WalSetting& setting : SettingsOf(options)) {
    ENGRAM_ASSIGN_OR_RETURN(const std::vector<WalRow> rows,
                            MeasureSetting(options, setting, paths));
    if (options.json) {
      for (const WalRow& row : rows) PrintLine(WalRowJson(row));
      continue;
    }
    const std::vector<std::string> lines = WalTable(rows);
    for (size_t i = first ? 0 : 1; i < lines.size(); ++i) PrintLine(lines[i]);
    first = false;
  }
  return absl::OkStatus();
}

}  // namespace engram::bench
