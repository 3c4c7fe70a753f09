#include "engine/index/vector_codec.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "gtest/gtest.h"
#include "schema/metric.h"
#include "schema/quantization.h"

namespace engram::index {
namespace {

using schema::Metric;
using schema::Quantization;

constexpr uint64_t kSeed = 7;
constexpr Metric kMetrics[] = {Metric::kL2, Metric::kCosine,
                               Metric::kInnerProduct};
constexpr Quantization kQuantizations[] = {
    Quantization::kInt8, Quantization::kInt4, Quantization::kInt2};

using Vector = std::vector<float>;

Vector NormalVector(uint32_t dimension, uint32_t seed, float scale = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  Vector vector(dimension);
  for (float& x : vector) x = scale * normal(random);
  return vector;
}

double Dot(const Vector& a, const Vector& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    sum += static_cast<double>(a[i]) * b[i];
  }
  return sum;
}

double Norm(const Vector& a) { return std::sqrt(Dot(a, a)); }

double ExactDistance(Metric metric, const Vector& a, const Vector& b) {
  switch (metric) {
    case Metric::kL2:
      return Dot(a, a) + Dot(b, b) - 2 * Dot(a, b);
    case Metric::kCosine:
      return 1 - Dot(a, b) / (Norm(a) * Norm(b));
    case Metric::kInnerProduct:
      return -Dot(a, b);
  }
  return 0;
}

// The rows of one slot, each one byte off any alignment.
class Slot {
 public:
  explicit Slot(const VectorCodec& codec)
      : crumbs_(codec.CrumbRowBytes() + 1),
        high_(codec.HighRowBytes() + 1),
        low_(codec.LowRowBytes() + 1) {}
  Slot(const VectorCodec& codec, const Vector& vector) : Slot(codec) {
    codec.Encode(vector, rows(), &query);
  }

  CodeRows rows() {
    return {crumbs_.data() + 1, high_.data() + 1, low_.data() + 1};
  }

  CodedQuery query;

