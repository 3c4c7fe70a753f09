#include "tools/vectors/npy_header.h"

#include <cstddef>
#include <limits>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "storage/base/status_macros.h"

namespace engram {
namespace {

// Reads the subset of Python's literals that NumPy writes.
class LiteralParser {
 public:
  explicit LiteralParser(absl::string_view text) : text_(text) {}

  // Skips blanks, and consumes `character` if it is next.
  bool Accept(char character) {
    SkipBlanks();
    if (position_ == text_.size() || text_[position_] != character) {
      return false;
    }
    ++position_;
    return true;
  }

  absl::Status Expect(char character) {
    if (Accept(character)) return absl::OkStatus();
    return Expected(absl::StrCat("'", absl::string_view(&character, 1), "'"));
  }

  absl::StatusOr<std::string> String() {
    const char quote = Accept('\'') ? '\'' : '"';
    if (quote == '"' && !Accept('"')) return Expected("a string");
    const size_t end = text_.find(quote, position_);
    if (end == absl::string_view::npos) return Expected("the string's end");
    std::string value(text_.substr(position_, end - position_));
    position_ = end + 1;
    return value;
  }

  absl::StatusOr<bool> Boolean() {
    SkipBlanks();
    for (const bool value : {false, true}) {
      const absl::string_view word = value ? "True" : "False";
      if (!absl::StartsWith(text_.substr(position_), word)) continue;
      position_ += word.size();
      return value;
    }
    return Expected("True or False");
  }

  absl::StatusOr<uint64_t> Number() {
    SkipBlanks();
    const size_t begin = position_;
    uint64_t value = 0;
    while (position_ < text_.size() && text_[position_] >= '0' &&
           text_[position_] <= '9') {
      const auto digit = static_cast<uint64_t>(text_[position_] - '0');
      if (value > (std::numeric_limits<uint64_t>::max() - digit) / 10) {
        return Expected("a number below 2^64");
      }
      value = value * 10 + digit;
      ++position_;
    }
    if (position_ == begin) return Expected("a number");
    return value;
  }

  absl::StatusOr<std::vector<uint64_t>> Shape() {
    ENGRAM_RETURN_IF_ERROR(Expect('('));
    std::vector<uint64_t> shape;
    while (!Accept(')')) {
      if (shape.size() == kNpyShapeLengthMax) return Expected("')'");
      ENGRAM_ASSIGN_OR_RETURN(const uint64_t length, Number());
      shape.push_back(length);
      if (!Accept(',')) {
        ENGRAM_RETURN_IF_ERROR(Expect(')'));
        break;
      }
    }
    return shape;
  }

  absl::Status ExpectEnd() {
    SkipBlanks();
    if (position_ == text_.size()) return absl::OkStatus();
    return Expected("the header's end");
  }

 private:
  void SkipBlanks() {
    while (position_ < text_.size() &&
           (text_[position_] == ' ' || text_[position_] == '\n' ||
            text_[position_] == '\t')) {
      ++position_;
    }
  }

  absl::Status Expected(absl::string_view what) const {
    return absl::InvalidArgumentError(
        absl::StrCat("header: expected ", what, " at byte ", position_));
  }

  absl::string_view text_;
  size_t position_ = 0;
};

}  // namespace

absl::StatusOr<NpyHeader> ParseNpyHeader(absl::string_view text) {
  LiteralParser parser(text);
  NpyHeader header;
  bool has_descr = false;
  bool has_order = false;
  bool has_shape = false;
  ENGRAM_RETURN_IF_ERROR(parser.Expect('{'));
  while (!parser.Accept('}')) {
    ENGRAM_ASSIGN_OR_RETURN(const std::string key, parser.String());
    ENGRAM_RETURN_IF_ERROR(parser.Expect(':'));
    if (key == "descr" && !has_descr) {
      has_descr = true;
      ENGRAM_ASSIGN_OR_RETURN(header.descr, parser.String());
    } else if (key == "fortran_order" && !has_order) {
      has_order = true;
      ENGRAM_ASSIGN_OR_RETURN(header.fortran_order, parser.Boolean());
    } else if (key == "shape" && !has_shape) {
      has_shape = true;
      ENGRAM_ASSIGN_OR_RETURN(header.shape, parser.Shape());
    } else {
      return absl::InvalidArgumentError(
          absl::StrCat("header: unknown or repeated key '", key, "'"));
    }
    if (!parser.Accept(',')) {
      ENGRAM_RETURN_IF_ERROR(parser.Expect('}'));
      break;
    }
  }
  ENGRAM_RETURN_IF_ERROR(parser.ExpectEnd());
  if (!has_descr || !has_order || !has_shape) {
    return absl::InvalidArgumentError(
        "header: must name descr, fortran_order and shape");
  }
  return header;
}

}  // namespace engram
