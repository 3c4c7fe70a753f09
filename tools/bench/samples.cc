#include "tools/bench/samples.h"

#include <algorithm>
#include <cstddef>

#include "storage/base/check.h"

namespace engram::bench {

double Median(std::vector<double> values) {
  ENGRAM_CHECK(!values.empty());
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  if (values.size() % 2 == 1) return values[half];
  return (values[half - 1] + values[half]) / 2;
}

void Samples::Add(int run, const std::string& engine, const std::string& name,
                  double value) {
  runs_[{engine, name}][run] = value;
}

const Samples::Runs* Samples::Find(const std::string& engine,
                                   const std::string& name) const {
  const auto found = runs_.find({engine, name});
  return found == runs_.end() ? nullptr : &found->second;
}

std::optional<double> Samples::MedianOf(const std::string& engine,
                                        const std::string& name) const {
  const Runs* const runs = Find(engine, name);
  if (runs == nullptr) return std::nullopt;
  std::vector<double> values;
  for (const auto& [run, value] : *runs) values.push_back(value);
  return Median(std::move(values));
}

std::optional<double> Samples::MeanOf(const std::string& engine,
                                      const std::string& name) const {
  const Runs* const runs = Find(engine, name);
  if (runs == nullptr) return std::nullopt;
  double sum = 0;
  for (const auto& [run, value] : *runs) sum += value;
  return sum / static_cast<double>(runs->size());
}

std::optional<double> Samples::MinOf(const std::string& engine,
                                     const std::string& name) const {
  const Runs* const runs = Find(engine, name);
  if (runs == nullptr) return std::nullopt;
  double least = runs->begin()->second;
  for (const auto& [run, value] : *runs) least = std::min(least, value);
  return least;
}

std::optional<double> Samples::MaxOf(const std::string& engine,
                                     const std::string& name) const {
  const Runs* const runs = Find(engine, name);
  if (runs == nullptr) return std::nullopt;
  double most = runs->begin()->second;
  for (const auto& [run, value] : *runs) most = std::max(most, value);
  return most;
}

std::optional<double> Samples::RatioOf(const std::string& engine,
                                       const std::string& peer,
                                       const std::string& name) const {
  const Runs* const mine = Find(engine, name);
  const Runs* const theirs = Find(peer, name);
  if (mine == nullptr || theirs == nullptr) return std::nullopt;
  std::vector<double> ratios;
  for (const auto& [run, value] : *mine) {
    const auto other = theirs->find(run);
    if (other != theirs->end()) ratios.push_back(value / other->second);
  }
  if (ratios.empty()) return std::nullopt;
  return Median(std::move(ratios));
}

int Samples::CountOf(const std::string& engine, const std::string& name) const {
  const Runs* const runs = Find(engine, name);
  return runs == nullptr ? 0 : static_cast<int>(runs->size());
}

}  // namespace engram::bench
