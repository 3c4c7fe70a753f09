#include "schema/key_layout.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"

namespace engram::schema {
namespace {

void AppendBigEndian(uint64_t value, int bytes, std::string* out) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) {
    out->push_back(static_cast<char>((value >> shift) & 0xff));
  }
}

std::string NumberedKey(absl::string_view prefix, uint64_t number) {
  std::string key(prefix);
  AppendBigEndian(number, 8, &key);
  return key;
}

}  // namespace

std::string CatalogEntryKey(uint64_t space_id) {
  return NumberedKey(kCatalogEntryPrefix, space_id);
}

std::string ProducerKey(uint64_t producer) {
  return NumberedKey(kProducerPrefix, producer);
}

std::string DeadLetterKey(uint64_t lsn) {
  return NumberedKey(kDeadLetterPrefix, lsn);
}

uint64_t NumberInKey(absl::string_view prefix, absl::string_view key) {
  if (!absl::ConsumePrefix(&key, prefix)) return 0;
  if (key.size() != sizeof(uint64_t)) return 0;
  uint64_t number = 0;
  for (const char byte : key) number = number << 8 | static_cast<uint8_t>(byte);
  return number;
}

std::string LinkPartKey(uint64_t generation, uint32_t index) {
  std::string key = "l/";
  AppendBigEndian(generation, 8, &key);
  AppendBigEndian(index, 4, &key);
  return key;
}

std::string RecordKey(absl::string_view id) {
  return absl::StrCat(kRecordPrefix, id);
}

std::string VectorPartKey(uint32_t segment, uint64_t generation) {
  std::string key(kVectorPrefix);
  AppendBigEndian(segment, 4, &key);
  AppendBigEndian(generation, 8, &key);
  return key;
}

std::string FamilyName(uint64_t number) {
  return absl::StrFormat("p%06d", number);
}

uint64_t FamilyNumber(absl::string_view name) {
  uint64_t number = 0;
  if (!absl::ConsumePrefix(&name, "p") || name.size() < 6) return 0;
  // Also "+00001" reads as a number, but is no name of ours.
  if (!absl::SimpleAtoi(name, &number)) return 0;
  return FamilyName(number).substr(1) == name ? number : 0;
}

}  // namespace engram::schema
