#include "engine/index/scan_codec.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "schema/metric.h"

namespace engram::index {
namespace {

using schema::Metric;
using Vector = std::vector<float>;

constexpr Metric kMetrics[] = {Metric::kL2, Metric::kCosine,
                               Metric::kInnerProduct};
constexpr const char* kTables[] = {"generic", "avx2", "avx512"};

double Norm(const Vector& vector) {
  double sum = 0;
  for (const float x : vector) sum += static_cast<double>(x) * x;
  return std::sqrt(sum);
}

Vector Scaled(Vector vector, double norm) {
  const double factor = norm / Norm(vector);
  for (float& x : vector) x = static_cast<float>(x * factor);
  return vector;
}

// What the codes of `vector` leave out, as VectorCodec and ScanCodec code it:
// of all 8 bits, or of the high nibbles.
Vector LeftOut(const Vector& vector, bool coarse) {
  float largest = 0;
  for (const float x : vector) largest = std::max(largest, std::abs(x));
  const float step = largest / 127;
  Vector left(vector.size());
  for (size_t i = 0; i < vector.size(); ++i) {
    const float code = std::nearbyint(vector[i] * (127 / largest));
    const float nibble = std::floor((code + 128) / 16) - 7.5f;
    const double coded = static_cast<double>(step) *
                         static_cast<double>(coarse ? 16 * nibble : code);
    left[i] = static_cast<float>(static_cast<double>(vector[i]) - coded);
  }
  return left;
}

// Vectors of one kind for one dimension, each time others.
struct Kind {
  const char* name;
  std::function<Vector(size_t dimension, std::mt19937* random)> make;
};

Vector Normal(size_t dimension, std::mt19937* random) {
  std::normal_distribution<float> normal;
  Vector vector(dimension);
  for (float& x : vector) x = normal(*random);
  return vector;
}

std::vector<Kind> Kinds() {
  return {
      {"normal", Normal},
      {"unit",
       [](size_t dimension, std::mt19937* random) {
         return Scaled(Normal(dimension, random), 1);
       }},
      {"clustered",
       [](size_t dimension, std::mt19937* random) {
         std::mt19937 centre_random((*random)() % 2);
         Vector vector = Normal(dimension, &centre_random);
         const Vector noise = Normal(dimension, random);
         for (size_t i = 0; i < dimension; ++i) vector[i] += 1e-3f * noise[i];
         return vector;
       }},
      {"far from zero",
       [](size_t dimension, std::mt19937* random) {
         Vector vector = Normal(dimension, random);
         for (float& x : vector) x += 1000;
         return vector;
       }},
      {"one large component",
       [](size_t dimension, std::mt19937* random) {
         Vector vector = Normal(dimension, random);
         vector[(*random)() % dimension] = 1e6;
         return vector;
       }},
      {"few components",
       [](size_t dimension, std::mt19937* random) {
         Vector vector(dimension);
         vector[(*random)() % dimension] = 1;
         vector[(*random)() % dimension] = -0.5;
         return vector;
       }},
      {"whole numbers",
       [](size_t dimension, std::mt19937* random) {
         Vector vector(dimension);
         for (float& x : vector) x = static_cast<float>((*random)() % 255);
         vector[0] = 255;
         return vector;
       }},
      {"huge",
       [](size_t dimension, std::mt19937* random) {
         return Scaled(Normal(dimension, random), 0.999e15);
       }},
      {"tiny",
       [](size_t dimension, std::mt19937* random) {
         return Scaled(Normal(dimension, random), 1.001e-15);
       }},
      {"all magnitudes",
       [](size_t dimension, std::mt19937* random) {
         std::uniform_real_distribution<double> power(-18, 12);
         Vector vector = Normal(dimension, random);
         for (float& x : vector) {
           x = static_cast<float>(x * std::pow(10, power(*random)));
         }
         return vector;
       }},
  };
}

// A row and a query, and what the codec says of them.
class Comparison {
 public:
  Comparison(Metric metric, const std::string& table, const Vector& vector,
             const Vector& query)
      : distance_(metric, static_cast<uint32_t>(vector.size()),
                  *simd::KernelsByName(table)),
        codec_(distance_, *simd::KernelsByName(table)),
        codes_(codec_.layout()) {
    const float inverse_norm = distance_.InverseNorm(vector);
    codec_.Encode(vector, inverse_norm, kRow, &codes_);
    const PreparedQuery prepared = distance_.Prepare(query);
    const ScanQuery coded = codec_.Prepare(prepared);
    codec_.CoarseBounds(coded, codes_, kRow, 1, &coarse_lower);
    codec_.FineBounds(coded, codes_, &kRow, 1, &lower, &upper);
    const float* const row = vector.data();
    distance_.DistancesToRows(prepared, &row, &inverse_norm, 1, &exact);
  }

