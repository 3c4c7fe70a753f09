// What the demo prints.

#ifndef ENGRAM_TOOLS_DEMO_SCREEN_H_
#define ENGRAM_TOOLS_DEMO_SCREEN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace engram::demo {

// Writes to stdout: in colour on a terminal (unless NO_COLOR is set), and
// beyond ASCII on one that reads UTF-8.
class Screen {
 public:
  Screen();

  void Title(absl::string_view text) const;
  void Section(absl::string_view text) const;

  // "   label            value   note".
  void Line(absl::string_view label, absl::string_view value,
            absl::string_view note = "") const;

  void Text(absl::string_view text) const;

  // Something that was checked, and is so.
  void Passed(absl::string_view text) const;

  // The output of another program, indented.
  void Quote(absl::string_view command, absl::string_view output) const;

  // "812 us", "1.25 ms", "3.10 s".
  std::string Duration(double micros) const;

 private:
  std::string Bold(absl::string_view text) const;
  std::string Dim(absl::string_view text) const;

  bool colour_ = false;
  bool utf8_ = false;
};

// "13,000".
std::string Thousands(uint64_t number);

// Durations in microseconds.
class Durations {
 public:
  void Add(double micros) { micros_.push_back(micros); }
  void Append(const Durations& other) {
    micros_.insert(micros_.end(), other.micros_.begin(), other.micros_.end());
  }
  size_t count() const { return micros_.size(); }

  // The smallest one that `percent` of all do not exceed; 0 if there is none.
  double Percentile(double percent) const;

 private:
  std::vector<double> micros_;
};

}  // namespace engram::demo

#endif  // ENGRAM_TOOLS_DEMO_SCREEN_H_
