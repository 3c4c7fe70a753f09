#include "tools/bench/memory_measure.h"

#include <sys/wait.h>

#include <cstdio>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "tools/bench/machine.h"
#include "tools/bench/names.h"
#include "tools/bench/peers.h"
#include "tools/demo/child_process.h"

namespace engram::bench {
namespace {

using demo::ChildProcess;

constexpr int kStdout = 1;
constexpr char kResident[] = "resident_bytes";
constexpr char kMarginal[] = "marginal_bytes_per_vector";
constexpr char kReported[] = "reported_bytes";

absl::StatusOr<std::vector<std::string>> ChildArguments(
    const Setting& setting, const std::string& engine) {
  ENGRAM_ASSIGN_OR_RETURN(const std::string program, demo::OwnPath());
  const IndexOptions& options = setting.options;
  const IndexParameters& parameters = options.parameters;
  return std::vector<std::string>{
      program,
      kMemoryChild,
      engine,
      setting.scratch.Next(),
      absl::StrCat("--dataset=", options.dataset),
      absl::StrCat("--metric=", MetricName(options.metric)),
      absl::StrCat("--order=", RowOrderName(options.order)),
      absl::StrCat("--limit=", options.limit),
      absl::StrCat("--m=", parameters.M),
      absl::StrCat("--ef-construction=", parameters.ef_construction),
      absl::StrCat("--workers=", parameters.threads),
      absl::StrCat("--quantization=",
                   QuantizationName(parameters.quantization)),
      absl::StrCat("--stored=", StoredName(parameters.stored))};
}

absl::StatusOr<Json> MeasureInChild(const Setting& setting,
                                    const std::string& engine) {
  ENGRAM_ASSIGN_OR_RETURN(const std::vector<std::string> arguments,
                          ChildArguments(setting, engine));
  ENGRAM_ASSIGN_OR_RETURN(ChildProcess child,
                          ChildProcess::Start(arguments, kStdout));
  std::string output;
  bool more = true;
  while (more) {
    ENGRAM_ASSIGN_OR_RETURN(more, child.Read(&output));
  }
  ENGRAM_ASSIGN_OR_RETURN(const int result, child.Wait());
  const Json found = Json::parse(output, nullptr, /*allow_exceptions=*/false);
  if (!WIFEXITED(result) || WEXITSTATUS(result) != 0 || !found.is_object()) {
    return absl::InternalError(
        absl::StrCat("the process that measures the memory of ", engine,
                     " failed, wait status ", result));
  }
  return found;
}

absl::StatusOr<std::unique_ptr<Subject>> MakeAlone(
    const std::string& engine, const std::string& folder,
    const IndexShape& shape, const IndexParameters& parameters) {
  if (engine == kHnswlib) return MakeHnswlib(shape, parameters);
  if (engine == kFaiss) return MakeFaiss(shape, parameters);
  return EngramSubject::Create(folder, Folder::kRemoved, shape, parameters);
}

}  // namespace

absl::Status MeasureMemory(const Setting& setting) {
  const auto count = static_cast<double>(setting.order.size());
  const double raw_bytes = 4.0 * setting.dataset.base.dimension();
  constexpr char kBytes[] = "bytes_per_vector";
  Samples samples;
  std::vector<Json> rows;
  for (const std::string& engine : setting.Engines()) {
    setting.report.Progress(absl::StrCat("memory of ", engine));
    ENGRAM_ASSIGN_OR_RETURN(const Json found, MeasureInChild(setting, engine));
    const double bytes = found[kResident].get<double>() / count;
    samples.Add(0, engine, kBytes, bytes);
    Json row = RowOf(setting, kMemory, engine);
    row[kBytes] = bytes;
    if (found.contains(kReported)) {
      row["reported_bytes_per_vector"] = found[kReported].get<double>() / count;
    }
    row[kMarginal] = found[kMarginal];
    row["of_raw"] = bytes / raw_bytes;
    rows.push_back(std::move(row));
  }
  for (Json& row : rows) AddRatios(setting, samples, kBytes, "ratio", &row);
  setting.report.Rows(rows);
  return absl::OkStatus();
}

absl::Status RunMemoryChild(const IndexOptions& options,
                            const std::string& engine,
                            const std::string& folder) {
  EndWithParent();
  ENGRAM_ASSIGN_OR_RETURN(
      const Dataset dataset,
      LoadVectors(options.dataset, options.metric, options.limit));
  const std::vector<Item> order =
      RowsInOrder(dataset.base, options.metric, options.order);
  ENGRAM_ASSIGN_OR_RETURN(const uint64_t before, AnonymousBytes());
  const IndexShape shape = {dataset.base.dimension(), dataset.metric,
                            dataset.base.count()};
  ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<Subject> subject,
                          MakeAlone(engine, folder, shape, options.parameters));
  const absl::Span<const Item> items = order;
  const auto grown =
      [&](absl::Span<const Item> some) -> absl::StatusOr<double> {
    ENGRAM_RETURN_IF_ERROR(subject->Insert(dataset.base, some));
    ENGRAM_RETURN_IF_ERROR(subject->Settle());
    ENGRAM_ASSIGN_OR_RETURN(const uint64_t after, AnonymousBytes());
    return static_cast<double>(after) - static_cast<double>(before);
  };
  const size_t tenth = items.size() / 10;
  ENGRAM_ASSIGN_OR_RETURN(const double of_tenth, grown(items.first(tenth)));
  ENGRAM_ASSIGN_OR_RETURN(const double of_all, grown(items.subspan(tenth)));
  Json found = {{kResident, of_all},
                {kMarginal, (of_all - of_tenth) /
                                static_cast<double>(items.size() - tenth)}};
  if (const auto* engram = dynamic_cast<EngramSubject*>(subject.get())) {
    ENGRAM_ASSIGN_OR_RETURN(const SpaceStats stats, engram->Stats());
    found[kReported] = stats.memory_bytes;
  }
  std::puts(found.dump().c_str());
  return absl::OkStatus();
}

}  // namespace engram::bench
