#include "tools/bench/setting.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "tools/bench/names.h"
#include "tools/bench/peers.h"

namespace engram::bench {
namespace {

IndexShape ShapeOf(const Setting& setting, size_t capacity) {
  return {setting.dataset.base.dimension(), setting.dataset.metric, capacity};
}

}  // namespace

std::vector<std::string> Setting::Engines() const {
  std::vector<std::string> engines = {kEngram};
  engines.insert(engines.end(), peers.begin(), peers.end());
  return engines;
}

absl::StatusOr<std::unique_ptr<Subject>> MakeSubject(const Setting& setting,
                                                     const std::string& engine,
                                                     size_t capacity) {
  if (engine == kEngram) return MakeEngram(setting, capacity);
  const IndexShape shape = ShapeOf(setting, capacity);
  if (engine == kHnswlib) return MakeHnswlib(shape, setting.options.parameters);
  if (engine == kFaiss) return MakeFaiss(shape, setting.options.parameters);
  return absl::InvalidArgumentError(
      absl::StrCat("there is no engine \"", engine, "\""));
}

absl::StatusOr<std::unique_ptr<EngramSubject>> MakeEngram(
    const Setting& setting, size_t capacity) {
  return EngramSubject::Create(setting.scratch.Next(), Folder::kRemoved,
                               ShapeOf(setting, capacity),
                               setting.options.parameters);
}

Json RowOf(const Setting& setting, const std::string& measurement,
           const std::string& engine) {
  return {{"measurement", measurement},
          {"engine", engine},
          {"dataset", setting.dataset.name},
          {"metric", MetricName(setting.dataset.metric)}};
}

void SetIfAny(Json* row, const std::string& key, std::optional<double> value) {
  if (value.has_value()) (*row)[key] = *value;
}

void AddRatios(const Setting& setting, const Samples& samples,
               const std::string& name, const std::string& key, Json* row) {
  if ((*row)["engine"] != kEngram) return;
  Json ratios = Json::object();
  for (const std::string& peer : setting.peers) {
    SetIfAny(&ratios, peer, samples.RatioOf(kEngram, peer, name));
  }
  if (!ratios.empty()) (*row)[key] = std::move(ratios);
}

}  // namespace engram::bench
