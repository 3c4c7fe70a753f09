#include "tests/support/exposition.h"

#include <cstdlib>
#include <regex>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace engram::testing {
namespace {

const char kName[] = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const char kLabel[] = R"-(([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\[\\n"])*)")-";
const char kNumber[] = R"([-+]?(?:[0-9.]+(?:[eE][-+]?[0-9]+)?|Inf)|NaN)";

class Parser {
 public:
  Exposition Parse(const std::string& text) {
    if (!absl::EndsWith(text, "\n")) Fault(text, "the last line has no end");
    for (const auto line : absl::StrSplit(text, '\n')) {
      if (!line.empty()) ParseLine(std::string(line));
    }
    for (const std::string& family : families_) {
      if (out_.help[family].empty()) Fault(family, "has no HELP");
      if (out_.type[family].empty()) Fault(family, "has no TYPE");
    }
    return std::move(out_);
  }

 private:
  void Fault(const std::string& line, const std::string& what) {
    out_.faults.push_back(absl::StrCat(line, ": ", what));
  }

  void ParseLine(const std::string& line) {
    static const std::regex comment(
        absl::StrCat("# (HELP|TYPE) (", kName, ") (.*)"));
    static const std::regex sample(
        absl::StrCat("(", kName, R"()(\{(.*)\})? ()", kNumber, ")"));
    std::smatch match;
    if (std::regex_match(line, match, comment)) {
      ParseComment(line, match[1], match[2], match[3]);
    } else if (std::regex_match(line, match, sample)) {
      ParseSample(line, match);
    } else {
      Fault(line, "is neither a comment nor a sample");
    }
  }

  void ParseComment(const std::string& line, const std::string& kind,
                    const std::string& family, const std::string& text) {
    auto& texts = kind == "HELP" ? out_.help : out_.type;
    if (!texts.try_emplace(family, text).second) Fault(line, "comes twice");
    if (family_ != family && !families_.insert(family).second) {
      Fault(line, "its family is elsewhere, too");
    }
    family_ = family;
    static const std::set<std::string> types = {"counter", "gauge", "summary",
                                                "histogram", "untyped"};
    if (kind != "TYPE") return;
    if (types.count(text) == 0) Fault(line, "is no type");
    if ((text == "counter") != absl::EndsWith(family, "_total")) {
      Fault(line, "counters, and they alone, end in _total");
    }
  }

  void ParseSample(const std::string& line, const std::smatch& match) {
    const std::string name = match[1];
    const bool summary = out_.type[family_] == "summary";
    if (name != family_ && !(summary && (name == family_ + "_sum" ||
                                         name == family_ + "_count"))) {
      Fault(line, absl::StrCat("stands in the family ", family_));
    }
    CheckLabels(line, match[3]);
    const double value = std::strtod(match[4].str().c_str(), nullptr);
    if (out_.type[family_] == "counter" && !(value >= 0)) {
      Fault(line, "is a count below zero");
    }
    if (!out_.series.try_emplace(name + match[2].str(), value).second) {
      Fault(line, "comes twice");
    }
  }

  void CheckLabels(const std::string& line, std::string rest) {
    static const std::regex first(absl::StrCat(kLabel, "(,(?=.)|$)"));
    std::set<std::string> names;
    for (std::smatch match; !rest.empty(); rest = match.suffix()) {
      if (!std::regex_search(rest, match, first,
                             std::regex_constants::match_continuous)) {
        Fault(line, absl::StrCat("has no labels at ", rest));
        return;
      }
      if (!names.insert(match[1]).second) Fault(line, "has a label twice");
      if (absl::StartsWith(match[1].str(), "__")) {
        Fault(line, "has a label that is reserved");
      }
    }
  }

  Exposition out_;
  std::set<std::string> families_;
  std::string family_;  // of the lines that come
};

// What a series is called without its labels.
std::string NameOf(const std::string& series) {
  return series.substr(0, series.find('{'));
}

}  // namespace

std::set<std::string> Exposition::Families() const {
  std::set<std::string> families;
  for (const auto& [family, text] : type) families.insert(family);
  return families;
}

std::map<std::string, double> Exposition::SeriesOf(
    const std::string& family) const {
  std::map<std::string, double> found;
  for (const auto& [name, value] : series) {
    if (NameOf(name) == family) found[name] = value;
  }
  return found;
}

Exposition ParseExposition(const std::string& text) {
  return Parser().Parse(text);
}

}  // namespace engram::testing
