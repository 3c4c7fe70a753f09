// Keys in RocksDB. Numbers in keys are big endian, so that they sort.
//
//   default family          a space's family
//     m/catalog               d/<lsn>                  dead letters
//     p/<producer>            l/<generation><index>    links
//     s/<space id>            m/head                   what belongs together
//                             r/<id>                   current records
//                             v/<segment><generation>  vectors
//
//   a family that small spaces share, its members
//     s/<space id><key>                     all keys of a space but
//     v/<space id><segment><generation>     those of its vectors
//
// v/ sorts last: engine-driven compaction ends before it, so that vectors,
// which never change, are not rewritten.

#ifndef ENGRAM_SCHEMA_KEY_LAYOUT_H_
#define ENGRAM_SCHEMA_KEY_LAYOUT_H_

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace engram::schema {

inline constexpr absl::string_view kCatalogKey = "m/catalog";
inline constexpr absl::string_view kCatalogEntryPrefix = "s/";
inline constexpr absl::string_view kProducerPrefix = "p/";
inline constexpr absl::string_view kDeadLetterPrefix = "d/";
inline constexpr absl::string_view kHeadKey = "m/head";
inline constexpr absl::string_view kRecordPrefix = "r/";
inline constexpr absl::string_view kVectorPrefix = "v/";

std::string CatalogEntryKey(uint64_t space_id);
std::string ProducerKey(uint64_t producer);
std::string DeadLetterKey(uint64_t lsn);
std::string LinkPartKey(uint64_t generation, uint32_t index);
std::string RecordKey(absl::string_view id);
std::string VectorPartKey(uint32_t segment, uint64_t generation);

// What a key of that kind is made of; all 0 if it is another one.
struct VectorPartPlace {
  uint32_t segment = 0;
  uint64_t generation = 0;
};
VectorPartPlace PlaceOfVectorPart(absl::string_view key);

// The number behind the prefix of a key that is made of these two; 0, which
// none of ours ends in, if it is another key.
uint64_t NumberInKey(absl::string_view prefix, absl::string_view key);

// The name of the n-th family, "p000001"; names are never used twice.
std::string FamilyName(uint64_t number);

// The number in such a name; 0 if it is none.
uint64_t FamilyNumber(absl::string_view name);

// Where the keys of a space are: in a family of its own, "p000001", or in one
// that it shares, "p000002/17" for the space with the id 17.
struct FamilyPlace {
  absl::string_view family;
  uint64_t member = 0;  // 0: the family is its own
};

std::string MemberName(absl::string_view family, uint64_t space_id);

// Points into `name`. Where that is no name of a place, the family is none.
FamilyPlace PlaceOf(absl::string_view name);

// The key of a member in the family that it shares. Also of a prefix of keys,
// which must not be shorter than kVectorPrefix: none for all that is no vector.
std::string MemberKey(uint64_t member, absl::string_view key);

// The other way round: which member a key of a shared family belongs to, 0 if
// it is no such key, and its key there.
uint64_t MemberOfKey(absl::string_view shared_key);
std::string KeyOfMember(absl::string_view shared_key);

}  // namespace engram::schema

#endif  // ENGRAM_SCHEMA_KEY_LAYOUT_H_
