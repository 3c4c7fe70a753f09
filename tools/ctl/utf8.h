// Telling text from other bytes, for files and for the terminal.

#ifndef ENGRAM_TOOLS_CTL_UTF8_H_
#define ENGRAM_TOOLS_CTL_UTF8_H_

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace engram::ctl {

// Number of bytes of the well-formed UTF-8 sequence (RFC 3629: shortest form,
// no surrogates, at most U+10FFFF) that `bytes` begins with; 0 if there is
// none.
size_t Utf8SequenceLength(absl::string_view bytes);

bool IsUtf8(absl::string_view bytes);

// Returns `bytes` as one line that is safe to show on a terminal: control
// characters, what is no UTF-8, and backslashes become \n, \t, \\ or \xNN.
std::string Printable(absl::string_view bytes);

// Returns text that has lines and escapes of its own as safely: newlines and
// backslashes stay, the others become \xNN.
std::string PrintableLines(absl::string_view text);

}  // namespace engram::ctl

#endif  // ENGRAM_TOOLS_CTL_UTF8_H_
