#include "tools/bench/names.h"

namespace engram::bench {
namespace {

template <typename T>
std::string NameOf(const std::map<std::string, T>& names, T value) {
  for (const auto& [name, named] : names) {
    if (named == value) return name;
  }
  return "unknown";
}

}  // namespace

const std::map<std::string, Metric>& Metrics() {
  static const std::map<std::string, Metric> names = {
      {"l2", Metric::kL2}, {"cosine", Metric::kCosine}};
  return names;
}

const std::map<std::string, Quantization>& Quantizations() {
  static const std::map<std::string, Quantization> names = {
      {"auto", Quantization::kAuto},
      {"none", Quantization::kNone},
      {"int8", Quantization::kInt8},
      {"int4", Quantization::kInt4},
      {"int2", Quantization::kInt2}};
  return names;
}

const std::map<std::string, Stored>& StoredForms() {
  static const std::map<std::string, Stored> names = {{"f32", Stored::kF32},
                                                      {"none", Stored::kNone}};
  return names;
}

const std::map<std::string, RowOrder>& RowOrders() {
  static const std::map<std::string, RowOrder> names = {
      {"shuffled", RowOrder::kShuffled}, {"clustered", RowOrder::kClustered}};
  return names;
}

std::string MetricName(Metric metric) { return NameOf(Metrics(), metric); }

std::string QuantizationName(Quantization quantization) {
  return NameOf(Quantizations(), quantization);
}

std::string StoredName(Stored stored) { return NameOf(StoredForms(), stored); }

std::string RowOrderName(RowOrder order) { return NameOf(RowOrders(), order); }

}  // namespace engram::bench
