// What all measurements of one call of engram-bench index share.

#ifndef ENGRAM_TOOLS_BENCH_SETTING_H_
#define ENGRAM_TOOLS_BENCH_SETTING_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/bench/core_pin.h"
#include "tools/bench/dataset.h"
#include "tools/bench/engram_subject.h"
#include "tools/bench/index_options.h"
#include "tools/bench/index_report.h"
#include "tools/bench/samples.h"
#include "tools/bench/scratch_folder.h"

namespace engram::bench {

// Borrows everything; lives as long as the command runs.
struct Setting {
  const IndexOptions& options;
  const Dataset& dataset;
  const std::vector<Item>& order;         // in which rows are inserted
  const std::vector<std::string>& peers;  // that this program can make
  const CorePin& pin;
  const IndexReport& report;
  ScratchFolder& scratch;

  // Engram, then the peers: the order in which they take turns.
  std::vector<std::string> Engines() const;
};

// An empty index for `capacity` vectors like those of the data set. An Engram
// stays in the scratch folder for as long as it lives. UNIMPLEMENTED for a peer
// that this program was built without.
absl::StatusOr<std::unique_ptr<Subject>> MakeSubject(const Setting& setting,
                                                     const std::string& engine,
                                                     size_t capacity);

absl::StatusOr<std::unique_ptr<EngramSubject>> MakeEngram(
    const Setting& setting, size_t capacity);

// A row of results with the keys that every row has.
Json RowOf(const Setting& setting, const std::string& measurement,
           const std::string& engine);

// Sets `key` unless there is no value.
void SetIfAny(Json* row, const std::string& key, std::optional<double> value);

// In a row of Engram's, sets `key` to its ratios to the peers that have values
// of that name.
void AddRatios(const Setting& setting, const Samples& samples,
               const std::string& name, const std::string& key, Json* row);

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_SETTING_H_