  void ExpectBounds() const {
    EXPECT_LE(coarse_lower, exact);
    EXPECT_LE(lower, exact);
    EXPECT_GE(upper, exact);
  }

  float exact = 0;
  float coarse_lower = 0;
  float lower = 0;
  float upper = 0;

 private:
  static constexpr uint8_t kRow = 37;

  VectorDistance distance_;
  ScanCodec codec_;
  ScanCodes codes_;
};

// Calls `visit` with each table of this CPU and each metric.
void ForEachSetting(
    const std::function<void(const std::string&, Metric)>& visit) {
  for (const char* const table : kTables) {
    if (simd::KernelsByName(table) == nullptr) continue;
    for (const Metric metric : kMetrics) {
      SCOPED_TRACE(::testing::Message()
                   << table << ", metric " << static_cast<int>(metric));
      visit(table, metric);
    }
  }
}

TEST(ScanCodecTest, DistancesLieWithinTheirBounds) {
  ForEachSetting([](const std::string& table, Metric metric) {
    std::mt19937 random(1);
    for (const size_t dimension : {1, 2, 63, 127, 128, 129, 500, 768, 2000}) {
      for (const Kind& row : Kinds()) {
        for (const Kind& query : Kinds()) {
          SCOPED_TRACE(::testing::Message() << dimension << ", a query of "
                                            << query.name << ", " << row.name);
          Comparison(metric, table, row.make(dimension, &random),
                     query.make(dimension, &random))
              .ExpectBounds();
        }
        const Vector vector = row.make(dimension, &random);
        Comparison(metric, table, vector, vector).ExpectBounds();
      }
    }
  });
}

TEST(ScanCodecTest, TheLargestDimensionFits) {
  ForEachSetting([](const std::string& table, Metric metric) {
    std::mt19937 random(2);
    for (const Kind& kind : Kinds()) {
      SCOPED_TRACE(kind.name);
      const Vector vector = kind.make(65535, &random);
      Comparison(metric, table, vector, kind.make(65535, &random))
          .ExpectBounds();
      Comparison(metric, table, vector, vector).ExpectBounds();
    }
    const Vector ones(65535, 1.0f);  // the largest codes everywhere
    Comparison(metric, table, ones, ones).ExpectBounds();
  });
}

TEST(ScanCodecTest, ZerosAndWhatIsHardlyMoreAreBounded) {
  ForEachSetting([](const std::string& table, Metric metric) {
    std::mt19937 random(3);
    const Vector normal = Normal(300, &random);
    const Vector zero(300);
    std::vector<Vector> vectors = {zero, normal};
    if (metric != Metric::kCosine) {  // for which a norm of 1e-15 is the least
      for (const double norm : {1e-17, 1e-18, 1e-19, 1e-23, 1e-30, 1e-40}) {
        vectors.push_back(Scaled(normal, norm));
      }
    }
    for (const Vector& row : vectors) {
      for (const Vector& query : vectors) {
        SCOPED_TRACE(::testing::Message() << Norm(row) << " " << Norm(query));
        Comparison(metric, table, row, query).ExpectBounds();
      }
    }
  });
}

// Every component of the row is half a step from its code, all but a little,
// in the direction of a query whose own codes leave out nothing: this is what
// the bound is made of, and there is no room beside it.
TEST(ScanCodecTest, WhatCodesLeaveOutMayAllLieInTheQuerysDirection) {
  ForEachSetting([](const std::string& table, Metric metric) {
    std::mt19937 random(7);
    for (const size_t dimension : {100, 128, 768, 1536}) {
      for (const float sign : {1.0f, -1.0f}) {
        SCOPED_TRACE(::testing::Message() << dimension << ", " << sign);
        Vector row(dimension);
        Vector query(dimension);
        row[0] = 127;  // so the step is 1
        for (size_t i = 1; i < dimension; ++i) {
          query[i] = random() % 2 == 0 ? 1.0f : -1.0f;
          row[i] =
              static_cast<float>(random() % 21) - 10 + sign * 0.49f * query[i];
        }
        const Comparison pair(metric, table, row, query);
        pair.ExpectBounds();
        const float nearest =
            std::min(pair.exact - pair.lower, pair.upper - pair.exact);
        EXPECT_LT(nearest, 0.03f * (pair.upper - pair.lower));
      }
    }
  });
}

// A query along what a row's codes leave out is as far off as Cauchy-Schwarz
// allows, and so is a row along what those of the query leave out. There are
// tighter bounds that hold for what comes by chance.
TEST(ScanCodecTest, TheWorstVectorsReachTheBounds) {
  ForEachSetting([](const std::string& table, Metric metric) {
    std::mt19937 random(4);
    for (const size_t dimension : {5, 128, 300, 768, 1536}) {
      for (int round = 0; round < 20; ++round) {
        const Vector vector = Scaled(Normal(dimension, &random), 1);
        for (const float sign : {1.0f, -1.0f}) {
          SCOPED_TRACE(::testing::Message() << dimension << ", " << sign);
          Vector fine = Scaled(LeftOut(vector, /*coarse=*/false), 1);
          for (float& x : fine) x *= sign;
          Comparison(metric, table, vector, fine).ExpectBounds();
          Comparison(metric, table, fine, vector).ExpectBounds();
          Vector coarse = Scaled(LeftOut(vector, /*coarse=*/true), 1);
          for (float& x : coarse) x *= sign;
          const Comparison worst(metric, table, vector, coarse);
          worst.ExpectBounds();
          if (dimension < 128 || sign < 0) continue;
          const float weight = metric == Metric::kL2 ? 2.0f : 1.0f;
          const auto off =
              static_cast<float>(Norm(LeftOut(vector, /*coarse=*/true)));
          EXPECT_LT(worst.exact - worst.coarse_lower, 0.25f * weight * off)
              << "of " << weight * off << " that it is known to";
        }
      }
    }
  });
}

TEST(ScanCodecTest, BoundsAreCloseWhereVectorsAreOfNormalShape) {
  ForEachSetting([](const std::string& table, Metric metric) {
    std::mt19937 random(5);
    const double scale = metric == Metric::kL2 ? 2 : 1;
    for (int round = 0; round < 20; ++round) {
      const Comparison pair(metric, table, Scaled(Normal(768, &random), 1),
                            Scaled(Normal(768, &random), 1));
      EXPECT_LT(pair.upper - pair.lower, 0.05 * scale);
      EXPECT_LT(pair.exact - pair.coarse_lower, 0.4 * scale);
    }
  });
}

TEST(ScanCodecTest, ARowKeepsToItself) {
  const simd::Kernels& kernels = simd::BestKernels();
  const VectorDistance distance(Metric::kL2, 200, kernels);
  const ScanCodec codec(distance, kernels);
  ScanCodes codes(codec.layout());
  std::mt19937 random(6);
  std::vector<Vector> rows;
  for (size_t row = 0; row < ScanCodes::kRows; ++row) {
    rows.push_back(Normal(200, &random));
    codec.Encode(rows.back(), 0, row, &codes);
  }
  codec.EncodeNothing(5, &codes);
  const ScanQuery query = codec.Prepare(distance.Prepare(rows[9]));
  float lower[ScanCodes::kRows];
  float upper[ScanCodes::kRows];
  const uint8_t chosen[] = {63, 9, 0};
  codec.FineBounds(query, codes, chosen, 3, lower, upper);
  EXPECT_NEAR(lower[1], 0, 10);
  EXPECT_NEAR(upper[1], 0, 10);
  EXPECT_GT(lower[0], 200);
  EXPECT_GT(lower[2], 200);
  codec.CoarseBounds(query, codes, 7, 57, lower);
  EXPECT_EQ(std::min_element(lower, lower + 57) - lower, 2);
}

}  // namespace
}  // namespace engram::index
