#include "tools/ctl/verify_absent.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "schema/key_layout.h"
#include "schema/limits.h"
#include "schema/part_codec.h"
#include "schema/space_codec.h"
#include "schema/wal_layout.h"
#include "storage/base/aligned_buffer.h"
#include "storage/base/status_macros.h"
#include "storage/io/posix_directory.h"
#include "storage/kv/store.h"
#include "storage/wal/segment_scanner.h"
#include "storage/wal/segments.h"
#include "tools/ctl/verify_report.h"

namespace engram::ctl {
namespace {

using KeyRange = kv::Store::KeyRange;

constexpr size_t kChunkBytes = size_t{1} << 20;

// Bytes of a shorter id turn up by chance.
constexpr size_t kSoughtBytesMin = 6;

// No key is longer; see schema/key_layout.h.
constexpr size_t kKeyBytesMax = 1024;

// What a member's key begins with.
constexpr size_t kMemberBytes = 2 + sizeof(uint64_t);

class IdSearch {
 public:
  IdSearch(std::string path, const AbsentId& absent, VerifyReport* report)
      : path_(std::move(path)), absent_(absent), report_(*report) {}

  absl::Status Run() {
    ENGRAM_RETURN_IF_ERROR(SearchStore());
    ENGRAM_RETURN_IF_ERROR(SearchManifests());
    ENGRAM_RETURN_IF_ERROR(SearchLog());
    ENGRAM_RETURN_IF_ERROR(SearchOtherFiles());
    if (absent_.space.empty() || !space_ids_.empty()) return absl::OkStatus();
    return absl::NotFoundError(absl::StrCat(path_, ": there is no space \"",
                                            absent_.space, "\", nor was one"));
  }

 private:
  void Found(std::string place, std::string message) {
    AddWarning(&report_, std::move(place), std::move(message));
  }

  // --- RocksDB's tables

  absl::Status SearchStore() {
    kv::StoreOptions options;
    options.read_only = true;
    ENGRAM_ASSIGN_OR_RETURN(
        store_, kv::Store::Open(absl::StrCat(path_, "/kv"), options));
    std::vector<schema::CatalogEntry> entries;
    ENGRAM_RETURN_IF_ERROR(store_->Scan(
        kv::kDefaultFamily, schema::kCatalogEntryPrefix,
        [&entries](absl::string_view key, absl::string_view value) {
          ENGRAM_ASSIGN_OR_RETURN(
              schema::CatalogEntry entry,
              schema::DecodeCatalogEntry(
                  schema::NumberInKey(schema::kCatalogEntryPrefix, key),
                  value));
          entries.push_back(std::move(entry));
          return absl::OkStatus();
        }));
    for (const schema::CatalogEntry& entry : entries) {
      const schema::FamilyPlace place = schema::PlaceOf(entry.family);
      if (place.member == 0) owners_[entry.family] = entry.space.id;
      if (!absent_.space.empty() && entry.space.name != absent_.space) continue;
      space_ids_.insert(entry.space.id);
    }
    for (const std::string& family : store_->Families()) {
      ENGRAM_RETURN_IF_ERROR(SearchFamily(family));
    }
    ENGRAM_ASSIGN_OR_RETURN(const std::vector<std::string> obsolete,
                            store_->ObsoleteFiles());
    for (const std::string& name : obsolete) {
      Found(absl::StrCat(path_, "/kv/", name),
            "is no part of the database any more, and may hold anything");
    }
    return absl::OkStatus();
  }

  // All that its tables hold, whatever space it is of: also of members that
  // were dropped, which no catalog lists any more.
  absl::Status SearchFamily(const std::string& family) {
    const auto owner = owners_.find(family);
    return store_->ScanVersions(
        family, KeyRange{"", std::string(kKeyBytesMax, '\xff')},
        [&](absl::string_view key, absl::string_view value) {
          const uint64_t member = schema::MemberOfKey(key);
          if (owner != owners_.end()) {
            SearchKey(family, owner->second, key, value);
          } else if (member != 0) {
            SearchKey(family, member, schema::KeyOfMember(key), value);
          }
        });
  }

