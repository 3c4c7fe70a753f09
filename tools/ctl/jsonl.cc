#include "tools/ctl/jsonl.h"

#include <charconv>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "engram/options.h"
#include "nlohmann/json.hpp"
#include "tools/ctl/utf8.h"

namespace engram::ctl {
namespace {

// Receives the parser's events and fills a record as they come: a tree of
// values would take 64 times the bytes of a line of brackets.
class RecordHandler : public nlohmann::json_sax<nlohmann::json> {
 public:
  enum class Whole { kRecord, kVector };
  explicit RecordHandler(Whole whole) : whole_(whole) {}

  const absl::Status& status() const { return status_; }
  Record& record() { return record_; }

  // Whether what a record must have was there.
  absl::Status CheckComplete() const {
    if (!seen_[kId]) return absl::InvalidArgumentError("\"id\" is missing");
    if (seen_[kVector]) return absl::OkStatus();
    return absl::InvalidArgumentError("\"vector\" is missing");
  }

  bool null() override { return WrongType("null"); }
  bool boolean(bool) override { return WrongType("a boolean"); }

  bool number_integer(int64_t value) override {
    if (in_vector_) return AddComponent(static_cast<float>(value));
    if (member_ != kTimestamp) return WrongType("a negative number");
    record_.timestamp_us = value;
    return true;
  }

  bool number_unsigned(uint64_t value) override {
    if (in_vector_) return AddComponent(static_cast<float>(value));
    if (member_ == kLsn) return true;
    if (member_ != kTimestamp) return WrongType("a number");
    if (value > uint64_t{std::numeric_limits<int64_t>::max()}) {
      return WrongType("above 2^63 - 1");
    }
    record_.timestamp_us = static_cast<int64_t>(value);
    return true;
  }

  bool number_float(double value, const std::string& text) override {
    if (!in_vector_) return WrongType("a number with a fraction");
    // By way of double a number could be rounded twice. from_chars refuses
    // what is too small for a float; that is 0 or the smallest one.
    float component = 0;
    const std::from_chars_result result =
        std::from_chars(text.data(), text.data() + text.size(), component);
    if (result.ec == std::errc()) return AddComponent(component);
    if (std::fabs(value) < 1) return AddComponent(static_cast<float>(value));
    return Fail(absl::StrCat("component ", record_.vector.size(), " is ",
                             text.substr(0, 40), ", which is no float"));
  }

  bool string(std::string& value) override {
    switch (in_vector_ ? kNone : member_) {
      case kId:
        if (!base64_) record_.id = std::move(value);
        return !base64_ || Decode(value, &record_.id);
      case kPayload:
        if (!base64_) record_.payload = std::move(value);
        return !base64_ || Decode(value, &record_.payload);
      default:
        return WrongType("a string");
    }
  }

  bool binary(nlohmann::json::binary_t&) override {
    return WrongType("binary");
  }

  bool start_object(size_t) override {
    if (whole_ == Whole::kVector || in_object_) return WrongType("an object");
    in_object_ = true;
    return true;
  }

  bool key(std::string& key) override {
    base64_ = false;
    if (key == "id" || key == "id_base64") {
      member_ = kId;
      base64_ = key != "id";
    } else if (key == "payload" || key == "payload_base64") {
      member_ = kPayload;
      base64_ = key != "payload";
    } else if (key == "vector") {
      member_ = kVector;
    } else if (key == "timestamp_us") {
      member_ = kTimestamp;
    } else if (key == "lsn") {
      member_ = kLsn;
    } else {
      return Fail(absl::StrCat("unknown member \"",
                               Printable(key.substr(0, 40)), "\""));
    }
    if (std::exchange(seen_[member_], true)) {
      return Fail(absl::StrCat("\"", kNames[member_], "\" is repeated"));
    }
    return true;
  }

  bool end_object() override { return true; }

  bool start_array(size_t) override {
    const bool expected =
        whole_ == Whole::kVector || (in_object_ && member_ == kVector);
    if (!expected || in_vector_) return WrongType("an array");
    in_vector_ = true;
    return true;
  }

