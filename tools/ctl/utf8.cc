#include "tools/ctl/utf8.h"

#include <cstdint>

#include "absl/strings/str_cat.h"

namespace engram::ctl {
namespace {

// Returns the number of bytes that a sequence with this first byte has, and
// the range of its second byte, in which all special cases lie.
struct Sequence {
  size_t length;
  uint8_t second_min;
  uint8_t second_max;
};

Sequence SequenceOf(uint8_t first) {
  if (first < 0x80) return {1, 0, 0};
  if (first < 0xc2) return {0, 0, 0};  // continuation, or longer than needed
  if (first < 0xe0) return {2, 0x80, 0xbf};
  if (first == 0xe0) return {3, 0xa0, 0xbf};
  if (first == 0xed) return {3, 0x80, 0x9f};  // no surrogates
  if (first < 0xf0) return {3, 0x80, 0xbf};
  if (first == 0xf0) return {4, 0x90, 0xbf};
  if (first < 0xf4) return {4, 0x80, 0xbf};
  if (first == 0xf4) return {4, 0x80, 0x8f};  // at most U+10FFFF
  return {0, 0, 0};
}

// Control characters of ASCII and of the block after it (U+0080..U+009F),
// which terminals obey too.
bool IsControl(absl::string_view sequence) {
  const auto first = static_cast<uint8_t>(sequence[0]);
  if (sequence.size() == 1) return first < 0x20 || first == 0x7f;
  return first == 0xc2 && static_cast<uint8_t>(sequence[1]) < 0xa0;
}

// One byte where there is no well-formed sequence.
absl::string_view FirstSequence(absl::string_view bytes) {
  const size_t length = Utf8SequenceLength(bytes);
  return bytes.substr(0, length == 0 ? 1 : length);
}

// What a terminal would obey, or is no UTF-8, as \xNN.
void AppendSafely(absl::string_view sequence, std::string* text) {
  if (IsUtf8(sequence) && !IsControl(sequence)) {
    absl::StrAppend(text, sequence);
    return;
  }
  for (const char byte : sequence) {
    absl::StrAppend(text, "\\x",
                    absl::Hex(static_cast<uint8_t>(byte), absl::kZeroPad2));
  }
}

}  // namespace

size_t Utf8SequenceLength(absl::string_view bytes) {
  if (bytes.empty()) return 0;
  const Sequence sequence = SequenceOf(static_cast<uint8_t>(bytes[0]));
  if (bytes.size() < sequence.length) return 0;
  for (size_t i = 1; i < sequence.length; ++i) {
    const auto byte = static_cast<uint8_t>(bytes[i]);
    const uint8_t min = i == 1 ? sequence.second_min : 0x80;
    const uint8_t max = i == 1 ? sequence.second_max : 0xbf;
    if (byte < min || byte > max) return 0;
  }
  return sequence.length;
}

bool IsUtf8(absl::string_view bytes) {
  while (!bytes.empty()) {
    const size_t length = Utf8SequenceLength(bytes);
    if (length == 0) return false;
    bytes.remove_prefix(length);
  }
  return true;
}

std::string Printable(absl::string_view bytes) {
  std::string text;
  while (!bytes.empty()) {
    const absl::string_view sequence = FirstSequence(bytes);
    if (sequence == "\\") {
      text += "\\\\";
    } else if (sequence == "\n") {
      text += "\\n";
    } else if (sequence == "\t") {
      text += "\\t";
    } else {
      AppendSafely(sequence, &text);
    }
    bytes.remove_prefix(sequence.size());
  }
  return text;
}

std::string PrintableLines(absl::string_view text) {
  std::string safe;
  while (!text.empty()) {
    const absl::string_view sequence = FirstSequence(text);
    if (sequence == "\n") {
      safe += '\n';
    } else {
      AppendSafely(sequence, &safe);
    }
    text.remove_prefix(sequence.size());
  }
  return safe;
}

}  // namespace engram::ctl
