#include "tools/bench/noisy_rows.h"

#include <cmath>

#include "storage/base/check.h"

namespace engram::bench {
namespace {

constexpr size_t kNoisePlaces = size_t{1} << 20;
constexpr float kSigma = 0.05f;

}  // namespace

NoisyRows::NoisyRows(const Matrix& base, uint64_t seed)
    : base_(base), random_(seed), row_(base.dimension()) {
  ENGRAM_CHECK(base.count() > 0);
  // Two of them are added.
  std::normal_distribution<float> normal(0, kSigma / std::sqrt(2.0f));
  noise_.resize(kNoisePlaces + base.dimension());
  for (float& value : noise_) value = normal(random_);
}

absl::Span<const float> NoisyRows::Next() {
  const absl::Span<const float> row = base_.row(random_() % base_.count());
  const float* const noise = noise_.data() + random_() % kNoisePlaces;
  const float* const more = noise_.data() + random_() % kNoisePlaces;
  float square = 0;
  for (const float value : row) square += value * value;
  const float unit = std::sqrt(square / static_cast<float>(row.size()));
  float norm = 0;
  for (size_t i = 0; i < row.size(); ++i) {
    row_[i] = row[i] + unit * (noise[i] + more[i]);
    norm += row_[i] * row_[i];
  }
  const float scale = norm > 0 ? 1 / std::sqrt(norm) : 0;
  for (float& value : row_) value *= scale;
  return row_;
}

}  // namespace engram::bench
