// How the parts of verify report what they find.

#ifndef ENGRAM_TOOLS_CTL_VERIFY_REPORT_H_
#define ENGRAM_TOOLS_CTL_VERIFY_REPORT_H_

#include <string>
#include <utility>

#include "tools/ctl/verify.h"

namespace engram::ctl {

inline void AddDamage(VerifyReport* report, std::string place,
                      std::string message) {
  report->findings.push_back(
      {VerifyFinding::Severity::kDamage, std::move(place), std::move(message)});
}

inline void AddWarning(VerifyReport* report, std::string place,
                       std::string message) {
  report->findings.push_back({VerifyFinding::Severity::kWarning,
                              std::move(place), std::move(message)});
}

}  // namespace engram::ctl

#endif  // ENGRAM_TOOLS_CTL_VERIFY_REPORT_H_