 private:
  std::vector<uint8_t> crumbs_;
  std::vector<uint8_t> high_;
  std::vector<uint8_t> low_;
};

float Fine(const VectorCodec& codec, const CodedQuery& query, Slot* slot) {
  const uint8_t* high = slot->rows().high;
  const uint8_t* low = slot->rows().low;
  float distance;
  codec.FineDistances(query, &high, &low, 1, &distance);
  return distance;
}

float Walk(const VectorCodec& codec, const CodedQuery& query, Slot* slot) {
  if (codec.quantization() == Quantization::kInt8) {
    return Fine(codec, query, slot);
  }
  const uint8_t* row = codec.quantization() == Quantization::kInt2
                           ? slot->rows().crumbs
                           : slot->rows().high;
  float distance;
  codec.WalkDistances(query, &row, 1, &distance);
  return distance;
}

float High(const VectorCodec& codec, const CodedQuery& query, Slot* slot) {
  const uint8_t* row = slot->rows().high;
  float distance;
  codec.HighDistances(query, &row, 1, &distance);
  return distance;
}

void ExpectSameQuery(const VectorCodec& codec, const CodedQuery& a,
                     const CodedQuery& b) {
  EXPECT_EQ(std::memcmp(a.codes(), b.codes(), codec.padded_dimension()), 0);
  EXPECT_EQ(a.code_sum(), b.code_sum());
  const float a_numbers[] = {a.factor(), a.bias()};
  const float b_numbers[] = {b.factor(), b.bias()};
  EXPECT_EQ(std::memcmp(a_numbers, b_numbers, sizeof(a_numbers)), 0);
}

void ForEveryKind(uint32_t dimension, const Vector& centre,
                  const std::function<void(const VectorCodec&)>& check) {
  for (const Metric metric : kMetrics) {
    for (const Quantization quantization : kQuantizations) {
      SCOPED_TRACE(testing::Message()
                   << "dimension " << dimension << " metric "
                   << static_cast<int>(metric) << " quantization "
                   << static_cast<int>(quantization));
      check(VectorCodec(dimension, metric, quantization, kSeed, centre,
                        simd::BestKernels()));
    }
  }
}

struct ErrorStatistics {
  double mean = 0;
  double deviation = 0;
};

// Errors of the estimates of <q', x'>, relative to |q'| |x'|, over
// `vector_count`^2 pairs of normally distributed vectors whose lengths are
// spread over a factor of 100.
ErrorStatistics MeasureErrors(Metric metric, Quantization quantization,
                              uint32_t vector_count) {
  constexpr uint32_t kDimension = 768;
  const Vector centre = metric == Metric::kCosine
                            ? NormalVector(kDimension, 1000, 0.01f)
                            : NormalVector(kDimension, 1000, 0.1f);
  const VectorCodec codec(kDimension, metric, quantization, kSeed, centre,
                          simd::BestKernels());
  std::vector<Vector> vectors;
  std::vector<Slot> slots;
  for (uint32_t i = 0; i < 2 * vector_count; ++i) {
    const float scale = std::pow(100.0f, static_cast<float>(i % 11) / 10);
    vectors.push_back(NormalVector(kDimension, i, scale));
    slots.emplace_back(codec, vectors.back());
  }
  const auto centred_norm = [&](const Vector& vector) {
    Vector centred = vector;
    const double scale = metric == Metric::kCosine ? 1 / Norm(vector) : 1;
    for (size_t i = 0; i < kDimension; ++i) {
      centred[i] = static_cast<float>(vector[i] * scale) - centre[i];
    }
    return Norm(centred);
  };
  double sum = 0;
  double squared_sum = 0;
  for (uint32_t q = 0; q < vector_count; ++q) {
    for (uint32_t x = vector_count; x < 2 * vector_count; ++x) {
      const double error = Walk(codec, slots[q].query, &slots[x]) -
                           ExactDistance(metric, vectors[q], vectors[x]);
      const double relative = error / (metric == Metric::kL2 ? 2 : 1) /
                              centred_norm(vectors[q]) /
                              centred_norm(vectors[x]);
      sum += relative;
      squared_sum += relative * relative;
    }
  }
  const double pair_count = static_cast<double>(vector_count) * vector_count;
  return {sum / pair_count, std::sqrt(squared_sum / pair_count)};
}

// The bounds are the measured .00039, .0046 and .0134 with a margin.
TEST(VectorCodecTest, EstimatesAreUnbiasedAndAsCloseAsTheirBits) {
  const auto deviation_max = [](Quantization quantization) {
    switch (quantization) {
      case Quantization::kInt8:
        return 0.0005;
      case Quantization::kInt4:
        return 0.006;
      default:
        return 0.017;
    }
  };
  constexpr uint32_t kVectorCount = 100;
  for (const Metric metric : kMetrics) {
    for (const Quantization quantization : kQuantizations) {
      const ErrorStatistics errors =
          MeasureErrors(metric, quantization, kVectorCount);
      EXPECT_LT(errors.deviation, deviation_max(quantization))
          << "metric " << static_cast<int>(metric) << " quantization "
          << static_cast<int>(quantization);
      // The errors of pairs that share a vector hang together: the mean of
      // 10,000 pairs is less sure than 1 / 100 of a deviation.
      EXPECT_LT(std::abs(errors.mean), 0.04 * errors.deviation)
          << "metric " << static_cast<int>(metric) << " quantization "
          << static_cast<int>(quantization) << " mean " << errors.mean;
    }
  }
}

TEST(VectorCodecTest, LoadMakesTheQueryThatEncodeAndPrepareMake) {
  for (uint32_t dimension : {1, 2, 31, 32, 100, 128, 300, 768, 784, 1536}) {
    const Vector centre = NormalVector(dimension, 1, 0.1f);
    ForEveryKind(dimension, centre, [&](const VectorCodec& codec) {
      const Vector vector = NormalVector(dimension, 2);
      Slot slot(codec, vector);
      CodedQuery loaded;
      codec.Load(slot.rows(), &loaded);
      ExpectSameQuery(codec, loaded, slot.query);
      CodedQuery prepared;
      codec.Prepare(vector, &prepared);
      ExpectSameQuery(codec, prepared, slot.query);
    });
  }
}

TEST(VectorCodecTest, SmallDimensionsEstimateTheirDistances) {
  for (uint32_t dimension : {1, 2, 31, 100, 300}) {
    const Vector centre = NormalVector(dimension, 1, 0.1f);
    ForEveryKind(dimension, centre, [&](const VectorCodec& codec) {
      const Vector a = NormalVector(dimension, 3);
      const Vector b = NormalVector(dimension, 4);
      Slot slot(codec, b);
      CodedQuery query;
      codec.Prepare(a, &query);
      const double exact = ExactDistance(codec.metric(), a, b);
      const double scale = codec.metric() == Metric::kCosine
                               ? 2.0
                               : 2 * (Norm(a) + 1) * (Norm(b) + 1);
      EXPECT_NEAR(Fine(codec, query, &slot), exact, 0.01 * scale);
    });
  }
}

TEST(VectorCodecTest, FineDistancesAreSymmetricBitForBit) {
  const Vector centre = NormalVector(300, 1, 0.1f);
  ForEveryKind(300, centre, [](const VectorCodec& codec) {
    Slot a(codec, NormalVector(300, 2));
    Slot b(codec, NormalVector(300, 3, 5.0f));
    EXPECT_EQ(Fine(codec, a.query, &b), Fine(codec, b.query, &a));
  });
}

TEST(VectorCodecTest, TheHighRowsOfTwoBitCodesTellWhatFourBitCodesTell) {
  constexpr uint32_t kDimension = 256;  // padded alike
  const Vector centre = NormalVector(kDimension, 1, 0.1f);
  for (const Metric metric : kMetrics) {
    const VectorCodec two(kDimension, metric, Quantization::kInt2, kSeed,
                          centre, simd::BestKernels());
    const VectorCodec four(kDimension, metric, Quantization::kInt4, kSeed,
                           centre, simd::BestKernels());
    Slot two_a(two, NormalVector(kDimension, 2));
    Slot two_b(two, NormalVector(kDimension, 3));
    Slot four_a(four, NormalVector(kDimension, 2));
    Slot four_b(four, NormalVector(kDimension, 3));
    EXPECT_EQ(High(two, two_a.query, &two_b),
              Walk(four, four_a.query, &four_b));
    EXPECT_NE(High(two, two_a.query, &two_b), Walk(two, two_a.query, &two_b));
  }
}

TEST(VectorCodecTest, BatchesOfAnySizeGiveWhatSingleRowsGive) {
  constexpr size_t kSlotCount = 150;  // more than go into one kernel call
  const Vector centre = NormalVector(300, 1, 0.1f);
  ForEveryKind(300, centre, [](const VectorCodec& codec) {
    std::vector<Slot> slots;
    std::vector<const uint8_t*> walk;
    std::vector<const uint8_t*> high;
    std::vector<const uint8_t*> low;
    for (uint32_t i = 0; i < kSlotCount; ++i) {
      slots.emplace_back(codec, NormalVector(300, i));
      const CodeRows rows = slots.back().rows();
      high.push_back(rows.high);
      low.push_back(rows.low);
      walk.push_back(codec.quantization() == Quantization::kInt2 ? rows.crumbs
                                                                 : rows.high);
    }
    const CodedQuery& query = slots[0].query;
    std::vector<float> out(kSlotCount);
    codec.FineDistances(query, high.data(), low.data(), kSlotCount, out.data());
    for (size_t i = 0; i < kSlotCount; ++i) {
      EXPECT_EQ(out[i], Fine(codec, query, &slots[i])) << i;
    }
    if (codec.quantization() == Quantization::kInt8) return;
    codec.WalkDistances(query, walk.data(), kSlotCount, out.data());
    for (size_t i = 0; i < kSlotCount; ++i) {
      EXPECT_EQ(out[i], Walk(codec, query, &slots[i])) << i;
    }
    codec.HighDistances(query, high.data(), kSlotCount, out.data());
    for (size_t i = 0; i < kSlotCount; ++i) {
      EXPECT_EQ(out[i], High(codec, query, &slots[i])) << i;
    }
  });
}

TEST(VectorCodecTest, TheCentreIsAtItsExactDistance) {
  Vector centre = NormalVector(300, 1);
  const double norm = Norm(centre);
  for (float& x : centre) x = static_cast<float>(x / norm);
  ForEveryKind(300, centre, [&](const VectorCodec& codec) {
    const Vector other = NormalVector(300, 2);
    Slot at_centre(codec, centre);
    Slot away(codec, other);
    const double exact = ExactDistance(codec.metric(), centre, other);
    const double tolerance = 1e-4 * std::max(std::abs(exact), 1.0);
    EXPECT_NEAR(Fine(codec, at_centre.query, &away), exact, tolerance);
    EXPECT_NEAR(Fine(codec, away.query, &at_centre), exact, tolerance);
    EXPECT_NEAR(Walk(codec, at_centre.query, &away), exact, tolerance);
    EXPECT_NEAR(Walk(codec, away.query, &at_centre), exact, tolerance);
    EXPECT_NEAR(Fine(codec, at_centre.query, &at_centre),
                ExactDistance(codec.metric(), centre, centre), 1e-5);
  });
}

TEST(VectorCodecTest, TheCentresCodeIsZeroWithFactorZero) {
  const Vector centre = NormalVector(100, 1);
  for (const Quantization quantization : kQuantizations) {
    const VectorCodec codec(100, Metric::kL2, quantization, kSeed, centre,
                            simd::BestKernels());
    Slot slot(codec, centre);
    EXPECT_EQ(slot.query.factor(), 0.0f);
    EXPECT_EQ(slot.query.bias(), 0.0f);
    EXPECT_EQ(slot.query.code_sum(), 0);
    for (size_t i = 0; i < codec.padded_dimension() / 2; ++i) {
      EXPECT_EQ(slot.rows().high[i], 0x88);
      EXPECT_EQ(slot.rows().low[i], 0);
    }
  }
}

// Everything from denormal components to squared norms of 1e30, and their
// neighborhoods in which a square or a quotient first leaves a float's range.
TEST(VectorCodecTest, NoMagnitudeGivesNanOrInfinity) {
  constexpr uint32_t kDimension = 300;
  std::vector<Vector> vectors = {Vector(kDimension)};
  for (int exponent = -45; exponent <= 13; ++exponent) {
    const float scale = std::pow(10.0f, static_cast<float>(exponent));
    vectors.push_back(NormalVector(kDimension, 5, scale));
  }
  Vector single(kDimension);
  single[17] = 1e15f;
  vectors.push_back(single);
  single[17] = -1e15f;
  vectors.push_back(single);
  single[17] = 1e-18f;
  vectors.push_back(single);
  for (const Vector& centre : {Vector(kDimension), vectors[20], single,
                               NormalVector(kDimension, 6, 5e13f)}) {
    ForEveryKind(kDimension, centre, [&](const VectorCodec& codec) {
      std::vector<Slot> slots;
      for (const Vector& vector : vectors) slots.emplace_back(codec, vector);
      for (Slot& query : slots) {
        for (Slot& slot : slots) {
          ASSERT_TRUE(std::isfinite(Fine(codec, query.query, &slot)));
          ASSERT_TRUE(std::isfinite(Walk(codec, query.query, &slot)));
        }
      }
    });
  }
}

TEST(VectorCodecTest, HugeVectorsKeepTheirDistances) {
  const Vector a = NormalVector(768, 1, 3e13f);
  const Vector b = NormalVector(768, 2, 3e13f);
  ForEveryKind(768, Vector(768), [&](const VectorCodec& codec) {
    Slot slot(codec, b);
    CodedQuery query;
    codec.Prepare(a, &query);
    const double scale =
        codec.metric() == Metric::kCosine ? 1.0 : 2 * Norm(a) * Norm(b);
    EXPECT_NEAR(Fine(codec, query, &slot), ExactDistance(codec.metric(), a, b),
                1e-2 * scale);
  });
}

TEST(VectorCodecTest, EqualVectorsHaveTheSameCodesAndOthersHaveNot) {
  ForEveryKind(300, Vector(300), [](const VectorCodec& codec) {
    const Vector vector = NormalVector(300, 2);
    Vector shifted = vector;
    shifted[150] += 1.0f;
    Vector longer = vector;
    for (float& x : longer) x *= 2;
    Slot a(codec, vector);
    Slot b(codec, vector);
    Slot c(codec, shifted);
    Slot d(codec, longer);
    EXPECT_TRUE(codec.SameCodes(a.rows(), b.rows()));
    EXPECT_FALSE(codec.SameCodes(a.rows(), c.rows()));
    // Not even here, where the codes are equal and only the length differs; to
    // cosine twice the vector is the vector.
    EXPECT_EQ(codec.SameCodes(a.rows(), d.rows()),
              codec.metric() == Metric::kCosine);
  });
}

TEST(VectorCodecTest, ReusedQueriesKeepNothingOfTheLastVector) {
  const VectorCodec wide(768, Metric::kL2, Quantization::kInt4, kSeed,
                         NormalVector(768, 1, 0.1f), simd::BestKernels());
  const VectorCodec narrow(100, Metric::kCosine, Quantization::kInt4, kSeed,
                           NormalVector(100, 1, 0.1f), simd::BestKernels());
  const Vector vector = NormalVector(100, 3);
  CodedQuery fresh;
  narrow.Prepare(vector, &fresh);
  CodedQuery reused;
  wide.Prepare(NormalVector(768, 2), &reused);
  const int8_t* memory = reused.codes();
  narrow.Prepare(vector, &reused);
  EXPECT_EQ(reused.codes(), memory);
  ExpectSameQuery(narrow, fresh, reused);
}

TEST(VectorCodecTest, EveryTableWritesTheSameCodes) {
  const Vector centre = NormalVector(300, 1, 0.1f);
  const Vector vector = NormalVector(300, 2);
  const VectorCodec generic(300, Metric::kL2, Quantization::kInt4, kSeed,
                            centre, *simd::KernelsByName("generic"));
  const Slot expected(generic, vector);
  for (const std::string name : {"avx2", "avx512"}) {
    const simd::Kernels* kernels = simd::KernelsByName(name);
    if (kernels == nullptr) continue;
    const VectorCodec codec(300, Metric::kL2, Quantization::kInt4, kSeed,
                            centre, *kernels);
    const Slot actual(codec, vector);
    EXPECT_EQ(std::memcmp(actual.query.codes(), expected.query.codes(),
                          codec.padded_dimension()),
              0)
        << name;
    EXPECT_NEAR(actual.query.factor(), expected.query.factor(),
                1e-5f * expected.query.factor());
    EXPECT_NEAR(actual.query.bias(), expected.query.bias(),
                1e-5f * expected.query.bias());
  }
}

TEST(VectorCodecTest, RowSizesAreWholeBlocksAndTwoNumbers) {
  const CodeLayout int4(768, Quantization::kInt4);
  EXPECT_EQ(int4.padded_dimension(), 768u);
  EXPECT_EQ(int4.HighRowBytes(), 392u);
  EXPECT_EQ(int4.LowRowBytes(), 392u);
  EXPECT_EQ(int4.CrumbRowBytes(), 0u);
  const CodeLayout int2(784, Quantization::kInt2);
  EXPECT_EQ(int2.padded_dimension(), 1024u);
  EXPECT_EQ(int2.CrumbRowBytes(), 264u);
  EXPECT_EQ(CodeLayout(784, Quantization::kInt8).padded_dimension(), 896u);
}

TEST(VectorCodecTest, TheCentreIsTheMean) {
  const Vector a = {3, 0, 0};
  const Vector b = {0, 4, 0};
  const std::vector<const float*> rows = {a.data(), b.data()};
  EXPECT_EQ(VectorCodec::CentreOf(Metric::kL2, 3, rows), (Vector{1.5f, 2, 0}));
  EXPECT_EQ(VectorCodec::CentreOf(Metric::kCosine, 3, rows),
            (Vector{0.5f, 0.5f, 0}));
  EXPECT_EQ(VectorCodec::CentreOf(Metric::kL2, 3, {}), Vector(3));
}

}  // namespace
}  // namespace engram::index
