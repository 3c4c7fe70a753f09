// How options are written on the command line and in results.

#ifndef ENGRAM_TOOLS_BENCH_NAMES_H_
#define ENGRAM_TOOLS_BENCH_NAMES_H_

#include <map>
#include <string>

#include "engram/options.h"
#include "tools/bench/row_order.h"

namespace engram::bench {

const std::map<std::string, Metric>& Metrics();
const std::map<std::string, Quantization>& Quantizations();
const std::map<std::string, Stored>& StoredForms();
const std::map<std::string, RowOrder>& RowOrders();

std::string MetricName(Metric metric);
std::string QuantizationName(Quantization quantization);
std::string StoredName(Stored stored);
std::string RowOrderName(RowOrder order);

}  // namespace engram::bench

#endif  // ENGRAM_TOOLS_BENCH_NAMES_H_
