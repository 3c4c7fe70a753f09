// The values of repeated runs, and what they say together.

#ifndef ENGRAM_TOOLS_BENCH_SAMPLES_H_
#define ENGRAM_TOOLS_BENCH_SAMPLES_H_

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace engram::bench {

// Of an even number of values the mean of the two in the middle. At least one.
double Median(std::vector<double> values);

// Named values of several engines, at most one of each per run.
class Samples {
 public:
  // Runs count from 0.
  void Add(int run, const std::string& engine, const std::string& name,
           double value);

  // Nothing without values.
  std::optional<double> MedianOf(const std::string& engine,
                                 const std::string& name) const;
  std::optional<double> MeanOf(const std::string& engine,
                               const std::string& name) const;
  std::optional<double> MinOf(const std::string& engine,
                              const std::string& name) const;
  std::optional<double> MaxOf(const std::string& engine,
                              const std::string& name) const;

  // The median of `engine`'s value over `peer`'s of the same run. Both were
  // measured in turns, so that what slows a machine down for a while slows both
  // and leaves the ratio alone. Nothing if they share no run.
  std::optional<double> RatioOf(const std::string& engine,
                                const std::string& peer,
                                const std::string& name) const;

  // Number of runs with that value.
  int CountOf(const std::string& engine, const std::string& name) const;

 private:
  using Runs = std::map<int, double>;

  const Runs* Find(const std::string& engine, const std::string& name) const;

  std::map<std::pair<std::string, std::string>, Runs> runs_;
};

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_SAMPLES_H_
