#include "schema/quantization.h"

namespace engram::schema {
namespace {

// Below, a stored row is two cache lines at most: walking in codes and
// comparing again saves no reading.
constexpr uint32_t kCodedDimensionMin = 32;

// The relative error of an estimate falls with the root of the dimension (after
// RaBitQ); from here on, two bits a component are enough to walk by, and walk
// fastest.
constexpr uint32_t kInt2DimensionMin = 512;

}  // namespace

Quantization ResolveQuantization(Quantization requested, Metric metric,
                                 uint32_t dimension) {
  if (requested != Quantization::kAuto) return requested;
  if (dimension < kCodedDimensionMin) return Quantization::kNone;
  // Two bits were measured with L2 and cosine only.
  const bool two_bits =
      dimension >= kInt2DimensionMin && metric != Metric::kInnerProduct;
  return two_bits ? Quantization::kInt2 : Quantization::kInt4;
}

absl::string_view QuantizationName(Quantization quantization) {
  switch (quantization) {
    case Quantization::kAuto:
      return "auto";
    case Quantization::kNone:
      return "none";
    case Quantization::kInt8:
      return "int8";
    case Quantization::kInt4:
      return "int4";
    case Quantization::kInt2:
      return "int2";
  }
  return "unknown";
}

absl::string_view StoredName(Stored stored) {
  switch (stored) {
    case Stored::kF32:
      return "f32";
    case Stored::kNone:
      return "none";
  }
  return "unknown";
}

}  // namespace engram::schema