  void SearchKey(const std::string& family, uint64_t space_id,
                 absl::string_view key, absl::string_view value) {
    if (!absent_.space.empty() && !space_ids_.contains(space_id)) return;
    const std::string place = absl::StrCat("column family ", family, ", space ",
                                           space_id, ", key ", NameOf(key));
    if (key == schema::RecordKey(absent_.id)) {
      Found(place, value.empty() ? "holds a deletion that names the id"
                                 : "holds a record of the id");
    } else if (value.empty()) {
      return;  // a deletion, which names no id
    } else if (absl::StartsWith(key, schema::kDeadLetterPrefix)) {
      SearchDeadLetter(place, space_id, key, value);
    } else if (absl::StartsWith(key, schema::kVectorPrefix)) {
      SearchVectors(place, space_id, key, value);
    }
  }

  // As other parts of verify call it.
  static std::string NameOf(absl::string_view key) {
    if (absl::StartsWith(key, schema::kVectorPrefix)) {
      const schema::VectorPartPlace part = schema::PlaceOfVectorPart(key);
      return absl::StrCat("v/", part.segment, "/", part.generation);
    }
    if (absl::StartsWith(key, schema::kDeadLetterPrefix)) {
      return absl::StrCat("d/",
                          schema::NumberInKey(schema::kDeadLetterPrefix, key));
    }
    return absl::CHexEscape(key);
  }

  void SearchDeadLetter(const std::string& place, uint64_t space_id,
                        absl::string_view key, absl::string_view value) {
    const absl::StatusOr<schema::DeadLetter> letter = schema::DecodeDeadLetter(
        space_id, schema::NumberInKey(schema::kDeadLetterPrefix, key),
        schema::kAnyDimension, value);
    if (!letter.ok()) {
      Found(place, absl::StrCat("cannot be read, and may hold the id: ",
                                letter.status().message()));
    } else if (letter->id == absent_.id) {
      Found(place, "holds a dead letter of the id");
    }
  }

  void SearchVectors(const std::string& place, uint64_t space_id,
                     absl::string_view key, absl::string_view value) {
    const absl::StatusOr<schema::VectorPart> part =
        schema::DecodeUnlistedVectorPart(space_id, schema::kAnyDimension, key,
                                         value);
    if (!part.ok()) {
      Found(place, absl::StrCat("cannot be read, and may hold the id: ",
                                part.status().message()));
      return;
    }
    const auto rows =
        std::count(part->ids.begin(), part->ids.end(), absent_.id);
    if (rows > 0) Found(place, absl::StrCat("holds ", rows, " rows of the id"));
  }

  // --- Bytes of files

  // Where the bytes stand in the file from `from` on, if they do; those of the
  // first that is not zero if `needle` is empty.
  static absl::StatusOr<std::optional<uint64_t>> Find(
      const io::File& file, uint64_t from, absl::string_view needle) {
    const size_t kept_bytes = needle.empty() ? 0 : needle.size() - 1;
    std::string window;                // ends where the next chunk begins
    AlignedBuffer chunk(kChunkBytes);  // the file may have O_DIRECT
    for (uint64_t offset = from;; offset += chunk.size()) {
      ENGRAM_ASSIGN_OR_RETURN(
          const size_t bytes,
          file.Read(offset, absl::MakeSpan(chunk.data(), chunk.size())));
      const uint64_t window_offset = offset - window.size();
      window.append(chunk.data(), bytes);
      const size_t at = needle.empty()
                            ? window.find_first_not_of('\0')
                            : window.find(needle.data(), 0, needle.size());
      if (at != std::string::npos) return window_offset + at;
      if (bytes < chunk.size()) return std::nullopt;
      window.erase(0, window.size() - kept_bytes);
    }
  }

