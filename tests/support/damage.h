// Damaged copies of encoded values, for the tests of the decoders.

#ifndef ENGRAM_TESTS_SUPPORT_DAMAGE_H_
#define ENGRAM_TESTS_SUPPORT_DAMAGE_H_

#include <cstddef>
#include <functional>
#include <string>

#include "absl/status/status.h"

namespace engram::testing {

// `value` with one bit changed.
std::string FlipBit(std::string value, size_t bit);

// Expects DATA_LOSS from `decode` for each value that differs from `value` in
// one bit, for each of its prefixes, and for it with a byte more.
void ExpectEveryDamageRefused(
    const std::string& value,
    const std::function<absl::Status(const std::string&)>& decode);

}  // namespace engram::testing

#endif  // ENGRAM_TESTS_SUPPORT_DAMAGE_H_
