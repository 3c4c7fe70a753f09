// What every run of engram-bench prints first: what was measured, and where.

#ifndef ENGRAM_TOOLS_BENCH_RUN_HEADER_H_
#define ENGRAM_TOOLS_BENCH_RUN_HEADER_H_

#include <string>

#include "nlohmann/json.hpp"
#include "tools/bench/dataset.h"

namespace engram::bench {

// To the standard output, at once: whoever waits for a long run sees it.
void PrintLine(const std::string& line);

// The same as text and as JSON. `parameters` are the keys and values of the
// JSON object behind those that every run has, `text` what the text says of
// them.
void PrintRunHeader(bool json, const std::string& commit,
                    const Dataset& dataset,
                    const nlohmann::ordered_json& parameters,
                    const std::string& text);

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_RUN_HEADER_H_
