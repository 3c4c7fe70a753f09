#include "tools/bench/build_measure.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"
#include "tools/bench/row_order.h"
#include "tools/bench/searches.h"
#include "tools/bench/stopwatch.h"

namespace engram::bench {
namespace {

constexpr char kInsertsPerSecond[] = "inserts_per_s";
constexpr char kCpuInsertsPerSecond[] = "cpu_inserts_per_s";
constexpr char kLastTenth[] = "inserts_per_s_last_tenth";
constexpr char kUnreachable[] = "unreachable";
constexpr char kSelfProbes[] = "self_probes";
constexpr uint32_t kProbeEfs[] = {200, 1024};
constexpr size_t kPeerProbesMax = 2000;
constexpr uint64_t kProbeSeed = 2;

std::string ProbeKey(uint32_t ef) { return absl::StrCat("self_probe_", ef); }

void SetCount(Json* row, const std::string& key, std::optional<double> value) {
  if (value.has_value()) (*row)[key] = static_cast<uint64_t>(*value);
}

}  // namespace

absl::Status MeasureBuild(const Setting& setting, int run, Subject& subject,
                          Samples* samples) {
  const absl::Span<const Item> items = setting.order;
  const size_t most = items.size() - items.size() / 10;
  const auto insert = [&](absl::Span<const Item> some,
                          Elapsed* elapsed) -> absl::Status {
    const Stopwatch watch;
    ENGRAM_RETURN_IF_ERROR(subject.Insert(setting.dataset.base, some));
    *elapsed = watch.Read();
    return absl::OkStatus();
  };
  Elapsed first;
  Elapsed last;
  ENGRAM_RETURN_IF_ERROR(insert(items.first(most), &first));
  ENGRAM_RETURN_IF_ERROR(insert(items.subspan(most), &last));
  const Elapsed all = first + last;
  const auto count = static_cast<double>(items.size());
  const std::string engine = subject.name();
  samples->Add(run, engine, kInsertsPerSecond, count / all.wall_s);
  samples->Add(run, engine, kCpuInsertsPerSecond, count / all.cpu_s);
  samples->Add(run, engine, kLastTenth,
               static_cast<double>(items.size() - most) / last.wall_s);
  return absl::OkStatus();
}

absl::Status MeasureFindability(const Setting& setting, int run,
                                Subject& subject, std::vector<Item> items,
                                const std::function<uint32_t(uint32_t)>& row_of,
                                Samples* samples) {
  const std::string engine = subject.name();
  ENGRAM_ASSIGN_OR_RETURN(const uint64_t unreachable,
                          subject.CountUnreachable());
  samples->Add(run, engine, kUnreachable, static_cast<double>(unreachable));
  size_t probes = std::min(items.size(), setting.options.probes);
  if (engine != kEngram) probes = std::min(probes, kPeerProbesMax);
  if (probes == 0) return absl::OkStatus();
  if (probes < items.size()) {
    RandomBits random(kProbeSeed);
    Shuffle(random, &items);
    items.resize(probes);
  }
  samples->Add(run, engine, kSelfProbes, static_cast<double>(probes));
  for (const uint32_t ef : kProbeEfs) {
    ENGRAM_ASSIGN_OR_RETURN(
        const double part,
        SelfProbe(subject, setting.dataset.base, items, ef, row_of));
    samples->Add(run, engine, ProbeKey(ef), part);
  }
  return absl::OkStatus();
}

void SetFindability(const Samples& samples, const std::string& engine,
                    Json* row) {
  SetCount(row, kUnreachable, samples.MaxOf(engine, kUnreachable));
  SetIfAny(row, "self_probe", samples.MinOf(engine, ProbeKey(kProbeEfs[0])));
  for (const uint32_t ef : kProbeEfs) {
    SetIfAny(row, ProbeKey(ef), samples.MinOf(engine, ProbeKey(ef)));
  }
  SetCount(row, kSelfProbes, samples.MinOf(engine, kSelfProbes));
}

void ReportBuilds(const Setting& setting, const Samples& samples,
                  const std::string& quantization) {
  std::vector<Json> rows;
  for (const std::string& engine : setting.Engines()) {
    Json row = RowOf(setting, kBuild, engine);
    if (engine == kEngram) row["quantization"] = quantization;
    for (const char* const key :
         {kInsertsPerSecond, kCpuInsertsPerSecond, kLastTenth}) {
      SetIfAny(&row, key, samples.MedianOf(engine, key));
    }
    SetFindability(samples, engine, &row);
    AddRatios(setting, samples, kInsertsPerSecond, "ratio", &row);
    AddRatios(setting, samples, kCpuInsertsPerSecond, "cpu_ratio", &row);
    rows.push_back(std::move(row));
  }
  setting.report.Rows(rows);
}

}  // namespace engram::bench
