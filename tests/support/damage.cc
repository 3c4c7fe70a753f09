#include "tests/support/damage.h"

#include "gtest/gtest.h"

namespace engram::testing {

std::string FlipBit(std::string value, size_t bit) {
  value[bit / 8] = static_cast<char>(value[bit / 8] ^ (1 << (bit % 8)));
  return value;
}

void ExpectEveryDamageRefused(
    const std::string& value,
    const std::function<absl::Status(const std::string&)>& decode) {
  ASSERT_TRUE(decode(value).ok()) << decode(value);
  for (size_t bit = 0; bit < value.size() * 8; ++bit) {
    ASSERT_TRUE(absl::IsDataLoss(decode(FlipBit(value, bit))))
        << "bit " << bit << " of " << value.size() << " bytes";
  }
  for (size_t size = 0; size < value.size(); ++size) {
    ASSERT_TRUE(absl::IsDataLoss(decode(value.substr(0, size))))
        << size << " of " << value.size() << " bytes";
  }
  ASSERT_TRUE(absl::IsDataLoss(decode(value + '\0')));
}

}  // namespace engram::testing
