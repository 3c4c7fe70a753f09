#include "schema/vector_check.h"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace engram::schema {
namespace {

using ::testing::HasSubstr;

constexpr uint32_t kDimension = 6;

SpaceDescription TestSpace(Metric metric = Metric::kL2) {
  SpaceDescription space;
  space.name = "notes";
  space.dimension = kDimension;
  space.metric = metric;
  return space;
}

std::string Refusal(const SpaceDescription& space,
                    const std::vector<float>& vector) {
  const absl::Status status = CheckVector(space, vector);
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("space \"notes\""));
  return std::string(status.message());
}

// A vector with this squared norm.
std::vector<float> OfSquaredNorm(double squared_norm) {
  std::vector<float> vector(kDimension, 0);
  vector[2] = static_cast<float>(std::sqrt(squared_norm));
  return vector;
}

TEST(VectorCheckTest, TheDimensionIsNamedOnBothSides) {
  const auto space = TestSpace();
  EXPECT_TRUE(CheckVector(space, std::vector<float>(6, 1)).ok());
  EXPECT_THAT(Refusal(space, std::vector<float>(5, 1)),
              HasSubstr("vector has 5 components, dimension is 6"));
  EXPECT_THAT(Refusal(space, std::vector<float>(7, 1)),
              HasSubstr("vector has 7 components, dimension is 6"));
  EXPECT_THAT(Refusal(space, {}), HasSubstr("vector has 0 components"));
}

TEST(VectorCheckTest, AComponentThatIsNotFiniteIsNamed) {
  std::vector<float> vector(6, 1);
  vector[4] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(Refusal(TestSpace(), vector), HasSubstr("component 4"));
  vector[4] = 1;
  vector[0] = -std::numeric_limits<float>::infinity();
  EXPECT_THAT(Refusal(TestSpace(), vector),
              HasSubstr("component 0 of the vector is -inf"));
}

TEST(VectorCheckTest, TheNormHasAnUpperLimit) {
  const auto space = TestSpace();
  EXPECT_TRUE(CheckVector(space, OfSquaredNorm(0.999e30)).ok());
  EXPECT_THAT(Refusal(space, OfSquaredNorm(1.001e30)),
              HasSubstr("allowed are up to 1e+30"));
  EXPECT_THAT(
      Refusal(space, std::vector<float>(6, std::numeric_limits<float>::max())),
      HasSubstr("squared norm"));
}

TEST(VectorCheckTest, TheNormHasALowerLimitForCosineOnly) {
  const auto cosine = TestSpace(Metric::kCosine);
  EXPECT_TRUE(CheckVector(cosine, OfSquaredNorm(1.001e-30)).ok());
  EXPECT_THAT(Refusal(cosine, OfSquaredNorm(0.999e-30)),
              HasSubstr("for cosine it must be at least 1e-30"));
  EXPECT_THAT(Refusal(cosine, OfSquaredNorm(0)), HasSubstr("cosine"));
  for (const auto metric : {Metric::kL2, Metric::kInnerProduct}) {
    EXPECT_TRUE(CheckVector(TestSpace(metric), OfSquaredNorm(0)).ok());
  }
}

TEST(VectorCheckTest, AnIdHasOneTo512Bytes) {
  const auto space = TestSpace();
  EXPECT_TRUE(CheckId(space, "a").ok());
  EXPECT_TRUE(CheckId(space, std::string(512, '\0')).ok());
  EXPECT_THAT(std::string(CheckId(space, "").message()),
              HasSubstr("space \"notes\": id has 0 bytes, allowed are 1 to"));
  EXPECT_THAT(std::string(CheckId(space, std::string(513, 'a')).message()),
              HasSubstr("id has 513 bytes, allowed are 1 to 512"));
}

}  // namespace
}  // namespace engram::schema