  bool end_array() override {
    in_vector_ = false;
    return true;
  }

  bool parse_error(size_t position, const std::string&,
                   const nlohmann::json::exception&) override {
    return Fail(absl::StrCat("no JSON from byte ", position));
  }

 private:
  enum Member { kId, kVector, kPayload, kTimestamp, kLsn, kNone };
  static constexpr const char* kNames[] = {"id", "vector", "payload",
                                           "timestamp_us", "lsn"};

  bool AddComponent(float component) {
    if (record_.vector.size() == kDimensionMax) {
      return Fail(absl::StrCat("\"vector\" has more than ", kDimensionMax,
                               " components"));
    }
    record_.vector.push_back(component);
    return true;
  }

  bool Decode(const std::string& text, std::string* out) {
    if (absl::Base64Unescape(text, out)) return true;
    return Fail(absl::StrCat("\"", kNames[member_], "_base64\" is no base64"));
  }

  bool WrongType(const char* what) {
    if (in_vector_) {
      return Fail(
          absl::StrCat("component ", record_.vector.size(), " is ", what));
    }
    if (member_ != kNone) {
      return Fail(absl::StrCat("\"", kNames[member_], "\" is ", what));
    }
    return Fail(absl::StrCat(
        "is ", what, ", expected ",
        whole_ == Whole::kRecord ? "an object" : "an array of numbers"));
  }

  bool Fail(const std::string& message) {
    status_ = absl::InvalidArgumentError(message);
    return false;
  }

  const Whole whole_;
  bool in_object_ = false;
  bool in_vector_ = false;
  Member member_ = kNone;
  bool base64_ = false;
  bool seen_[kNone] = {};
  Record record_;
  absl::Status status_;
};

absl::Status Parse(absl::string_view text, RecordHandler* handler) {
  const bool parsed = nlohmann::json::sax_parse(
      text.data(), text.data() + text.size(), handler);
  if (!handler->status().ok()) return handler->status();
  if (!parsed) return absl::InvalidArgumentError("no JSON");
  return absl::OkStatus();
}

void AppendBytesMember(const char* name, const std::string& bytes,
                       std::string* out) {
  if (IsUtf8(bytes)) {
    absl::StrAppend(out, "\"", name, "\":", nlohmann::json(bytes).dump());
  } else {
    absl::StrAppend(out, "\"", name, "_base64\":\"", absl::Base64Escape(bytes),
                    "\"");
  }
}

}  // namespace

absl::StatusOr<Record> ParseRecord(absl::string_view line) {
  RecordHandler handler(RecordHandler::Whole::kRecord);
  absl::Status status = Parse(line, &handler);
  if (status.ok()) status = handler.CheckComplete();
  if (!status.ok()) return status;
  return std::move(handler.record());
}

absl::StatusOr<std::vector<float>> ParseVector(absl::string_view text) {
  RecordHandler handler(RecordHandler::Whole::kVector);
  const absl::Status status = Parse(text, &handler);
  if (!status.ok()) return status;
  return std::move(handler.record().vector);
}

void AppendVector(absl::Span<const float> vector, std::string* out) {
  char separator = '[';
  if (vector.empty()) out->push_back('[');
  for (const float component : vector) {
    out->push_back(std::exchange(separator, ','));
    if (component == 0 && std::signbit(component)) {
      out->append("-0.0");  // "-0" would be read as an integer, without sign
      continue;
    }
    char digits[32];
    const std::to_chars_result result =
        std::to_chars(digits, digits + sizeof(digits), component);
    out->append(digits, result.ptr);
  }
  out->push_back(']');
}

void AppendRecordLine(const StoredObservation& observation, std::string* out) {
  out->push_back('{');
  AppendBytesMember("id", observation.id, out);
  out->append(",\"vector\":");
  AppendVector(observation.vector, out);
  out->push_back(',');
  AppendBytesMember("payload", observation.payload, out);
  absl::StrAppend(out, ",\"timestamp_us\":", observation.timestamp_us,
                  ",\"lsn\":", observation.lsn, "}\n");
}

}  // namespace engram::ctl