  // A part of a file that holds nothing which is in use.
  absl::Status SearchRest(const io::File& file, uint64_t from) {
    const bool is_short = absent_.id.size() < kSoughtBytesMin;
    ENGRAM_ASSIGN_OR_RETURN(const std::optional<uint64_t> at,
                            Find(file, from, is_short ? "" : absent_.id));
    if (!at.has_value()) return absl::OkStatus();
    Found(absl::StrCat(file.path(), ", offset ", *at),
          is_short ? "holds what was logged once, and the id is too short to "
                     "be looked for in it"
                   : "holds the bytes of the id");
    return absl::OkStatus();
  }

  // --- The manifest, which names the first and the last key of each table

  absl::Status SearchManifests() {
    ENGRAM_ASSIGN_OR_RETURN(
        const std::unique_ptr<io::Directory> directory,
        io::OpenPosixDirectory(absl::StrCat(path_, "/kv"), /*create=*/false));
    ENGRAM_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                            directory->List());
    // A key with its prefix is not found by chance.
    const std::string key = schema::RecordKey(absent_.id);
    for (const std::string& name : names) {
      if (!absl::StartsWith(name, "MANIFEST-")) continue;
      ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<io::File> file,
                              directory->Open(name, io::OpenMode::kRead));
      ENGRAM_RETURN_IF_ERROR(SearchManifest(*file, key));
    }
    return absl::OkStatus();
  }

  // Before a key stands its length with the 8 bytes behind it.
  absl::Status SearchManifest(const io::File& file, const std::string& key) {
    constexpr size_t kTrailerBytes = 8;
    ENGRAM_ASSIGN_OR_RETURN(const std::string edits, ReadEdits(file));
    for (size_t at = edits.find(key); at != std::string::npos;
         at = edits.find(key, at + 1)) {
      // A family's own key, or one of a member.
      for (const size_t before : {size_t{0}, kMemberBytes}) {
        const std::string length = Varint(before + key.size() + kTrailerBytes);
        if (at < before + length.size()) continue;
        const size_t start = at - before;
        if (edits.compare(start - length.size(), length.size(), length) != 0) {
          continue;
        }
        const uint64_t member = schema::MemberOfKey(
            absl::string_view(edits).substr(start, before + key.size()));
        if (before != 0 && !absent_.space.empty() &&
            !space_ids_.contains(member)) {
          continue;
        }
        Found(file.path(), "names the id in the first or last key of a table");
        return absl::OkStatus();
      }
    }
    return absl::OkStatus();
  }

  static std::string Varint(size_t number) {
    std::string bytes;
    for (; number >= 0x80; number >>= 7) {
      bytes.push_back(static_cast<char>(number | 0x80));
    }
    bytes.push_back(static_cast<char>(number));
    return bytes;
  }

  // The manifest is in blocks of 32 KiB, each of fragments of records: crc u32,
  // length u16, type u8, bytes.
  static absl::StatusOr<std::string> ReadEdits(const io::File& file) {
    constexpr size_t kBlockBytes = size_t{32} << 10;
    constexpr size_t kHeaderBytes = 7;
    std::string edits;
    std::string block(kBlockBytes, '\0');
    for (uint64_t offset = 0;; offset += kBlockBytes) {
      ENGRAM_ASSIGN_OR_RETURN(
          const size_t bytes,
          file.Read(offset, absl::MakeSpan(block.data(), block.size())));
      for (size_t at = 0; at + kHeaderBytes <= bytes;) {
        const size_t length = static_cast<uint8_t>(block[at + 4]) |
                              size_t{static_cast<uint8_t>(block[at + 5])} << 8;
        at += kHeaderBytes;
        edits.append(block, at, std::min(length, bytes - at));
        at += length;
      }
      if (bytes < kBlockBytes) return edits;
    }
  }

  // --- The log

