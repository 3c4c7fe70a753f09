#include "schema/key_layout.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"

namespace engram::schema {
namespace {

// Of a key of a shared family: what all members' keys but vectors begin with,
// and where the member's own key begins.
constexpr absl::string_view kMemberPrefix = "s/";
constexpr size_t kMemberKeyStart = 2 + sizeof(uint64_t);

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

// Of up to 8 bytes.
uint64_t ReadBigEndian(absl::string_view bytes) {
  uint64_t number = 0;
  for (const char byte : bytes) {
    number = number << 8 | static_cast<uint8_t>(byte);
  }
  return number;
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

VectorPartPlace PlaceOfVectorPart(absl::string_view key) {
  if (!absl::ConsumePrefix(&key, kVectorPrefix)) return {};
  if (key.size() != sizeof(uint32_t) + sizeof(uint64_t)) return {};
  return {static_cast<uint32_t>(ReadBigEndian(key.substr(0, sizeof(uint32_t)))),
          ReadBigEndian(key.substr(sizeof(uint32_t)))};
}

uint64_t NumberInKey(absl::string_view prefix, absl::string_view key) {
  if (!absl::ConsumePrefix(&key, prefix)) return 0;
  return key.size() == sizeof(uint64_t) ? ReadBigEndian(key) : 0;
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

std::string MemberName(absl::string_view family, uint64_t space_id) {
  return absl::StrCat(family, "/", space_id);
}

FamilyPlace PlaceOf(absl::string_view name) {
  FamilyPlace place;
  const size_t slash = name.find('/');
  place.family = name.substr(0, slash);
  if (slash == absl::string_view::npos) return place;
  const absl::string_view number = name.substr(slash + 1);
  // Also "+17" reads as a number, but is no name of ours.
  if (!absl::SimpleAtoi(number, &place.member) || place.member == 0 ||
      absl::StrCat(place.member) != number) {
    return {};
  }
  return place;
}

std::string MemberKey(uint64_t member, absl::string_view key) {
  const bool is_vector = absl::ConsumePrefix(&key, kVectorPrefix);
  std::string shared =
      NumberedKey(is_vector ? kVectorPrefix : kMemberPrefix, member);
  shared.append(key.data(), key.size());
  return shared;
}

uint64_t MemberOfKey(absl::string_view shared_key) {
  const absl::string_view number = shared_key.substr(0, kMemberKeyStart);
  return std::max(NumberInKey(kMemberPrefix, number),
                  NumberInKey(kVectorPrefix, number));
}

std::string KeyOfMember(absl::string_view shared_key) {
  const absl::string_view rest = shared_key.substr(kMemberKeyStart);
  if (absl::StartsWith(shared_key, kMemberPrefix)) return std::string(rest);
  return absl::StrCat(kVectorPrefix, rest);
}

}  // namespace engram::schema
