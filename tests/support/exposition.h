// Reads the text format of Prometheus, and finds what is wrong with it.

#ifndef ENGRAM_TESTS_SUPPORT_EXPOSITION_H_
#define ENGRAM_TESTS_SUPPORT_EXPOSITION_H_

#include <map>
#include <set>
#include <string>
#include <vector>

namespace engram::testing {

struct Exposition {
  std::map<std::string, std::string> help;  // by family
  std::map<std::string, std::string> type;

  // As written: `engram_space_nodes{space="a"}`.
  std::map<std::string, double> series;

  // Of all families, or of one.
  std::set<std::string> Families() const;
  std::map<std::string, double> SeriesOf(const std::string& family) const;

  // Lines that the format, version 0.0.4, does not allow, with the reason: bad
  // names, labels and values, a series or a family that comes twice or in two
  // places, a series without HELP or TYPE, a counter whose name does not end in
  // _total, a negative count.
  std::vector<std::string> faults;
};

Exposition ParseExposition(const std::string& text);

}  // namespace engram::testing

#endif  // ENGRAM_TESTS_SUPPORT_EXPOSITION_H_
