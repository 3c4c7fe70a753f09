#include "tools/demo/screen.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace engram::demo {
namespace {

constexpr absl::string_view kIndent = "   ";
constexpr size_t kValueWidth = 14;

// Columns that UTF-8 text without wide characters takes.
size_t WidthOf(absl::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char byte) {
        return (static_cast<unsigned char>(byte) & 0xc0) != 0x80;
      }));
}

absl::string_view Environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

bool LocaleIsUtf8() {
  absl::string_view locale;
  for (const char* const name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    locale = Environment(name);
    if (!locale.empty()) break;
  }
  const std::string lower = absl::AsciiStrToLower(locale);
  return absl::StrContains(lower, "utf-8") || absl::StrContains(lower, "utf8");
}

void Write(absl::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

}  // namespace

Screen::Screen() {
  const bool terminal = ::isatty(STDOUT_FILENO) == 1;
  colour_ = terminal && Environment("NO_COLOR").empty() &&
            Environment("TERM") != "dumb";
  utf8_ = terminal && LocaleIsUtf8();
}

void Screen::Title(absl::string_view text) const {
  Write(absl::StrCat(Bold(text), "\n"));
}

void Screen::Section(absl::string_view text) const {
  Write(absl::StrCat("\n", Bold(text), "\n"));
}

void Screen::Line(absl::string_view label, absl::string_view value,
                  absl::string_view note) const {
  std::string line = absl::StrFormat("%s%-24s", kIndent, label);
  const size_t width = WidthOf(value);
  if (width < kValueWidth) line.append(kValueWidth - width, ' ');
  absl::StrAppend(&line, value);
  if (!note.empty()) absl::StrAppend(&line, "   ", Dim(note));
  Write(absl::StrCat(line, "\n"));
}

void Screen::Text(absl::string_view text) const {
  Write(absl::StrCat(kIndent, text, "\n"));
}

void Screen::Passed(absl::string_view text) const {
  const absl::string_view mark = utf8_ ? "✓" : "ok";
  Write(absl::StrCat(kIndent, colour_ ? "\033[32m" : "", mark,
                     colour_ ? "\033[0m" : "", "  ", text, "\n"));
}

void Screen::Quote(absl::string_view command, absl::string_view output) const {
  std::string text = absl::StrCat("\n", kIndent, Bold("$ "), Bold(command));
  for (const absl::string_view line :
       absl::StrSplit(absl::StripSuffix(output, "\n"), '\n')) {
    absl::StrAppend(&text, "\n", kIndent, line);
  }
  Write(absl::StrCat(text, "\n"));
}

std::string Screen::Duration(double micros) const {
  constexpr double kMicrosPerMilli = 1e3;
  constexpr double kMicrosPerSecond = 1e6;
  if (micros < kMicrosPerMilli) {
    return absl::StrFormat("%.0f %s", micros, utf8_ ? "µs" : "us");
  }
  if (micros < kMicrosPerSecond) {
    return absl::StrFormat("%.2f ms", micros / kMicrosPerMilli);
  }
  return absl::StrFormat("%.2f s", micros / kMicrosPerSecond);
}

std::string Screen::Bold(absl::string_view text) const {
  return colour_ ? absl::StrCat("\033[1m", text, "\033[0m") : std::string(text);
}

std::string Screen::Dim(absl::string_view text) const {
  return colour_ ? absl::StrCat("\033[2m", text, "\033[0m") : std::string(text);
}

std::string Thousands(uint64_t number) {
  const std::string digits = absl::StrCat(number);
  std::string text;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

double Durations::Percentile(double percent) const {
  if (micros_.empty()) return 0;
  std::vector<double> sorted = micros_;
  const double rank =
      std::ceil(percent / 100 * static_cast<double>(sorted.size()));
  const size_t index = rank < 1 ? 0 : static_cast<size_t>(rank) - 1;
  std::nth_element(sorted.begin(),
                   sorted.begin() + static_cast<ptrdiff_t>(index),
                   sorted.end());
  return sorted[index];
}

}  // namespace engram::demo
