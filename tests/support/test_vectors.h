// Deterministic vectors for tests.

#ifndef ENGRAM_TESTS_SUPPORT_TEST_VECTORS_H_
#define ENGRAM_TESTS_SUPPORT_TEST_VECTORS_H_

#include <cstdint>
#include <random>
#include <vector>

namespace engram::testing {

// The same seed gives the same vector; different seeds give vectors that are
// far apart.
inline std::vector<float> TestVector(uint32_t dimension, uint64_t seed) {
  std::mt19937_64 random(seed * 0x9e3779b97f4a7c15u + 1);
  std::normal_distribution<float> normal;
  std::vector<float> vector(dimension);
  for (float& component : vector) component = normal(random);
  return vector;
}

}  // namespace engram::testing

#endif  // ENGRAM_TESTS_SUPPORT_TEST_VECTORS_H_
