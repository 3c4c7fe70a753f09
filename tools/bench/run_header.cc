#include "tools/bench/run_header.h"

#include <cstdio>

#include "absl/strings/str_format.h"
#include "tools/bench/machine.h"

namespace engram::bench {

void PrintLine(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

void PrintRunHeader(bool json, const std::string& commit,
                    const Dataset& dataset,
                    const nlohmann::ordered_json& parameters,
                    const std::string& text) {
  if (json) {
    nlohmann::ordered_json run = {{"measurement", "run"},
                                  {"commit", commit},
                                  {"processor", ProcessorModel()},
                                  {"processors", Processors()},
                                  {"load", LoadAverage()},
                                  {"dataset", dataset.name},
                                  {"dimension", dataset.base.dimension()}};
    run.update(parameters);
    PrintLine(run.dump());
    return;
  }
  PrintLine(absl::StrFormat(
      "commit      %s\nmachine     %s, %d of them, load average %.1f\n"
      "dataset     %s, %d dimensions, with noise of 5 %%\n"
      "parameters  %s",
      commit, ProcessorModel(), Processors(), LoadAverage(), dataset.name,
      dataset.base.dimension(), text));
}

}  // namespace engram::bench
