#include "tools/ctl/output.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "nlohmann/json.hpp"
#include "schema/quantization.h"
#include "storage/base/check.h"
#include "storage/base/errno_status.h"
#include "tools/ctl/utf8.h"

namespace engram::ctl {
namespace {

std::string JsonText(const Json& value) {
  return value.dump(-1, ' ', /*ensure_ascii=*/false,
                    nlohmann::detail::error_handler_t::replace);
}

using Field = std::pair<std::string, std::string>;

// Depth is that of our own objects, at most three.
void CollectFields(const Json& object, const std::string& prefix,
                   std::vector<Field>* fields) {
  for (const auto& [key, value] : object.items()) {
    if (value.is_array()) continue;
    if (value.is_object()) {
      CollectFields(value, absl::StrCat(prefix, key, "."), fields);
    } else if (value.is_string()) {
      fields->emplace_back(prefix + key,
                           Printable(value.get_ref<const std::string&>()));
    } else {
      fields->emplace_back(prefix + key, JsonText(value));
    }
  }
}

}  // namespace

absl::Status Print(absl::string_view text) {
  errno = 0;
  const size_t written = std::fwrite(text.data(), 1, text.size(), stdout);
  if (written != text.size() || std::fflush(stdout) != 0) {
    return ErrnoStatus(errno != 0 ? errno : EIO, "write", "stdout");
  }
  return absl::OkStatus();
}

Json NewJsonObject() { return Json{{"schema_version", kJsonSchemaVersion}}; }

std::string JsonLine(const Json& object) {
  return absl::StrCat(JsonText(object), "\n");
}

absl::Status PrintJson(const Json& object) { return Print(JsonLine(object)); }

void SetBytes(Json& object, const std::string& key, absl::string_view bytes) {
  if (IsUtf8(bytes)) {
    object[key] = std::string(bytes);
  } else {
    object[key + "_base64"] = absl::Base64Escape(bytes);
  }
}

std::string FieldLines(const Json& object) {
  std::vector<Field> fields;
  CollectFields(object, "", &fields);
  size_t width = 0;
  for (const Field& field : fields) width = std::max(width, field.first.size());
  std::string text;
  for (const auto& [name, value] : fields) {
    if (name == "schema_version") continue;
    absl::StrAppendFormat(&text, "%-*s  %s\n", static_cast<int>(width), name,
                          value);
  }
  return text;
}

Table::Table(std::vector<std::string> heading) { Add(std::move(heading)); }

void Table::Add(std::vector<std::string> row) {
  ENGRAM_CHECK(rows_.empty() || row.size() == rows_[0].size());
  rows_.push_back(std::move(row));
}

std::string Table::Text() const {
  const size_t columns = rows_[0].size();
  std::vector<size_t> widths(columns, 0);
  for (const std::vector<std::string>& row : rows_) {
    for (size_t i = 0; i < columns; ++i) {
      widths[i] = std::max(widths[i], row[i].size());
    }
  }
  std::string text;
  for (const std::vector<std::string>& row : rows_) {
    for (size_t i = 0; i < columns; ++i) {
      const int width = static_cast<int>(widths[i]);
      absl::StrAppendFormat(&text, "%s%*s", i == 0 ? "" : "  ",
                            i == 0 ? -width : width, row[i]);
    }
    text += '\n';
  }
  return text;
}

std::string BytesText(uint64_t bytes) {
  if (bytes < 1024) return absl::StrCat(bytes, " B");
  const char* const units[] = {"KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < std::size(units)) {
    value /= 1024;
    ++unit;
  }
  return absl::StrFormat("%.1f %s", value, units[unit]);
}

std::string MetricName(Metric metric) {
  switch (metric) {
    case Metric::kL2:
      return "l2";
    case Metric::kCosine:
      return "cosine";
    case Metric::kInnerProduct:
      break;
  }
  return "ip";
}

std::string QuantizationName(Quantization quantization) {
  return std::string(schema::QuantizationName(
      static_cast<schema::Quantization>(quantization)));
}

std::string StoredName(Stored stored) {
  return std::string(schema::StoredName(static_cast<schema::Stored>(stored)));
}

}  // namespace engram::ctl
