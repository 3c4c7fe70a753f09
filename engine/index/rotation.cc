#include "engine/index/rotation.h"

#include "storage/base/check.h"

namespace engram::index {
namespace {

// Two rounds leave structure of the input visible; four are what RaBitQ uses.
constexpr size_t kRounds = 4;

// splitmix64: fixed here rather than taken from the standard library, whose
// distributions may differ between implementations.
uint64_t NextRandom(uint64_t* state) {
  *state += 0x9e3779b97f4a7c15;
  uint64_t bits = *state;
  bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9;
  bits = (bits ^ (bits >> 27)) * 0x94d049bb133111eb;
  return bits ^ (bits >> 31);
}

}  // namespace

Rotation::Rotation(size_t count, uint64_t seed, const simd::Kernels& kernels)
    : count_(count), window_(simd::kNibbleBlock), kernels_(&kernels) {
  ENGRAM_CHECK(count > 0 && count % simd::kNibbleBlock == 0);
  while (window_ * 2 <= count) window_ *= 2;
  sign_bits_.reserve(kRounds * count / 8);
  while (sign_bits_.size() < kRounds * count / 8) {
    const uint64_t bits = NextRandom(&seed);
    for (int shift = 0; shift < 64; shift += 8) {
      sign_bits_.push_back(static_cast<uint8_t>(bits >> shift));
    }
  }
}

void Rotation::Apply(float* values) const {
  const uint8_t* sign_bits = sign_bits_.data();
  for (size_t round = 0; round < kRounds; ++round) {
    kernels_->flip_signs(values, sign_bits, count_);
    const size_t begin = round % 2 == 0 ? 0 : count_ - window_;
    kernels_->hadamard(values + begin, window_);
    sign_bits += count_ / 8;
  }
}

}  // namespace engram::index