  absl::Status SearchLog() {
    ENGRAM_ASSIGN_OR_RETURN(
        const std::unique_ptr<io::Directory> directory,
        io::OpenPosixDirectory(absl::StrCat(path_, "/wal"), /*create=*/false));
    ENGRAM_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                            directory->List());
    for (const std::string& name : names) {
      absl::StatusOr<std::unique_ptr<io::File>> file =
          directory->Open(name, io::OpenMode::kReadDirect);
      if (absl::IsNotFound(file.status())) continue;  // by the owner
      ENGRAM_RETURN_IF_ERROR(file.status());
      uint64_t end = 0;
      if (wal::SegmentFileNumber(name) != 0) {
        ENGRAM_ASSIGN_OR_RETURN(end, SearchGroups(**file));
      }
      ENGRAM_RETURN_IF_ERROR(SearchRest(**file, end));
    }
    return absl::OkStatus();
  }

  // Returns where the groups end that a reader would take for the segment's.
  absl::StatusOr<uint64_t> SearchGroups(const io::File& file) {
    const absl::StatusOr<wal::SegmentScanner> scanner =
        wal::SegmentScanner::Open(&file);
    if (absl::IsDataLoss(scanner.status())) return 0;
    ENGRAM_RETURN_IF_ERROR(scanner.status());
    uint64_t offset = schema::kGroupsOffset;
    while (true) {
      std::string why;
      ENGRAM_ASSIGN_OR_RETURN(
          const std::unique_ptr<wal::ScannedGroup> group,
          scanner->Read(offset, scanner->file_bytes(), &why));
      if (group == nullptr) return offset;
      group->group->ForEachRecord([&](const schema::RecordView& record) {
        LearnSpace(record);
        if (record.id != absent_.id || !IsSought(record)) return;
        Found(absl::StrCat(file.path(), ", offset ", offset),
              absl::StrCat("holds the id, in LSN ", record.lsn));
      });
      offset += group->group->bytes().size();
    }
  }

  // Of spaces that no catalog knows yet.
  void LearnSpace(const schema::RecordView& record) {
    if (record.type != schema::RecordType::kCreateSpace) return;
    const absl::StatusOr<schema::SpaceDescription> space =
        schema::DecodeSpaceDescription(record.description);
    if (space.ok() && space->name == absent_.space) {
      space_ids_.insert(space->id);
    }
  }

  bool IsSought(const schema::RecordView& record) const {
    const bool has_id = record.type == schema::RecordType::kObserve ||
                        record.type == schema::RecordType::kRemove;
    return has_id &&
           (absent_.space.empty() || space_ids_.contains(record.space_id));
  }

  // --- Whatever else stands in the folder

  absl::Status SearchOtherFiles() {
    if (absent_.id.size() < kSoughtBytesMin) return absl::OkStatus();
    ENGRAM_ASSIGN_OR_RETURN(const std::unique_ptr<io::Directory> directory,
                            io::OpenPosixDirectory(path_, /*create=*/false));
    ENGRAM_ASSIGN_OR_RETURN(const std::vector<std::string> names,
                            directory->List());
    for (const std::string& name : names) {
      absl::StatusOr<std::unique_ptr<io::File>> file =
          directory->Open(name, io::OpenMode::kRead);
      if (!file.ok()) continue;  // a folder
      ENGRAM_RETURN_IF_ERROR(SearchRest(**file, 0));
    }
    return absl::OkStatus();
  }

  const std::string path_;
  const AbsentId& absent_;
  VerifyReport& report_;
  std::unique_ptr<kv::Store> store_;
  std::set<uint64_t> space_ids_;            // of those named absent_.space
  std::map<std::string, uint64_t> owners_;  // of families that are not shared
};

}  // namespace

absl::Status VerifyAbsent(const std::string& path, const AbsentId& absent,
                          VerifyReport* report) {
  const size_t before = report->findings.size();
  ENGRAM_RETURN_IF_ERROR(IdSearch(path, absent, report).Run());
  report->absent = report->findings.size() == before;
  return absl::OkStatus();
}

}  // namespace engram::ctl
